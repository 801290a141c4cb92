//! [`Handed`]: the part of an exchange that the program continues after the handler: the rest of a body (a
//! [`ResponseStream`]), or the whole response (a [`Deferred`]).
//!
//! As with a tail, nothing else is done for the connection before that is over ([`Connection::is_unfinished`]).

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Connection;
use super::channel::{Channel, Rest};
use super::deferred::{Answer, Deferred};
use super::kept::{Kept, Late, LateStep};
use super::link::{Call, Link, Place};
use super::outgoing::misuse;
use super::response_stream::ResponseStream;
use super::state::{Ending, State, WaitsFor};
use super::stream_queue::{Look, Progress, Queue, RestFraming};
use crate::error::Fault;
use crate::shutdown::TailGuard;
use crate::{Error, Result, Status};

/// Interval at which a thread that waits for the program checks whether the client has left or the server has stopped.
const LOOK: Duration = Duration::from_millis(100);

/// A stream or a deferred request, on the side of the connection.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) what: What,
    /// The link has the slot in which the connection is parked.
    has_place: bool,
    /// The link was told that the server stops.
    knows_of_stop: Cell<bool>,
    /// The writer sends directly to the socket.
    is_open: bool,
    /// The state as of the last look.
    look: Look,
    _counted: TailGuard,
}

#[derive(Debug)]
pub(super) enum What {
    Stream(Arc<Link<Queue>>),
    Late(Arc<Link<Option<Answer>>>, Kept),
}

impl Handed {
    fn close(&self, fault: Fault) -> Option<Call> {
        match &self.what {
            What::Stream(link) => {
                link.give_up(fault.clone());
                link.close(fault)
            }
            What::Late(link, _) => link.close(fault),
        }
    }

    fn allows_half_close(&self) -> bool {
        match &self.what {
            What::Stream(link) => link.allows_half_close(),
            What::Late(link, _) => link.allows_half_close(),
        }
    }
}

impl Channel {
    #[inline]
    pub(super) fn is_handed(&self) -> bool {
        self.rest.borrow().handed.is_some()
    }

    /// Returns true if the response is deferred.
    pub(crate) fn is_deferred(&self) -> bool {
        let rest = self.rest.borrow();
        rest.handed
            .as_ref()
            .is_some_and(|handed| matches!(handed.what, What::Late(..)))
    }

    fn hand(&self, what: What, counted: TailGuard) {
        self.rest.borrow_mut().handed = Some(Box::new(Handed {
            what,
            has_place: false,
            knows_of_stop: Cell::new(false),
            is_open: false,
            look: Look {
                progress: Progress::Waits,
                written: 0,
                is_kept_alive: false,
            },
            _counted: counted,
        }));
    }

    /// Counts a stream or a deferred request.
    ///
    /// # Errors
    /// 503 if the event loops of a stopping server have ended, or if too much would be held in memory.
    fn count_handed(&self, bytes: usize) -> io::Result<TailGuard> {
        let counted = self
            .wire
            .control
            .enter_handed(bytes, self.limits.total_queue);
        counted.ok_or_else(|| Error::from(Status::SERVICE_UNAVAILABLE).into())
    }

    /// Makes the stream for the rest of the body.
    pub(super) fn start_stream(&self) -> io::Result<ResponseStream> {
        if self.detached.get() {
            return Err(misuse(
                "the connection is detached: its body can't be streamed",
            ));
        }
        let counted = self.count_handed(0)?;
        let framing = self.out.borrow_mut().start_stream(self.is_closing())?;
        let (control, limits) = (self.wire.control.clone(), self.limits.clone());
        let is_bounded = self.wire.stream.fd().is_some();
        let queue = |framing| Queue::new(framing, is_bounded, limits, control.clone());
        let Some(framing) = framing else {
            let link = Link::new(queue(RestFraming::UntilClose));
            link.give_up(Fault::Gone);
            return Ok(ResponseStream(link, control));
        };
        let link = Link::new(queue(framing));
        let stream = ResponseStream(link.clone(), control.clone());
        self.hand(What::Stream(link), counted);
        Ok(stream)
    }

    /// Defers the response to a request whose head has this number of bytes.
    pub(crate) fn defer(&self, head: usize) -> io::Result<Deferred> {
        let out = self.out.borrow();
        if out.has_head() || out.has_begun() || self.is_handed() {
            return Err(misuse(
                "an exchange can be deferred only once, and before the head of its response",
            ));
        }
        let link = Link::new(None);
        self.hand(
            What::Late(link.clone(), Kept::default()),
            self.count_handed(head)?,
        );
        Ok(Deferred {
            link,
            control: self.wire.control.clone(),
        })
    }

    /// Undoes [`defer`](Self::defer).
    pub(crate) fn undefer(&self) {
        let handed = self.rest.borrow_mut().handed.take();
        // It tells the program.
        drop(handed);
    }

    /// Returns true if the last response continues without a handler, or its outcome is still to be reported.
    #[inline]
    pub(super) fn is_unfinished(&self) -> bool {
        let rest = self.rest.borrow();
        rest.tail.is_some() || rest.handed.is_some() || rest.report.is_some()
    }
}

impl Connection {
    /// Returns true if the last response continues without a handler: it has a tail, or is a stream or deferred. Before that
    /// is over and its outcome is reported, nothing else is done for the connection.
    #[inline]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.channel.is_unfinished()
    }

    /// Returns true if a stopping server continues with the connection.
    pub(crate) fn outlasts_stop(&self) -> bool {
        self.first_request.is_some() || self.is_unfinished()
    }

    pub(crate) fn is_handed(&self) -> bool {
        self.channel.is_handed()
    }

    /// Returns true if the link does not have the slot of the connection yet.
    pub(crate) fn wants_place(&self) -> bool {
        let rest = self.channel.rest.borrow();
        rest.handed.as_ref().is_some_and(|handed| !handed.has_place)
    }

    pub(crate) fn set_place(&mut self, place: Place) {
        if let Some(handed) = &mut self.channel.rest.get_mut().handed {
            handed.has_place = true;
            match &handed.what {
                What::Stream(link) => link.place(place),
                What::Late(link, _) => link.place(place),
            }
        }
    }

    /// Continues an unfinished response, without waiting. Returns true if it is over. With `may_have_left` it also checks
    /// whether the client has left.
    ///
    /// # Errors
    /// If the client has left or is too slow, or if the body can't be completed. The connection is ending then.
    pub(crate) fn go_on(&mut self, may_have_left: bool) -> Result<bool> {
        let gone_on = self.go_on_with_rest(may_have_left);
        match &gone_on {
            Ok(false) => {}
            Ok(true) => {
                self.note_over(false);
                self.channel.rest.get_mut().handed = None;
            }
            Err(_) => self.note_over(true),
        }
        gone_on
    }

    fn go_on_with_rest(&mut self, may_have_left: bool) -> Result<bool> {
        if self.channel.has_tail() && !self.send_tail()? {
            return Ok(false);
        }
        let gone_on = self.go_on_with_handed(may_have_left);
        gone_on.inspect_err(|_| {
            self.state = State::Ending(Ending::Close);
            self.channel.wire.stream.end_with_reset();
        })
    }

    fn go_on_with_handed(&mut self, may_have_left: bool) -> Result<bool> {
        let has_failed = self.channel.is_broken() || self.channel.resets.get();
        let wire = &mut self.channel.wire;
        let Some(handed) = &mut self.channel.rest.get_mut().handed else {
            return Ok(true);
        };
        if has_failed || (may_have_left && wire.stream.has_left_by(!handed.allows_half_close())) {
            return Err(io::Error::from(Fault::Gone).into());
        }
        match &mut handed.what {
            What::Stream(link) => {
                if handed.has_place
                    && !handed.is_open
                    && let Some(socket) = wire.stream.share()
                {
                    link.open(socket);
                    handed.is_open = true;
                }
                handed.look = link.send_on(|slices| wire.stream.send_all(slices))?;
                if handed.look.progress != Progress::All {
                    return Ok(false);
                }
            }
            What::Late(link, kept) => {
                let Some(answer) = link.look().content.take() else {
                    return Ok(false);
                };
                self.state = State::Late(Box::new(Late {
                    kept: std::mem::take(kept),
                    step: LateStep::Answer(answer),
                }));
            }
        }
        Ok(true)
    }

    /// Returns true if the unfinished response waits for the client or the program, and not only for its turn.
    pub(crate) fn is_waiting(&self) -> bool {
        match &*self.channel.rest.borrow() {
            Rest {
                tail: None,
                handed: Some(handed),
                ..
            } => handed.look.progress != Progress::Share,
            _ => self.channel.tail_is_full(),
        }
    }

    /// What the connection waits for, if it has a stream or a deferred request.
    pub(super) fn handed_waits_for(&self) -> Option<WaitsFor> {
        let look = self.channel.rest.borrow().handed.as_ref()?.look;
        Some(match look.progress {
            Progress::Waits if look.is_kept_alive => WaitsFor::Silence,
            Progress::Waits => WaitsFor::Program,
            _ => WaitsFor::Room,
        })
    }

    /// The number of bytes that were sent of a stream.
    pub(super) fn handed_written(&self) -> u64 {
        let rest = self.channel.rest.borrow();
        rest.handed.as_ref().map_or(0, |handed| handed.look.written)
    }

    /// Notes that nothing was sent on a stream for a while, as of the last look.
    pub(crate) fn note_silence(&self) {
        if let Some(handed) = &self.channel.rest.borrow().handed
            && let What::Stream(link) = &handed.what
        {
            link.note_silence(handed.look.written);
        }
    }

    /// Notes that the server stops. Returns the call that tells the program.
    pub(crate) fn note_stop(&self) -> Option<Call> {
        let rest = self.channel.rest.borrow();
        let handed = rest.handed.as_ref()?;
        handed.knows_of_stop.set(true);
        match &handed.what {
            What::Stream(link) => link.note_stop(),
            What::Late(link, _) => link.note_stop(),
        }
    }

    /// Returns true if the program was not told yet that the server stops.
    pub(crate) fn wants_note_of_stop(&self) -> bool {
        let rest = self.channel.rest.borrow();
        let wants = |handed: &Handed| !handed.knows_of_stop.get();
        rest.handed.as_deref().is_some_and(wants)
    }

    /// Ends the stream or the deferred request of a connection that ends. Returns the call that tells the program.
    pub(crate) fn close_handed(&mut self) -> Option<Call> {
        let fault = match self.channel.wire.control().is_cut() {
            true => Fault::Stopped,
            false => Fault::Gone,
        };
        self.note_over(true);
        let handed = self.channel.rest.get_mut().handed.take()?;
        let is_stream = matches!(handed.what, What::Stream(_));
        if is_stream {
            // What was sent must not look like all of it.
            self.channel.wire.stream.end_with_reset();
        }
        handed.close(fault)
    }

    /// Continues the stream or the deferred request until it is over, where no event loop would do that. It waits for the
    /// program at most for this time.
    ///
    /// # Errors
    /// Those of [`go_on`](Self::go_on), and if the time is over.
    pub(crate) fn finish_handed(&mut self, patience: Option<Duration>) -> Result<()> {
        if !self.is_handed() {
            return Ok(());
        }
        self.flush_all()?;
        self.channel.finish_tail()?;
        let start = Instant::now();
        while !self.go_on(true)? {
            let wire = &self.channel.wire;
            wire.check_cut()?;
            let left = patience.map_or(LOOK, |time| time.saturating_sub(start.elapsed()));
            let rest = self.channel.rest.borrow();
            let Some(handed) = &rest.handed else { break };
            match &handed.what {
                _ if left.is_zero() => return Err(io::Error::from(Fault::Stopped).into()),
                What::Stream(link) if handed.look.progress == Progress::Full => {
                    link.with_rate(|rate, allowance| wire.wait_writable(rate, allowance))?;
                }
                What::Stream(link) => {
                    wire.before_wait();
                    link.wait(|state| state.has_news(), left.min(LOOK));
                }
                What::Late(link, _) => {
                    wire.before_wait();
                    link.wait(|state| state.content.is_some(), left.min(LOOK));
                }
            }
        }
        Ok(())
    }
}

impl Drop for Handed {
    /// Tells the program about a connection that no event loop has closed, after a panic or when the server is dropped.
    fn drop(&mut self) {
        if let Some(call) = self.close(Fault::Stopped) {
            // What the program's closure does is its own affair.
            let _ = call.run();
        }
    }
}
