//! The lead of a lane as a token: who has it, whether it moves, and what it learned.
//!
//! A number says who leads: odd, somebody does, for this term; even, the lead is vacant. Only the
//! change of this number decides who carries on; what is picked under the lane's lock is safe anyway.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::predictor::Predictor;

/// A time of leading; the next one has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term(u64);

#[derive(Debug)]
pub(super) struct Baton {
    term: AtomicU64,
    /// Bit 0: something is being served, not waited for. The rest counts what was picked.
    turn: AtomicU64,
    /// Something else waits in the lane for the one who leads.
    is_wanted: AtomicBool,
    /// The handler of the one who leads has waited for its client.
    has_waited: AtomicBool,
    pub(super) predictor: Predictor,
}

/// What the watch has seen of a lane at its last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn(u64);

impl Turn {
    pub(super) fn is_serving(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Baton {
    /// Vacant.
    pub(super) fn new() -> Self {
        Baton {
            term: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            is_wanted: AtomicBool::new(false),
            has_waited: AtomicBool::new(false),
            predictor: Predictor::new(),
        }
    }

    /// Takes the lead if it is vacant.
    pub(super) fn take(&self) -> Option<Term> {
        let term = self.term.load(Ordering::Acquire);
        (term & 1 == 0).then(|| self.step(term, 1)).flatten()
    }

    /// Gives the lead up; false if it was lost before.
    pub(super) fn give_up(&self, term: Term) -> bool {
        self.step(term.0, 1).is_some()
    }

    /// Takes the lead away from whoever has it.
    pub(super) fn steal(&self) -> Option<Term> {
        let term = self.term.load(Ordering::Acquire);
        if term & 1 == 0 {
            return None;
        }
        let stolen = self.step(term, 2);
        if stolen.is_some() {
            self.predictor.cost_the_lead();
        }
        stolen
    }

    pub(super) fn is_held(&self, term: Term) -> bool {
        self.term.load(Ordering::Acquire) == term.0
    }

    fn step(&self, from: u64, by: u64) -> Option<Term> {
        self.term
            .compare_exchange(from, from + by, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
            .then_some(Term(from + by))
    }

    /// The one who leads has picked something to serve; `is_last`: there is nothing else to pick. Called
    /// under the lane's lock only.
    pub(super) fn picked(&self, is_last: bool) {
        self.is_wanted.store(!is_last, Ordering::Relaxed);
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store((turn + 2) | 1, Ordering::Release);
    }

    /// There was something else to pick for the one who leads.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// The handler of this term is about to wait for its client, under the lead and without the lane's lock:
    /// for so long there is nothing to steal. `None` if the lead was lost.
    pub(super) fn pauses(&self, term: Term) -> Option<Turn> {
        // Whoever has taken the lead meanwhile moves on by itself.
        let turn = self.turn.load(Ordering::Acquire);
        let paused = turn & !1;
        (self.is_held(term) && self.turns(turn, paused)).then_some(Turn(paused))
    }

    /// It goes on.
    pub(super) fn goes_on(&self, paused: Turn) {
        self.has_waited.store(true, Ordering::Relaxed);
        self.turns(paused.0, (paused.0 + 2) | 1);
    }

    fn turns(&self, from: u64, to: u64) -> bool {
        self.turn
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether a handler has waited for its client under the lead since this was asked last.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited.load(Ordering::Relaxed) && self.has_waited.swap(false, Ordering::Relaxed)
    }

    /// The one who leads is about to wait for events.
    pub(super) fn rests(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn & !1, Ordering::Release);
    }

    /// It has events to serve. Sequentially consistent, for the watch that falls asleep: either it sees
    /// this, or the leader sees that it sleeps.
    pub(super) fn rises(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.swap((turn + 2) | 1, Ordering::SeqCst);
    }

    pub(super) fn turn(&self) -> Turn {
        Turn(self.turn.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_leads_and_whoever_lost_the_lead_cannot_give_it_up() {
        let baton = Baton::new();
        let first = baton.take().unwrap();
        assert_eq!(baton.take(), None);
        let thief = baton.steal().unwrap();
        assert!(!baton.is_held(first) && baton.is_held(thief));
        assert!(!baton.give_up(first) && baton.give_up(thief));
        assert_eq!(baton.steal(), None, "there is nobody to steal from");
        assert!(baton.take().is_some());
    }

    #[test]
    fn a_turn_moves_with_each_pick_and_shows_whether_something_is_served() {
        let baton = Baton::new();
        let at_rest = baton.turn();
        baton.rises();
        let risen = baton.turn();
        assert!(!at_rest.is_serving() && risen.is_serving());
        baton.picked(true);
        assert!(baton.turn() != risen && baton.turn().is_serving());
        baton.rests();
        assert!(!baton.turn().is_serving());
    }

    #[test]
    fn what_pauses_under_the_lead_is_not_served_until_it_goes_on() {
        let baton = Baton::new();
        let term = baton.take().unwrap();
        baton.picked(true);
        let picked = baton.turn();
        let paused = baton.pauses(term).unwrap();
        assert!(!baton.turn().is_serving() && !baton.has_waited());
        baton.goes_on(paused);
        assert!(baton.turn() != picked && baton.turn().is_serving());
        assert!(baton.has_waited() && !baton.has_waited());
    }

    #[test]
    fn whoever_has_lost_the_lead_does_not_pause_for_the_next_one() {
        let baton = Baton::new();
        let term = baton.take().unwrap();
        baton.picked(true);
        let paused = baton.pauses(term).unwrap();
        baton.goes_on(paused);
        baton.steal().unwrap();
        let turn = baton.turn();
        assert_eq!(baton.pauses(term), None);
        baton.goes_on(paused);
        assert_eq!(baton.turn(), turn);
    }
}
