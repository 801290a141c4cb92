//! The scenarios, each of which yields a table.

use crate::bench::{Bench, Rounds};
use crate::heads::Heads;
use crate::peers::Role;
use crate::table::Table;

mod beside;
mod closed;
mod events;
mod idle;
mod listing;
mod loops;
mod short;
mod slow;
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
pub const SCENARIOS: [Scenario; 26] = [
    Scenario {
        name: "cap64",
        title: "hello, 64 keep-alive connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Hello, 64)),
    },
    Scenario {
        name: "cap64-same",
        title: "hello, 64 keep-alive connections that send the same head",
        run: |bench| cap64(bench, Heads::Same),
    },
    Scenario {
        name: "cap64-bare",
        title: "hello, 64 keep-alive connections that send only Host",
        run: |bench| cap64(bench, Heads::Bare),
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
        name: "notmod-tag",
        title: "304 to If-None-Match with the server's own tag, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::TagMatch, 64)),
    },
    Scenario {
        name: "range4k",
        title: "4 KiB in the middle of a file of 1 GiB, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Range, 64)),
    },
    Scenario {
        name: "precompressed1k",
        title: "a compressed file of 1 KiB in the place of the plain one, 64 connections",
        run: |bench| closed::run(bench, &Spec::new(Role::Precompressed, 64)),
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
        name: "short",
        title: "one client of hello beside 64 of a handler that sleeps 0.2, 1 or 3 ms",
        run: short::run,
    },
    Scenario {
        name: "loops",
        title: "a new connection per request of a handler that sleeps 2 ms, 64 at a time, with 1, 4 and 8 event loops",
        run: loops::run,
    },
    Scenario {
        name: "stuck",
        title: "how long other connections wait when a handler sleeps in each of 16 event loops at once",
        run: loops::stuck,
    },
    Scenario {
        name: "readers",
        title: "hello beside 32 slow readers of large files",
        run: |bench| beside::run(bench, beside::Kind::Readers),
    },
    Scenario {
        name: "slow",
        title: "hello beside 1,000 and 9,000 slow readers of a large file",
        run: slow::run,
    },
    Scenario {
        name: "events",
        title: "9,900 event streams, and an event of 100 bytes to all of them",
        run: events::run,
    },
    Scenario {
        name: "random",
        title: "hello beside 64 pipelining clients of a handler that sleeps at random",
        run: |bench| beside::run(bench, beside::Kind::Random),
    },
];

fn cap64(bench: &Bench, heads: Heads) -> String {
    let heads = Some(heads);
    closed::run(
        bench,
        &Spec {
            heads,
            ..Spec::new(Role::Hello, 64)
        },
    )
}

/// Puts one row per peer into a table, and says below it who is missing and why.
fn finish<T>(
    table: Table,
    all: &[Rounds<T>],
    mut row: impl FnMut(&mut Table, &Rounds<T>),
) -> String {
    finish_each(table, &[((), all)], |table, (), rounds| row(table, rounds))
}

/// The same for a scenario that measures all peers several times, each time in another way.
fn finish_each<W: Copy, T, R: AsRef<[Rounds<T>]>>(
    mut table: Table,
    runs: &[(W, R)],
    mut row: impl FnMut(&mut Table, W, &Rounds<T>),
) -> String {
    let mut notes = String::new();
    for (way, all) in runs {
        for rounds in all.as_ref() {
            if !rounds.samples.is_empty() {
                row(&mut table, *way, rounds);
            }
            if let Some(trouble) = &rounds.trouble {
                let note = format!("\n{}: {trouble}", rounds.peer);
                if !notes.contains(&note) {
                    notes.push_str(&note);
                }
            }
        }
    }
    table.print() + &notes
}
