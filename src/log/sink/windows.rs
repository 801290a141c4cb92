//! [`Sink`]: a file that lines are written to. On Windows each write blocks, because the system does not tell whether a
//! pipe has room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// The stderr of the process.
    Stderr,
    /// A file that this process opened.
    Own(Arc<File>),
}

impl Sink {
    pub(super) fn of_stderr() -> Self {
        Sink::Stderr
    }

    /// Writes the bytes that can be written without blocking, and returns their number.
    ///
    /// # Errors
    /// `WouldBlock` if no byte can be written.
    pub(super) fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Stderr => io::stderr().write(bytes),
            Sink::Own(file) => (&**file).write(bytes),
        }
    }

    /// Writes all bytes, and blocks until they are written.
    pub(super) fn write_waiting(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stderr => io::stderr().write_all(bytes),
            Sink::Own(file) => (&**file).write_all(bytes),
        }
    }
}

/// Returns the options to open a log.
pub(super) fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).create(true);
    options
}
