//! Accepting connections: within the limit of connections, and when the process has run out of descriptors.

use std::cmp::Reverse;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{EventLoop, LoopState, Step};
use crate::Error;
#[cfg(feature = "tls-config")]
use crate::Tls;
use crate::clock::Moment;
use crate::connection::wait_hook::Coming;
use crate::connection::{Buffers, Connection, WaitsFor};
use crate::http1::Refusal;
#[cfg(any(feature = "tls-config", test))]
use crate::server::task::Speaks;
use crate::server::task::Task;
use crate::shutdown::{LoopsEnded, lock};
use crate::sys;

/// Maximum number of connections that are accepted between two polls, so that parked ones do not starve.
pub(super) const ACCEPTS: u32 = 32;
/// Maximum number of connections beyond the limit: those that are refused, and those that have their last response.
const BEYOND: usize = 32;
/// The order of eviction when connections run out: the longest-idle one; then the one that has been sending its head the
/// longest; then the one that has read nothing of its response the longest.
const DISPENSABLE: [&[WaitsFor]; 3] = [IDLE, SENDING, TAKING];
/// The order of eviction when the process is out of descriptors.
const ALL: [&[WaitsFor]; 4] = [IDLE, &[WaitsFor::End], SENDING, TAKING];
const IDLE: &[WaitsFor] = &[WaitsFor::NextHead, WaitsFor::FirstHead];
const SENDING: &[WaitsFor] = &[
    WaitsFor::RestOfHead,
    WaitsFor::BodyAtOnce,
    WaitsFor::RestOfBody,
];
const TAKING: &[WaitsFor] = &[WaitsFor::Room];
/// A client that has read something of its response within this time is not evicted.
const STALLED: Duration = Duration::from_secs(5);
/// Minimum time between two reports that connections run short.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);
/// Pause of accepting when the process has run out of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);

impl LoopState {
    /// Notes that no connection waits: the poller reports the next one.
    fn accepts_no_more(&mut self) {
        self.accepts = 0;
        self.accept_again = None;
    }

    /// Resumes accepting after a pause that is over. Returns false if there was none, or if no connection waits.
    pub(super) fn accepts_again(&mut self, now: Instant) -> bool {
        if self.accept_again.is_none_or(|again| again > now) {
            return false;
        }
        self.accept_again = None;
        let has_more = self.acceptor.as_ref().is_some_and(|of| of.has_more());
        if has_more {
            self.accepts = ACCEPTS;
        }
        has_more
    }

    /// Pauses accepting.
    fn pause_accepting(&mut self) {
        self.accepts = 0;
        self.accept_again = Some(Instant::now() + ACCEPT_REST);
    }
}

impl EventLoop {
    /// Accepts a connection if one waits, or returns a report that connections run short.
    pub(super) fn accept(&self, state: &mut LoopState) -> Option<Step> {
        while state.accepts > 0 {
            let acceptor = state.acceptor.as_ref()?;
            // Of the first one it is known.
            if state.accepts < ACCEPTS && !acceptor.has_more() {
                state.accepts_no_more();
                return None;
            }
            let is_crowded = self.open() >= self.shared.most_connections().saturating_add(BEYOND);
            if is_crowded && !self.evict(&ALL) {
                state.pause_accepting();
                return Some(Step::Report(Error::other(
                    "too many connections: accepting is paused",
                )));
            }
            // Before it is accepted: else another loop might end the last one meanwhile, and the connection with it.
            let first_request = match self.shared.control.enter_draining() {
                Ok(guard) => guard,
                Err(LoopsEnded) => {
                    state.accepts_no_more();
                    return None;
                }
            };
            state.accepts -= 1;
            if state.accepts == 0 {
                // There may be more: the poller reports them once only.
                state.accept_again = Some(Instant::now());
            }
            let (stream, peer, speaks) = match acceptor.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.accepts_no_more();
                    return None;
                }
                // Out of descriptors: make room for one.
                Err(error) if sys::is_out_of_descriptors(&error) && self.evict(&ALL) => {
                    return Some(Step::Report(Error::other(
                        "out of file descriptors: the longest-idle connections are closed",
                    )));
                }
                // The client is gone again, or a firewall is against it: the next one may be fine.
                Err(error) if sys::is_of_the_client(&error) => continue,
                // Out of memory, or of what the whole system has.
                Err(error) => {
                    state.pause_accepting();
                    return Some(Step::Report(Error::context(
                        "cannot accept connections, accepting is paused",
                        error,
                    )));
                }
            };
            let limits = self.shared.options.limits.clone();
            let mut conn = Connection::new(stream, peer, self.shared.info.clone(), limits);
            conn.first_request = first_request.map(Box::new);
            state.next_home = (state.next_home + 1) % self.shared.led.load(Relaxed).max(1);
            self.shared.control.open.fetch_add(1, Relaxed);
            let task = Task::new(conn, speaks, state.next_home, Moment::now());
            return Some(Step::Serve(Box::new(task)));
        }
        None
    }

    /// Returns true if there is a `verify_request`, which may block like a handler.
    pub(in crate::server) fn asks(&self) -> bool {
        self.shared.options.verify_request.is_some()
    }

    /// Calls `verify_request` for a new connection, and makes room for it.
    pub(super) fn admit(&self, mut task: Box<Task>, buffers: &Buffers) -> Option<Box<Task>> {
        task.is_new = false;
        let options = &self.shared.options;
        // Like a handler, it may be known to block.
        let hook = buffers.hook.as_deref().filter(|_| self.asks());
        if let Some(hook) = hook {
            hook.before_handler("", "verify_request", Coming::Alone);
        }
        let is_accepted = options.accepts(&task.conn.client_address());
        if let Some(hook) = hook {
            hook.after_handler();
        }
        if !is_accepted {
            #[cfg(feature = "testing")]
            if options.resets_refused {
                task.conn.wire().stream.end_with_reset();
            }
            self.close(task);
            return None;
        }
        if self.is_over_limit() {
            self.complain(&Error::other(
                "the limit of connections (max_connections) is reached",
            ));
        }
        while self.is_over_limit() && self.evict(&DISPENSABLE) {}
        let is_full = self.is_over_limit();
        #[cfg(feature = "tls-config")]
        if let Some(tls) = options
            .tls
            .as_ref()
            .filter(|_| task.speaks != Speaks::Plainly)
        {
            if !is_full {
                return self.secure(task, tls);
            }
            // No 503: it would take a handshake with each client of a flood.
            self.close(task);
            return None;
        }
        if is_full {
            task.conn.refuse(Refusal::new(503, ""));
        }
        Some(task)
    }

    /// Puts TLS on a new connection.
    #[cfg(feature = "tls-config")]
    fn secure(&self, mut task: Box<Task>, tls: &Tls) -> Option<Box<Task>> {
        if let Err(failure) = task.conn.secure(tls) {
            let peer = task.conn.client_address();
            self.shared.options.report_tls(&failure, &peer);
            self.close(task);
            return None;
        }
        Some(task)
    }

    /// Reports that connections run short, at most once in a while. This calls code of the program.
    pub(in crate::server) fn complain(&self, error: &Error) {
        let mut last = lock(&self.shared.complained);
        if last.is_some_and(|last| last.elapsed() < BETWEEN_COMPLAINTS) {
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        let server = &self.shared.info.server_address;
        self.shared.options.report(error, server);
    }

    /// The number of connections.
    fn open(&self) -> usize {
        self.shared.control.open.load(Relaxed)
    }

    /// Returns true if there are more connections than allowed, not counting those that have their last response.
    fn is_over_limit(&self) -> bool {
        let (open, most) = (self.open(), self.shared.most_connections());
        // The tables are asked only then.
        open > most && {
            let loops = 0..self.shared.tables.len();
            let ending = loops.map(|number| self.shared.table(number).waiting(WaitsFor::End));
            open.saturating_sub(ending.sum()) > most
        }
    }

    /// Closes the connection that has waited the longest, in any loop, of the first group that has one.
    fn evict(&self, groups: &[&[WaitsFor]]) -> bool {
        let shared = &self.shared;
        let now = Moment::now();
        let may_go = |what, since| what != WaitsFor::Room || now.since(since) >= STALLED;
        groups.iter().any(|group| {
            let loops = 0..shared.tables.len();
            let queues = loops.flat_map(|number| group.iter().map(move |&what| (number, what)));
            let waiting = queues.filter_map(|(number, what)| {
                let table = shared.table(number);
                // Of those that began in the same moment, one of the loop that has more of them.
                let since = table
                    .waits_since(what)
                    .filter(|&since| may_go(what, since))?;
                Some((since, Reverse(table.waiting(what)), number, what))
            });
            let first = waiting.min_by_key(|(since, many, ..)| (*since, *many));
            let task = first
                .and_then(|(.., number, what)| shared.table(number).take_longest_waiting(what));
            let is_closed = task.map(|task| shared.close(task)).is_some();
            self.run_notices_soon();
            is_closed
        })
    }
}

/// The number of connections that the process's descriptor limit leaves room for.
pub(super) fn spare_descriptors() -> usize {
    /// Reserved for files, listeners, the poller and the program.
    const OTHERS: u64 = 64;
    let spare = sys::descriptor_limit()
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHERS)
        .max(OTHERS / 2);
    usize::try_from(spare).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::server::options::Options;

    #[test]
    fn no_connection_makes_room_for_one_that_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let loops = EventLoop::all(
            vec![(listener.into(), Speaks::AsTheServer)],
            Options::default(),
            1,
        )
        .unwrap();
        let event_loop = &loops[0];
        let mut state = event_loop.lock();
        let connect = |state: &mut LoopState| {
            let client = TcpStream::connect(address).unwrap();
            while !state.accepts() {
                event_loop.wait(state, None).unwrap();
            }
            client
        };
        let accepted = |step: Option<Step>| step.and_then(|step| event_loop.run_hook(step));
        let _idle = connect(&mut state);
        let prepare = |task| event_loop.prepare(task, &mut Buffers::default());
        assert!(prepare(accepted(event_loop.accept(&mut state)).unwrap()).is_none());
        let as_many_as_there_may_be = event_loop.shared.max_connections + BEYOND;
        let shared = &event_loop.shared;
        shared.control.open.store(as_many_as_there_may_be, Relaxed);
        assert!(event_loop.accept(&mut state).is_none() && !state.accepts());
        state.pause_accepting();
        assert!(!state.accepts_again(Instant::now()));
        assert!(!state.accepts_again(Instant::now() + ACCEPT_REST));
        assert_eq!(event_loop.table().waiting(WaitsFor::FirstHead), 1);

        let _next = connect(&mut state);
        state.pause_accepting();
        assert!(state.accepts_again(Instant::now() + ACCEPT_REST));
        let next = accepted(event_loop.accept(&mut state)).unwrap();
        assert!(event_loop.admit(next, &Buffers::default()).is_some());
        assert_eq!(event_loop.table().waiting(WaitsFor::FirstHead), 0);
    }

    /// A loop that is busy with a handler keeps no new client waiting.
    #[cfg(target_os = "linux")]
    #[test]
    fn every_event_loop_accepts_and_all_of_them_get_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let loops = EventLoop::all(
            vec![(listener.into(), Speaks::AsTheServer)],
            Options::default(),
            3,
        )
        .unwrap();
        loops.iter().for_each(EventLoop::note_led);
        for event_loop in &loops {
            let mut state = event_loop.lock();
            let clients = [(); 3].map(|()| TcpStream::connect(address).unwrap());
            let mut homes = clients.each_ref().map(|_| {
                let until = Instant::now() + Duration::from_secs(10);
                if !state.accepts() {
                    event_loop.wait(&mut state, Some(until)).unwrap();
                }
                let step = event_loop.accept(&mut state);
                event_loop.run_hook(step.unwrap()).unwrap().home()
            });
            homes.sort();
            assert_eq!(homes, [0, 1, 2]);
        }
    }
}
