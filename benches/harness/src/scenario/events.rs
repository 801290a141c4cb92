//! Event streams: what each costs in memory, and what an event to all of them costs.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::net::RecvFlags;

use super::finish;
use crate::bench::{self, Bench, Rounds};
use crate::client::Client;
use crate::peers::Role;
use crate::server::Server;
use crate::table::{Table, median};

/// Bytes of an event on the wire: 100 and the framing of a chunk.
const EVENT: usize = 100 + 6;
const PATIENCE: Duration = Duration::from_secs(20);

struct Sample {
    kib: f64,
    threads: f64,
    /// CPU time for an event to one stream, in µs.
    cost: f64,
    /// From the request that says it to the last stream that has it, in ms.
    took: f64,
}

/// Measures all peers that can.
pub fn run(bench: &Bench) -> String {
    let count = if bench.options.quick { 1_000 } else { 9_900 };
    let all = bench.rounds(Role::Events, |peer| {
        measure(bench, &bench.serve(peer, Role::Events)?, count)
    });
    let limit: Vec<f64> = of_limit(&all);
    let columns = [
        "KiB / stream",
        "threads",
        "CPU µs / event and stream",
        "/ limit",
        "ms until all have it",
    ];
    finish(Table::new(&columns), &all, |table, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        let ratios = rounds.samples.iter().zip(&limit);
        table.row(
            rounds.peer,
            &[
                middle(|sample| sample.kib),
                middle(|sample| sample.threads),
                middle(|sample| sample.cost),
                median(ratios.map(|(sample, limit)| sample.cost / limit)),
                middle(|sample| sample.took),
            ],
        );
    })
}

fn of_limit(all: &[Rounds<Sample>]) -> Vec<f64> {
    let limit = all.iter().find(|rounds| rounds.peer == "limit");
    let samples = limit.map(|rounds| &rounds.samples);
    let costs = samples.into_iter().flatten().map(|sample| sample.cost);
    costs.collect()
}

fn measure(bench: &Bench, server: &Server, count: usize) -> io::Result<Sample> {
    let before = server.usage();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut streams = Vec::with_capacity(count);
    for index in 0..count {
        let fields = bench.options.heads.fields(index);
        let stream = open(server.port, &bench::get("/events", &fields))?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&poll, stream.as_fd(), data, epoll::EventFlags::IN)?;
        streams.push(stream);
    }
    let after = server.usage();
    let mut asker = Client::connect(server.port)?;
    let say = bench::get("/say", "");
    // The first one finds everything cold, and buffers of its own to be made.
    asker.ask(&say)?;
    drain(&poll, &streams, count * EVENT)?;
    let begun = server.usage().cpu;
    let start = Instant::now();
    let mut events = 0;
    while events < 3 || start.elapsed() < bench.options.time {
        asker.ask(&say)?;
        drain(&poll, &streams, count * EVENT)?;
        events += 1;
    }
    let took = start.elapsed().as_secs_f64() * 1e3 / f64::from(events);
    let cost = (server.usage().cpu - begun) * 1e6 / (f64::from(events) * count as f64);
    Ok(Sample {
        kib: (after.rss - before.rss) / count as f64,
        threads: after.threads,
        cost,
        took,
    })
}

/// A stream whose head has come.
fn open(port: u16, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = Client::connect(port)?.into_stream();
    io::Write::write_all(&mut stream, request)?;
    let mut head = Vec::new();
    let mut input = [0; 2048];
    while !head.ends_with(b"\r\n\r\n") {
        match io::Read::read(&mut stream, &mut input)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&input[..count]),
        }
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Reads exactly so many bytes from all of them together.
fn drain(poll: &impl std::os::fd::AsFd, streams: &[TcpStream], expected: usize) -> io::Result<()> {
    let start = Instant::now();
    let mut events = Vec::with_capacity(1024);
    let mut input = vec![0; 4 << 10];
    let mut left = expected;
    while left > 0 {
        events.clear();
        let timeout = rustix::event::Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        let room = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(poll, room, Some(&timeout))?;
        for event in &events {
            let Some(stream) = streams.get(event.data.u64() as usize) else {
                continue;
            };
            let (_, got) = rustix::net::recv(stream, &mut input[..], RecvFlags::empty())?;
            left = left
                .checked_sub(got)
                .filter(|_| got > 0)
                .ok_or_else(|| io::Error::other("more than was said, or an end"))?;
        }
        if start.elapsed() > PATIENCE {
            return Err(io::Error::other("an event did not come"));
        }
    }
    Ok(())
}
