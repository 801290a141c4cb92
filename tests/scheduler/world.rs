//! What is outside of the scheduler: clients and handlers. They see to it that its promises are kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed};

use crate::connection::Client;
use crate::dice::{one_in, rest};
use crate::event_loop::Poller;
use crate::handed::{Answer, Handed, Messages};
use crate::handoff::HandoffHook;
use crate::link::Link;
use crate::plan::{Awaits, Does, Plan};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Condvar, Mutex, lock, wait};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// One for each event loop.
    pub(crate) pollers: Vec<Poller>,
    so_far: Mutex<SoFar>,
    changed: Condvar,
    /// Clients that were not accepted yet, while the port is open.
    waiting: Mutex<Option<VecDeque<Arc<Client>>>>,
    is_stopping: AtomicBool,
    is_cut: AtomicBool,
    handlers: Count,
    panics: Count,
}

/// A thread of the server.
pub(crate) struct ThreadGuard;

/// What clients and handlers can wait for.
#[derive(Debug, Default)]
pub(crate) struct SoFar {
    /// How many times a request was handled, by its number.
    pub(crate) handled: Vec<u32>,
    /// The body of a request is there.
    pub(crate) bodies: Vec<bool>,
    /// The server has closed the connection, by the client's number.
    pub(crate) closed: Vec<bool>,
    /// Connections.
    pub(crate) open: usize,
    is_cut: bool,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let requests = plan.requests.len();
        World {
            pollers: (0..plan.loops).map(|_| Poller::default()).collect(),
            so_far: Mutex::new(SoFar {
                handled: vec![0; requests],
                bodies: vec![false; requests],
                closed: vec![false; plan.clients.len()],
                ..SoFar::default()
            }),
            changed: Condvar::new(),
            waiting: Mutex::new(Some(VecDeque::new())),
            is_stopping: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            handlers: Count::new(0),
            panics: Count::new(0),
            plan,
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut SoFar)) {
        change(&mut lock(&self.so_far));
        self.changed.notify_all();
    }

    fn wait_until(&self, is_so: impl Fn(&SoFar) -> bool) {
        let mut so_far = lock(&self.so_far);
        while !is_so(&so_far) {
            so_far = wait(&self.changed, so_far);
        }
    }

    /// The life of a client.
    pub(crate) fn run_client(self: &Arc<Self>, number: usize) {
        rest();
        let script = &self.plan.clients[number];
        let client = Client::connect(self, number);
        let is_over =
            |so_far: &SoFar, request: usize| so_far.handled[request] > 0 || so_far.closed[number];
        for request in script.requests.clone() {
            let Some(client) = &client else { break };
            rest();
            client.send(request);
            if self.plan.has_body(request) {
                rest();
                client.send_body(request);
            }
            if !script.pipelines {
                self.wait_until(|so_far| is_over(so_far, request));
            }
        }
        if let Some(client) = client {
            self.wait_until(|so_far| script.requests.clone().all(|of| is_over(so_far, of)));
            rest();
            client.end();
        }
    }

    /// A handler. It may leave the answer to the program.
    pub(crate) fn handle(
        self: &Arc<Self>,
        request: usize,
        hook: Option<&HandoffHook>,
    ) -> Option<Handed> {
        self.enter_handler();
        let does = self.plan.requests[request];
        if let Some(hook) = hook {
            hook.before_handler(does.path());
        }
        if let Does::Waits { awaits, announces } = does {
            let has_come = |so_far: &SoFar| {
                so_far.is_cut
                    || match awaits {
                        Awaits::Body => so_far.bodies[request],
                        Awaits::Request(other) => so_far.handled[other] > 0,
                    }
            };
            let is_ready = || has_come(&lock(&self.so_far));
            match hook {
                Some(hook) if announces && !hook.waits_briefly(is_ready) => hook.before_wait(),
                _ => {}
            }
            self.wait_until(has_come);
        }
        let handed = match does {
            Does::Streams(messages) => Some(Handed::Stream(self.stream(messages))),
            Does::Defers => Some(Handed::Late(self.defer())),
            _ => {
                self.answered(request);
                None
            }
        };
        if let Some(hook) = hook {
            hook.after_handler();
        }
        self.handlers.fetch_sub(1, Relaxed);
        handed
    }

    /// What answers a request that was put off.
    pub(crate) fn answer_late(&self, request: usize) {
        self.enter_handler();
        rest();
        self.answered(request);
        self.handlers.fetch_sub(1, Relaxed);
    }

    fn enter_handler(&self) {
        let handlers = self.handlers.fetch_add(1, Relaxed) + 1;
        // Threads that no longer lead help to end.
        let leaders = usize::from(self.is_stopping()) * self.plan.loops;
        assert!(
            handlers <= self.plan.handlers + leaders,
            "{handlers} handlers run"
        );
    }

    /// The answer to a request is complete.
    pub(crate) fn answered(&self, request: usize) {
        self.change(|so_far| {
            so_far.handled[request] += 1;
            assert_eq!(so_far.handled[request], 1, "request {request}");
        });
    }

    /// Starts a thread that writes so many messages.
    fn stream(&self, messages: usize) -> Arc<Link<Messages>> {
        let link = Link::new(Messages::default());
        let written = link.clone();
        shuttle::thread::spawn(move || {
            for number in 0..messages {
                rest();
                written.write(number);
            }
            rest();
            written.end();
        });
        link
    }

    /// Starts a thread that gives the answer.
    fn defer(&self) -> Arc<Link<Option<Answer>>> {
        let link = Link::new(None);
        let deferred = link.clone();
        shuttle::thread::spawn(move || {
            rest();
            deferred.answer();
        });
        link
    }

    /// False if the port is closed.
    pub(crate) fn connect(&self, client: Arc<Client>) -> bool {
        let mut waiting = lock(&self.waiting);
        let Some(waiting) = &mut *waiting else {
            return false;
        };
        waiting.push_back(client);
        for poller in &self.pollers {
            poller.report_connections();
        }
        true
    }

    pub(crate) fn accept(&self) -> Option<Arc<Client>> {
        lock(&self.waiting).as_mut()?.pop_front()
    }

    pub(crate) fn close_port(&self) {
        let waiting = lock(&self.waiting).take();
        self.change(|so_far| {
            for client in waiting.into_iter().flatten() {
                so_far.closed[client.number] = true;
            }
        });
    }

    /// Is asked before each poll, and at the end of each connection.
    pub(crate) fn panics(&self) -> bool {
        let panics = self.panics.load(Relaxed) < self.plan.panics && one_in(8);
        self.panics.fetch_add(usize::from(panics), Relaxed);
        panics
    }

    pub(crate) fn polling_fails(&self) -> bool {
        self.plan.polling_fails && one_in(16)
    }

    pub(crate) fn enter_thread(&self) -> ThreadGuard {
        ThreadGuard
    }

    pub(crate) fn stop(&self) {
        if !self.is_stopping.swap(true, Ordering::SeqCst) {
            self.pollers.iter().for_each(Poller::wake);
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.change(|so_far| so_far.is_cut = true);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// The server has ended.
    pub(crate) fn check(&self) {
        let so_far = lock(&self.so_far);
        assert_eq!(so_far.open, 0, "connections are left");
        assert!(lock(&self.waiting).is_none(), "the port is open");
        let are_all = so_far.handled.iter().all(|&times| times == 1);
        assert!(are_all || self.plan.may_stop(), "{:?}", so_far.handled);
    }
}
