//! Where a thread sits while it leads: it hears from the connection that it serves what the handler is
//! about to do, and gives the lead up in time.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use mio::Registry;
use rustix::event::{PollFd, PollFlags, Timespec};

use super::baton::{Baton, Term};
use super::lane::Lane;
use super::predictor::Route;
use super::shift::Shift;
use crate::connection::attendant::Attendant;
use crate::connection::wire::Wire;

/// How long a handler waits for its client before it gives the lead up, and how many times: timers wait as
/// well meanwhile.
const BRIEF: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};
const BRIEF_WAITS: u32 = 16;

#[derive(Debug)]
pub(super) struct Seat {
    shift: Arc<Shift>,
    lane: usize,
    /// The lane's.
    registry: Arc<Registry>,
    baton: Arc<Baton>,
    term: Term,
    /// The lead was not given up from here. (It may have been taken.)
    leads: Cell<bool>,
    /// The handler that runs after the lead was passed because of its route, and since when.
    timed: Cell<Option<(Route, Instant)>>,
    /// How many brief waits this handler may still have.
    brief_waits: Cell<u32>,
}

impl Seat {
    pub(super) fn new(shift: Arc<Shift>, lane: &Lane, baton: Arc<Baton>, term: Term) -> Self {
        Seat {
            shift,
            lane: lane.number,
            registry: lane.registry.clone(),
            baton,
            term,
            leads: Cell::new(true),
            timed: Cell::new(None),
            brief_waits: Cell::new(0),
        }
    }

    fn pass(&self) {
        // A leader without anybody to follow keeps the lead, whatever its handler does.
        let can_pass = !self.shift.is_solo();
        if can_pass && self.leads.replace(false) && self.baton.give_up(self.term) {
            self.shift.vacate(self.lane);
        }
    }
}

impl Attendant for Seat {
    fn before_handler(&self, method: &str, path: &str) -> bool {
        if !self.leads.get() {
            return false;
        }
        self.brief_waits.set(BRIEF_WAITS);
        let Some(route) = self.baton.predictor.begins(method, path) else {
            return false;
        };
        self.timed.set(Some((route, Instant::now())));
        self.pass();
        true
    }

    fn after_handler(&self) {
        if let Some((route, start)) = self.timed.take() {
            self.baton.predictor.ran(route, start.elapsed());
        }
    }

    fn waits_briefly(&self, socket: BorrowedFd<'_>) -> bool {
        // A client in the middle of its body sends the next part at once: passing the lead for it would
        // cost more. But nobody else may wait for that.
        let left = self.brief_waits.get();
        let leads = self.leads.get() && !self.shift.is_solo();
        if left == 0 || !leads || self.baton.is_wanted() {
            return false;
        }
        let Some(paused) = self.baton.pauses(self.term) else {
            return false;
        };
        self.brief_waits.set(left - 1);
        let mut polled =
            [socket, self.registry.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let found = rustix::event::poll(&mut polled, Some(&BRIEF));
        self.baton.goes_on(paused);
        self.shift.rouse_watch();
        let [socket, _] = polled;
        found.is_ok() && !socket.revents().is_empty()
    }

    fn before_read(&self, wire: &Wire) {
        // Else each arrival would wake whoever leads then, beside this thread. The poller reports what is
        // there when the connection is parked.
        if !self.shift.is_solo() {
            wire.deregister(&self.registry);
        }
    }

    fn before_wait(&self) {
        self.pass();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::super::options::Options;
    use super::*;

    /// A lane that is led, and a seat in it.
    fn seat() -> (Lane, Seat) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut lanes = Lane::all(listener.into(), Options::default(), 1).unwrap();
        let shift = Arc::new(Shift::new(1, 5));
        let baton = shift.batons[0].clone();
        let term = baton.take().unwrap();
        let lane = lanes.remove(0);
        let seat = Seat::new(shift, &lane, baton.clone(), term);
        baton.picked(true);
        seat.before_handler("POST", "/");
        (lane, seat)
    }

    #[test]
    fn a_handler_that_waits_briefly_keeps_the_lead() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (_lane, seat) = seat();
        assert!(!seat.waits_briefly(ours.as_fd()), "nothing comes");
        theirs.write_all(b"x").unwrap();
        for _ in 1..BRIEF_WAITS {
            assert!(seat.waits_briefly(ours.as_fd()));
        }
        assert!(!seat.waits_briefly(ours.as_fd()), "not for ever");
        assert!(seat.baton.is_held(seat.term) && seat.baton.turn().is_serving());
        seat.before_handler("POST", "/");
        assert!(seat.waits_briefly(ours.as_fd()), "the next one");
        seat.before_wait();
        assert!(!seat.baton.is_held(seat.term) && !seat.waits_briefly(ours.as_fd()));
    }

    #[test]
    fn nobody_else_waits_for_a_handler_that_waits_briefly() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        let (_lane, seat) = seat();
        seat.baton.picked(false);
        assert!(!seat.waits_briefly(ours.as_fd()));
        seat.baton.picked(true);
        assert!(seat.waits_briefly(ours.as_fd()));
    }
}
