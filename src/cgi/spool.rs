//! What a script reads on its standard input.
//!
//! A body of known length is streamed. Of a chunked one the length is known only at its end, so it is
//! kept first: in memory, and past a limit in a temporary file without a name.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::Stdio;

use crate::connection::request_body::RequestBody;
use crate::error::Fault;

/// As much of a chunked body as is kept in memory.
const MEMORY: usize = 128 << 10;

/// The body of a request on its way to a script.
#[derive(Debug)]
pub(super) enum Input {
    /// None.
    Nothing,
    /// Streamed from the client; so long.
    Client(u64),
    /// A short body that came in chunks, and how much of it the script was given.
    Memory(Vec<u8>, usize),
    /// A long one, with its length.
    File(File, u64),
}

impl Input {
    /// Takes up the body of the request. `has_body` tells a body without a byte from none.
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

    /// What `CONTENT_LENGTH` says.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Input::Nothing => None,
            Input::Client(length) | Input::File(_, length) => Some(*length),
            Input::Memory(bytes, _) => Some(bytes.len() as u64),
        }
    }

    /// The standard input to start the script with: a pipe if there is something to be fed through it.
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

/// A file in the directory for temporary ones that only this process, and who inherits it, can reach.
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
