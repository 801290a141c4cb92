//! [`Sink`]: a file that lines are written to. On Windows each write waits: nothing tells whether a pipe has room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// The process's stderr.
    Stderr,
    /// A file of our own.
    Own(Arc<File>),
}

impl Sink {
    pub(super) fn of_stderr() -> Self {
        Sink::Stderr
    }

    /// Writes what can be written at once.
    ///
    /// # Errors
    /// `WouldBlock` if that is nothing.
    pub(super) fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Stderr => io::stderr().write(bytes),
            Sink::Own(file) => (&**file).write(bytes),
        }
    }

    /// Writes all of it, and waits as long as that takes.
    pub(super) fn write_waiting(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stderr => io::stderr().write_all(bytes),
            Sink::Own(file) => (&**file).write_all(bytes),
        }
    }
}

/// How a log is opened.
pub(super) fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).create(true);
    options
}
