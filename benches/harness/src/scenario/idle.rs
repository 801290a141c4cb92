//! Idle connections: what each costs in memory, and what all of them cost the active ones.

use std::io;
use std::net::TcpStream;

use super::closed::{self, Spec, Unit};
use super::finish;
use crate::bench::{self, Bench};
use crate::client::Client;
use crate::peers::Role;
use crate::table::{Table, median};
use crate::usage::Usage;

struct Sample {
    kib: f64,
    threads: f64,
    alone: closed::Sample,
    beside: closed::Sample,
}

/// Measures all peers.
pub fn run(bench: &Bench) -> String {
    let spec = Spec::new(Role::Hello, 64);
    let heads = spec.heads(bench, "");
    let count = if bench.options.quick { 1_000 } else { 10_000 };
    let idle = bench::heads(spec.role, bench.options.heads, count, "");
    let all = bench.rounds(spec.role, |peer| {
        let server = bench.serve(peer, spec.role)?;
        let plan = closed::plan(bench, &spec, &server, &heads);
        let (alone, _) = closed::measure(&server, &plan, Unit::Request)?;
        let before = server.usage();
        let open = open(server.port, &idle)?;
        let after = server.usage();
        let (beside, _) = closed::measure(&server, &plan, Unit::Request)?;
        let Usage { threads, .. } = after;
        drop(open);
        Ok(Sample {
            kib: (after.rss - before.rss) / count as f64,
            threads,
            alone,
            beside,
        })
    });
    let columns = [
        "KiB / idle connection",
        "threads",
        "CPU µs alone",
        "beside",
        "beside / alone",
        "p99 ms alone",
        "p99 beside",
        "p99 beside / alone",
    ];
    finish(Table::new(&columns), &all, |table, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        table.row(
            rounds.peer,
            &[
                middle(|sample| sample.kib),
                middle(|sample| sample.threads),
                middle(|sample| sample.alone.cost),
                middle(|sample| sample.beside.cost),
                middle(|sample| sample.beside.cost / sample.alone.cost),
                middle(|sample| sample.alone.p99),
                middle(|sample| sample.beside.p99),
                middle(|sample| sample.beside.p99 / sample.alone.p99),
            ],
        );
    })
}

/// Connections that were used once and then stay open.
fn open(port: u16, requests: &[Vec<u8>]) -> io::Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let mut client = Client::connect(port)?;
        let answer = client.ask(request);
        answer.map_err(|error| {
            io::Error::other(format!("after {index} idle connections: {error}"))
        })?;
        open.push(client.into_stream());
    }
    Ok(open)
}
