//! Several event loops, and handlers that block them: only servette's, whose number can be chosen.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::closed::{self, Spec, Unit};
use super::{finish, finish_each};
use crate::bench::{self, Bench};
use crate::client::Client;
use crate::load::Plan;
use crate::peers::Role;
use crate::server::Server;
use crate::table::{Table, median};

const COUNTS: [u16; 3] = [1, 4, 8];
const CLIENTS: usize = 64;

/// The event loops that are blocked at once.
const STUCK: u16 = 16;
/// Connections of each that wait meanwhile.
const WAITING: usize = 3;
const TRIALS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection per request of a handler that sleeps 2 ms.
pub fn run(bench: &Bench) -> String {
    let runs = COUNTS.map(|loops| {
        eprint!(" {loops} event loops");
        let spec = Spec::new(Role::Loops(loops), CLIENTS);
        let all = bench.rounds(spec.role, |peer| {
            let server = bench.serve(peer, spec.role)?;
            let head = |index| {
                let fields = bench.options.heads.fields(index);
                bench::get("/sleep/2000", &(fields + "Connection: close\r\n"))
            };
            let heads: Vec<_> = (0..CLIENTS).map(head).collect();
            let plan = Plan {
                response: Client::connect(server.port)?.ask(&head(0))?.length,
                closes: true,
                ..closed::plan(bench, &spec, &server, &heads)
            };
            Ok(closed::measure(&server, &plan, Unit::Request)?.0)
        });
        (loops, all)
    });
    let columns = [
        "event loops",
        "requests / s",
        "p50 ms",
        "p99 ms",
        "CPU µs / request",
        "threads",
        "server busy %",
        "load busy %",
    ];
    finish_each(Table::new(&columns), &runs, |table, loops, rounds| {
        let middle = |field: fn(&closed::Sample) -> f64| median(rounds.samples.iter().map(field));
        table.row(
            rounds.peer,
            &[
                f64::from(loops),
                middle(|sample| sample.rate),
                middle(|sample| sample.p50),
                middle(|sample| sample.p99),
                middle(|sample| sample.cost),
                middle(|sample| sample.threads),
                middle(|sample| sample.busy),
                middle(|sample| sample.load_busy),
            ],
        );
    })
}

/// Kept connections while a handler sleeps in each event loop.
pub fn stuck(bench: &Bench) -> String {
    let role = Role::Loops(STUCK);
    let all = bench.rounds(role, |peer| {
        let mut trials = Vec::new();
        for _ in 0..TRIALS {
            // A fresh one each time: it may remember which handlers block.
            let server = bench.serve(peer, role)?;
            trials.push((waits(bench, &server)?, server.usage().threads));
        }
        Ok(trials)
    });
    let columns = ["median wait ms", "longest", "threads"];
    finish(Table::new(&columns), &all, |table, rounds| {
        let trials = || rounds.samples.iter().flatten();
        let row = [
            median(trials().map(|(waits, _)| median(waits.iter().copied()))),
            median(trials().map(|(waits, _)| waits.iter().copied().fold(0.0, f64::max))),
            median(trials().map(|(_, threads)| *threads)),
        ];
        table.row(rounds.peer, &row);
    })
}

/// How long each of the waiting connections waits for hello, in ms.
fn waits(bench: &Bench, server: &Server) -> io::Result<Vec<f64>> {
    let fields = |index| bench.options.heads.fields(index);
    let mut streams = Vec::new();
    // One after the other, so that each event loop gets as many.
    for index in 0..usize::from(STUCK) * (1 + WAITING) {
        let mut client = Client::connect(server.port)?;
        client.ask(&bench::get("/hello", &fields(index)))?;
        streams.push(client.into_stream());
    }
    let mut waiting = streams.split_off(usize::from(STUCK));
    for (index, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&bench::get("/sleep/200000", &fields(index)))?;
    }
    let begun = Instant::now();
    for (index, stream) in waiting.iter_mut().enumerate() {
        stream.write_all(&bench::get("/hello", &fields(streams.len() + index)))?;
    }
    let mut waits = Vec::new();
    let mut input = [0; 1 << 10];
    while !waiting.is_empty() {
        let mut polled: Vec<_> = waiting
            .iter()
            .map(|stream| PollFd::new(stream, PollFlags::IN))
            .collect();
        let timeout = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        poll(&mut polled, Some(&timeout))?;
        let answered: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        for index in (0..answered.len()).rev().filter(|&index| answered[index]) {
            if waiting.swap_remove(index).read(&mut input)? == 0 {
                return Err(io::Error::other("closed without an answer"));
            }
            waits.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("no answer for too long"));
        }
    }
    Ok(waits)
}
