//! [`Affinity`]: which core a thread runs on.
//!
//! Who starts a fixture mostly waits for its answer. Left alone, the system has the thread that answers
//! run on a core that sleeps; to wake that takes longer than all the rest, in particular on a virtual
//! machine. So the thread runs where the one that waits for it has run, at first.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, Pid};

/// Of one thread, in the hands of others too. Only Linux lets them choose.
#[derive(Debug)]
pub(super) struct Affinity {
    #[cfg(target_os = "linux")]
    thread: Pid,
    /// Where it may run otherwise.
    #[cfg(target_os = "linux")]
    usual: CpuSet,
    /// The one core it runs on.
    #[cfg(target_os = "linux")]
    core: Option<usize>,
}

#[cfg(target_os = "linux")]
impl Affinity {
    /// That of the calling thread.
    pub(super) fn own() -> Option<Self> {
        let usual = rustix::thread::sched_getaffinity(None).ok()?;
        let thread = rustix::thread::gettid();
        let core = None;
        Some(Affinity {
            thread,
            usual,
            core,
        })
    }

    /// From now on the thread runs where the caller runs now. It should be asleep: to move one that runs
    /// elsewhere takes long.
    pub(super) fn follow_caller(&mut self) {
        let core = rustix::thread::sched_getcpu();
        if self.core == Some(core) || core >= CpuSet::MAX_CPU {
            return;
        }
        let mut only = CpuSet::new();
        only.set(core);
        if rustix::thread::sched_setaffinity(Some(self.thread), &only).is_ok() {
            self.core = Some(core);
        }
    }

    /// The thread runs wherever it could before.
    pub(super) fn roam(&mut self) {
        if self.core.take().is_some() {
            // It fails only where those cores are gone, and then the system has chosen others.
            let _ = rustix::thread::sched_setaffinity(Some(self.thread), &self.usual);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Affinity {
    pub(super) fn own() -> Option<Self> {
        None
    }

    pub(super) fn follow_caller(&mut self) {}

    pub(super) fn roam(&mut self) {}
}
