//! The request body as the standard input of a script.
//!
//! A body with a length is streamed. The length of a chunked body is known only at its end, so it is stored first: in
//! memory, or above a limit in an unnamed temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::Stdio;

use crate::connection::request_body::RequestBody;
use crate::error::Fault;

/// Maximum size of a chunked body that is kept in memory.
const MEMORY: usize = 128 << 10;

/// The body of a request.
#[derive(Debug)]
pub(super) enum Input {
    /// No body.
    Nothing,
    /// A body of this length, streamed from the client.
    Client(u64),
    /// A short chunked body, and how many bytes of it the script has got.
    Memory(Vec<u8>, usize),
    /// A long chunked body and its length.
    File(File, u64),
}

impl Input {
    /// Takes the body of the request. `has_body` distinguishes an empty body from none.
    ///
    /// # Errors
    /// If the body is longer than `most` bytes, or can't be read or stored.
    pub(super) fn take(
        rfile: &mut RequestBody<'_>,
        has_body: bool,
        most: Option<u64>,
    ) -> io::Result<Input> {
        let most = most.unwrap_or(u64::MAX);
        match rfile.remaining() {
            _ if !has_body => Ok(Input::Nothing),
            Some(length) if length > most => Err(Fault::TooLarge.into()),
            Some(length) => Ok(Input::Client(length)),
            None => spool(rfile, most),
        }
    }

    /// Returns the `CONTENT_LENGTH`.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Input::Nothing => None,
            Input::Client(length) | Input::File(_, length) => Some(*length),
            Input::Memory(bytes, _) => Some(bytes.len() as u64),
        }
    }

    /// Returns the standard input to start the script with: a pipe if there are bytes to write to it.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        match self {
            Input::File(file, _) => Ok(file.try_clone()?.into()),
            _ if self.length().is_some_and(|length| length > 0) => Ok(Stdio::piped()),
            _ => Ok(Stdio::null()),
        }
    }
}

fn spool(rfile: &mut RequestBody<'_>, most: u64) -> io::Result<Input> {
    let mut kept = Vec::new();
    read_up_to(rfile, &mut kept, MEMORY as u64)?;
    if kept.len() < MEMORY {
        return match kept.len() as u64 > most {
            true => Err(Fault::TooLarge.into()),
            false => Ok(Input::Memory(kept, 0)),
        };
    }
    let mut file = nameless_file()?;
    let mut length = 0;
    while !kept.is_empty() {
        length += kept.len() as u64;
        if length > most {
            return Err(Fault::TooLarge.into());
        }
        file.write_all(&kept)?;
        kept.clear();
        read_up_to(rfile, &mut kept, MEMORY as u64)?;
    }
    file.rewind()?;
    Ok(Input::File(file, length))
}

fn read_up_to(rfile: &mut RequestBody<'_>, to: &mut Vec<u8>, most: u64) -> io::Result<usize> {
    rfile.take(most).read_to_end(to)
}

/// Opens an unnamed file in the directory for temporary files.
fn nameless_file() -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let directory = std::env::temp_dir();
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        if let Ok(file) = openat(CWD, &directory, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(file.into());
        }
    }
    // Names that another user can't have taken in advance need no secret: they are never followed.
    for number in 0..100u32 {
        let path = directory.join(format!("servette-{}-{number}", std::process::id()));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(CWD, &path, flags, Mode::RUSR | Mode::WUSR) {
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file.into());
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
