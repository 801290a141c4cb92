//! Where a thread sits while it leads: it hears from the connection that it serves what the handler is
//! about to do, and gives the lead up in time.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use mio::Registry;

use super::baton::{Baton, Term};
use super::lane::Lane;
use super::predictor::Route;
use super::shift::Shift;
use crate::connection::attendant::Attendant;
use crate::connection::wire::Wire;

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
        let route = Route::of(method, path);
        self.baton.does(route);
        if !self.baton.predictor.expects_block(route) {
            return false;
        }
        self.timed.set(Some((route, Instant::now())));
        self.pass();
        true
    }

    fn after_handler(&self) {
        if let Some((route, start)) = self.timed.take() {
            self.baton.predictor.ran(route, start.elapsed());
        }
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
