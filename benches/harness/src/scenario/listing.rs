//! Large listings, one after the other on one connection.

use std::io;
use std::time::Instant;

use super::finish;
use crate::bench::{Bench, request};
use crate::client::Client;
use crate::peers::Role;
use crate::table::{Table, median};

struct Sample {
    cost: f64,
    time: f64,
    kib: f64,
}

/// Measures all peers.
pub fn run(bench: &Bench) -> String {
    let bytes = request(Role::Listing);
    let all = bench.rounds(Role::Listing, |peer| {
        let server = bench.serve(peer, Role::Listing)?;
        let mut client = Client::connect(server.port)?;
        let (mut times, mut length) = (Vec::new(), 0);
        let (begin, before) = (Instant::now(), server.usage());
        while begin.elapsed() < bench.options.time || times.is_empty() {
            let start = Instant::now();
            let answer = client.ask(&bytes)?;
            if answer.status() != 200 {
                return Err(io::Error::other("a wrong answer"));
            }
            length = answer.length;
            times.push(start.elapsed().as_secs_f64());
        }
        let cpu = server.usage().cpu - before.cpu;
        Ok(Sample {
            cost: cpu / times.len() as f64 * 1e3,
            time: median(times) * 1e3,
            kib: length as f64 / 1024.0,
        })
    });
    let columns = ["CPU ms / listing", "median ms", "KiB of listing"];
    finish(Table::new(&columns), &all, |table, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        let row = [
            middle(|sample| sample.cost),
            middle(|sample| sample.time),
            middle(|sample| sample.kib),
        ];
        table.row(rounds.peer, &row);
    })
}
