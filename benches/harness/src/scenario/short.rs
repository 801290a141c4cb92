//! Handlers that sleep shorter than it takes a server to find out that they block, as those do that ask
//! a database: how many of them run, and what one client of hello notices.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::beside::looping;
use super::closed::{self, Spec, Unit};
use super::finish_each;
use crate::bench::Bench;
use crate::load::Outcome;
use crate::peers::Role;
use crate::table::{Table, median};

/// In microseconds.
const SLEEPS: [u32; 3] = [200, 1_000, 3_000];
const SLEEPERS: usize = 64;

struct Sample {
    hello: closed::Sample,
    sleepers: Outcome,
}

impl Sample {
    fn sleepers_rate(&self) -> f64 {
        self.sleepers.requests as f64 / self.sleepers.elapsed
    }

    /// CPU time per request, whoever has sent it, in µs.
    fn cost(&self) -> f64 {
        self.hello.cost * self.hello.rate / (self.hello.rate + self.sleepers_rate())
    }
}

/// Measures all peers with each sleep.
pub fn run(bench: &Bench) -> String {
    let runs = SLEEPS.map(|micros| {
        eprint!(" {micros} µs");
        (
            micros,
            bench.rounds(Role::Short, |peer| measure(bench, peer, micros)),
        )
    });
    let columns = [
        "sleep ms",
        "sleepers / s",
        "their p50 ms",
        "their p99",
        "hello / s",
        "hello p50 ms",
        "hello p99",
        "CPU µs / request",
        "threads",
        "server busy %",
        "load busy %",
    ];
    finish_each(Table::new(&columns), &runs, |table, micros, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        table.row(
            rounds.peer,
            &[
                f64::from(micros) / 1e3,
                middle(Sample::sleepers_rate),
                middle(|sample| sample.sleepers.latency.quantile(0.5) * 1e3),
                middle(|sample| sample.sleepers.latency.quantile(0.99) * 1e3),
                middle(|sample| sample.hello.rate),
                middle(|sample| sample.hello.p50),
                middle(|sample| sample.hello.p99),
                middle(Sample::cost),
                middle(|sample| sample.hello.threads),
                middle(|sample| sample.hello.busy),
                middle(|sample| sample.hello.load_busy + sample.sleepers.busy * 100.0),
            ],
        );
    })
}

fn measure(bench: &Bench, peer: &str, micros: u32) -> io::Result<Sample> {
    let spec = Spec::new(Role::Short, 1);
    let server = bench.serve(peer, spec.role)?;
    let heads = spec.heads(bench, "");
    let plan = closed::plan(bench, &spec, &server, &heads);
    let (path, stop) = (format!("/sleep/{micros}"), AtomicBool::new(false));
    thread::scope(|scope| {
        // Threads inherit the affinity of this one, so they stay off the server's core.
        let sleepers = scope.spawn(|| looping(bench, &plan, &path, SLEEPERS, 1, &stop));
        let hello = closed::measure(&server, &plan, Unit::Request);
        stop.store(true, Ordering::Relaxed);
        let sleepers = sleepers
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the sleepers' clients panicked")));
        let (hello, sleepers) = (hello?.0, sleepers?);
        Ok(Sample { hello, sleepers })
    })
}
