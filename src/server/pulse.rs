//! Whether a thread sleeps, or is only kept waiting for a core.
//!
//! On a busy machine a thread that leads may get no core for longer than a tick. Nothing has blocked
//! it then, and the one who would take its lead has no core to do better with.

use std::sync::atomic::{AtomicU32, Ordering};

/// A thread that can be looked at; 0 is none.
#[derive(Debug, Default)]
pub(super) struct Pulse(AtomicU32);

thread_local! {
    static OWN: u32 = own().unwrap_or(0);
}

impl Pulse {
    /// The calling thread is to be looked at.
    pub(super) fn is_mine(&self) {
        self.0.store(OWN.with(|own| *own), Ordering::Relaxed);
    }

    /// The thread runs, or would if it had a core; false where nobody knows.
    pub(super) fn is_runnable(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => false,
            number => state(number) == Some('R'),
        }
    }
}

/// The number that the system knows the calling thread by. Only Linux has this file.
fn own() -> Option<u32> {
    let own = std::fs::read_link("/proc/thread-self").ok()?;
    own.file_name()?.to_str()?.parse().ok()
}

/// The state of a thread as in proc(5): R runnable, S asleep, D waits for a disk.
fn state(number: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{number}/stat")).ok()?;
    // The name before it may have any character.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.trim_start().chars().next()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_thread_that_runs_is_runnable_and_one_that_sleeps_is_not() {
        let own = Pulse::default();
        assert!(!own.is_runnable(), "nobody");
        own.is_mine();
        assert!(own.is_runnable());

        let other = Arc::new(Pulse::default());
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let its = other.clone();
        let sleeper = thread::Builder::new()
            .name("a) R (b".into())
            .spawn(move || {
                its.is_mine();
                tell.send(()).unwrap();
                let _ = ended.recv();
            });
        told.recv().unwrap();
        // It is about to fall asleep.
        let start = Instant::now();
        while other.is_runnable() {
            assert!(start.elapsed() < Duration::from_secs(10), "it sleeps");
            thread::yield_now();
        }
        drop(end);
        sleeper.unwrap().join().unwrap();
        assert!(!other.is_runnable(), "it is gone");
    }
}
