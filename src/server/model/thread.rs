//! A simulated thread: [`crew`](crate::server::crew), one atomic step at a time.

use std::sync::atomic::Ordering;

use super::{Conn, Flag, Kind, Slot, World};
use crate::server::baton::{Term, Turn};
use crate::server::shift::{Call, Post, Shift};
use crate::server::sleeper::model::run_as;

/// Where a thread is in its program.
#[derive(Clone, Debug)]
pub(super) enum Pc {
    Arrive(Call),
    Next,
    Take(usize),
    Staff(After),
    Spawn(Call, After),
    Started(After),
    /// Serves what is stranded, then goes on.
    Help(After),
    Ask,
    /// Locks the lead.
    Lock,
    Claimed,
    Pick,
    Wait,
    Rouse,
    TakeOn(usize),
    SetAside(usize),
    PutAside(usize),
    Prepare(usize),
    Handle(usize),
    /// Waits for its client under the lead.
    Paused(usize, Turn),
    RouseAgain(usize),
    Pass(usize),
    Vacate(usize),
    Blocked(usize),
    Finish(usize),
    Park(usize),
    StopLane(usize),
    EndWatch(usize, Term),
    WatchTop,
    Glance(usize, bool),
    /// Until a time is over, or it is called.
    Tick,
    FallAsleep,
    LookOnce,
    Sleep,
    WakeUp,
    LookAtCall(Call),
    StandsBy(Call),
    Gone,
}

/// What follows staffing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Lead,
    TakeOn(usize),
    Serve(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) lane: usize,
    pub(super) term: Term,
    leads: bool,
}

#[derive(Debug)]
pub(super) struct Sim {
    pub(super) pc: Pc,
    flag: Flag,
    pub(super) seat: Option<Seat>,
    /// Helping: goes on so afterwards.
    helps: Option<After>,
    /// The connection goes on being served here, whoever leads.
    serves_on: bool,
    /// What it has served as the leader, and whether there is more to do on it.
    last: Option<(usize, bool)>,
    seen: Vec<Turn>,
}

impl Sim {
    pub(super) fn new(number: usize, pc: Pc) -> Self {
        Sim {
            pc,
            flag: Flag::new(number),
            seat: None,
            helps: None,
            serves_on: false,
            last: None,
            seen: Vec::new(),
        }
    }

    pub(super) fn is_spawning(&self) -> bool {
        matches!(self.pc, Pc::Spawn(..))
    }

    /// It sleeps, and nobody has called it.
    pub(super) fn is_ticking(&self) -> bool {
        matches!(self.pc, Pc::Tick) && !self.flag.is_set()
    }

    pub(super) fn is_handling(&self) -> bool {
        self.pc.is_handling()
    }

    pub(super) fn fingerprint(&self, shift: &Shift<usize>) -> String {
        let seat = self.seat.map(|seat| {
            let holds = shift.batons[seat.lane].is_held(seat.term);
            (seat.lane, holds, seat.leads)
        });
        let seen: Vec<_> = (shift.batons.iter().zip(&self.seen))
            .map(|(baton, seen)| baton.turn() == *seen)
            .collect();
        let pc = match &self.pc {
            Pc::EndWatch(lane, term) => {
                format!("EndWatch {lane} {}", shift.batons[*lane].is_held(*term))
            }
            Pc::Paused(conn, paused) => {
                let is_last = |seat: Seat| shift.batons[seat.lane].turn() == *paused;
                format!("Paused {conn} {:?}", self.seat.map(is_last))
            }
            pc => format!("{pc:?}"),
        };
        let rest = (self.flag.is_set(), self.helps, self.serves_on, self.last);
        format!("{pc} {seat:?} {seen:?} {rest:?}")
    }
}

impl Pc {
    fn is_handling(&self) -> bool {
        matches!(
            self,
            Pc::Handle(_)
                | Pc::Paused(..)
                | Pc::RouseAgain(_)
                | Pc::Pass(_)
                | Pc::Vacate(_)
                | Pc::Blocked(_)
                | Pc::Finish(_)
        )
    }
}

impl Conn {
    /// Parks it. True: something has come meanwhile, and it is to be served again.
    fn park(&mut self) -> bool {
        let Slot::Out { again } = self.slot else {
            panic!("parked while {:?}", self.slot);
        };
        self.slot = match again {
            true => Slot::Out { again: false },
            false => Slot::Parked,
        };
        again
    }
}

impl World {
    pub(super) fn is_enabled(&self, number: usize) -> bool {
        let sim = &self.sims[number];
        let lane = sim.seat.map(|seat| &self.lanes[seat.lane]);
        match &sim.pc {
            Pc::Gone => false,
            Pc::Claimed => lane.is_some_and(|lane| lane.holder.is_none()),
            Pc::Wait => lane.is_some_and(|lane| {
                lane.is_woken || !lane.events.is_empty() || !lane.unfinished.is_empty()
            }),
            Pc::StopLane(lane) => self.lanes.get(*lane).is_none_or(|lane| {
                // Claiming it wakes the one who waits.
                lane.holder.is_none() || !lane.is_woken
            }),
            Pc::Blocked(_) => self.is_gate_open(),
            Pc::Sleep | Pc::StandsBy(_) => sim.flag.is_set(),
            _ => true,
        }
    }

    pub(super) fn step(&mut self, number: usize) {
        let flag = self.sims[number].flag.clone();
        let pc = run_as(&flag, || self.next(number));
        self.sims[number].pc = pc;
    }

    pub(super) fn fail(&mut self, number: usize) {
        let Pc::Spawn(call, after) = self.sims[number].pc.clone() else {
            return;
        };
        self.failures -= 1;
        self.shift.has_no_thread(&call);
        self.sims[number].pc = match after {
            After::Serve(conn) => Pc::Handle(conn),
            after => Pc::Help(after),
        };
    }

    pub(super) fn leave(&mut self, number: usize) {
        if let Pc::StandsBy(call) = self.sims[number].pc.clone() {
            self.sims[number].pc = match self.shift.leave(&call) {
                true => Pc::Gone,
                false => Pc::LookAtCall(call),
            };
        }
    }

    /// The step that a thread is about to take, and what follows.
    fn next(&mut self, number: usize) -> Pc {
        match self.sims[number].pc.clone() {
            Pc::Arrive(call) => {
                self.shift.arrive(&call);
                Pc::Next
            }
            Pc::Next => self.next_post(number),
            Pc::Take(lane) => match self.shift.batons[lane].take() {
                Some(term) => self.sit_down(number, lane, term),
                None => panic!("a lane was vacant twice"),
            },
            pc @ (Pc::Staff(_) | Pc::Spawn(..) | Pc::Started(_) | Pc::Help(_)) => {
                self.staff(number, pc)
            }
            Pc::Gone => Pc::Gone,
            pc @ (Pc::EndWatch(..)
            | Pc::WatchTop
            | Pc::Glance(..)
            | Pc::Tick
            | Pc::FallAsleep
            | Pc::LookOnce
            | Pc::Sleep
            | Pc::WakeUp) => self.watch(number, pc),
            Pc::LookAtCall(call) if call.has_come() => Pc::Arrive(call),
            Pc::LookAtCall(call) => Pc::StandsBy(call),
            Pc::StandsBy(call) => {
                self.sims[number].flag.set(false);
                Pc::LookAtCall(call)
            }
            Pc::StopLane(lane) => self.stop(lane),
            pc @ (Pc::TakeOn(_)
            | Pc::SetAside(_)
            | Pc::PutAside(_)
            | Pc::Prepare(_)
            | Pc::Park(_)) => self.serve(number, pc),
            pc if pc.is_handling() => self.serve(number, pc),
            pc => self.lead(number, pc),
        }
    }

    fn next_post(&mut self, number: usize) -> Pc {
        let sim = &mut self.sims[number];
        sim.seat = None;
        sim.serves_on = false;
        match self.shift.next_post() {
            Post::Lead(lane) => Pc::Take(lane),
            Post::Serve(conn) => Pc::Staff(After::Serve(conn)),
            Post::Watch => {
                sim.seen = vec![Turn::default(); self.setup.lanes];
                Pc::WatchTop
            }
            Post::StandBy(call) => Pc::LookAtCall(call),
            Post::Leave => Pc::Gone,
        }
    }

    fn sit_down(&mut self, number: usize, lane: usize, term: Term) -> Pc {
        self.sims[number].seat = Some(Seat {
            lane,
            term,
            leads: true,
        });
        self.lanes[lane].was_led = true;
        Pc::Staff(After::Lead)
    }

    fn staff(&mut self, number: usize, pc: Pc) -> Pc {
        match pc {
            Pc::Staff(after) => match (self.shift.needs_thread(), after) {
                (Some(call), _) => Pc::Spawn(call, after),
                (None, After::Lead) => Pc::Ask,
                (None, After::Serve(conn)) => Pc::Handle(conn),
                (None, After::TakeOn(conn)) => Pc::SetAside(conn),
            },
            Pc::Spawn(call, after) => {
                let number = self.sims.len();
                self.sims.push(Sim::new(number, Pc::Arrive(call)));
                Pc::Started(after)
            }
            Pc::Started(after) => {
                self.shift.has_thread();
                Pc::Staff(after)
            }
            Pc::Help(after) => {
                self.sims[number].helps = None;
                self.sims[number].serves_on = false;
                match self.shift.take_stranded() {
                    Some(conn) => {
                        self.sims[number].helps = Some(after);
                        Pc::Handle(conn)
                    }
                    None => match after {
                        After::TakeOn(conn) => Pc::SetAside(conn),
                        _ => Pc::Ask,
                    },
                }
            }
            pc => pc,
        }
    }

    fn lead(&mut self, number: usize, pc: Pc) -> Pc {
        let Some(seat) = self.sims[number].seat else {
            return Pc::Next;
        };
        let baton = self.shift.batons[seat.lane].clone();
        let is_stopping = self.is_stopping;
        let lane = &mut self.lanes[seat.lane];
        match pc {
            Pc::Ask if baton.is_held(seat.term) => Pc::Lock,
            Pc::Ask => self.is_robbed(number),
            Pc::Lock if lane.holder.is_some() => {
                lane.claims += 1;
                lane.is_woken = true;
                Pc::Claimed
            }
            Pc::Lock | Pc::Claimed => {
                lane.claims -= usize::from(matches!(pc, Pc::Claimed));
                if !baton.is_held(seat.term) {
                    return self.is_robbed(number);
                }
                match self.sims[number].last.take() {
                    Some((conn, true)) => lane.unfinished.push_back(conn),
                    Some((conn, false)) => lane.resting.push(conn),
                    None => {}
                }
                lane.holder = Some(number);
                Pc::Pick
            }
            Pc::Pick => {
                lane.holder = None;
                if is_stopping {
                    return Pc::StopLane(0);
                }
                let mut next = lane.ready.pop_front();
                if next.is_none() && lane.turns > 0 {
                    lane.turns -= 1;
                    next = lane.unfinished.pop_front();
                }
                if let Some(conn) = next {
                    baton.picked(true);
                    return Pc::Prepare(conn);
                }
                if lane.claims > 0 {
                    return Pc::Ask;
                }
                lane.holder = Some(number);
                baton.rests();
                for conn in lane.resting.drain(..) {
                    if self.conns[conn].park() {
                        lane.unfinished.push_back(conn);
                    }
                }
                Pc::Wait
            }
            Pc::Wait => {
                lane.is_woken = false;
                lane.turns = lane.unfinished.len();
                for conn in lane.events.drain(..) {
                    match &mut self.conns[conn].slot {
                        slot @ Slot::Parked => {
                            *slot = Slot::Out { again: false };
                            lane.ready.push_back(conn);
                        }
                        Slot::Out { again } => *again = true,
                        Slot::Closed => {}
                    }
                }
                baton.rises();
                Pc::Rouse
            }
            Pc::Rouse => {
                self.shift.rouse_watch();
                self.lanes[seat.lane].holder = None;
                Pc::Ask
            }
            pc => pc,
        }
    }

    fn stop(&mut self, number: usize) -> Pc {
        let Some(lane) = self.lanes.get_mut(number) else {
            self.shift.stop(None);
            return Pc::Next;
        };
        if lane.holder.is_some() {
            lane.is_woken = true;
            return Pc::StopLane(number);
        }
        let served = lane.resting.drain(..);
        for conn in served
            .chain(lane.ready.drain(..))
            .chain(lane.unfinished.drain(..))
        {
            self.conns[conn].slot = Slot::Closed;
        }
        for conn in self.conns.iter_mut().filter(|conn| conn.home == number) {
            if conn.slot == Slot::Parked {
                conn.slot = Slot::Closed;
            }
        }
        Pc::StopLane(number + 1)
    }

    /// The lead is lost: the thread goes on with what it has served as the leader, if anything.
    fn is_robbed(&mut self, number: usize) -> Pc {
        let sim = &mut self.sims[number];
        sim.seat = None;
        match sim.last.take() {
            Some(last) => self.rest(number, last),
            None => Pc::Next,
        }
    }

    /// Where a thread goes on that has nothing more to do with a connection.
    fn done(&mut self, number: usize) -> Pc {
        let sim = &mut self.sims[number];
        match (sim.helps, sim.seat) {
            (Some(after), _) => Pc::Help(after),
            (None, Some(_)) => {
                sim.serves_on = false;
                Pc::Ask
            }
            (None, None) => Pc::Next,
        }
    }

    fn serve(&mut self, number: usize, pc: Pc) -> Pc {
        match pc {
            Pc::Prepare(conn) => {
                let state = &mut self.conns[conn];
                state.read = state.arrived;
                match state.read > state.served {
                    true if self.sims[number].serves_on => Pc::Handle(conn),
                    true => Pc::TakeOn(conn),
                    false => Pc::Park(conn),
                }
            }
            Pc::TakeOn(conn) => match self.shift.may_run_inline.load(Ordering::Relaxed) {
                true => Pc::Handle(conn),
                false => Pc::Staff(After::TakeOn(conn)),
            },
            Pc::SetAside(conn) => {
                if self.shift.may_run_inline.load(Ordering::Relaxed) {
                    return Pc::Handle(conn);
                }
                Pc::PutAside(conn)
            }
            Pc::PutAside(conn) => match self.shift.set_aside(conn) {
                Some(conn) => Pc::Handle(conn),
                None => Pc::Ask,
            },
            Pc::Handle(conn) => match self.kind(conn) {
                Kind::Quick => Pc::Finish(conn),
                Kind::Blocks => self.block(conn),
                Kind::Waits | Kind::Dawdles => self.pause(number, conn),
            },
            Pc::Paused(conn, paused) => {
                if let Some(seat) = self.sims[number].seat {
                    self.shift.batons[seat.lane].goes_on(paused);
                }
                Pc::RouseAgain(conn)
            }
            Pc::RouseAgain(conn) => {
                self.shift.rouse_watch();
                match self.kind(conn) {
                    Kind::Dawdles => self.block(conn),
                    _ => Pc::Pass(conn),
                }
            }
            Pc::Pass(conn) => {
                let can_pass = !self.shift.is_solo();
                let seat = self.sims[number]
                    .seat
                    .as_mut()
                    .filter(|seat| can_pass && seat.leads);
                let Some(seat) = seat else {
                    return self.block(conn);
                };
                seat.leads = false;
                match self.shift.batons[seat.lane].give_up(seat.term) {
                    true => Pc::Vacate(conn),
                    false => self.block(conn),
                }
            }
            Pc::Vacate(conn) => {
                let lane = self.sims[number].seat.map_or(0, |seat| seat.lane);
                self.shift.vacate(lane);
                self.block(conn)
            }
            Pc::Blocked(conn) => {
                self.conns[conn].is_blocked = false;
                self.finish_one(number, conn)
            }
            Pc::Finish(conn) => self.finish_one(number, conn),
            Pc::Park(conn) => self.park(number, conn),
            pc => pc,
        }
    }

    /// The handler waits for its client, as long as nothing else is to be done in the lane.
    fn pause(&mut self, number: usize, conn: usize) -> Pc {
        let seat = self.sims[number].seat.filter(|seat| seat.leads);
        let seat = seat.filter(|_| !self.shift.is_solo());
        let paused = seat.and_then(|seat| self.shift.batons[seat.lane].pauses(seat.term));
        match paused {
            Some(paused) => Pc::Paused(conn, paused),
            None => Pc::Pass(conn),
        }
    }

    fn block(&mut self, conn: usize) -> Pc {
        self.conns[conn].is_blocked = true;
        Pc::Blocked(conn)
    }

    fn finish_one(&mut self, number: usize, conn: usize) -> Pc {
        let served = &mut self.conns[conn];
        assert!(matches!(served.slot, Slot::Out { .. }), "two owners");
        assert!(served.served < served.read, "served twice");
        served.served += 1;
        let last = (conn, served.read > served.served);
        let sim = &mut self.sims[number];
        if sim.seat.is_some() && !sim.serves_on && sim.helps.is_none() {
            sim.last = Some(last);
            return Pc::Ask;
        }
        self.rest(number, last)
    }

    /// Goes on with a connection that was served, or parks it, whoever leads.
    fn rest(&mut self, number: usize, (conn, again): (usize, bool)) -> Pc {
        self.sims[number].serves_on = true;
        match again {
            true => Pc::Prepare(conn),
            false => Pc::Park(conn),
        }
    }

    /// Puts a connection back, or goes on with it.
    fn park(&mut self, number: usize, conn: usize) -> Pc {
        if self.is_stopping {
            self.conns[conn].slot = Slot::Closed;
            return self.done(number);
        }
        match self.conns[conn].park() {
            true => Pc::Prepare(conn),
            false => self.done(number),
        }
    }

    fn watch(&mut self, number: usize, pc: Pc) -> Pc {
        let sim = &mut self.sims[number];
        match pc {
            Pc::WatchTop if self.shift.end_watch_if_needed() => Pc::Next,
            Pc::WatchTop => Pc::Glance(0, false),
            Pc::Glance(lane, moves) => {
                let Some(baton) = self.shift.batons.get(lane) else {
                    return match moves {
                        true => Pc::Tick,
                        false => Pc::FallAsleep,
                    };
                };
                let (turn, seen) = (baton.turn(), sim.seen[lane]);
                if turn.is_serving()
                    && turn == seen
                    && let Some(term) = baton.steal()
                {
                    return Pc::EndWatch(lane, term);
                }
                sim.seen[lane] = turn;
                Pc::Glance(lane + 1, moves || turn != seen || turn.is_serving())
            }
            Pc::EndWatch(lane, term) => {
                self.shift.end_watch(&mut self.shift.roll());
                self.sit_down(number, lane, term)
            }
            Pc::Tick => {
                sim.flag.set(false);
                Pc::WatchTop
            }
            Pc::FallAsleep => {
                self.shift.watch_sleeps.store(true, Ordering::SeqCst);
                Pc::LookOnce
            }
            Pc::LookOnce => {
                let mut lanes = self.shift.batons.iter().zip(&sim.seen);
                let has_moved = lanes.any(|(baton, seen)| baton.turn() != *seen);
                match has_moved || self.shift.needs_the_watch() {
                    true => Pc::WakeUp,
                    false => Pc::Sleep,
                }
            }
            Pc::Sleep => {
                sim.flag.set(false);
                Pc::WakeUp
            }
            Pc::WakeUp => {
                self.shift.watch_sleeps.store(false, Ordering::SeqCst);
                Pc::WatchTop
            }
            pc => pc,
        }
    }
}
