//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::heads::Heads;
use crate::peers::PEERS;
use crate::scenario::SCENARIOS;

pub const USAGE: &str = "usage: benches/run [OPTIONS]

  --scenario A,B   only these scenarios (--list has the names)
  --peers X,Y      only these peers; the limit is always there, and the one of --before
  --rounds N       rounds, of which the median is taken [5]
  --seconds S      how long each measurement takes [2]
  --heads KIND     what connections send: varied (each has its own User-Agent, Accept and Cookie), same
                   (all have those of one client), bare (none has any) [varied]
  --loops N        servette's event loops in the scenarios with handlers that block [one per core: 1]
  --before DIR     measure the servette in DIR, too (a row named before)
  --keep DIR       build servette, copy it into DIR for a later --before, and end
  --quick          one short round of everything: to see that it works, not to compare
  --no-trace       without system calls (strace slows the whole run)
  --no-build       measure what was built before
  --chart FILE     draw the costs of the closed loops (the scenarios from cap64 to big8, and post) as SVG
  --list           the names of scenarios and peers
";

/// What to run, and how long.
#[derive(Clone, Debug)]
pub struct Options {
    pub scenarios: Vec<&'static str>,
    pub peers: Vec<&'static str>,
    pub rounds: usize,
    pub time: Duration,
    pub warm_up: Duration,
    pub heads: Heads,
    pub loops: Option<u16>,
    pub before: Option<PathBuf>,
    pub keep: Option<PathBuf>,
    pub chart: Option<PathBuf>,
    pub quick: bool,
    pub traces: bool,
    pub builds: bool,
    pub lists: bool,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            scenarios: SCENARIOS.iter().map(|scenario| scenario.name).collect(),
            peers: PEERS.to_vec(),
            rounds: 5,
            time: Duration::from_secs(2),
            warm_up: Duration::from_millis(300),
            heads: Heads::Varied,
            loops: None,
            before: None,
            keep: None,
            chart: None,
            quick: false,
            traces: true,
            builds: true,
            lists: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--scenario" | "--scenarios" => {
                    options.scenarios = names(&value()?, &options.scenarios)?
                }
                "--peers" | "--peer" => {
                    let chosen = names(&value()?, &options.peers)?;
                    options.peers.retain(|peer| {
                        matches!(*peer, "limit" | "before") || chosen.contains(peer)
                    });
                }
                "--rounds" => options.rounds = number(&value()?, 1.0, 100.0)? as usize,
                "--seconds" => {
                    options.time = Duration::from_secs_f64(number(&value()?, 0.05, 60.0)?)
                }
                "--heads" => {
                    options.heads = match value()?.as_str() {
                        "varied" => Heads::Varied,
                        "same" => Heads::Same,
                        "bare" => Heads::Bare,
                        other => return Err(format!("{other}? There are: varied, same, bare")),
                    }
                }
                "--loops" => options.loops = Some(number(&value()?, 1.0, 64.0)? as u16),
                "--before" => options.before = Some(value()?.into()),
                "--keep" => options.keep = Some(value()?.into()),
                "--chart" => options.chart = Some(value()?.into()),
                "--quick" => {
                    options.quick = true;
                    options.rounds = 1;
                    options.time = Duration::from_millis(500);
                    options.warm_up = Duration::from_millis(100);
                }
                "--no-trace" => options.traces = false,
                "--no-build" => options.builds = false,
                "--list" => options.lists = true,
                "-h" | "--help" => return Err(USAGE.into()),
                _ => return Err(format!("{argument}?\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn names(list: &str, all: &[&'static str]) -> Result<Vec<&'static str>, String> {
    let known = |name: &str| all.iter().find(|known| **known == name).copied();
    list.split(',')
        .map(|name| known(name).ok_or(format!("{name}? There are: {}", all.join(", "))))
        .collect()
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{text} is not a number from {least} to {most}")),
    }
}
