//! Measures servette beside its peers on this machine; `benches/README.md` says how and why.

mod bench;
mod build;
mod chart;
mod client;
mod heads;
mod histogram;
mod load;
mod options;
mod peers;
mod scenario;
mod server;
mod site;
mod table;
mod trace;
mod usage;

use std::io;
use std::process::{ExitCode, exit};
use std::sync::Mutex;
use std::thread;

use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use bench::Bench;
use build::{Ours, Programs};
use chart::Panel;
use options::Options;
use server::Cores;
use site::Site;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if options.lists {
        for scenario in &scenario::SCENARIOS {
            println!("{:<12} {}", scenario.name, scenario.title);
        }
        println!("\n{}", peers::PEERS.join(" "));
        return ExitCode::SUCCESS;
    }
    match measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> io::Result<()> {
    // Before the affinity is set: the compiler may use all cores.
    if let Some(directory) = &options.keep {
        return Ours::build(options.builds)?.keep(directory);
    }
    let programs = Programs::build(options.builds, options.before.as_deref())?;
    raise_descriptors()?;
    let site = Site::new(if options.quick { 128 << 20 } else { 1 << 30 })?;
    clean_up_on_signals(&site)?;
    let cores = Cores::split()?;
    print_machine(&options, &cores);
    let bench = Bench {
        options,
        programs,
        site,
        cores,
        costs: Mutex::default(),
    };
    let mut panels = Vec::new();
    for scenario in &scenario::SCENARIOS {
        if bench.options.scenarios.contains(&scenario.name) {
            eprint!("{}:", scenario.name);
            let text = (scenario.run)(&bench);
            println!("\n## {}: {}\n\n{text}", scenario.name, scenario.title);
            let title = scenario.title;
            panels.extend(
                bench
                    .costs
                    .lock()
                    .expect("nobody panics with it")
                    .take()
                    .map(|costs| Panel { title, costs }),
            );
        }
    }
    if let Some(path) = &bench.options.chart {
        chart::write(path, &panels)?;
    }
    Ok(())
}

/// Both ends of 10,000 connections need descriptors; servers inherit the limit.
fn raise_descriptors() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn clean_up_on_signals(site: &Site) -> io::Result<()> {
    let scratch = site.scratch.clone();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            server::kill_all();
            site::remove(&scratch);
            exit(128 + signal);
        }
    });
    Ok(())
}

fn print_machine(options: &Options, cores: &Cores) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let load = read("/proc/loadavg");
    println!(
        "{model}, {} cores, Linux {}; server on one core, load on the others; {} rounds of {} s, medians; heads: {:?}; load average before: {}",
        thread::available_parallelism().map_or(0, usize::from) + usize::from(cores.apart),
        read("/proc/sys/kernel/osrelease").trim(),
        options.rounds,
        options.time.as_secs_f64(),
        options.heads,
        load.split_whitespace().next().unwrap_or("?"),
    );
    if !cores.apart {
        println!(
            "\n**There is one core only: rates and latencies mean nothing, CPU per request a little.**"
        );
    }
    if trace::program().is_none() {
        println!("\nWithout system calls: strace is not there (benches/install strace).");
    }
}
