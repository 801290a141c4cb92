//! Hello beside clients whose handlers block: what the one keeps, and what the others get.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::closed::{self, Spec, Unit};
use super::finish;
use crate::bench::{self, Bench};
use crate::client::Client;
use crate::load::{self, Outcome, Plan};
use crate::peers::Role;
use crate::server::Server;
use crate::table::{Table, median};

/// Who runs beside hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 200 clients of a handler that sleeps 100 ms.
    Sleepers,
    /// 32 clients that read a large file slowly.
    Readers,
    /// 64 clients, 16 requests at a time, of a handler of which one call in a hundred sleeps.
    Random,
}

struct Sample {
    alone: closed::Sample,
    beside: closed::Sample,
    others: Option<Outcome>,
    /// Threads some time after it is over.
    rest: f64,
}

/// Measures all peers that can.
pub fn run(bench: &Bench, kind: Kind) -> String {
    let role = match kind {
        Kind::Sleepers => Role::Blocking,
        Kind::Readers | Kind::Random => Role::Handlers,
    };
    let spec = Spec::new(role, 64);
    let all = bench.rounds(role, |peer| measure(bench, kind, &spec, peer));
    let columns = [
        "hello alone / s",
        "beside / s",
        "kept %",
        "p99 ms alone",
        "p99 beside",
        "the others / s",
        "their p50 ms",
        "their p99",
        "threads",
        "threads at rest",
    ];
    finish(Table::new(&columns), &all, |table, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        table.row(
            rounds.peer,
            &[
                middle(|sample| sample.alone.rate),
                middle(|sample| sample.beside.rate),
                middle(|sample| sample.beside.rate / sample.alone.rate * 100.0),
                middle(|sample| sample.alone.p99),
                middle(|sample| sample.beside.p99),
                middle(|sample| {
                    others(sample, |outcome| outcome.requests as f64 / outcome.elapsed)
                }),
                middle(|sample| others(sample, |outcome| outcome.latency.quantile(0.5) * 1e3)),
                middle(|sample| others(sample, |outcome| outcome.latency.quantile(0.99) * 1e3)),
                middle(|sample| sample.beside.threads),
                middle(|sample| sample.rest),
            ],
        );
    })
}

fn others(sample: &Sample, field: fn(&Outcome) -> f64) -> f64 {
    sample.others.as_ref().map_or(f64::NAN, field)
}

fn measure(bench: &Bench, kind: Kind, spec: &Spec, peer: &str) -> io::Result<Sample> {
    let server = bench.serve(peer, spec.role)?;
    let heads = spec.heads(bench, "");
    let plan = closed::plan(bench, spec, &server, &heads);
    let (alone, _) = closed::measure(&server, &plan, Unit::Request)?;
    let threads = server.usage().threads;
    let stop = AtomicBool::new(false);
    let (beside, others) = thread::scope(|scope| {
        // Threads inherit the affinity of this one, so they stay off the server's core.
        let others = scope.spawn(|| match kind {
            Kind::Sleepers => looping(bench, &plan, "/sleep", 200, 1, &stop).map(Some),
            Kind::Random => looping(bench, &plan, "/random", 64, 16, &stop).map(Some),
            Kind::Readers => read_slowly(&server, 32, &stop).map(|()| None),
        });
        let beside = closed::measure(&server, &plan, Unit::Request);
        stop.store(true, Ordering::Relaxed);
        let others = others
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the other clients panicked")));
        Ok::<_, io::Error>((beside?.0, others?))
    })?;
    let over = Instant::now();
    while over.elapsed() < patience(bench) && server.usage().threads > threads {
        thread::sleep(Duration::from_millis(200));
    }
    Ok(Sample {
        alone,
        beside,
        others,
        rest: server.usage().threads,
    })
}

/// Long enough for a server that keeps threads for ten seconds.
fn patience(bench: &Bench) -> Duration {
    Duration::from_secs(if bench.options.quick { 1 } else { 12 })
}

/// Clients that ask for one path until they are to stop; each sends other fields than those of hello.
pub(super) fn looping(
    bench: &Bench,
    hello: &Plan<'_>,
    path: &str,
    connections: usize,
    depth: usize,
    stop: &AtomicBool,
) -> io::Result<Outcome> {
    let answer = Client::connect(hello.port)?.ask(&bench::get(path, ""))?;
    if answer.status() != 200 {
        return Err(io::Error::other(format!("{path}: {}", answer.status())));
    }
    let fields = |connection| bench.options.heads.fields(hello.heads.len() + connection);
    let heads: Vec<_> = (0..connections)
        .map(|connection| bench::get(path, &fields(connection)))
        .collect();
    let plan = Plan {
        heads: &heads,
        response: answer.length,
        depth,
        time: Duration::from_secs(300),
        stop: Some(stop),
        ..*hello
    };
    load::run(&plan, &mut |_| {})
}

/// Keeps so many downloads open, each of which takes a little now and then.
fn read_slowly(server: &Server, clients: usize, stop: &AtomicBool) -> io::Result<()> {
    let bytes = bench::get("/big", "");
    let mut streams = Vec::new();
    for _ in 0..clients {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_nonblocking(true)?;
        stream.write_all(&bytes)?;
        streams.push(stream);
    }
    let mut input = vec![0; 64 << 10];
    while !stop.load(Ordering::Relaxed) {
        for stream in &mut streams {
            match stream.read(&mut input) {
                Ok(0) => return Err(io::Error::other("a download ended early")),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
