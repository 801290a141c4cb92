//! The load generator: many connections in one epoll thread, one send and one receive per request.
//!
//! It must cost less than the server, so it parses nothing: the length of the answer is known from the
//! check before, and of each answer only the status is looked at. Only loopback, and bounded in
//! connections, time and requests.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::histogram::Histogram;
use crate::usage;

/// Without any answer for so long the server counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be sent, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub port: u16,
    /// Requests in one send; the next ones follow when all are answered. 1 if they have bodies.
    pub depth: usize,
    /// The head that each connection sends again and again.
    pub heads: &'a [Vec<u8>],
    /// What follows each head.
    pub body: &'a [u8],
    /// The length of each answer.
    pub response: usize,
    /// How each answer starts.
    pub start: &'a [u8],
    /// The server closes after each answer.
    pub closes: bool,
    /// Bodies are dropped in the kernel.
    pub drops: bool,
    /// As much as is read at once.
    pub room: usize,
    /// Runs before anything is counted.
    pub warm_up: Duration,
    pub time: Duration,
    /// Ends early after so many requests.
    pub most: u64,
    /// Ends early when this is set.
    pub stop: Option<&'a AtomicBool>,
}

/// The edges of what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Begin,
    End,
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub requests: u64,
    /// In seconds.
    pub elapsed: f64,
    pub latency: Histogram,
    /// Connections that the server closed between requests.
    pub reconnects: u64,
    /// The share of the time for which the generator itself was busy.
    pub busy: f64,
}

struct Connection {
    socket: Option<OwnedFd>,
    /// The heads of one send.
    output: Vec<u8>,
    sent: usize,
    got: usize,
    begun: Instant,
}

impl Connection {
    /// The length of one send.
    fn length(&self, plan: &Plan<'_>) -> usize {
        self.output.len() + plan.body.len()
    }
}

struct Load<'a> {
    plan: &'a Plan<'a>,
    poll: OwnedFd,
    connections: Vec<Connection>,
    /// The length of the answers to one send.
    expected: usize,
    input: Vec<u8>,
    /// Requests begun and ended since the start.
    begun: u64,
    ended: u64,
    latency: Histogram,
    reconnects: u64,
}

/// Runs the plan; `edge` is called when counting begins and when it ends.
pub fn run(plan: &Plan<'_>, edge: &mut dyn FnMut(Edge)) -> io::Result<Outcome> {
    let mut load = Load {
        plan,
        poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        expected: plan.response * plan.depth,
        input: vec![0; plan.room],
        begun: 0,
        ended: 0,
        latency: Histogram::new(),
        reconnects: 0,
    };
    let mut start = Instant::now();
    let mut busy = usage::own_thread();
    let mut before = 0;
    let mut counting = plan.warm_up.is_zero();
    if counting {
        edge(Edge::Begin);
    }
    for (index, head) in plan.heads.iter().enumerate() {
        load.connections.push(Connection {
            socket: None,
            output: head.repeat(plan.depth),
            sent: 0,
            got: 0,
            begun: start,
        });
        load.open(index)?;
    }
    let mut progress = (0, start);
    let mut events = Vec::with_capacity(256);
    loop {
        load.turn(&mut events)?;
        let now = Instant::now();
        if !counting && now >= start + plan.warm_up {
            counting = true;
            edge(Edge::Begin);
            (start, before, busy) = (Instant::now(), load.ended, usage::own_thread());
            load.latency = Histogram::new();
        } else if counting && (now >= start + plan.time || load.is_over()) {
            let elapsed = now.duration_since(start).as_secs_f64();
            let busy = usage::own_thread() - busy;
            edge(Edge::End);
            return Ok(Outcome {
                requests: load.ended - before,
                elapsed,
                latency: load.latency,
                reconnects: load.reconnects,
                busy: busy / elapsed,
            });
        }
        if load.ended != progress.0 || plan.drops {
            progress = (load.ended, now);
        } else if now > progress.1 + PATIENCE {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer for too long",
            ));
        }
    }
}

impl Load<'_> {
    fn is_over(&self) -> bool {
        self.ended >= self.plan.most
            || self
                .plan
                .stop
                .is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        events.clear();
        match epoll::wait(
            &self.poll,
            rustix::buffer::spare_capacity(events),
            Some(&timeout),
        ) {
            Err(Errno::INTR) => return Ok(()),
            other => other?,
        };
        for event in events.iter() {
            self.serve(event.data.u64() as usize)?;
        }
        Ok(())
    }

    /// Connects, and sends the first requests.
    fn open(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if self.begun >= self.plan.most {
            connection.socket = None;
            return Ok(());
        }
        let socket = net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // Blocking: on loopback the connection is there when this returns.
        net::connect(
            &socket,
            &SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.plan.port),
        )?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        let mut flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        if !self.plan.drops {
            flags |= epoll::EventFlags::ET;
            if connection.length(self.plan) > 16 << 10 {
                flags |= epoll::EventFlags::OUT;
            }
        }
        epoll::add(
            &self.poll,
            &socket,
            epoll::EventData::new_u64(index as u64),
            flags,
        )?;
        connection.socket = Some(socket);
        self.next(index, Instant::now())
    }

    /// Sends the next requests of a connection.
    fn next(&mut self, index: usize, now: Instant) -> io::Result<()> {
        if self.begun >= self.plan.most {
            return Ok(());
        }
        self.begun += self.plan.depth as u64;
        let connection = &mut self.connections[index];
        (connection.sent, connection.got, connection.begun) = (0, 0, now);
        self.send(index)
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        let Some(socket) = &connection.socket else {
            return Ok(());
        };
        while connection.sent < connection.length(self.plan) {
            let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let rest = match connection.output.get(connection.sent..) {
                Some(rest) if !rest.is_empty() => {
                    // The body goes into the same segment.
                    flags.set(SendFlags::MORE, !self.plan.body.is_empty());
                    rest
                }
                _ => &self.plan.body[connection.sent - connection.output.len()..],
            };
            match net::send(socket, rest, flags) {
                Ok(sent) => connection.sent += sent,
                Err(Errno::AGAIN) => return Ok(()),
                // The server has closed; reading tells.
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn serve(&mut self, index: usize) -> io::Result<()> {
        let connection = &self.connections[index];
        if connection.sent < connection.length(self.plan) {
            self.send(index)?;
        }
        loop {
            let connection = &mut self.connections[index];
            let Some(socket) = &connection.socket else {
                return Ok(());
            };
            let mut flags = RecvFlags::DONTWAIT;
            let mut room = self.input.len();
            if self.plan.drops {
                // Level-triggered, so that one receive per event is enough. The first has the status.
                match connection.got {
                    0 => room = 4 << 10,
                    _ => flags |= RecvFlags::TRUNC,
                }
            }
            let got = match net::recv(socket, &mut self.input[..room], flags) {
                Ok((_, got)) => got,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNRESET | Errno::PIPE) => 0,
                Err(error) => return Err(error.into()),
            };
            if got == 0 {
                return self.closed(index);
            }
            if !flags.contains(RecvFlags::TRUNC) {
                check(&self.input[..got], connection.got, self.plan)?;
            }
            connection.got += got;
            if connection.got > self.expected {
                return Err(io::Error::other("an answer is longer than it was"));
            }
            if connection.got == self.expected && !self.plan.closes {
                self.complete(index)?;
            }
            // All that was there has been read: what comes later is another event.
            if self.plan.drops || (got < room && !self.plan.closes) {
                return Ok(());
            }
        }
    }

    fn complete(&mut self, index: usize) -> io::Result<()> {
        let now = Instant::now();
        let begun = self.connections[index].begun;
        self.latency.add(now.duration_since(begun));
        self.ended += self.plan.depth as u64;
        self.next(index, now)
    }

    fn closed(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.socket = None;
        if self.plan.closes && connection.got == self.expected {
            self.latency.add(connection.begun.elapsed());
            self.ended += 1;
        } else if connection.got == 0 && !self.plan.closes {
            // A server may close a kept connection; the requests are sent again.
            self.reconnects += 1;
            self.begun -= (self.plan.depth as u64).min(self.begun);
        } else {
            return Err(io::Error::other(
                "the server closed in the middle of an answer",
            ));
        }
        self.open(index)
    }
}

/// Looks at the start of each answer in `input`, of which `got` bytes came before.
fn check(input: &[u8], got: usize, plan: &Plan<'_>) -> io::Result<()> {
    let mut at = (plan.response - got % plan.response) % plan.response;
    while let Some(answer) = input.get(at..).filter(|answer| !answer.is_empty()) {
        let length = answer.len().min(plan.start.len());
        if answer[..length] != plan.start[..length] {
            let text = String::from_utf8_lossy(&answer[..answer.len().min(60)]);
            return Err(io::Error::other(format!("a wrong answer: {text:?}")));
        }
        at += plan.response;
    }
    Ok(())
}
