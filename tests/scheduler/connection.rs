//! Clients, and the server's end of their connections.

use std::collections::VecDeque;
use std::mem;

use crate::error::Fault;
use crate::handed::{Handed, Left};
use crate::handoff::HandoffHook;
use crate::link::Place;
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
    Program,
    Silence,
    End,
}

impl WaitsFor {
    pub(crate) const ALL: [WaitsFor; 9] = [
        WaitsFor::FirstHead,
        WaitsFor::NextHead,
        WaitsFor::RestOfHead,
        WaitsFor::BodyAtOnce,
        WaitsFor::RestOfBody,
        WaitsFor::Room,
        WaitsFor::Program,
        WaitsFor::Silence,
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
    /// Nothing was left in the socket at the last read, since there may have been news.
    is_read: bool,
    answered: u64,
    /// The request whose answer is in the hands of the program, and whether that has its place in an event loop.
    handed: Option<(usize, Handed, bool)>,
    /// A request that was put off, and can be answered.
    late: Option<usize>,
    pub(crate) hook: Option<Box<HandoffHook>>,
}

impl Connection {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        client.world.change(|so_far| so_far.open += 1);
        Connection {
            client,
            read: VecDeque::new(),
            is_read: false,
            answered: 0,
            handed: None,
            late: None,
            hook: None,
        }
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        self.handed.is_some()
    }

    pub(crate) fn wants_place(&self) -> bool {
        matches!(self.handed, Some((_, _, false)))
    }

    pub(crate) fn set_place(&mut self, place: Place) {
        if let Some((_, handed, has_place)) = &mut self.handed {
            *has_place = true;
            handed.place(place);
        }
    }

    /// Goes on with what is in the hands of the program; true if that is over.
    pub(crate) fn go_on(&mut self) -> bool {
        let Some((request, handed, _)) = &self.handed else {
            return true;
        };
        match handed.go_on() {
            None => return false,
            Some(Left::Answer) => self.late = Some(*request),
            Some(Left::Nothing) => {
                self.client.world.answered(*request);
                self.answered += 1;
            }
        }
        self.handed = None;
        true
    }

    pub(crate) fn waits_for(&self) -> WaitsFor {
        match self.answered {
            _ if self.is_unfinished() => WaitsFor::Program,
            0 => WaitsFor::FirstHead,
            _ => WaitsFor::NextHead,
        }
    }

    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.answered, 0)
    }

    pub(crate) fn lend(&mut self, buffers: &mut Buffers, _end_may_follow: bool) {
        self.is_read = false;
        mem::swap(&mut self.hook, &mut buffers.hook);
    }

    pub(crate) fn reclaim(&mut self, buffers: &mut Buffers) {
        mem::swap(&mut self.hook, &mut buffers.hook);
    }

    pub(crate) fn poll_request(&mut self) -> Readiness {
        if self.late.is_some() || !self.read.is_empty() {
            return Readiness::Request;
        }
        let mut socket = lock(&self.client.socket);
        self.is_read = true;
        self.read.append(&mut socket.unread);
        match self.read.is_empty() {
            false => Readiness::Request,
            true if socket.has_ended => Readiness::Ended,
            true => Readiness::Pending,
        }
    }

    /// As in `Connection::is_spent`.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_read && self.late.is_none() && self.read.is_empty()
    }

    /// Handles the next request.
    pub(crate) fn handle(&mut self) {
        if let Some(request) = self.late.take() {
            self.client.world.answer_late(request);
            self.answered += 1;
        } else if let Some(request) = self.read.pop_front() {
            match self.client.world.handle(request, self.hook.as_deref()) {
                Some(handed) => self.handed = Some((request, handed, false)),
                None => self.answered += 1,
            }
        }
    }

    pub(crate) fn is_registered(&self) -> bool {
        lock(&self.client.socket).registered.is_some()
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
        if let Some((_, handed, _)) = &self.handed {
            handed.close(Fault::Gone);
        }
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
