//! Which thread does what, under a model checker: the scheduler's own source files, with locks, atomics and threads
//! whose order `shuttle` chooses, between event loops, clients and handlers without sockets.
//!
//! `SCHEDULES=100000 cargo test --all-features --test scheduler NAME` tries more of them. A schedule that fails is
//! printed; `SCHEDULE=THAT` runs it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::vec_box
)]

use std::env;
use std::time::{Duration, Instant};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::{Config, MaxSteps, Runner};

use self::event_loop::EventLoop;
use self::plan::{Plan, Waits};
use self::scheduler::Scheduler;
use self::sync::{Arc, Starts};
use self::worker_pool::WorkerPool;
use self::world::World;

#[path = "../../src/clock.rs"]
#[allow(dead_code, unused_imports)]
mod clock;
#[path = "../../src/server/deadlines.rs"]
#[allow(dead_code, unused_imports)]
mod deadlines;
#[path = "../../src/server/leadership.rs"]
#[allow(dead_code, unused_imports)]
mod leadership;
#[path = "../../src/connection/link.rs"]
#[allow(dead_code, unused_imports, unreachable_pub)]
mod link;
#[path = "../../src/server/monitor.rs"]
mod monitor;
#[path = "../../src/server/predictor.rs"]
#[allow(dead_code, unused_imports)]
mod predictor;
#[path = "../../src/server/scheduler.rs"]
#[allow(dead_code)]
mod scheduler;
#[path = "../../src/server/table.rs"]
#[allow(dead_code, unused_imports)]
mod table;
#[allow(dead_code)]
#[path = "../../src/server/task.rs"]
mod task;
#[path = "../../src/server/worker_pool.rs"]
mod worker_pool;

mod connection;
mod dice;
mod event_loop;
mod handed;
mod handoff;
mod plan;
mod route;
mod sync;
mod time;
mod world;

mod base {
    use crate::connection::Connection;

    pub(crate) trait RequestHandler {
        fn handle(&self, conn: &mut Connection);
    }
}

mod error {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// The payload of panics that are part of a plan.
    pub(crate) struct Planned;

    /// Why a connection is over.
    #[derive(Clone, Debug)]
    pub(crate) enum Fault {
        Gone,
    }

    pub(crate) fn guarded<T>(code: impl FnOnce() -> Result<T, Planned>) -> Result<T, Planned> {
        match catch_unwind(AssertUnwindSafe(code)) {
            Ok(result) => result,
            Err(payload) if payload.is::<Planned>() => Err(Planned),
            Err(payload) => resume_unwind(payload),
        }
    }
}

mod limits {
    use std::time::Duration;

    pub(crate) struct Limits {
        pub(crate) head_deadline: Duration,
        pub(crate) idle_timeout: Duration,
        pub(crate) discard_deadline: Duration,
        pub(crate) linger_deadline: Duration,
        pub(crate) write_timeout: Duration,
        pub(crate) stream_keep_alive: Duration,
    }
}

type Result<T> = std::result::Result<T, error::Planned>;

/// What holds.
const PROMISES: &[(&str, Check)] = &[
    (
        "every_request_is_handled_once",
        Check::Some(|| Plan::any(Waits::Never)),
    ),
    (
        "a_handler_that_says_that_it_waits_stops_nobody",
        Check::Some(|| Plan::any(Waits::ForOthers(Some(true)))),
    ),
    (
        "a_handler_that_blocks_stops_nobody",
        Check::Some(|| Plan::any(Waits::ForOthers(Some(false)))),
    ),
    (
        "requests_wait_at_the_limit_of_threads",
        Check::Some(|| Plan::new(1, 1, Waits::ForBodies)),
    ),
    (
        "streams_are_sent_in_order_to_their_end_and_what_is_deferred_is_answered_once",
        Check::Some(Plan::handing_over),
    ),
    (
        "what_the_program_has_in_hand_stops_nobody_when_the_server_stops",
        Check::Some(|| Plan {
            stops: true,
            ..Plan::handing_over()
        }),
    ),
    (
        "a_thread_that_cannot_be_started_stops_nobody",
        Check::Some(|| Plan {
            starts: Starts::Sometimes,
            ..Plan::any(Waits::ForOthers(None))
        }),
    ),
    (
        "one_thread_is_enough",
        Check::Some(|| Plan {
            starts: Starts::Never,
            ..Plan::any(Waits::ForBodies)
        }),
    ),
    (
        "a_loop_outlives_panics",
        Check::Some(|| Plan {
            panics: 3,
            ..Plan::any(Waits::ForOthers(None))
        }),
    ),
    (
        "all_threads_end_with_the_server",
        Check::Some(|| Plan {
            stops: true,
            polling_fails: dice::one_in(3),
            panics: dice::below(2),
            ..Plan::any(Waits::ForOthers(None))
        }),
    ),
    (
        "the_monitor_wakes_for_a_leader_that_goes_on",
        Check::All(sleep_beside_a_leader),
    ),
];

#[derive(Clone, Copy)]
enum Check {
    /// Some of the schedules of what is planned.
    Some(fn() -> Plan),
    /// All schedules.
    All(fn()),
}

struct Handler;

impl base::RequestHandler for Handler {
    fn handle(&self, conn: &mut connection::Connection) {
        conn.handle();
    }
}

/// Serves as planned, and checks that all went well.
fn serve(plan: Plan) {
    time::begin();
    sync::set_starts(plan.starts);
    let (handlers, clients, stops) = (plan.handlers, plan.clients.len(), plan.stops);
    let world = Arc::new(World::new(plan));
    let shared = world.clone();
    let server = shuttle::thread::spawn(move || {
        let loops = EventLoop::all(&shared);
        let pool = WorkerPool::new(&loops, &Handler, handlers, Duration::ZERO);
        pool.run()
    });
    let client = |number| {
        let world = world.clone();
        shuttle::thread::spawn(move || world.run_client(number))
    };
    let clients: Vec<_> = (0..clients).map(client).collect();
    if stops {
        dice::rest();
        world.stop();
        dice::rest();
        world.cut();
    }
    for client in clients {
        client.join().unwrap();
    }
    world.stop();
    let ended = server.join().unwrap();
    assert!(ended.is_ok() || world.plan.polling_fails, "{ended:?}");
    world.check();
}

/// A leader goes on after the last look of the monitor, which therefore sleeps for a while at the most.
fn sleep_beside_a_leader() {
    time::begin();
    let scheduler = Arc::new(Scheduler::<()>::new(1, 1));
    scheduler.monitor_starts();
    let seen = scheduler.leaderships[0].progress();
    let leader = scheduler.clone();
    let leader = shuttle::thread::spawn(move || {
        leader.leaderships[0].rises();
        leader.wake_monitor();
    });
    scheduler.park_monitor(|| scheduler.leaderships[0].progress() == seen);
    leader.join().unwrap();
}

impl Check {
    /// Runs this many schedules of each kind, or the one that is given; returns how many.
    fn run(self, count: usize) -> usize {
        match (self, env::var("SCHEDULE")) {
            (Check::Some(plan), Ok(one)) => {
                run(ReplayScheduler::new_from_encoded(&one), move || {
                    serve(plan())
                })
            }
            (Check::Some(plan), Err(_)) => {
                run(RandomScheduler::new(count), move || serve(plan()))
                    + run(PctScheduler::new(3, count), move || serve(plan()))
            }
            (Check::All(check), _) => run(DfsScheduler::new(None, false), check),
        }
    }
}

fn run(
    scheduler: impl shuttle::scheduler::Scheduler + 'static,
    check: impl Fn() + Send + Sync + 'static,
) -> usize {
    let mut config = Config::new();
    config.silence_warnings = true;
    // The predictor's counters are large here.
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(scheduler, config).run(check)
}

fn main() {
    // There is no harness of the standard library: it would run the unit tests of the scheduler's files as well.
    let wanted = env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let wanted = wanted.unwrap_or_default();
    let count = env::var("SCHEDULES").map_or(1000, |count| count.parse().unwrap());
    std::thread::scope(|scope| {
        for &(name, check) in PROMISES.iter().filter(|(name, _)| name.contains(&wanted)) {
            let run = move || {
                let start = Instant::now();
                let count = check.run(count);
                println!("{name}: {count} schedules in {:.1?}", start.elapsed());
            };
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, run).unwrap();
        }
    });
}
