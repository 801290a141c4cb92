//! How long a program takes to its first answer, and how large it is then.

use super::finish;
use crate::bench::Bench;
use crate::peers::Role;
use crate::table::{Table, median};

/// Starts per round.
const STARTS: usize = 11;

/// Measures all peers.
pub fn run(bench: &Bench) -> String {
    let starts = if bench.options.quick { 3 } else { STARTS };
    let all = bench.rounds(Role::Hello, |peer| {
        let mut samples = Vec::new();
        for _ in 0..starts {
            let server = bench.serve(peer, Role::Hello)?;
            samples.push((server.start * 1e3, server.usage()));
        }
        Ok(samples)
    });
    finish(
        Table::new(&["ms to first answer", "RSS MiB", "threads"]),
        &all,
        |table, rounds| {
            let samples = || rounds.samples.iter().flatten();
            let row = [
                median(samples().map(|sample| sample.0)),
                median(samples().map(|sample| sample.1.rss / 1024.0)),
                median(samples().map(|sample| sample.1.threads)),
            ];
            table.row(rounds.peer, &row);
        },
    )
}
