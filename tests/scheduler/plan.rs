//! What happens in a schedule.

use std::ops::Range;

use crate::dice::{below, one_in};
use crate::sync::Starts;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) loops: usize,
    /// At the same time, at the most.
    pub(crate) handlers: usize,
    pub(crate) starts: Starts,
    pub(crate) clients: Vec<Script>,
    /// What the handlers of all requests do.
    pub(crate) requests: Vec<Does>,
    /// Hooks that panic while a thread leads, and ends of connections that panic.
    pub(crate) panics: usize,
    pub(crate) polling_fails: bool,
    /// The server is stopped at any time, else when all clients are served.
    pub(crate) stops: bool,
}

/// What a client does.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// By number.
    pub(crate) requests: Range<usize>,
    /// It sends them at once, else each when the last one is answered.
    pub(crate) pipelines: bool,
}

/// What a handler does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    Nothing,
    /// Hands its body over to a thread that writes so many messages.
    Streams(usize),
    /// Leaves the answer to a thread, which gives it later.
    Defers,
    Waits {
        awaits: Awaits,
        /// The hook is told before.
        announces: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaits {
    /// What its client sends.
    Body,
    /// That this request was handled.
    Request(usize),
}

impl Does {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Does::Nothing | Does::Streams(_) | Does::Defers => "quick",
            Does::Waits { .. } => "waits",
        }
    }
}

/// What handlers of a scenario may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    Never,
    ForBodies,
    /// Announced, or not, or either.
    ForOthers(Option<bool>),
}

impl Plan {
    pub(crate) fn new(loops: usize, handlers: usize, waits: Waits) -> Self {
        let mut plan = Plan {
            loops,
            handlers,
            starts: Starts::Always,
            clients: Vec::new(),
            requests: Vec::new(),
            panics: 0,
            polling_fails: false,
            stops: false,
        };
        // So many may wait for other requests that there is a handler for these.
        let mut waiters = handlers - 1;
        for _ in 0..2 + below(2) {
            let first = plan.requests.len();
            for _ in 0..1 + below(3) {
                // Of other clients, which wait for none of this one.
                let awaits = match waits {
                    Waits::Never => None,
                    Waits::ForOthers(_) if first > 0 && waiters > 0 && !one_in(3) => {
                        waiters -= 1;
                        Some(Awaits::Request(below(first)))
                    }
                    _ => one_in(2).then_some(Awaits::Body),
                };
                let announces = match waits {
                    Waits::ForOthers(Some(announces)) => announces,
                    _ => one_in(2),
                };
                let does = match awaits {
                    Some(awaits) => Does::Waits { awaits, announces },
                    None => Does::Nothing,
                };
                plan.requests.push(does);
            }
            plan.clients.push(Script {
                requests: first..plan.requests.len(),
                pipelines: one_in(2),
            });
        }
        plan
    }

    /// Some of the answers are left to the program.
    pub(crate) fn handing_over() -> Self {
        let mut plan = Plan::any(Waits::Never);
        for does in &mut plan.requests {
            if matches!(does, Does::Nothing) && !one_in(3) {
                *does = match one_in(2) {
                    true => Does::Streams(below(4)),
                    false => Does::Defers,
                };
            }
        }
        plan
    }

    /// With one or two loops.
    pub(crate) fn any(waits: Waits) -> Self {
        let loops = 1 + below(2);
        Plan::new(loops, 2 * loops + below(2), waits)
    }

    pub(crate) fn has_body(&self, request: usize) -> bool {
        let does = self.requests[request];
        matches!(
            does,
            Does::Waits {
                awaits: Awaits::Body,
                ..
            }
        )
    }

    /// Requests may be left unanswered.
    pub(crate) fn may_stop(&self) -> bool {
        self.stops || self.polling_fails
    }
}
