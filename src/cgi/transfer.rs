//! Transfers data between client and script: the request body to the script, its output to the client, its standard
//! error to the log. One thread does all of that, and waits for the script and the client at the same time.
//!
//! Output waits until the script has the body, because many clients and proxies send the whole request before they
//! read: see [`CgiHandler::full_duplex`](super::CgiHandler::full_duplex).

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::ioctl_fionbio;

use super::RunScripts;
use super::answer::{Answer, ScriptResult, bad_output};
use super::complaints::Complaints;
use super::process::{self, Process, TICK, UNWINDING};
use super::spool::Input;
use crate::error::Fault;
use crate::{Error, Exchange, Result, Status};

/// Size of the first buffer for output, which is enough for most responses, and of later ones.
const FIRST_BUFFER: usize = 4 << 10;
const BUFFER: usize = 64 << 10;
/// How long output waits for more before it is sent. A response that is complete within this time is sent with its
/// length, in one piece.
const GATHER: Duration = Duration::from_millis(5);
/// How long other processes may keep the output of a script open after its end without writing.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// Maximum number of pieces of a body that are written before output is read again.
const PIECES: u32 = 16;
/// Maximum size of output that waits while the body is still being received.
const HELD: usize = 64 << 10;

/// Why the body is not being written to the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    /// There is no reason, or all of it was written.
    None,
    /// The script has not read what was written.
    Script,
    /// The client has not sent more.
    Client,
}

/// A running script and its exchange.
pub(super) struct Transfer<'t, 'x> {
    h: &'t dyn RunScripts,
    x: &'t mut Exchange<'x>,
    process: Process,
    input: Input,
    stdin: Option<File>,
    stdout: Option<File>,
    complaints: Complaints,
    answer: Answer,
    stall: Stall,
    buffer: Vec<u8>,
    /// Output that waits until the script has the body.
    held: Vec<u8>,
    /// Whether output does not wait (any more).
    is_full_duplex: bool,
    started: Instant,
    /// When the script last wrote or read something, plus the time of waiting for the client since then, which is not
    /// the script's silence.
    active: Instant,
    /// When the script was found to have ended.
    ended: Option<Instant>,
}

impl<'t, 'x> Transfer<'t, 'x> {
    pub(super) fn new(
        h: &'t dyn RunScripts,
        x: &'t mut Exchange<'x>,
        mut process: Process,
        input: Input,
        answer: Answer,
    ) -> io::Result<Self> {
        let stdin = process.child.stdin.take().map(OwnedFd::from);
        let stdout = process.child.stdout.take().map(OwnedFd::from);
        let stderr = process.child.stderr.take();
        for pipe in stdin.iter().chain(&stdout) {
            ioctl_fionbio(pipe, true)?;
        }
        if let Some(pipe) = &stderr {
            ioctl_fionbio(pipe, true)?;
        }
        let now = Instant::now();
        Ok(Transfer {
            h,
            x,
            process,
            input,
            stdin: stdin.map(File::from),
            stdout: stdout.map(File::from),
            complaints: Complaints::new(stderr),
            answer,
            stall: Stall::None,
            buffer: vec![0; FIRST_BUFFER],
            held: Vec::new(),
            is_full_duplex: h.cgi().is_full_duplex(),
            started: now,
            active: now,
            ended: None,
        })
    }

    /// Answers with the script's output. After an error the script's process group is killed.
    pub(super) fn run(mut self) -> Result<ScriptResult> {
        let result = self.transfer();
        if result.is_err() {
            self.process.kill_group();
        }
        let (h, x) = (self.h, &*self.x);
        self.complaints.finish(|line| log(h, x, line));
        result?;
        self.end()
    }

    fn transfer(&mut self) -> Result<()> {
        while self.stdout.is_some() {
            self.feed()?;
            if !self.holds_output() {
                self.pass_on_held()?;
            }
            let ready = self.wait()?;
            if ready.stderr {
                let (h, x) = (self.h, &*self.x);
                self.complaints.read(|line| log(h, x, line));
            }
            if ready.stdout {
                self.read_output()?;
            } else if ready.ended && self.ended.is_none() {
                self.ended = Some(Instant::now());
            }
        }
        self.pass_on_held()
    }

    /// Returns whether output must wait because the client may still be sending.
    fn holds_output(&self) -> bool {
        let is_fed = matches!(self.input, Input::Client(_)) && self.stdin.is_some();
        is_fed && !self.is_full_duplex
    }

    fn pass_on_held(&mut self) -> Result<()> {
        match std::mem::take(&mut self.held) {
            held if held.is_empty() => Ok(()),
            held => self.pass_on(&held),
        }
    }

    fn pass_on(&mut self, output: &[u8]) -> Result<()> {
        self.answer.take(self.h, self.x, output)
    }

    /// Writes as much of the body to the script as is possible without waiting.
    fn feed(&mut self) -> Result<()> {
        self.stall = Stall::None;
        for _ in 0..PIECES {
            let Some(stdin) = &mut self.stdin else {
                return Ok(());
            };
            let piece = match &self.input {
                Input::Client(_) => match self.x.rfile.try_available()? {
                    Some(count) => self.x.rfile.front(count),
                    None => {
                        self.stall = Stall::Client;
                        return Ok(());
                    }
                },
                Input::Memory(bytes, given) => bytes.get(*given..).unwrap_or_default(),
                Input::Nothing | Input::File(..) => &[],
            };
            if piece.is_empty() {
                self.stdin = None;
                return Ok(());
            }
            match stdin.write(piece) {
                Ok(count) => self.fed(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stall = Stall::Script;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The script wants no more.
                Err(_) => self.stdin = None,
            }
        }
        self.stall = Stall::Script;
        Ok(())
    }

    fn fed(&mut self, count: usize) {
        self.active = Instant::now();
        match &mut self.input {
            Input::Client(_) => self.x.rfile.consume(count),
            Input::Memory(_, given) => *given += count,
            Input::Nothing | Input::File(..) => {}
        }
    }

    /// Waits for the script or the client, or until a time limit.
    fn wait(&mut self) -> Result<Ready> {
        let start = Instant::now();
        let until = self.settle_due(start)?;
        let timeout = until.map(|until| until.saturating_duration_since(start));
        let wants_client = self.stall == Stall::Client;
        let mut polled = Vec::with_capacity(6);
        let stdout = watch(
            &mut polled,
            self.stdout.as_ref().map(File::as_fd),
            PollFlags::IN,
        );
        let stderr = watch(&mut polled, self.complaints.fd(), PollFlags::IN);
        // That the script has closed it is reported in any case.
        let room = match self.stall {
            Stall::Script => PollFlags::OUT,
            Stall::None | Stall::Client => PollFlags::empty(),
        };
        let stdin = watch(&mut polled, self.stdin.as_ref().map(File::as_fd), room);
        let exit = self.process.exit_signal().filter(|_| self.ended.is_none());
        let exit = watch(&mut polled, exit, PollFlags::IN);
        let channel = self.x.channel();
        let before = Instant::now();
        let client = channel.wait_beside(&mut polled, wants_client, timeout)?;
        let events = |place: Option<usize>| {
            let found = place.and_then(|place| polled.get(place));
            found.map_or(PollFlags::empty(), PollFd::revents)
        };
        let ready = Ready {
            stdout: !events(stdout).is_empty(),
            stderr: !events(stderr).is_empty(),
            ended: match exit {
                Some(_) => !events(exit).is_empty(),
                None => self.ended.is_none() && self.process.has_ended(),
            },
        };
        let is_closed = events(stdin).contains(PollFlags::ERR);
        drop(polled);
        if is_closed {
            self.stdin = None;
        }
        if client.is_gone {
            return Err(io::Error::from(Fault::Gone).into());
        }
        if wants_client && !is_closed {
            let waited = before.elapsed();
            self.x.rfile.waited(waited)?;
            self.active += waited;
        }
        Ok(ready)
    }

    /// Does everything that is due now, and returns the next time limit.
    fn settle_due(&mut self, now: Instant) -> Result<Option<Instant>> {
        if self
            .answer
            .unsent
            .is_some_and(|unsent| now >= unsent + GATHER)
        {
            self.x.wfile.flush()?;
            self.answer.unsent = None;
            self.active = self.active.max(Instant::now());
        }
        let cgi = self.h.cgi();
        let mut until = self.answer.unsent.map(|unsent| unsent + GATHER);
        let mut due = |at: Option<Instant>| {
            until = [until, at].into_iter().flatten().min();
            at.is_some_and(|at| at <= now)
        };
        if due(self
            .started
            .checked_add(cgi.total_deadline().unwrap_or(Duration::MAX)))
        {
            return Err(too_long("CGI script exceeded its total deadline"));
        }
        if due(self.active.checked_add(cgi.silence_timeout())) {
            return Err(too_long("CGI script timed out"));
        }
        if let Some(ended) = self.ended {
            if due(Some(ended.max(self.active) + LEFTOVERS)) {
                // Processes that the script has started and not waited for hold its output.
                self.process.kill_group();
                self.stdout = None;
                return Ok(Some(now));
            }
        } else if self.process.exit_signal().is_none() {
            due(Some(now + TICK));
        }
        if self.stall == Stall::Client {
            due(now.checked_add(self.x.rfile.patience()));
        }
        Ok(until)
    }

    fn read_output(&mut self) -> Result<()> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(());
        };
        let count = match stdout.read(&mut self.buffer) {
            Ok(count) => count,
            Err(error) => {
                use io::ErrorKind::{Interrupted, WouldBlock};
                return match error.kind() {
                    WouldBlock | Interrupted => Ok(()),
                    _ => Err(error.into()),
                };
            }
        };
        if count == 0 {
            self.stdout = None;
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let taken = self.take_output(buffer.get(..count).unwrap_or_default());
        self.buffer = buffer;
        if count == self.buffer.len() && count < BUFFER {
            self.buffer.resize(BUFFER, 0);
        }
        // Behind the write: a client that is slow to take it is no silence of the script.
        self.active = Instant::now();
        taken
    }

    /// Sends output, or keeps it until the script has the body.
    fn take_output(&mut self, output: &[u8]) -> Result<()> {
        if !self.holds_output() {
            self.pass_on_held()?;
            return self.pass_on(output);
        }
        self.held.extend_from_slice(output);
        if self.held.len() <= HELD {
            return Ok(());
        }
        // The script does not go on before some of it is taken.
        self.is_full_duplex = true;
        self.pass_on_held()
    }

    /// Ends the response after the end of the output, and reaps the script.
    fn end(mut self) -> Result<ScriptResult> {
        self.stdin = None;
        if !self.process.wait_ended(UNWINDING) {
            let deadline = self.h.cgi().silence_timeout();
            process::leave_to_a_thread(self.process, self.complaints, deadline);
            return self.answer.outcome(self.h, self.x);
        }
        // There is no more output, but there may be more complaints.
        let (h, x) = (self.h, &*self.x);
        self.complaints.finish(|line| log(h, x, line));
        // It can't be told where this process has its children reaped by the system.
        if let Ok(status) = self.process.reap() {
            if let Some(code) = status.code().filter(|&code| code != 0) {
                h.log_error(x, format_args!("CGI script exit code {code}"));
            }
            if let Some(signal) = status.signal() {
                h.log_error(x, format_args!("CGI script ended by signal {signal}"));
                return Err(bad_output("ended by a signal"));
            }
        }
        self.answer.outcome(self.h, self.x)
    }
}

/// The result of a wait.
#[derive(Clone, Copy, Debug)]
struct Ready {
    stdout: bool,
    stderr: bool,
    ended: bool,
}

/// Adds a descriptor, if there is one, and returns its index.
fn watch<'f>(
    polled: &mut Vec<PollFd<'f>>,
    fd: Option<BorrowedFd<'f>>,
    flags: PollFlags,
) -> Option<usize> {
    polled.push(PollFd::from_borrowed_fd(fd?, flags));
    Some(polled.len() - 1)
}

fn log(h: &dyn RunScripts, x: &Exchange<'_>, line: &str) {
    h.log_error(x, format_args!("CGI script: {line}"));
}

fn too_long(message: &str) -> Error {
    Status::GATEWAY_TIMEOUT.with_message(message).into()
}
