//! A thread as others know it: it can be woken. In a model it is a flag.

use std::thread::{self, Thread};

#[derive(Clone, Debug)]
pub(super) struct Sleeper {
    thread: Thread,
    #[cfg(test)]
    flag: Option<model::Flag>,
}

impl Sleeper {
    /// The calling thread.
    pub(super) fn current() -> Self {
        Sleeper {
            thread: thread::current(),
            #[cfg(test)]
            flag: model::current(),
        }
    }

    pub(super) fn unpark(&self) {
        #[cfg(test)]
        if let Some(flag) = &self.flag {
            return flag.set(true);
        }
        self.thread.unpark();
    }
}

#[cfg(test)]
pub(super) mod model {
    //! Threads that are simulated on a real one.

    use std::cell::RefCell;
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The token of a simulated thread: it does not sleep, or will not the next time.
    #[derive(Clone)]
    pub(in crate::server) struct Flag {
        is_set: Arc<AtomicBool>,
        number: usize,
    }

    impl fmt::Debug for Flag {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} {}", self.number, self.is_set())
        }
    }

    impl Flag {
        /// Of the thread of this number.
        pub(in crate::server) fn new(number: usize) -> Self {
            Flag {
                is_set: Arc::default(),
                number,
            }
        }

        pub(in crate::server) fn set(&self, value: bool) {
            self.is_set.store(value, Ordering::SeqCst);
        }

        pub(in crate::server) fn is_set(&self) -> bool {
            self.is_set.load(Ordering::SeqCst)
        }
    }

    thread_local! {
        static CURRENT: RefCell<Option<Flag>> = const { RefCell::new(None) };
    }

    pub(super) fn current() -> Option<Flag> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs a step of a simulated thread.
    pub(in crate::server) fn run_as<R>(flag: &Flag, step: impl FnOnce() -> R) -> R {
        CURRENT.set(Some(flag.clone()));
        let result = step();
        CURRENT.set(None);
        result
    }
}
