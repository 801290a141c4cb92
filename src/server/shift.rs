//! Who does what: the roll of a server's threads.
//!
//! There are three posts: to *lead* each lane, to *watch* over the leads, to stand by. A thread that
//! runs a handler and has lost its lane has no post; when it is done it looks for one here: a vacant lead,
//! a request that waits for a thread, the watch, and else it stands by. Nothing here is touched
//! while leads stay where they are.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::baton::Baton;
use super::lane::Job;
use super::sleeper::Sleeper;
use crate::shutdown::lock;

/// A thread stands by and was not called.
const STAND_BY: usize = 0;
/// It was called to watch, or to look for itself.
const LOOK: usize = 1;
/// It was called to lead the lane of this number less this.
const LEAD: usize = 2;

#[derive(Debug)]
pub(super) struct Shift<J = Job> {
    pub(super) batons: Vec<Arc<Baton>>,
    max_threads: usize,
    roll: Mutex<Roll<J>>,
    /// A leader may run handlers itself, for there are threads to take its place.
    pub(super) may_run_inline: AtomicBool,
    /// The watch sleeps without a tick.
    pub(super) watch_sleeps: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Roll<J> {
    /// Lanes without a leader.
    vacant: Vec<usize>,
    /// Lanes for which a thread was called and has not come yet.
    called: Vec<bool>,
    pub(super) threads: usize,
    /// Threads without work, the one that was busy last on top: so the others can end.
    standbys: Vec<Standby>,
    watch: Watch,
    /// Requests that wait for a thread.
    waiting: VecDeque<J>,
    /// The last thread could not be started.
    is_short: bool,
    pub(super) stopped: bool,
    pub(super) failure: Option<io::Error>,
}

#[derive(Debug, Default)]
enum Watch {
    #[default]
    Nobody,
    /// A thread is on its way.
    Called,
    /// This one; it was called to lead this lane.
    Kept(Sleeper, Option<usize>),
}

#[derive(Debug)]
struct Standby {
    thread: Sleeper,
    call: Call,
}

/// What a standby was called for.
#[derive(Clone, Debug)]
pub(super) struct Call(Arc<AtomicUsize>);

impl Call {
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::Acquire) != STAND_BY
    }
}

/// What a thread does next.
#[derive(Debug)]
pub(super) enum Post<J = Job> {
    Lead(usize),
    Serve(J),
    Watch,
    StandBy(Call),
    Leave,
}

impl<J> Shift<J> {
    pub(super) fn new(lanes: usize, max_threads: usize) -> Self {
        Shift {
            batons: (0..lanes).map(|_| Arc::new(Baton::new())).collect(),
            max_threads,
            roll: Mutex::new(Roll {
                vacant: (0..lanes).rev().collect(),
                called: vec![false; lanes],
                threads: 1,
                standbys: Vec::new(),
                watch: Watch::Nobody,
                waiting: VecDeque::new(),
                is_short: false,
                stopped: false,
                failure: None,
            }),
            may_run_inline: AtomicBool::new(false),
            watch_sleeps: AtomicBool::new(false),
        }
    }

    pub(super) fn roll(&self) -> MutexGuard<'_, Roll<J>> {
        lock(&self.roll)
    }

    /// There is one thread, and there will be no other: it leads and runs handlers.
    pub(super) fn is_solo(&self) -> bool {
        self.max_threads <= 1
    }

    /// A lead was given up: somebody is called to take it.
    pub(super) fn vacate(&self, lane: usize) {
        let mut roll = self.roll();
        roll.vacant.push(lane);
        let is_called = roll.called.get(lane).copied().unwrap_or(true);
        let called = match is_called {
            true => None,
            false => roll.call(lane),
        };
        self.count_reserves(&roll);
        // Woken any sooner, it would run into the lock.
        drop(roll);
        if let Some(thread) = called {
            thread.unpark();
        }
    }

    /// The calling thread was called, and has come.
    pub(super) fn arrive(&self, call: &Call) {
        self.roll().arrive(call);
    }

    /// What the calling thread is to do next.
    pub(super) fn next_post(&self) -> Post<J> {
        let mut roll = self.roll();
        let post = self.choose(&mut roll);
        self.count_reserves(&roll);
        post
    }

    fn choose(&self, roll: &mut Roll<J>) -> Post<J> {
        if let Some(lane) = roll.vacant.pop() {
            return Post::Lead(lane);
        }
        if let Some(job) = roll.waiting.pop_front() {
            return Post::Serve(job);
        }
        if roll.stopped {
            roll.threads -= 1;
            return Post::Leave;
        }
        if matches!(roll.watch, Watch::Nobody) && !self.is_solo() {
            roll.watch = Watch::Kept(Sleeper::current(), None);
            return Post::Watch;
        }
        let call = Call(Arc::new(AtomicUsize::new(STAND_BY)));
        roll.standbys.push(Standby {
            thread: Sleeper::current(),
            call: call.clone(),
        });
        Post::StandBy(call)
    }

    /// Takes the calling thread off the roll, if nobody has called it meanwhile.
    pub(super) fn leave(&self, call: &Call) -> bool {
        let mut roll = self.roll();
        let before = roll.standbys.len();
        roll.standbys
            .retain(|standby| !Arc::ptr_eq(&standby.call.0, &call.0));
        let left = roll.standbys.len() < before;
        roll.threads -= usize::from(left);
        self.count_reserves(&roll);
        left
    }

    /// Ends the calling thread's watch if something else is to be done.
    pub(super) fn end_watch_if_needed(&self) -> bool {
        let mut roll = self.roll();
        let is_needed = roll.needs_somebody();
        match is_needed {
            true => self.end_watch(&mut roll),
            // If it was called, another thread was faster: it is to be called anew next time.
            false => roll.watch_has_come(),
        }
        is_needed
    }

    /// Whether the thread that watches is wanted for something else.
    pub(super) fn needs_the_watch(&self) -> bool {
        self.roll().needs_somebody()
    }

    /// Ends the calling thread's watch: it has taken a lead.
    pub(super) fn end_watch(&self, roll: &mut Roll<J>) {
        roll.watch_has_come();
        roll.watch = Watch::Nobody;
        self.watch_sleeps.store(false, Ordering::SeqCst);
        self.count_reserves(roll);
    }

    /// Calls threads for posts that nobody has. True: one more thread should be started; it is counted
    /// already, and its call is given.
    pub(super) fn needs_thread(&self) -> Option<Call> {
        let mut roll = self.roll();
        let mut wanted = None;
        for lane in 0..roll.called.len() {
            let is_vacant = roll.vacant.contains(&lane);
            let is_called = roll.called.get(lane).copied().unwrap_or(true);
            if is_vacant && !is_called && !roll.call_standby(LEAD + lane) {
                wanted = wanted.or(Some(LEAD + lane));
            }
        }
        if wanted.is_none() && matches!(roll.watch, Watch::Nobody) && !self.is_solo() {
            match roll.call_standby(LOOK) {
                true => roll.watch = Watch::Called,
                false => wanted = Some(LOOK),
            }
        }
        let wanted = wanted.filter(|_| roll.threads < self.max_threads && !roll.stopped)?;
        roll.threads += 1;
        match wanted.checked_sub(LEAD) {
            Some(lane) => {
                if let Some(called) = roll.called.get_mut(lane) {
                    *called = true;
                }
            }
            None => roll.watch = Watch::Called,
        }
        self.count_reserves(&roll);
        Some(Call(Arc::new(AtomicUsize::new(wanted))))
    }

    /// The thread could not be started.
    pub(super) fn has_no_thread(&self, call: &Call) {
        let mut roll = self.roll();
        roll.arrive(call);
        roll.threads -= 1;
        roll.is_short = true;
        self.count_reserves(&roll);
    }

    /// The thread was started.
    pub(super) fn has_thread(&self) {
        let mut roll = self.roll();
        roll.is_short = false;
        self.count_reserves(&roll);
    }

    /// A request waits for a thread: for one that has none, if there is one, else for one that ends its
    /// handler. It is returned if there is no such thread, and none on its way: all lead.
    pub(super) fn set_aside(&self, job: J) -> Option<J> {
        let mut roll = self.roll();
        if self.all_lead(&roll) {
            return Some(job);
        }
        roll.waiting.push_back(job);
        if !roll.call_standby(LOOK)
            && let Watch::Kept(thread, _) = &roll.watch
        {
            thread.unpark();
        }
        self.count_reserves(&roll);
        None
    }

    /// Takes a request that waits for a thread.
    pub(super) fn take_waiting(&self) -> Option<J> {
        self.roll().waiting.pop_front()
    }

    /// Takes a request that waits in vain, for all threads lead.
    pub(super) fn take_stranded(&self) -> Option<J> {
        let mut roll = self.roll();
        match self.all_lead(&roll) {
            true => roll.waiting.pop_front(),
            false => None,
        }
    }

    fn all_lead(&self, roll: &Roll<J>) -> bool {
        roll.threads <= self.batons.len().saturating_sub(roll.vacant.len())
    }

    /// Whether every lane's leader may run a handler, and lose its lane by it, at the same time.
    fn count_reserves(&self, roll: &Roll<J>) {
        let watch = usize::from(!matches!(roll.watch, Watch::Nobody));
        let unborn = match roll.is_short {
            true => 0,
            false => self.max_threads.saturating_sub(roll.threads),
        };
        let reserves = unborn + roll.standbys.len() + watch;
        // Who waits for a thread takes one of them away.
        let wanted = self.batons.len() + roll.vacant.len() + roll.waiting.len();
        let enough = self.is_solo() || reserves >= wanted;
        self.may_run_inline.store(enough, Ordering::Relaxed);
    }

    /// Wakes the watch if it sleeps, for there is something to watch.
    pub(super) fn rouse_watch(&self) {
        if self.watch_sleeps.load(Ordering::SeqCst)
            && let Watch::Kept(thread, _) = &self.roll().watch
        {
            thread.unpark();
        }
    }

    /// The server has stopped: everybody goes home.
    pub(super) fn stop(&self, failure: Option<io::Error>) {
        let mut roll = self.roll();
        roll.stopped = true;
        roll.failure = roll.failure.take().or(failure);
        while roll.call_standby(LOOK) {}
        if let Watch::Kept(thread, _) = &roll.watch {
            thread.unpark();
        }
    }
}

impl<J> Roll<J> {
    fn arrive(&mut self, call: &Call) {
        let lane = call.0.load(Ordering::Acquire).checked_sub(LEAD);
        if let Some(called) = lane.and_then(|lane| self.called.get_mut(lane)) {
            *called = false;
        } else if matches!(self.watch, Watch::Called) {
            self.watch = Watch::Nobody;
        }
    }

    /// The thread that watches looks for itself now, whatever it was called for.
    fn watch_has_come(&mut self) {
        if let Watch::Kept(_, call) = &mut self.watch
            && let Some(called) = call.take().and_then(|lane| self.called.get_mut(lane))
        {
            *called = false;
        }
    }

    fn needs_somebody(&self) -> bool {
        !self.vacant.is_empty() || !self.waiting.is_empty() || self.stopped
    }

    /// Calls somebody to lead a lane: a standby, else the watch. Whoever it is must be woken.
    #[must_use]
    fn call(&mut self, lane: usize) -> Option<Sleeper> {
        let mut called = self.take_standby(LEAD + lane);
        if called.is_none()
            && let Watch::Kept(thread, call @ None) = &mut self.watch
        {
            *call = Some(lane);
            called = Some(thread.clone());
        }
        if let Some(is_called) = self.called.get_mut(lane) {
            *is_called = called.is_some();
        }
        called
    }

    fn call_standby(&mut self, what: usize) -> bool {
        let standby = self.take_standby(what);
        standby.inspect(Sleeper::unpark).is_some()
    }

    /// Calls a standby, which must be woken.
    #[must_use]
    fn take_standby(&mut self, what: usize) -> Option<Sleeper> {
        let standby = self.standbys.pop()?;
        if let Some(called) = what
            .checked_sub(LEAD)
            .and_then(|lane| self.called.get_mut(lane))
        {
            *called = true;
        }
        standby.call.0.store(what, Ordering::Release);
        Some(standby.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sleeper::model::{Flag, run_as};
    use super::*;

    #[test]
    fn the_watch_is_called_again_where_another_thread_was_faster() {
        let shift = Shift::<()>::new(1, 5);
        let watch = Flag::new(1);
        let lead = || {
            assert!(matches!(shift.next_post(), Post::Lead(0)));
            shift.batons[0].take().unwrap()
        };
        let term = lead();
        let call = shift.needs_thread().unwrap();
        shift.arrive(&call);
        assert!(matches!(run_as(&watch, || shift.next_post()), Post::Watch));

        assert!(shift.batons[0].give_up(term));
        shift.vacate(0);
        assert!(watch.is_set());
        let term = lead();
        watch.set(false);
        assert!(!shift.end_watch_if_needed());

        assert!(shift.batons[0].give_up(term));
        shift.vacate(0);
        assert!(watch.is_set());
    }
}
