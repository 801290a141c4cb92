//! Closed loops: a number of clients, each of which sends its next request when the last is answered.

use std::io;
use std::thread;
use std::time::Duration;

use super::finish;
use crate::bench::{self, Bench};
use crate::chart::Costs;
use crate::heads::Heads;
use crate::load::{self, Edge, Outcome, Plan};
use crate::peers::Role;
use crate::server::Server;
use crate::table::{Table, median, number, quantile};
use crate::trace::{self, Calls, Trace};
use crate::usage::Usage;

/// For how long system calls are counted.
const TRACED: Duration = Duration::from_secs(1);
/// Long enough for a server to answer what is on its way when counting begins or ends: as much then
/// goes uncounted at the beginning as is counted without an answer at the end.
const SETTLE: Duration = Duration::from_millis(200);

/// As much as the generator reads at once. It matters for files: what a server pays to send 100 KiB
/// depends on the steps in which they are taken. This is what wrk does.
const READ: usize = 8 << 10;
/// As much as is dropped at once.
const DROPPED: usize = 1 << 20;

/// A closed loop.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub role: Role,
    pub connections: usize,
    pub depth: usize,
    pub unit: Unit,
    /// What the connections send, if not what the options say.
    pub heads: Option<Heads>,
}

/// What the cost is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Request,
    /// A request moves one.
    Mib,
    /// A request moves a file of this size, once per connection.
    Gib(u64),
}

impl Spec {
    /// A request per send, and the cost per request.
    pub fn new(role: Role, connections: usize) -> Spec {
        Spec {
            role,
            connections,
            depth: 1,
            unit: Unit::Request,
            heads: None,
        }
    }

    /// The head of each connection to a server that has given this tag, if any.
    pub fn heads(&self, bench: &Bench, tag: &str) -> Vec<Vec<u8>> {
        let heads = self.heads.unwrap_or(bench.options.heads);
        bench::heads(self.role, heads, self.connections, tag)
    }
}

/// What one round of one peer has shown.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// CPU time of the server per unit, in µs; in seconds for GiB.
    pub cost: f64,
    /// Units per second.
    pub rate: f64,
    /// In milliseconds.
    pub p50: f64,
    pub p99: f64,
    pub switches: f64,
    pub rss: f64,
    pub threads: f64,
    /// The shares of the time for which server and generator were busy, in percent.
    pub busy: f64,
    pub load_busy: f64,
    pub reconnects: f64,
}

/// The plan of a loop against a server.
pub fn plan<'a>(bench: &Bench, spec: &Spec, server: &Server, heads: &'a [Vec<u8>]) -> Plan<'a> {
    Plan {
        port: server.port,
        depth: spec.depth,
        heads,
        body: bench::body(spec.role),
        response: server.answer.length,
        start: match spec.role {
            Role::NotModified | Role::TagMatch => b"HTTP/1.1 304",
            Role::Range => b"HTTP/1.1 20",
            _ => b"HTTP/1.1 200",
        },
        closes: spec.role == Role::Close,
        drops: false,
        room: READ,
        warm_up: bench.options.warm_up,
        time: bench.options.time,
        most: u64::MAX,
        stop: None,
    }
}

/// Runs a plan, and reads what the server has used while it was counted.
pub fn measure(server: &Server, plan: &Plan<'_>, unit: Unit) -> io::Result<(Sample, Outcome)> {
    let (mut before, mut after) = (Usage::default(), Usage::default());
    let outcome = load::run(plan, &mut |edge| match edge {
        Edge::Begin => before = server.usage(),
        Edge::End => after = server.usage(),
    })?;
    if outcome.requests == 0 {
        return Err(io::Error::other("no answer in time"));
    }
    let (units, scale) = match unit {
        Unit::Request | Unit::Mib => (outcome.requests as f64, 1e6),
        Unit::Gib(size) => (
            outcome.requests as f64 * size as f64 / (1u64 << 30) as f64,
            1.0,
        ),
    };
    let cpu = after.cpu - before.cpu;
    let sample = Sample {
        cost: cpu / units * scale,
        rate: units / outcome.elapsed,
        p50: outcome.latency.quantile(0.5) * 1e3,
        p99: outcome.latency.quantile(0.99) * 1e3,
        switches: (after.switches - before.switches) / units,
        rss: after.rss / 1024.0,
        threads: after.threads,
        busy: cpu / outcome.elapsed * 100.0,
        load_busy: outcome.busy * 100.0,
        reconnects: outcome.reconnects as f64,
    };
    Ok((sample, outcome))
}

/// Measures all peers.
pub fn run(bench: &Bench, spec: &Spec) -> String {
    let all = bench.rounds(spec.role, |peer| {
        let server = bench.serve(peer, spec.role)?;
        let heads = spec.heads(bench, &server.tag);
        let mut plan = plan(bench, spec, &server, &heads);
        if let Unit::Gib(_) = spec.unit {
            // One file each, however long that takes.
            plan.drops = true;
            plan.room = DROPPED;
            plan.most = spec.connections as u64;
            plan.warm_up = Duration::ZERO;
            plan.time = Duration::from_secs(120);
        }
        Ok(measure(&server, &plan, spec.unit)?.0)
    });
    let costs = |peer: &str| -> Vec<f64> {
        let of = all.iter().filter(|rounds| rounds.peer == peer);
        of.flat_map(|rounds| &rounds.samples)
            .map(|sample| sample.cost)
            .collect()
    };
    let (limits, before) = (costs("limit"), costs("before"));
    let traces =
        bench.options.traces && trace::program().is_some() && !matches!(spec.unit, Unit::Gib(_));
    let (cost, rate) = match spec.unit {
        Unit::Request => ("CPU µs / request", "requests / s"),
        Unit::Mib => ("CPU µs / MiB", "MiB / s"),
        Unit::Gib(_) => ("CPU s / GiB", "GiB / s"),
    };
    let of = all.iter().map(|rounds| {
        let costs = rounds.samples.iter().map(|sample| sample.cost);
        (rounds.peer, median(costs))
    });
    // A chart is for the page, where there is no version before.
    let of = of.filter(|(peer, cost)| *peer != "before" && !cost.is_nan());
    let of = of.collect();
    *bench.costs.lock().expect("nobody panics with it") = Some(Costs { unit: cost, of });
    let columns = [
        cost,
        "/ limit",
        "from",
        "to",
        "/ before",
        rate,
        "p50 ms",
        "p99 ms",
        "system calls",
        "context switches",
        "RSS MiB",
        "threads",
        "server busy %",
        "load busy %",
        "reconnects",
    ];
    finish(Table::new(&columns), &all, |table, rounds| {
        let middle = |field: fn(&Sample) -> f64| median(rounds.samples.iter().map(field));
        // Of each round by itself: what happens on the machine lasts longer than one, and meets both.
        let ratios = |to: &[f64]| -> Vec<f64> {
            (rounds.samples.iter().zip(to))
                .map(|(sample, other)| sample.cost / other)
                .collect()
        };
        let to_before = match rounds.peer {
            "servette" => median(ratios(&before)),
            _ => f64::NAN,
        };
        let ratios = ratios(&limits);
        let calls = match traces {
            true => {
                trace_of(bench, spec, rounds.peer).map_or(f64::NAN, |calls| calls.values().sum())
            }
            false => f64::NAN,
        };
        let reconnects = Some(middle(|sample| sample.reconnects)).filter(|count| *count > 0.0);
        table.row(
            rounds.peer,
            &[
                middle(|sample| sample.cost),
                median(ratios.iter().copied()),
                quantile(ratios.iter().copied(), 0.25),
                quantile(ratios.iter().copied(), 0.75),
                to_before,
                middle(|sample| sample.rate),
                middle(|sample| sample.p50),
                middle(|sample| sample.p99),
                calls,
                middle(|sample| sample.switches),
                middle(|sample| sample.rss),
                middle(|sample| sample.threads),
                middle(|sample| sample.busy),
                middle(|sample| sample.load_busy),
                reconnects.unwrap_or(f64::NAN),
            ],
        );
    })
}

/// System calls per request, by name.
fn trace_of(bench: &Bench, spec: &Spec, peer: &str) -> io::Result<Calls> {
    let server = bench.serve(peer, spec.role)?;
    let heads = spec.heads(bench, &server.tag);
    let plan = Plan {
        time: bench.options.time.min(TRACED),
        ..plan(bench, spec, &server, &heads)
    };
    // Attached in between, so that the calls for new connections do not count.
    let (mut trace, mut calls) = (None, Ok(Calls::new()));
    let outcome = load::run(&plan, &mut |edge| match edge {
        Edge::Begin => {
            thread::sleep(SETTLE);
            trace = Some(Trace::attach(server.pid(), &bench.site.scratch));
        }
        Edge::End => {
            thread::sleep(SETTLE);
            calls = trace
                .take()
                .map_or(Ok(Calls::new()), |trace| trace?.detach());
        }
    })?;
    let mut calls = calls?;
    match outcome.requests {
        0 => Err(io::Error::other("no answer while system calls are counted")),
        requests => {
            calls
                .values_mut()
                .for_each(|count| *count /= requests as f64);
            Ok(calls)
        }
    }
}

/// The scenario in which system calls are listed by name.
pub fn calls(bench: &Bench) -> String {
    let spec = Spec::new(Role::Hello, 64);
    if trace::program().is_none() {
        return "strace is not there: benches/install strace".into();
    }
    let all = bench.rounds(spec.role, |peer| trace_of(bench, &spec, peer));
    let table = Table::new(&["system calls", "futex", "by name"]);
    finish(table, &all, |table, rounds| {
        let of = |name: &str| {
            median(
                rounds
                    .samples
                    .iter()
                    .map(|calls| calls.get(name).copied().unwrap_or(0.0)),
            )
        };
        let total = median(rounds.samples.iter().map(|calls| calls.values().sum()));
        table.row(rounds.peer, &[total, of("futex")]);
        let mut names: Vec<&String> = rounds.samples.iter().flat_map(Calls::keys).collect();
        names.sort_by(|a, b| of(b).total_cmp(&of(a)).then(a.cmp(b)));
        names.dedup();
        let named = names.iter().filter(|name| of(name) >= 0.001);
        table.note(
            named
                .map(|name| format!("{name} {}", number(of(name))))
                .collect::<Vec<_>>()
                .join(", "),
        );
    })
}
