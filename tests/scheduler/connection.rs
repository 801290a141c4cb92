//! Clients, and the server's end of their connections.

use std::collections::VecDeque;
use std::mem;

use crate::handoff::HandoffHook;
use crate::sync::{Arc, Mutex, lock};
use crate::world::World;

/// What a thread lends to the connection that it serves.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) hook: Option<Box<HandoffHook>>,
}

impl Buffers {
    pub(crate) fn of(_thread: crate::world::ThreadGuard) -> Self {
        Buffers::default()
    }
}

/// The client of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    pub(crate) number: usize,
    socket: Mutex<Socket>,
}

/// What the system knows.
#[derive(Debug, Default)]
struct Socket {
    /// Requests that were sent, and not read yet.
    unread: VecDeque<usize>,
    has_ended: bool,
    /// The event loop and the slot to which news are reported.
    registered: Option<(usize, usize)>,
}

impl Client {
    /// None if the port is closed.
    pub(crate) fn connect(world: &Arc<World>, number: usize) -> Option<Arc<Self>> {
        let client = Arc::new(Client {
            world: world.clone(),
            number,
            socket: Mutex::default(),
        });
        world.connect(client.clone()).then_some(client)
    }

    pub(crate) fn send(&self, request: usize) {
        self.change(|socket| socket.unread.push_back(request));
    }

    pub(crate) fn send_body(&self, request: usize) {
        self.world.change(|so_far| so_far.bodies[request] = true);
        self.change(|_| ());
    }

    pub(crate) fn end(&self) {
        self.change(|socket| socket.has_ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut Socket)) {
        let mut socket = lock(&self.socket);
        change(&mut socket);
        if let Some((number, slot)) = socket.registered {
            self.world.pollers[number].report(slot);
        }
    }
}

/// What a parked connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    FirstHead,
    NextHead,
    RestOfHead,
    BodyAtOnce,
    RestOfBody,
    Room,
    End,
}

impl WaitsFor {
    pub(crate) const ALL: [WaitsFor; 7] = [
        WaitsFor::FirstHead,
        WaitsFor::NextHead,
        WaitsFor::RestOfHead,
        WaitsFor::BodyAtOnce,
        WaitsFor::RestOfBody,
        WaitsFor::Room,
        WaitsFor::End,
    ];
}

#[derive(Debug)]
pub(crate) enum Readiness {
    Request,
    Pending,
    Ended,
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Arc<Client>,
    /// Requests that were read, and not answered yet.
    pub(crate) read: VecDeque<usize>,
    answered: u64,
    pub(crate) hook: Option<Box<HandoffHook>>,
}

impl Connection {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        client.world.change(|so_far| so_far.open += 1);
        Connection {
            client,
            read: VecDeque::new(),
            answered: 0,
            hook: None,
        }
    }

    pub(crate) fn waits_for(&self) -> WaitsFor {
        match self.answered {
            0 => WaitsFor::FirstHead,
            _ => WaitsFor::NextHead,
        }
    }

    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.answered, 0)
    }

    pub(crate) fn has_tail(&self) -> bool {
        false
    }

    pub(crate) fn lend(&mut self, buffers: &mut Buffers, _end_may_follow: bool) {
        mem::swap(&mut self.hook, &mut buffers.hook);
    }

    pub(crate) fn reclaim(&mut self, buffers: &mut Buffers) {
        mem::swap(&mut self.hook, &mut buffers.hook);
    }

    pub(crate) fn poll_request(&mut self) -> Readiness {
        if !self.read.is_empty() {
            return Readiness::Request;
        }
        let mut socket = lock(&self.client.socket);
        self.read.append(&mut socket.unread);
        match self.read.is_empty() {
            false => Readiness::Request,
            true if socket.has_ended => Readiness::Ended,
            true => Readiness::Pending,
        }
    }

    /// Handles the next request.
    pub(crate) fn handle(&mut self) {
        if let Some(request) = self.read.pop_front() {
            self.client.world.handle(request, self.hook.as_deref());
            self.answered += 1;
        }
    }

    /// Has the poller of an event loop report news: also those that are there.
    pub(crate) fn register(&self, number: usize, slot: usize) {
        let mut socket = lock(&self.client.socket);
        if socket.registered.is_none() {
            socket.registered = Some((number, slot));
            if !socket.unread.is_empty() || socket.has_ended {
                self.client.world.pollers[number].report(slot);
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut socket = lock(&self.client.socket);
        if let Some((number, slot)) = socket.registered.take() {
            self.client.world.pollers[number].forget(slot);
        }
        drop(socket);
        let number = self.client.number;
        self.client.world.change(|so_far| {
            so_far.open -= 1;
            so_far.closed[number] = true;
        });
    }
}
