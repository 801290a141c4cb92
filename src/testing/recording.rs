//! [`Recording`]: the requests, notes and failures of a fixture.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::gates::Gates;
use super::request::Request;
use super::told::Told;
use crate::shutdown::lock;

/// Maximum number of recorded lines of the handler's log.
const LOG_LINES: usize = 200;

/// Limits of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) requests: usize,
    pub(super) body: usize,
    pub(super) bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            requests: 10_000,
            body: 1 << 20,
            bytes: 64 << 20,
        }
    }
}

/// State that the threads of a fixture share with its test.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) gates: Gates,
    pub(super) gate_deadline: Duration,
    pub(super) protocol_version: Option<&'static str>,
    pub(super) bounds: Bounds,
    /// Number of connections that were accepted and not reset at once.
    accepted: AtomicU64,
    log: Mutex<Log>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    bytes: usize,
    next_id: u64,
    connections: u64,
    /// Number of complete requests since the last `take`, including those that were dropped.
    complete: usize,
    /// Number of requests that were dropped because of the limits.
    dropped: u64,
    problems: Told,
    notes: Told,
    unmatched: Told,
    /// Request lines of the exchanges that are not over, by the ids of the requests.
    running: Vec<(u64, String)>,
    lines: VecDeque<String>,
    /// Number of log lines that were dropped.
    lines_dropped: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    id: u64,
    pub(super) request: Request,
}

impl Log {
    fn change(&mut self, id: u64, bounds: &Bounds, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.iter_mut().rev();
        let Some(entry) = entries.find(|entry| entry.id == id) else {
            return;
        };
        let cost = entry.request.cost();
        change(entry);
        self.bytes = (self.bytes + entry.request.cost()).saturating_sub(cost);
        self.trim(bounds);
    }

    /// Drops the oldest requests until the rest is within the limits.
    fn trim(&mut self, bounds: &Bounds) {
        while self.entries.len() > bounds.requests.max(1)
            || (self.bytes > bounds.bytes && self.entries.len() > 1)
        {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes = self.bytes.saturating_sub(entry.request.cost());
                self.dropped += 1;
            }
        }
    }
}

impl Recording {
    pub(super) fn new(
        bounds: Bounds,
        gate_deadline: Duration,
        protocol_version: Option<&'static str>,
    ) -> Self {
        Recording {
            gates: Gates::default(),
            gate_deadline,
            protocol_version,
            bounds,
            accepted: AtomicU64::new(0),
            log: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// Creates the recording of an exchange without a server.
    pub(super) fn in_memory(protocol_version: Option<&'static str>) -> Self {
        Recording {
            gates: Gates::in_memory(),
            ..Recording::new(Bounds::default(), Duration::ZERO, protocol_version)
        }
    }

    /// Counts an accepted connection.
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of connections that have not sent a request so far.
    pub(super) fn silent(&self) -> u64 {
        let connections = self.connections();
        let accepted = self.accepted.load(Ordering::Relaxed);
        accepted.saturating_sub(connections)
    }

    /// Counts a connection that has sent its first request, and returns its number.
    pub(super) fn connected(&self) -> u64 {
        let mut log = lock(&self.log);
        log.connections += 1;
        log.connections
    }

    pub(super) fn connections(&self) -> u64 {
        lock(&self.log).connections
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        let log = lock(&self.log);
        log.entries
            .iter()
            .map(|entry| entry.request.clone())
            .collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        lock(&self.log).dropped
    }

    /// Removes and returns the complete requests.
    pub(super) fn take(&self) -> Vec<Request> {
        let mut log = lock(&self.log);
        log.complete = 0;
        let (taken, rest) = std::mem::take(&mut log.entries)
            .into_iter()
            .partition(|entry| entry.request.is_complete);
        log.entries = rest;
        log.bytes = log.entries.iter().map(|entry| entry.request.cost()).sum();
        let taken: VecDeque<Entry> = taken;
        taken.into_iter().map(|entry| entry.request).collect()
    }

    /// Waits until `count` requests are complete. The error is their number at the deadline.
    pub(super) fn wait_for(&self, count: usize, deadline: Duration) -> Result<(), usize> {
        let start = Instant::now();
        let mut log = lock(&self.log);
        while log.complete < count {
            let Some(left) = deadline.checked_sub(start.elapsed()) else {
                return Err(log.complete);
            };
            log = match self.arrived.wait_timeout(log, left) {
                Ok((log, _)) => log,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Ok(())
    }

    /// Adds a problem, which makes the test fail.
    pub(super) fn problem(&self, problem: String) {
        lock(&self.log).problems.tell(problem);
    }

    pub(super) fn problems(&self) -> Vec<String> {
        lock(&self.log).problems.lines()
    }

    /// Adds a note for the failure message.
    pub(super) fn note(&self, note: String) {
        lock(&self.log).notes.tell(note);
    }

    pub(super) fn notes(&self) -> Vec<String> {
        lock(&self.log).notes.lines()
    }

    /// Adds a note about a request that no stub matched. Messages of the stubs have more details.
    pub(super) fn note_unmatched(&self, note: String) {
        lock(&self.log).unmatched.tell(note);
    }

    pub(super) fn unmatched_notes(&self) -> Vec<String> {
        lock(&self.log).unmatched.lines()
    }

    /// All notes.
    pub(super) fn all_notes(&self) -> Vec<String> {
        [self.notes(), self.unmatched_notes()].concat()
    }

    pub(super) fn log_lines(&self) -> Vec<String> {
        lock(&self.log).lines.iter().cloned().collect()
    }

    /// Number of log lines before the recorded ones.
    pub(super) fn lines_dropped(&self) -> usize {
        lock(&self.log).lines_dropped
    }

    pub(super) fn log(&self, line: &str) {
        let mut log = lock(&self.log);
        if log.lines.len() == LOG_LINES {
            log.lines.pop_front();
            log.lines_dropped += 1;
        }
        log.lines.push_back(line.trim_end().to_owned());
    }

    /// Request lines of the exchanges that are not over, for messages.
    pub(super) fn running(&self) -> Vec<String> {
        let log = lock(&self.log);
        log.running.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Notes that the exchange of a request is over.
    pub(super) fn over(&self, id: u64) {
        lock(&self.log).running.retain(|(own, _)| *own != id);
    }

    /// Adds a request, and returns its id.
    pub(super) fn begin(&self, request: Request) -> u64 {
        let mut log = lock(&self.log);
        let id = log.next_id;
        log.next_id += 1;
        log.bytes += request.cost();
        let (line, connection) = (&request.requestline, request.connection);
        let name = format!("`{line}` (connection {connection})");
        log.running.push((id, name));
        log.entries.push_back(Entry { id, request });
        log.trim(&self.bounds);
        id
    }

    /// Changes a request, if it is still recorded.
    pub(super) fn change(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        lock(&self.log).change(id, &self.bounds, change);
    }

    /// Changes a request that is complete with this change. It is counted even if it is no longer recorded.
    pub(super) fn complete(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        let mut log = lock(&self.log);
        log.change(id, &self.bounds, |entry| {
            change(entry);
            entry.request.is_complete = true;
        });
        log.complete += 1;
        self.arrived.notify_all();
    }
}
