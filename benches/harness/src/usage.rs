//! What a process and its children have used so far, as the kernel tells it.

use std::fs;
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;

/// The kernel reports the time of reaped children in ticks, 100 to the second on every Linux.
const TICKS: f64 = 100.0;

/// A reading of all counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time in seconds, user and system, ended threads and reaped children included.
    pub cpu: f64,
    /// Context switches of the threads that are alive.
    pub switches: f64,
    /// Resident memory in KiB.
    pub rss: f64,
    /// Threads.
    pub threads: f64,
}

impl Usage {
    /// Of a process and all its descendants.
    pub fn of(pid: u32) -> Usage {
        let mut usage = Usage::default();
        for pid in tree(pid) {
            usage.cpu += clock(pid) + reaped(pid);
            for task in tasks(pid) {
                let status = read(&format!("/proc/{pid}/task/{task}/status"));
                usage.switches += field(&status, "voluntary_ctxt_switches:");
                usage.switches += field(&status, "nonvoluntary_ctxt_switches:");
                usage.threads += 1.0;
            }
            usage.rss += field(&read(&format!("/proc/{pid}/status")), "VmRSS:");
        }
        usage
    }
}

/// The process and all its descendants that are alive.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        for task in tasks(pid) {
            let children = read(&format!("/proc/{pid}/task/{task}/children"));
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    found
}

/// The CPU time of the calling thread in seconds.
pub fn own_thread() -> f64 {
    let time = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    time.map_or(f64::NAN, |time| Duration::from(time).as_secs_f64())
}

/// The process's CPU clock: unlike the ticks in /proc it counts nanoseconds.
fn clock(pid: u32) -> f64 {
    let clock = nix::time::clock_getcpuclockid(Pid::from_raw(pid as i32));
    let time = clock.and_then(|clock| clock.now());
    time.map_or(0.0, |time| time.num_nanoseconds() as f64 / 1e9)
}

fn reaped(pid: u32) -> f64 {
    let stat = read(&format!("/proc/{pid}/stat"));
    // The name stands in brackets and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// A process may end at any time; then it uses nothing.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_shows_in_the_clock() {
        let before = Usage::of(std::process::id());
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {}
        let after = Usage::of(std::process::id());
        assert!(after.cpu > before.cpu + 0.001, "{before:?} {after:?}");
        assert!(after.rss > 100.0 && after.threads >= 1.0, "{after:?}");
    }
}
