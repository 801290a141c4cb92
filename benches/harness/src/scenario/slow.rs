//! Slow readers of a large file: what each costs, and what all of them cost the others.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::closed::{self, Spec, Unit};
use super::finish_each;
use crate::bench::{self, Bench};
use crate::client::Client;
use crate::peers::Role;
use crate::server::Server;
use crate::table::{Table, median};

/// A server needs two descriptors for each.
const COUNTS: [usize; 2] = [1_000, 9_000];

struct Sample {
    alone: closed::Sample,
    beside: closed::Sample,
    threads: f64,
    kib: f64,
    /// How long a new client waits, in ms.
    new: f64,
}

/// Measures all peers that can.
pub fn run(bench: &Bench) -> String {
    let runs = COUNTS.map(|count| {
        let count = if bench.options.quick {
            count / 10
        } else {
            count
        };
        eprint!(" {count} clients");
        let all = bench.rounds(Role::Slow, |peer| measure(bench, peer, count));
        (count, all)
    });
    let columns = [
        "slow clients",
        "hello alone / s",
        "beside / s",
        "kept %",
        "p99 ms alone",
        "p99 beside",
        "a new client, ms",
        "threads",
        "KiB / slow client",
    ];
    finish_each(Table::new(&columns), &runs, |table, count, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        table.row(
            rounds.peer,
            &[
                count as f64,
                middle(|sample| sample.alone.rate),
                middle(|sample| sample.beside.rate),
                middle(|sample| sample.beside.rate / sample.alone.rate * 100.0),
                middle(|sample| sample.alone.p99),
                middle(|sample| sample.beside.p99),
                middle(|sample| sample.new),
                middle(|sample| sample.threads),
                middle(|sample| sample.kib),
            ],
        );
    })
}

fn measure(bench: &Bench, peer: &str, count: usize) -> io::Result<Sample> {
    let server = bench.serve(peer, Role::Slow)?;
    let spec = Spec::new(Role::Slow, 64);
    let heads = spec.heads(bench, "");
    let plan = closed::plan(bench, &spec, &server, &heads);
    let (alone, _) = closed::measure(&server, &plan, Unit::Request)?;
    let before = server.usage();
    let mut slow = Vec::with_capacity(count);
    for _ in 0..count {
        slow.push(open(&server)?);
    }
    let usage = server.usage();
    let start = Instant::now();
    Client::connect(server.port)?.ask(&bench::request(Role::Slow))?;
    let new = start.elapsed().as_secs_f64() * 1e3;
    let stop = AtomicBool::new(false);
    let (beside, ended) = thread::scope(|scope| {
        // Each takes some kilobytes a second, more than the least.
        let reading = scope.spawn(|| read_slowly(&mut slow, &stop));
        let beside = closed::measure(&server, &plan, Unit::Request);
        stop.store(true, Ordering::Relaxed);
        (beside, reading.join())
    });
    ended.unwrap_or_else(|_| Err(io::Error::other("the readers panicked")))?;
    Ok(Sample {
        alone,
        beside: beside?.0,
        threads: usage.threads,
        kib: (usage.rss - before.rss) / count as f64,
        new,
    })
}

/// A client with a small buffer, which has asked for the file and has the first bytes of it.
fn open(server: &Server) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, 2048)?;
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, server.port);
    rustix::net::connect(&socket, &address)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    stream.write_all(&bench::get("/big.bin", ""))?;
    stream.read_exact(&mut [0; 16])?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Every client takes a little, one after the other, all of them once a second.
fn read_slowly(streams: &mut [TcpStream], stop: &AtomicBool) -> io::Result<()> {
    let mut input = [0; 2048];
    let step = (streams.len() / 100).max(1);
    while !stop.load(Ordering::Relaxed) {
        for part in streams.chunks_mut(step) {
            for stream in part {
                match stream.read(&mut input) {
                    Ok(0) => return Err(io::Error::other("a download ended early")),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}
