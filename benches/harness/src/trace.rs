//! System calls, counted by strace in a run of their own, since it slows a server many times.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peers::find;
use crate::usage;

/// Calls by name.
pub type Calls = BTreeMap<String, f64>;

/// Where strace is, if it is there.
pub fn program() -> Option<PathBuf> {
    find("strace")
}

/// A strace that counts.
#[derive(Debug)]
pub struct Trace {
    strace: Child,
    output: PathBuf,
}

impl Trace {
    /// Counts the calls of a process, its threads and its children from now on.
    pub fn attach(pid: u32, scratch: &Path) -> io::Result<Trace> {
        let program = program().ok_or_else(|| io::Error::other("no strace"))?;
        let output = scratch.join("strace.out");
        let mut command = Command::new(program);
        command.args(["-c", "-f", "-o"]).arg(&output);
        for pid in usage::tree(pid) {
            command.args(["-p", &pid.to_string()]);
        }
        let mut strace = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let attached = strace.stderr.take().is_some_and(wait_until_attached);
        let trace = Trace { strace, output };
        match attached {
            true => Ok(trace),
            false => Err(io::Error::other("strace does not attach")),
        }
    }

    /// Ends the counting.
    pub fn detach(mut self) -> io::Result<Calls> {
        // It writes its table when it is interrupted.
        kill(Pid::from_raw(self.strace.id() as i32), Signal::SIGINT)?;
        self.strace.wait()?;
        Ok(parse(&fs::read_to_string(&self.output)?))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Only still there if it could not attach.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn wait_until_attached(stderr: impl io::Read + Send + 'static) -> bool {
    let (sender, receiver) = mpsc::channel();
    // Reads on, or strace would block when it has more to say.
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = sender.send(line.contains("attached"));
        }
    });
    receiver
        .recv_timeout(Duration::from_secs(5))
        .unwrap_or(false)
}

/// The table of `strace -c`: share, seconds, usecs/call, calls, errors if any, name.
fn parse(table: &str) -> Calls {
    let mut calls = Calls::new();
    for line in table.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [share, _, _, count, .., name] = fields.as_slice()
            && share.parse::<f64>().is_ok()
            && *name != "total"
            && let Ok(count) = count.parse()
        {
            calls.insert((*name).into(), count);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let calls = parse(
            "% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.100000          10     10000           sendto
 40.00    0.050000          10     10001         1 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.150000          10     20001         1 total
",
        );
        assert_eq!(calls.len(), 2);
        assert_eq!(calls.get("recvfrom"), Some(&10001.0));
    }
}
