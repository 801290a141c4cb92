//! What a fixture has seen: every [`Request`], and what went wrong.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::gates::Gates;
use super::request::Request;
use super::told::Told;
use crate::shutdown::lock;

/// Lines of the handler's log that are kept.
const LOG_LINES: usize = 200;

/// How much is kept.
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

/// What the threads of a fixture and its test share.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) gates: Gates,
    pub(super) gate_deadline: Duration,
    pub(super) protocol_version: Option<&'static str>,
    pub(super) bounds: Bounds,
    /// Connections that were accepted, and not reset at once.
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
    /// Complete requests since the last `take`, those that are not kept any more included.
    complete: usize,
    /// Requests that were dropped to keep within the bounds.
    dropped: u64,
    problems: Told,
    notes: Told,
    unmatched: Told,
    /// Requests whose exchange is not over, by their ids, in words.
    running: Vec<(u64, String)>,
    lines: VecDeque<String>,
    /// Lines that are not kept any more.
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

    /// Forgets the oldest until the rest is within the bounds.
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

    /// For an exchange without a server.
    pub(super) fn in_memory(protocol_version: Option<&'static str>) -> Self {
        Recording {
            gates: Gates::in_memory(),
            ..Recording::new(Bounds::default(), Duration::ZERO, protocol_version)
        }
    }

    /// A connection, which may bring a request.
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections have brought no request so far.
    pub(super) fn silent(&self) -> u64 {
        let connections = self.connections();
        let accepted = self.accepted.load(Ordering::Relaxed);
        accepted.saturating_sub(connections)
    }

    /// A connection has brought its first request; its number.
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

    /// Takes what is complete.
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

    /// Waits until so many requests are complete; how many are at the deadline, if less.
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

    /// Something for which the test fails.
    pub(super) fn problem(&self, problem: String) {
        lock(&self.log).problems.tell(problem);
    }

    pub(super) fn problems(&self) -> Vec<String> {
        lock(&self.log).problems.lines()
    }

    /// Something that the test should know.
    pub(super) fn note(&self, note: String) {
        lock(&self.log).notes.tell(note);
    }

    pub(super) fn notes(&self) -> Vec<String> {
        lock(&self.log).notes.lines()
    }

    /// A note about a request that no stub matched. The stubs themselves can say more about it.
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

    /// How many lines came before those that are kept.
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

    /// What is being answered now, for messages.
    pub(super) fn running(&self) -> Vec<String> {
        let log = lock(&self.log);
        log.running.iter().map(|(_, name)| name.clone()).collect()
    }

    /// The exchange of a request is over.
    pub(super) fn over(&self, id: u64) {
        lock(&self.log).running.retain(|(own, _)| *own != id);
    }

    /// A request has come; its number.
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

    /// Changes a request, if it is still kept.
    pub(super) fn change(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        lock(&self.log).change(id, &self.bounds, change);
    }

    /// The same where the request is complete with that. It counts also if it is not kept any more.
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
