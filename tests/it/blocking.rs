//! Handlers that wait for something: many of them wait at the same time, and nobody else waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::client::Client;
use crate::lifesupport::{Gate, spawn_loops};
use crate::plain::many_wait_together;
use crate::support::{PATIENCE, echo, handler, text};
use servette::RunningServer;

/// Counts handlers that wait.
#[derive(Clone, Debug, Default)]
struct Waits(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    now: AtomicUsize,
    begun: AtomicUsize,
    /// The sum of how many others waited when each of them began.
    beside: AtomicUsize,
}

impl Waits {
    fn wait(&self, time: Duration) {
        let beside = self.0.now.fetch_add(1, SeqCst);
        self.0.beside.fetch_add(beside, SeqCst);
        self.0.begun.fetch_add(1, SeqCst);
        std::thread::sleep(time);
        self.0.now.fetch_sub(1, SeqCst);
    }

    fn begun(&self) -> usize {
        self.0.begun.load(SeqCst)
    }

    /// Beside how many others each waits on average, from now on until so many more have begun.
    fn beside(&self, count: usize, mut meanwhile: impl FnMut()) -> usize {
        let (begun, beside) = (self.begun(), self.0.beside.load(SeqCst));
        let start = Instant::now();
        while self.begun() < begun + count {
            assert!(start.elapsed() < PATIENCE, "{begun} and then {self:?}");
            meanwhile();
        }
        (self.0.beside.load(SeqCst) - beside) / (self.begun() - begun)
    }
}

/// A server whose answers to `/wait` take so long; others come at once.
fn spawn_waiting(event_loops: usize, millis: u64) -> (RunningServer, Waits) {
    let waits = Waits::default();
    let inner = waits.clone();
    let handler = handler(move |h, x| {
        if x.path == "/wait" {
            inner.wait(Duration::from_millis(millis));
        }
        text(h, x, "x")
    });
    (spawn_loops(event_loops, handler, |_| ()), waits)
}

/// Has each of the clients ask again as soon as it has its answer, until that is enough.
fn keep_asking(mut clients: Vec<Client>, is_enough: &AtomicBool) {
    for client in &mut clients {
        client.get("/wait");
    }
    let patience = Timespec::try_from(PATIENCE).unwrap();
    while !is_enough.load(SeqCst) {
        let polled = clients
            .iter()
            .map(|of| PollFd::new(&of.stream, PollFlags::IN));
        let mut polled: Vec<_> = polled.collect();
        assert_ne!(poll(&mut polled, Some(&patience)).unwrap(), 0);
        let ready: Vec<_> = polled.iter().map(|of| !of.revents().is_empty()).collect();
        for (client, _) in clients.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            assert_eq!(client.response().status, 200);
            client.get("/wait");
        }
    }
}

const CLIENTS: usize = 32;

#[test]
fn many_short_waits_run_in_parallel_and_no_client_waits_for_them() {
    if !many_wait_together() {
        return;
    }
    for millis in [1, 2, 3] {
        // Were the machine fast enough, one less than there are clients would wait beside each. Behind the clients of its
        // event loop, another client would wait 16 times as long as each of them.
        let is_good = |&(beside, median): &(usize, Duration)| {
            beside >= CLIENTS / 8 && median < Duration::from_millis(10)
        };
        // A busy machine may be too slow for some of the tries.
        let mut tries = Vec::new();
        while !tries.last().is_some_and(is_good) {
            assert!(tries.len() < 5, "{tries:?}, {millis} ms");
            tries.push(short_waits(millis));
        }
    }
}

/// How many handlers wait beside each other, and the median of the time that other clients wait for their response.
fn short_waits(millis: u64) -> (usize, Duration) {
    let (server, waits) = spawn_waiting(2, millis);
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(server.addr())).collect();
    // One in each event loop.
    let mut others = [(); 2].map(|()| Client::new(server.addr()));
    let (is_enough, mut waited) = (AtomicBool::new(false), [Vec::new(), Vec::new()]);
    let beside = std::thread::scope(|scope| {
        scope.spawn(|| keep_asking(clients, &is_enough));
        // Here the server learns that they wait.
        waits.beside(2 * CLIENTS, std::thread::yield_now);
        let beside = waits.beside(16 * CLIENTS, || {
            for (other, waited) in others.iter_mut().zip(&mut waited) {
                let start = Instant::now();
                other.get("/").response();
                waited.push(start.elapsed());
            }
        });
        is_enough.store(true, SeqCst);
        beside
    });
    let medians = waited.map(|mut waited| {
        waited.sort();
        waited[waited.len() / 2]
    });
    (beside, medians[0].max(medians[1]))
}

#[test]
fn new_connections_are_served_at_the_same_time_as_well() {
    if !many_wait_together() {
        return;
    }
    for event_loops in [1, 8] {
        let (server, waits) = spawn_waiting(event_loops, 2);
        let is_enough = AtomicBool::new(false);
        let beside = std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    while !is_enough.load(SeqCst) {
                        Client::new(server.addr()).get("/wait").response();
                    }
                });
            }
            waits.beside(50, std::thread::yield_now);
            let beside = waits.beside(200, std::thread::yield_now);
            is_enough.store(true, SeqCst);
            beside
        });
        assert!(beside >= 4, "{beside} beside each, {event_loops} loops");
    }
}

/// A server whose answers to `/blocks` wait at the gate, and kept connections to it, as many as asked for in each event
/// loop.
fn spawn_blocking(event_loops: usize, each: usize) -> (RunningServer, Gate, Vec<Client>) {
    let gate = Gate::default();
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        if x.path == "/blocks" {
            inner.pass();
        }
        echo(h, x)
    });
    let server = spawn_loops(event_loops, handler, |_| ());
    let client = || {
        let mut client = Client::new(server.addr());
        client.get("/").response();
        client
    };
    // Until then all event loops have begun.
    (0..50).for_each(|_| drop(client()));
    let clients = (0..event_loops * each).map(|_| client()).collect();
    (server, gate, clients)
}

/// The machine does other things as well: one attempt of several must be as short as that.
#[track_caller]
fn takes_less_than(millis: u64, attempt: impl FnMut() -> Duration) {
    let most = Duration::from_millis(millis);
    let mut times = std::iter::repeat_with(attempt).take(10);
    assert!(times.any(|time| time < most), "always more than {most:?}");
}

#[test]
fn blocked_event_loops_go_on_together() {
    if !many_wait_together() {
        return;
    }
    const LOOPS: usize = 32;
    // A leader that stands still is noticed after some 4 to 8 ms. One after the other they would take 128 ms.
    takes_less_than(64, || {
        let (_server, gate, mut clients) = spawn_blocking(LOOPS, 2);
        let (blocked, quick) = clients.split_at_mut(LOOPS);
        let start = Instant::now();
        for client in &mut *blocked {
            client.get("/blocks");
        }
        for client in &mut *quick {
            client.get("/quick");
        }
        for client in quick {
            assert_eq!(client.response().text(), "/quick");
        }
        let time = start.elapsed();
        gate.await_comers(LOOPS);
        gate.open();
        for client in blocked {
            assert_eq!(client.response().text(), "/blocks");
        }
        time
    });
}
