//! [`Affinity`]: which core a thread runs on.
//!
//! Who starts a fixture mostly waits for its answer. Left alone, the system has the thread that answers
//! run on a core that sleeps; to wake that takes longer than all the rest, in particular on a virtual
//! machine. So the thread runs where the one that waits for it has run, at first.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, Pid};

/// Of one thread, in the hands of others too. Only on Linux do they choose.
#[derive(Debug)]
pub(super) struct Affinity {
    #[cfg(target_os = "linux")]
    thread: Pid,
    /// The one core it runs on, and where it may run otherwise.
    #[cfg(target_os = "linux")]
    near: Option<(usize, CpuSet)>,
}

#[cfg(target_os = "linux")]
impl Affinity {
    /// That of the calling thread.
    pub(super) fn own() -> Self {
        let thread = rustix::thread::gettid();
        let near = None;
        Affinity { thread, near }
    }

    /// From now on the thread runs where the caller runs now. It should be asleep: to move one that runs
    /// elsewhere takes long.
    pub(super) fn follow_caller(&mut self) {
        let core = rustix::thread::sched_getcpu();
        // Like a thread that the caller starts.
        let Ok(usual) = rustix::thread::sched_getaffinity(None) else {
            return self.roam();
        };
        if core >= CpuSet::MAX_CPU {
            return self.roam();
        }
        let is_there = self.near.is_some_and(|(own, _)| own == core);
        let mut only = CpuSet::new();
        only.set(core);
        if is_there || rustix::thread::sched_setaffinity(Some(self.thread), &only).is_ok() {
            self.near = Some((core, usual));
        }
    }

    /// The thread runs wherever the caller of [`follow_caller`](Self::follow_caller) could.
    pub(super) fn roam(&mut self) {
        if let Some((_, usual)) = self.near.take() {
            // It fails only where those cores are gone, and then the system has chosen others.
            let _ = rustix::thread::sched_setaffinity(Some(self.thread), &usual);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Affinity {
    pub(super) fn own() -> Self {
        Affinity {}
    }

    pub(super) fn follow_caller(&mut self) {}

    pub(super) fn roam(&mut self) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_runs_near_the_caller_and_then_where_a_thread_of_the_callers_would() {
        let cores = |thread: Option<Pid>| rustix::thread::sched_getaffinity(thread).unwrap();
        let all = cores(None);
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let follower = thread::spawn(move || {
            tell.send(Affinity::own()).unwrap();
            let _ = ended.recv();
        });
        let mut affinity = told.recv().unwrap();
        let its = Some(affinity.thread);

        affinity.follow_caller();
        assert_eq!(cores(its).count(), 1);
        affinity.roam();
        assert_eq!(cores(its), all);

        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                rustix::thread::sched_setaffinity(None, &one).unwrap();
                affinity.follow_caller();
                affinity.roam();
            });
        });
        assert_eq!(cores(its), one);
        affinity.follow_caller();
        affinity.roam();
        assert_eq!(cores(its), all);
        drop(end);
        follower.join().unwrap();
    }
}
