//! The scenarios, each of which yields a table.

use crate::bench::{Bench, Rounds};
use crate::peers::Role;
use crate::table::Table;

mod beside;
mod closed;
mod idle;
mod listing;
mod start;

use closed::{Spec, Unit};

/// A scenario.
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    /// Measures, and returns the table and what there is to say about it.
    pub run: fn(&Bench) -> String,
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 16] = [
    Scenario {
        name: "cap64",
        title: "hello, 64 keep-alive connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Hello, 64)),
    },
    Scenario {
        name: "hello1",
        title: "hello, 1 connection",
        run: |bench| closed::run(bench, &Spec::new(Role::Hello, 1)),
    },
    Scenario {
        name: "pipeline",
        title: "hello, 64 connections, 16 requests in one send",
        run: |bench| {
            closed::run(
                bench,
                &Spec {
                    depth: 16,
                    ..Spec::new(Role::Hello, 64)
                },
            )
        },
    },
    Scenario {
        name: "close",
        title: "hello, a new connection per request, 64 at a time",
        run: |bench| closed::run(bench, &Spec::new(Role::Close, 64)),
    },
    Scenario {
        name: "static1k",
        title: "a file of 1 KiB, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Small, 64)),
    },
    Scenario {
        name: "notmod",
        title: "304 to If-Modified-Since, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::NotModified, 64)),
    },
    Scenario {
        name: "static100k",
        title: "a file of 100 KiB, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Medium, 64)),
    },
    Scenario {
        name: "big8",
        title: "1 GiB to each of 8 clients that drop it",
        run: |bench| {
            closed::run(
                bench,
                &Spec {
                    unit: Unit::Gib(bench.site.big),
                    ..Spec::new(Role::Big, 8)
                },
            )
        },
    },
    Scenario {
        name: "listing",
        title: "a listing of 10,000 names",
        run: listing::run,
    },
    Scenario {
        name: "post",
        title: "POST of 1 MiB that the handler discards, 8 connections",
        run: |bench| {
            closed::run(
                bench,
                &Spec {
                    unit: Unit::Mib,
                    ..Spec::new(Role::Post, 8)
                },
            )
        },
    },
    Scenario {
        name: "idle10k",
        title: "10,000 idle connections, and 64 active ones beside them",
        run: idle::run,
    },
    Scenario {
        name: "start",
        title: "from the start of the program to its first answer",
        run: start::run,
    },
    Scenario {
        name: "syscalls",
        title: "system calls per request of hello, 64 connections",
        run: closed::calls,
    },
    Scenario {
        name: "sleepers",
        title: "hello beside 200 clients of a handler that sleeps 100 ms",
        run: |bench| beside::run(bench, beside::Kind::Sleepers),
    },
    Scenario {
        name: "readers",
        title: "hello beside 32 slow readers of large files",
        run: |bench| beside::run(bench, beside::Kind::Readers),
    },
    Scenario {
        name: "random",
        title: "hello beside 64 pipelining clients of a handler that sleeps at random",
        run: |bench| beside::run(bench, beside::Kind::Random),
    },
];

/// Puts one row per peer into a table, and says below it who is missing and why.
fn finish<T>(
    mut table: Table,
    all: &[Rounds<T>],
    mut row: impl FnMut(&mut Table, &Rounds<T>),
) -> String {
    let mut notes = String::new();
    for rounds in all {
        if !rounds.samples.is_empty() {
            row(&mut table, rounds);
        }
        if let Some(trouble) = &rounds.trouble {
            notes.push_str(&format!("\n{}: {trouble}", rounds.peer));
        }
    }
    table.print() + &notes
}
