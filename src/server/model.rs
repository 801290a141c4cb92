//! A model of the hand-over: the real [`Shift`] and [`Baton`](super::baton::Baton), driven by simulated
//! threads that follow [`super::crew`] step by step, in any order that a scheduler chooses.
//!
//! A thread is a state machine ([`thread`]); the slots of a lane and its poller are a few queues here.
//! Whatever the order was, and wherever it ends: everything that has arrived is served, once and in
//! order, the server comes to rest, and after a stop all threads leave.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

use super::shift::Shift;
use super::sleeper::model::Flag;

use self::thread::{Pc, Sim};

mod thread;

/// What a request's handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Quick,
    /// It waits under the lead, in vain; passes it, then waits.
    Waits,
    /// It waits under the lead, then without a word.
    Dawdles,
    /// It waits without a word.
    Blocks,
}

#[derive(Clone, Debug)]
struct Setup {
    lanes: usize,
    max_threads: usize,
    /// Its lane, and its requests.
    conns: Vec<(usize, Vec<Kind>)>,
    spawn_failures: usize,
    /// How often a thread leaves that has stood by for long.
    leaves: usize,
    may_stop: bool,
}

impl Setup {
    /// Handlers that wait do so until all others that can run have run.
    fn is_dependent(&self) -> bool {
        let blocking = |conn: &&(usize, Vec<Kind>)| conn.1.iter().any(|&kind| kind != Kind::Quick);
        let most = self.conns.iter().filter(blocking).count();
        self.spawn_failures == 0 && self.max_threads > 1 && most + self.lanes < self.max_threads
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Parked,
    Out { again: bool },
    Closed,
}

#[derive(Debug, Hash)]
struct Conn {
    home: usize,
    slot: Slot,
    arrived: usize,
    read: usize,
    served: usize,
    /// Its handler waits.
    is_blocked: bool,
}

#[derive(Debug, Default, Hash)]
struct ModelLane {
    holder: Option<usize>,
    claims: usize,
    is_woken: bool,
    was_led: bool,
    events: Vec<usize>,
    ready: VecDeque<usize>,
    unfinished: VecDeque<usize>,
    turns: usize,
    resting: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Step(usize),
    /// The thread cannot be started.
    Fail(usize),
    /// A standby has stood by for long.
    Leave(usize),
    Arrive(usize),
    Stop,
}

struct World {
    setup: Setup,
    shift: Shift<usize>,
    sims: Vec<Sim>,
    lanes: Vec<ModelLane>,
    conns: Vec<Conn>,
    failures: usize,
    leaves: usize,
    is_stopping: bool,
}

impl World {
    fn new(setup: &Setup) -> Self {
        let conn = |(home, _): &(usize, _)| Conn {
            home: *home,
            slot: Slot::Parked,
            arrived: 0,
            read: 0,
            served: 0,
            is_blocked: false,
        };
        World {
            shift: Shift::new(setup.lanes, setup.max_threads),
            sims: vec![Sim::new(0, Pc::Next)],
            lanes: (0..setup.lanes).map(|_| ModelLane::default()).collect(),
            conns: setup.conns.iter().map(conn).collect(),
            failures: setup.spawn_failures,
            leaves: setup.leaves,
            is_stopping: false,
            setup: setup.clone(),
        }
    }

    fn kind(&self, conn: usize) -> Kind {
        self.setup.conns[conn].1[self.conns[conn].served]
    }

    fn is_unserved(&self, conn: usize) -> bool {
        let conn = &self.conns[conn];
        conn.slot != Slot::Closed && conn.arrived > conn.served
    }

    fn unserved(&self) -> impl Iterator<Item = usize> {
        (0..self.conns.len()).filter(|&conn| self.is_unserved(conn))
    }

    /// Handlers that wait go on.
    fn is_gate_open(&self) -> bool {
        self.is_stopping
            || !self.setup.is_dependent()
            || self.unserved().all(|conn| self.conns[conn].is_blocked)
    }

    fn arrivals(&self) -> impl Iterator<Item = usize> {
        let has_more = |&conn: &usize| {
            let (_, requests) = &self.setup.conns[conn];
            self.conns[conn].arrived < requests.len() && self.conns[conn].slot != Slot::Closed
        };
        (0..self.conns.len()).filter(has_more)
    }

    fn steps(&self) -> impl Iterator<Item = usize> {
        (0..self.sims.len()).filter(|&sim| self.is_enabled(sim))
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions: Vec<_> = self.steps().map(Action::Step).collect();
        for (number, sim) in self.sims.iter().enumerate() {
            match sim.pc {
                Pc::Spawn(..) if self.failures > 0 => actions.push(Action::Fail(number)),
                Pc::StandsBy(_) if number > 0 && self.leaves > 0 => {
                    actions.push(Action::Leave(number))
                }
                _ => {}
            }
        }
        if !self.is_stopping {
            actions.extend(self.arrivals().map(Action::Arrive));
            if self.setup.may_stop {
                actions.push(Action::Stop);
            }
        }
        actions
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Step(sim) => self.step(sim),
            Action::Fail(sim) => self.fail(sim),
            Action::Leave(sim) => {
                self.leaves -= 1;
                self.leave(sim);
            }
            Action::Arrive(conn) => {
                // Connections are dealt to lanes that have been led.
                let is_new = self.conns[conn].arrived == 0;
                if is_new && !self.lanes[self.conns[conn].home].was_led {
                    self.conns[conn].home = 0;
                }
                self.conns[conn].arrived += 1;
                self.lanes[self.conns[conn].home].events.push(conn);
            }
            Action::Stop => {
                self.is_stopping = true;
                self.lanes.iter_mut().for_each(|lane| lane.is_woken = true);
            }
        }
        self.check();
    }

    /// What holds at any moment.
    fn check(&self) {
        let alive = self.sims.iter().filter(|sim| !matches!(sim.pc, Pc::Gone));
        let pending = self.sims.iter().filter(|sim| sim.is_spawning());
        let threads = self.shift.roll().threads;
        assert_eq!(threads, alive.count() + pending.count(), "threads");
        assert!(threads <= self.setup.max_threads.max(1), "too many threads");
        for (number, baton) in self.shift.batons.iter().enumerate() {
            let holds = |sim: &&Sim| {
                sim.seat
                    .is_some_and(|seat| seat.lane == number && baton.is_held(seat.term))
            };
            assert!(self.sims.iter().filter(holds).count() <= 1, "two leaders");
        }
        let handlers = self.sims.iter().filter(|sim| sim.is_handling()).count();
        let most = self.setup.max_threads.saturating_sub(1).max(1);
        // A server that stops, or gets no threads, needs nobody to lead.
        let is_exempt = self.setup.spawn_failures > 0 || self.shift.roll().stopped;
        assert!(is_exempt || handlers <= most, "{handlers} handlers run");
    }

    /// Everybody goes on, in turns, until `is_over` or nobody can.
    fn run(&mut self, is_over: impl Fn(&World) -> bool) -> bool {
        for _ in 0..600 {
            if is_over(self) {
                return true;
            }
            let mut steps: Vec<_> = self.steps().collect();
            if steps.iter().any(|&sim| !self.sims[sim].is_ticking()) {
                // A tick takes long.
                steps.retain(|&sim| !self.sims[sim].is_ticking());
            } else if steps.is_empty() {
                return false;
            } else {
                assert!(
                    !self.shift.needs_the_watch(),
                    "only the tick of the watch helps"
                );
            }
            for sim in steps {
                if self.is_enabled(sim) {
                    self.act(Action::Step(sim));
                }
            }
        }
        false
    }

    /// From here on all goes well.
    fn finish(&mut self) -> Result<(), String> {
        loop {
            if !self.run(|world| world.unserved().next().is_none()) && !self.is_stopping {
                return Err("not served".into());
            }
            if self.is_stopping {
                break;
            }
            if !self.run(|world| world.steps().next().is_none()) && self.steps().next().is_some() {
                return Err("no rest".into());
            }
            let next = self.arrivals().next();
            match next {
                Some(conn) => self.act(Action::Arrive(conn)),
                None => self.act(Action::Stop),
            }
        }
        if !self.run(|world| world.sims.iter().all(|sim| matches!(sim.pc, Pc::Gone))) {
            return Err("not everybody has left".into());
        }
        if self.conns.iter().any(|conn| conn.slot != Slot::Closed) {
            return Err("a connection is left".into());
        }
        Ok(())
    }

    /// Two states with the same fingerprint go on in the same way.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.shift.roll()).hash(&mut hasher);
        format!(
            "{:?}{:?}",
            self.shift.may_run_inline, self.shift.watch_sleeps
        )
        .hash(&mut hasher);
        (&self.lanes, &self.conns, self.is_stopping).hash(&mut hasher);
        (self.failures, self.leaves).hash(&mut hasher);
        for baton in &self.shift.batons {
            baton.turn().is_serving().hash(&mut hasher);
        }
        for sim in &self.sims {
            sim.fingerprint(&self.shift).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Random enough, and the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) % bound as u64) as usize
    }
}

fn random_setup(random: &mut Random) -> Setup {
    let lanes = 1 + random.below(2);
    let max_threads = match lanes {
        1 => 1 + random.below(5),
        _ => 5 + random.below(2),
    };
    let kinds = [
        Kind::Quick,
        Kind::Quick,
        Kind::Waits,
        Kind::Dawdles,
        Kind::Blocks,
    ];
    let conns = (0..1 + random.below(5)).map(|_| {
        let requests = (0..1 + random.below(3)).map(|_| kinds[random.below(kinds.len())]);
        let requests = requests.collect();
        (random.below(lanes), requests)
    });
    Setup {
        lanes,
        max_threads,
        conns: conns.collect(),
        leaves: 100,
        spawn_failures: [0, 0, 0, 1, 3, 1000][random.below(6)],
        may_stop: random.below(4) == 0,
    }
}

/// A schedule that is chosen at random, for a while.
fn run_at_random(seed: u64) -> usize {
    let mut random = Random(seed);
    let setup = random_setup(&mut random);
    let mut world = World::new(&setup);
    let mut done = 0;
    let count = random.below(400);
    // Some threads are slow.
    let slow = random.below(4);
    let seed_of = FailedSeed(seed, setup);
    for _ in 0..count {
        let actions = world.actions();
        if actions.is_empty() {
            break;
        }
        let action = actions[random.below(actions.len())];
        let is_rare = matches!(action, Action::Stop | Action::Leave(_) | Action::Arrive(_));
        let is_slow = matches!(action, Action::Step(sim) if sim == slow);
        if (is_rare || is_slow) && random.below(8) > 0 {
            continue;
        }
        world.act(action);
        done += 1;
    }
    if let Err(error) = world.finish() {
        let state: Vec<_> = world.sims.iter().map(|sim| &sim.pc).collect();
        panic!(
            "{error}: {state:?} {:?} {:?} {:?}",
            world.lanes,
            world.conns,
            world.shift.roll()
        );
    }
    std::mem::forget(seed_of);
    done
}

/// Says which schedule has failed.
struct FailedSeed(u64, Setup);

impl Drop for FailedSeed {
    fn drop(&mut self) {
        eprintln!("the schedule of seed {} with {:?}", self.0, self.1);
    }
}

/// Every order of steps, as far as it leads to states not seen before.
fn explore(setup: &Setup, most: usize) -> (usize, bool) {
    let mut seen = HashSet::new();
    let mut open = VecDeque::from([Vec::new()]);
    let failed = FailedSeed(0, setup.clone());
    let replay = |path: &[u8]| {
        let mut world = World::new(setup);
        for &choice in path {
            let action = world.actions()[usize::from(choice)];
            world.act(action);
        }
        world
    };
    while seen.len() < most
        && let Some(path) = open.pop_front()
    {
        let world = replay(&path);
        let fingerprint = world.fingerprint();
        if !seen.insert(fingerprint) {
            continue;
        }
        for choice in 0..world.actions().len() {
            let mut path = path.clone();
            path.push(choice as u8);
            open.push_back(path);
        }
        if fingerprint.is_multiple_of(8) {
            let mut world = world;
            if let Err(error) = world.finish() {
                panic!("{error} after {path:?}");
            }
        }
    }
    std::mem::forget(failed);
    (seen.len(), open.is_empty())
}

fn small(max_threads: usize, conns: &[&[Kind]], spawn_failures: usize) -> Setup {
    Setup {
        lanes: 1,
        max_threads,
        conns: conns
            .iter()
            .map(|requests| (0, requests.to_vec()))
            .collect(),
        spawn_failures,
        leaves: 1,
        may_stop: true,
    }
}

fn smalls() -> Vec<Setup> {
    use Kind::{Blocks, Dawdles, Quick, Waits};
    vec![
        small(1, &[&[Quick, Waits], &[Blocks]], 0),
        small(2, &[&[Quick]], 0),
        small(2, &[&[Blocks], &[Quick]], 0),
        small(2, &[&[Waits], &[Quick]], 1),
        small(3, &[&[Waits], &[Blocks]], 0),
        small(3, &[&[Dawdles], &[Quick, Quick]], 0),
        small(3, &[&[Blocks, Quick], &[Quick]], 2),
        Setup {
            lanes: 2,
            conns: vec![(0, vec![Blocks]), (1, vec![Quick])],
            ..small(5, &[], 0)
        },
    ]
}

/// How many schedules or states, if not those that fit into a run of the suite.
fn scale(usual: usize) -> usize {
    let asked = std::env::var("SERVETTE_MODEL").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(usual)
}

#[test]
fn whatever_the_order_everything_is_served_and_everybody_leaves_at_random() {
    let seeds = match std::env::var("SERVETTE_MODEL_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..scale(3_000) as u64,
    };
    let schedules = seeds.end - seeds.start;
    let steps: usize = seeds.map(run_at_random).sum();
    println!("{schedules} schedules, {steps} free steps");
}

#[test]
fn whatever_the_order_everything_is_served_and_everybody_leaves_exhaustively() {
    for setup in smalls() {
        let (states, is_all) = explore(&setup, scale(3_000));
        println!("{states} states, all: {is_all}, of {setup:?}");
    }
}
