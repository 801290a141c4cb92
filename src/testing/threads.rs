//! Threads that go from one fixture to the next: to start one and to end it takes longer than all that
//! most fixtures do.
//!
//! Only for fixtures whose answers are all canned. What a test's own code prints on a thread is shown
//! with the output of the test that started the thread, and might be that of another test here.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::shutdown::{LoopGuard, lock};

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_millis(500);

/// What a thread is to do. What it returns is dropped when the thread can be had again, so that whoever
/// waits for the end of one fixture finds the thread for the next.
type Work = Box<dyn FnOnce() -> LoopGuard + Send>;

/// Threads without work, the one that was busy last on top: so the others can end.
static IDLE_THREADS: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

struct Idle {
    thread: Thread,
    work: Arc<Mutex<Option<Work>>>,
}

/// Has a thread do this: one without work, or a new one.
pub(super) fn run(work: impl FnOnce() -> LoopGuard + Send + 'static) -> io::Result<()> {
    let idle = lock(&IDLE_THREADS).pop();
    if let Some(idle) = idle {
        *lock(&idle.work) = Some(Box::new(work));
        idle.thread.unpark();
        return Ok(());
    }
    let thread = thread::Builder::new().name("fixture".into());
    thread.spawn(move || {
        let mut done = work();
        while let Some(work) = next(done) {
            done = work();
        }
    })?;
    Ok(())
}

/// Waits for the next work; none after a time without any.
fn next(done: LoopGuard) -> Option<Work> {
    let own = Arc::new(Mutex::new(None));
    lock(&IDLE_THREADS).push(Idle {
        thread: thread::current(),
        work: own.clone(),
    });
    drop(done);
    let since = Instant::now();
    loop {
        let work = lock(&own).take();
        if work.is_some() {
            return work;
        }
        let left = IDLE.saturating_sub(since.elapsed());
        if !left.is_zero() {
            thread::park_timeout(left);
            continue;
        }
        let mut idle = lock(&IDLE_THREADS);
        let before = idle.len();
        idle.retain(|idle| !Arc::ptr_eq(&idle.work, &own));
        if idle.len() < before {
            return None;
        }
        // It was chosen in this moment: the work is about to come.
        drop(idle);
        thread::park();
    }
}
