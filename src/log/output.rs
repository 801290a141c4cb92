//! [`Output`]: writes lines to a descriptor without blocking the caller.
//!
//! Usually the caller writes a line itself, at once. If the descriptor has no room, this line and all later ones are
//! queued. A thread is started that writes them with blocking writes, and ends when the queue is empty. So no thread
//! and no timer exists in the usual case.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::sink::Sink;

/// The maximum number of queued bytes.
const MOST: usize = 1 << 20;
/// The time after which the same failure is reported again.
const BETWEEN_NOTES: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Output {
    state: Mutex<State>,
    /// Notified when the queue is empty.
    is_idle: Condvar,
    /// The path of the file; `None` for stderr.
    path: Option<PathBuf>,
}

#[derive(Debug)]
struct State {
    sink: Sink,
    queue: VecDeque<Box<[u8]>>,
    /// The number of queued bytes.
    queued: usize,
    /// Whether a thread writes the queue.
    has_writer: bool,
    /// Whether only a part of the last line was written, because the disk was full.
    is_torn: bool,
    /// Whether the last write failed.
    is_failing: bool,
    /// The time of the last report of a failure.
    told: Option<Instant>,
    /// The number of dropped lines.
    dropped: u64,
    /// The number of dropped lines that were not reported yet.
    untold: u64,
}

/// The result of writing a line.
enum Put {
    Written,
    /// The rest of the line, for which the descriptor has no room.
    Left(Box<[u8]>),
    Failed(io::Error),
}

impl Output {
    pub(super) fn new(sink: Sink, path: Option<PathBuf>) -> Self {
        let state = State {
            sink,
            queue: VecDeque::new(),
            queued: 0,
            has_writer: false,
            is_torn: false,
            is_failing: false,
            told: None,
            dropped: 0,
            untold: 0,
        };
        Output {
            state: Mutex::new(state),
            is_idle: Condvar::new(),
            path,
        }
    }

    /// Writes a line, which ends with a line feed, or queues or drops it.
    pub(super) fn write(self: &Arc<Self>, line: &[u8]) {
        let mut state = self.lock();
        if state.has_writer {
            return state.enqueue(line.into());
        }
        let note = match state.put(line) {
            Put::Written if !state.is_failing => None,
            Put::Written => state.recover(),
            Put::Left(rest) => {
                state.enqueue(rest);
                state.has_writer = true;
                drop(state);
                return self.start_writer();
            }
            Put::Failed(error) => state.fail(&error),
        };
        drop(state);
        self.tell(note);
    }

    /// Replaces the descriptor for all later lines, including the queued ones.
    pub(super) fn replace(self: &Arc<Self>, sink: Sink) {
        let mut state = self.lock();
        state.sink = sink;
        state.is_torn = false;
    }

    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let state = self.lock();
        let waited = self
            .is_idle
            .wait_timeout_while(state, timeout, |state| state.has_writer);
        let (_state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn start_writer(self: &Arc<Self>) {
        let own = self.clone();
        let writer = thread::Builder::new().name("servette-log".into());
        if writer.spawn(move || own.write_queue()).is_err() {
            // No thread could be started.
            let mut state = self.lock();
            let lines = state.queue.drain(..).count();
            state.queued = 0;
            state.drop_lines(lines as u64);
            state.has_writer = false;
        }
    }

    fn write_queue(self: Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some(line) = state.queue.pop_front() else {
                let note = state.overflow();
                if note.is_none() {
                    state.has_writer = false;
                    self.is_idle.notify_all();
                    return;
                }
                let sink = state.sink.clone();
                drop(state);
                match (note, &self.path) {
                    (Some(note), None) => {
                        let _ = sink.write_waiting(note_line(&note).as_bytes());
                    }
                    (note, Some(_)) => self.tell(note),
                    (None, None) => {}
                }
                continue;
            };
            state.queued = state.queued.saturating_sub(line.len());
            let sink = state.sink.clone();
            drop(state);
            if let Err(error) = sink.write_waiting(&line) {
                let note = self.lock().fail(&error);
                self.tell(note);
            }
        }
    }

    /// Reports a failure of the log on stderr. Failures of stderr can't be reported.
    fn tell(&self, note: Option<String>) {
        if let (Some(note), Some(path)) = (note, &self.path) {
            let note = format!("the log {}: {note}", super::shown(path));
            super::write_stderr(&note_line(&note));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_line(note: &str) -> String {
    format!("servette: warning: {note}\n")
}

impl State {
    fn enqueue(&mut self, line: Box<[u8]>) {
        if self.queued.saturating_add(line.len()) > MOST {
            return self.drop_lines(1);
        }
        self.queued += line.len();
        self.queue.push_back(line);
    }

    fn drop_lines(&mut self, count: u64) {
        self.dropped += count;
        self.untold += count;
    }

    fn put(&mut self, line: &[u8]) -> Put {
        if self.is_torn {
            // The line must not continue a partial one.
            return self.put_bytes(&[b"\n", line].concat());
        }
        self.put_bytes(line)
    }

    fn put_bytes(&mut self, line: &[u8]) -> Put {
        let mut rest = line;
        loop {
            match self.sink.write_now(rest) {
                Ok(count) if count >= rest.len() => {
                    self.is_torn = false;
                    return Put::Written;
                }
                Ok(0) => return Put::Failed(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Put::Left(rest.into());
                }
                Err(error) => {
                    self.is_torn |= rest.len() < line.len();
                    return Put::Failed(error);
                }
            }
        }
    }

    /// Drops a line after a failure, and returns the message to report.
    #[cold]
    fn fail(&mut self, error: &io::Error) -> Option<String> {
        self.drop_lines(1);
        self.is_failing = true;
        let now = Instant::now();
        let is_due = |told: Instant| now.saturating_duration_since(told) >= BETWEEN_NOTES;
        let is_new = self.untold == 1;
        (is_new && self.told.is_none_or(is_due)).then(|| {
            self.told = Some(now);
            format!("{error}; lines are dropped until it can be written again")
        })
    }

    /// Ends a failure after a line was written, and returns the message to report.
    #[cold]
    fn recover(&mut self) -> Option<String> {
        self.is_failing = false;
        self.overflow()
    }

    /// Returns the message about dropped lines, and resets their count.
    fn overflow(&mut self) -> Option<String> {
        let lines = std::mem::take(&mut self.untold);
        (lines > 0).then(|| match lines {
            1 => "1 line was dropped".into(),
            _ => format!("{lines} lines were dropped"),
        })
    }
}
