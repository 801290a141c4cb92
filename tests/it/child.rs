//! Child processes, foremost the `servette` command, that never outlive their test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

use crate::webroot::{Answer, PATIENCE, WebRoot, fetch};

/// A child whose output is read line by line; killed on drop.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// The command `servette` on a free port of 127.0.0.1, and that port.
    pub(crate) fn servette<S: AsRef<OsStr>>(root: &WebRoot, arguments: &[S]) -> (Self, u16) {
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "-d"])
            .arg(root.path())
            .args(arguments);
        let running = Running::start(&mut command);
        let port = running.banner_port();
        (running, port)
    }

    pub(crate) fn out(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).unwrap()
    }

    /// The port that the banner names.
    pub(crate) fn banner_port(&self) -> u16 {
        let banner = self.out();
        let (_, rest) = banner.split_once(" port ").expect(&banner);
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends the command as Ctrl-C does, and returns what is left of stdout and stderr. On Windows no program can press these
    /// keys for another one without code that is not safe, so the process is ended.
    pub(crate) fn stop(&mut self) -> (Vec<String>, Vec<String>) {
        #[cfg(unix)]
        self.signal(Signal::INT);
        #[cfg(windows)]
        self.child.kill().unwrap();
        let (stdout, stderr, status) = self.end();
        assert!(cfg!(windows) || status.code() == Some(0), "{status}");
        (stdout, stderr)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is left of stdout and stderr, and how the process ended.
    pub(crate) fn end(&mut self) -> (Vec<String>, Vec<String>, ExitStatus) {
        let until = Instant::now() + PATIENCE;
        let rest = |lines: &Receiver<String>| {
            let mut all = Vec::new();
            loop {
                match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(line) => all.push(line),
                    Err(RecvTimeoutError::Disconnected) => return all,
                    Err(RecvTimeoutError::Timeout) => panic!("the process does not end: {all:?}"),
                }
            }
        };
        // stderr first: it is open until the process ends, stdout may be closed before
        let stderr = rest(&self.stderr);
        let stdout = rest(&self.stdout);
        (stdout, stderr, self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended whose output says nothing about it.
#[cfg(unix)]
pub(crate) fn exit_code(mut child: Child) -> Option<i32> {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait()));
    let status = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ = kill_process(pid, Signal::KILL);
        panic!("the process does not end");
    });
    status.unwrap().code()
}

/// Lines as they come, until the end.
pub(crate) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

pub(crate) fn servette() -> Command {
    Command::new(env!("CARGO_BIN_EXE_servette"))
}

pub(crate) fn get(port: u16, target: &str) -> Answer {
    Answer::parse(&fetch(
        ("127.0.0.1", port),
        format!("GET {target} HTTP/1.0\r\n\r\n"),
    ))
}
