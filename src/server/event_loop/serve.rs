//! Serving a picked connection: it is read, handled, and parked again or closed. No lock is held over a handler.

use mio::Token;

use super::{EventLoop, LoopState};
use crate::Error;
use crate::base::{self, RequestHandler};
use crate::clock::Moment;
use crate::connection::link::Place;
use crate::connection::{Buffers, Connection, Lingers, Next, Readiness, WaitsFor};
use crate::error::guarded;
use crate::http1::Refusal;
use crate::server::poller::FIRST_SLOT;
use crate::server::task::Task;
use crate::shutdown::ThreadGuard;

/// The state of a connection after it was served.
#[derive(Debug, Default)]
pub(in crate::server) enum Left {
    /// It was parked or closed.
    #[default]
    Nothing,
    /// It is to be parked.
    Waits(Box<Task>),
    /// There is more to do on it.
    GoesOn(Box<Task>),
}

impl EventLoop {
    /// Admits a new connection, and reads the available bytes, without waiting. Returns the connection if a handler is to
    /// run; otherwise it was parked or closed.
    pub(in crate::server) fn prepare(
        &self,
        mut task: Box<Task>,
        buffers: &mut Buffers,
    ) -> Option<Box<Task>> {
        if task.is_new {
            if self.shared.options.proxy_protocol {
                task = self.await_proxy_header(task)?;
            }
            task = self.admit(task, buffers)?;
        }
        loop {
            if task.conn.is_unfinished() && !self.go_on(&mut task) {
                task = self.park(task)?;
                continue;
            }
            if task.conn.ending().is_some() {
                self.end(task);
                return None;
            }
            task.conn.lend(buffers, task.end_may_follow);
            // It calls other crates: no panic of theirs may end the thread.
            match guarded(|| task.conn.poll_request()) {
                Ok(Readiness::Request) => {
                    // Answers may have waited for the rest of a body. If it fails, so does the next answer.
                    let _ = task.conn.flush();
                    if !task.conn.is_unfinished() {
                        return Some(task);
                    }
                    task.conn.reclaim(buffers);
                }
                Ok(Readiness::Pending) => task.conn.reclaim(buffers),
                ended @ (Ok(Readiness::Ended) | Err(_)) => {
                    self.report_failure(ended.err(), &task.conn);
                    let _ = task.conn.flush_last();
                    task.conn.reclaim(buffers);
                    if !task.conn.is_unfinished() {
                        self.end(task);
                        return None;
                    }
                    task.conn.leave();
                }
            }
            if task.conn.is_unfinished() {
                continue;
            }
            if task.conn.has_more_to_discard() {
                // Registered anew, it is reported at once.
                task.conn.wire().deregister(&self.registry);
            }
            task = self.park(task)?;
        }
    }

    /// Sends more of an unfinished response, without waiting. Returns false if something is left.
    fn go_on(&self, task: &mut Task) -> bool {
        if task.conn.wants_place() {
            // Before the first look: what changes behind that is told.
            let slot = *task.slot.get_or_insert_with(|| self.table().reserve());
            let mailbox = self.mailbox.clone();
            task.conn.set_place(Place { mailbox, slot });
        }
        if self.shared.control.is_stopping() {
            self.shared.notices.add(task.conn.note_stop());
            self.run_notices_soon();
        }
        let gone_on = task.conn.go_on(task.end_may_follow);
        // What came meanwhile, and the end of the stream behind it, is reported no more.
        task.end_may_follow = true;
        gone_on.unwrap_or_else(|error| {
            self.report(error, &task.conn);
            self.shared.notices.add(task.conn.close_handed());
            self.run_notices_soon();
            true
        })
    }

    /// Reports the error that ends a connection, unless the client caused it.
    fn report_failure(&self, error: Option<Error>, conn: &Connection) {
        if let Some(error) = error
            && error.panic_message().is_some()
        {
            self.report(error, conn);
        }
        #[cfg(feature = "tls-config")]
        if let Some(failure) = conn.take_tls_failure() {
            let options = &self.shared.options;
            options.report_tls(&failure, &conn.client_address());
        }
    }

    /// Reports an error that no response can report.
    pub(super) fn report(&self, error: Error, conn: &Connection) {
        let peer = conn.client_address();
        // The program's own errors may panic when they are shown or dropped.
        let _ = guarded(move || {
            self.shared.options.report(&error, &peer);
            Ok(())
        });
    }

    /// Runs the handler of a prepared connection. Returns true if a request was answered.
    pub(in crate::server) fn run_handler<H: RequestHandler + ?Sized>(
        &self,
        handler: &H,
        mut task: Box<Task>,
        buffers: &mut Buffers,
    ) -> (Left, bool) {
        let conn = &mut task.conn;
        let before = conn.answered();
        let is_to_report = conn.is_to_report();
        let running = buffers.thread.as_ref().map(ThreadGuard::enter_handler);
        let next = self.call(handler, conn);
        drop(running);
        let has_answered = conn.answered() > before;
        conn.first_request.take_if(|_| has_answered);
        let is_spent = conn.is_spent();
        conn.reclaim(buffers);
        task.end_may_follow = true;
        let is_over = conn_is_over(&task.conn, next);
        if is_over {
            task.conn.leave();
        }
        let left = match next {
            _ if task.is_closed => Left::Nothing,
            _ if task.conn.is_unfinished() => self.leave_unfinished(task),
            _ if task.conn.is_to_report() => Left::GoesOn(task),
            _ if is_over => {
                self.end(task);
                Left::Nothing
            }
            Next::Again => Left::GoesOn(task),
            // No event will tell of what has come already.
            _ if (has_answered || is_to_report) && !is_spent => Left::GoesOn(task),
            // For the first time, mostly: it gets its slot, and is registered.
            _ if !task.conn.wire().is_registered() => {
                self.park(task).map_or(Left::Nothing, Left::GoesOn)
            }
            _ => Left::Waits(task),
        };
        (left, has_answered)
    }

    /// Parks a connection with an unfinished response, unless it can be continued after the others.
    fn leave_unfinished(&self, mut task: Box<Task>) -> Left {
        // The writer of a stream need not wait for that turn.
        let is_over = task.conn.is_handed() && self.go_on(&mut task);
        match !is_over && task.conn.is_waiting() {
            true => self.park(task).map_or(Left::Nothing, Left::GoesOn),
            false => Left::GoesOn(task),
        }
    }

    /// Calls the handler. An error or a panic closes the connection.
    fn call<H: RequestHandler + ?Sized>(&self, handler: &H, conn: &mut Connection) -> Next {
        let result = guarded(|| {
            let next = base::report_and_handle(handler, conn)?;
            if next == Next::Close {
                conn.leave();
            }
            conn.flush_last()?;
            Ok(next)
        });
        result.unwrap_or_else(|error| {
            self.report(error, conn);
            // The answers to earlier requests are finished; if this fails too, nobody is there.
            let _ = conn.flush_all();
            Next::Close
        })
    }

    /// Parks the connections that were served since the last poll, under one lock and by one clock.
    pub(super) fn park_all(&self, state: &mut LoopState) {
        if state.to_park.is_empty() {
            return;
        }
        let mut table = self.table();
        let now = Moment::now();
        for mut task in state.to_park.drain(..) {
            // They have been parked before, in this loop. A leader that takes a connection off the poller registers it
            // again in `park` at once, or has lost the loop.
            debug_assert!(task.slot.is_some() && task.conn.wire().is_registered());
            debug_assert!(!task.conn.is_unfinished());
            let token = task.slot.map(|slot| Token(slot + FIRST_SLOT));
            if token.is_some_and(|token| task.conn.watch_on(&self.registry, token).is_err()) {
                // It is closed as a connection whose reading fails.
                state.unfinished.push_back(task);
                continue;
            }
            state.unfinished.extend(table.park(task, now));
        }
    }

    /// Parks a connection until it is readable or its response can be continued, and registers it with the poller at
    /// first. Returns the connection if an event has come meanwhile.
    pub(in crate::server) fn park(&self, mut task: Box<Task>) -> Option<Box<Task>> {
        let mut table = self.table();
        let slot = *task.slot.get_or_insert_with(|| table.reserve());
        let token = Token(slot + FIRST_SLOT);
        let is_registered = task.conn.watch(&self.registry, token).is_ok();
        let control = &self.shared.control;
        let is_over =
            control.is_stopping() && !(task.conn.outlasts_stop() && control.carries_tails());
        if !is_registered || is_over {
            drop(table);
            self.close(task);
            return None;
        }
        if control.is_stopping() && task.conn.wants_note_of_stop() {
            // The stop came after the last look, and the loop may have looked through its table by now.
            return Some(task);
        }
        let before = table.next_deadline();
        let back = table.park(task, Moment::now());
        let next = table.next_deadline();
        drop(table);
        let is_sooner = next.is_some_and(|next| before.is_none_or(|before| next < before));
        if back.is_none() && is_sooner {
            // The poller must wake up earlier than it knows.
            self.wake();
        }
        back
    }

    /// Handles the expired deadline of a parked connection. Returns the connection if the client gets a response.
    pub(super) fn expire(&self, mut task: Box<Task>) -> Option<Box<Task>> {
        let is_in_head = task.conn.has_partial_head();
        match task.conn.waits_for() {
            WaitsFor::FirstHead | WaitsFor::RestOfHead if is_in_head => {
                task.conn.refuse(Refusal::new(408, ""));
                Some(task)
            }
            // The client is still sending: it gets to read its answer.
            WaitsFor::BodyAtOnce | WaitsFor::RestOfBody => {
                task.conn.discard_timed_out();
                Some(task)
            }
            // It is looked at once more, and cut if the client has taken nothing.
            WaitsFor::Room => Some(task),
            WaitsFor::Silence => {
                task.conn.note_silence();
                task.end_may_follow = false;
                Some(task)
            }
            WaitsFor::End if task.conn.is_discarding() => {
                task.conn.discard_timed_out();
                self.end(task);
                None
            }
            _ => {
                self.close(task);
                None
            }
        }
    }

    /// Ends a connection: at once, or after the client has read its response.
    fn end(&self, task: Box<Task>) {
        let limits = &self.shared.options.limits;
        let mut next = Some(task);
        while let Some(mut task) = next {
            match task.conn.linger(limits) {
                Lingers::Over => return self.close(task),
                // Others have their turn. Registered anew, it is reported at once.
                Lingers::GoesOn => task.conn.wire().deregister(&self.registry),
                Lingers::Waits => {}
            }
            next = self.park(task);
        }
    }

    /// Closes a connection and frees its slot.
    pub(in crate::server) fn close(&self, task: Box<Task>) {
        if task.slot.is_some() && task.conn.is_detached() {
            // The socket lives on, so closing alone does not do it.
            task.conn.wire().deregister(&self.registry);
        }
        self.shared.close(task);
        self.run_notices_soon();
    }
}

/// Returns true if nothing more is to be done for the connection.
fn conn_is_over(conn: &Connection, next: Next) -> bool {
    // A refusal that a handler does not answer can't be waited for, nor can more from a client that sends nothing more.
    let is_parked_in_vain = next == Next::Park && (conn.is_refused() || conn.has_ended());
    let is_left = next == Next::Close || is_parked_in_vain;
    is_left || conn.ending().is_some()
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::connection::observer::{Observation, Observer};
    use crate::server::options::Options;
    use crate::server::task::Speaks;

    /// Stands for any code that runs while a head is read.
    #[derive(Debug)]
    struct Panics;

    impl Observer for Panics {
        fn see(&self, event: Observation<'_>) -> bool {
            assert!(
                !matches!(event, Observation::Received([_, ..])),
                "on purpose"
            );
            false
        }

        fn protocol_version(&self) -> Option<&'static str> {
            None
        }
    }

    /// A new connection of a loop, whose client has sent this.
    fn accepted(event_loop: &EventLoop, client: &mut TcpStream, request: &[u8]) -> Box<Task> {
        client.write_all(request).unwrap();
        let mut state = event_loop.lock();
        while !state.accepts() {
            event_loop.wait(&mut state, None).unwrap();
        }
        let step = event_loop.accept(&mut state).unwrap();
        event_loop.run_hook(step).unwrap()
    }

    #[test]
    fn a_stream_that_parks_just_when_the_server_stops_is_told_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let loops = EventLoop::all(
            vec![(listener.into(), Speaks::AsTheServer)],
            Options::default(),
            1,
        )
        .unwrap();
        let event_loop = &loops[0];
        let (sender, streams) = std::sync::mpsc::channel();
        let handler = crate::handler_fn(move |h, x| {
            h.send_response(x, crate::Status::OK);
            h.end_headers(x)?;
            sender.send(x.wfile.start_stream()?).map_err(Error::other)
        });
        let task = accepted(event_loop, &mut client, b"GET / HTTP/1.0\r\n\r\n");
        let mut buffers = Buffers::default();
        let mut task = event_loop.prepare(task, &mut buffers).unwrap();
        // As a thread does that runs a handler, up to where it parks the connection.
        event_loop.call(&handler.quiet(), &mut task.conn);
        task.conn.reclaim(&mut buffers);
        assert!(!event_loop.go_on(&mut task));
        event_loop.shared.control.stop();
        assert!(!event_loop.stop(&mut event_loop.lock()));
        let task = event_loop.park(task).expect("it is looked at once more");
        assert!(event_loop.prepare(task, &mut buffers).is_none());
        let told = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let note = told.clone();
        let stream = streams.recv().unwrap();
        stream.notify(move |_| note.store(true, Relaxed));
        assert!(told.load(Relaxed));
    }

    #[test]
    fn a_panic_while_a_head_is_read_ends_the_connection_and_not_the_thread() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let options = Options {
            handle_error: Some(Box::new(|_, _| ())),
            ..Options::default()
        };
        let loops =
            EventLoop::all(vec![(listener.into(), Speaks::AsTheServer)], options, 1).unwrap();
        let event_loop = &loops[0];
        let mut state = event_loop.lock();
        while !state.accepts() {
            event_loop.wait(&mut state, None).unwrap();
        }
        let step = event_loop.accept(&mut state).unwrap();
        let mut task = event_loop.run_hook(step).unwrap();
        task.conn.observe_with(|| Box::new(Panics));
        let prepared = event_loop.prepare(task, &mut Buffers::default());
        assert!(prepared.is_none());
        assert_eq!(event_loop.shared.control.open.load(Relaxed), 0);
    }
}
