//! [`Tail`]: the unsent end of finished responses. The event loop sends it, without a thread that waits.
//!
//! Nothing overtakes the tail: the next request is not parsed before the tail is sent. Code that has to send something else
//! finishes the tail first and waits ([`Channel::finish_tail`](super::channel::Channel::finish_tail)).

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::Connection;
use super::min_rate::{Allowance, MinRate};
use super::state::{Ending, SHARE, State};
use super::wire::Wire;
use crate::Result;
use crate::clock::Moment;
use crate::shutdown::TailGuard;

/// Maximum size of a tail in memory.
pub(super) const MOST_HELD: usize = 256 << 10;
/// Size of the blocks in which a file is read if the system can't send it.
const BLOCK: u64 = 64 << 10;

/// First bytes, then a range of a file.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Number of these that are sent.
    sent: usize,
    range: Option<Range>,
    /// The socket is in bulk mode, which is switched off after the tail.
    is_bulk: bool,
    /// The time at which the socket became full; `None` while the tail waits for its turn.
    full_since: Option<Moment>,
    _counted: TailGuard,
}

/// A part of a file.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) file: Arc<File>,
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) is_bulk: bool,
}

/// The result of sending without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    All,
    /// The socket takes no more.
    Full,
    /// The socket may take more, but other connections have their turn.
    Share,
    /// The system can't send this file here.
    Unable,
}

impl Tail {
    /// Makes the tail of the bytes and the file range that are left.
    pub(super) fn new(
        bytes: Vec<u8>,
        range: Option<Range>,
        progress: Progress,
        counted: TailGuard,
    ) -> Box<Self> {
        Box::new(Tail {
            bytes,
            sent: 0,
            is_bulk: range.as_ref().is_some_and(|range| range.is_bulk),
            range,
            full_since: (progress == Progress::Full).then(Moment::now),
            _counted: counted,
        })
    }

    /// The number of unsent bytes.
    pub(super) fn left(&self) -> u64 {
        let bytes = self.bytes.len().saturating_sub(self.sent) as u64;
        let range = self.range.as_ref();
        bytes.saturating_add(range.map_or(0, |range| range.end.saturating_sub(range.offset)))
    }

    /// Returns true if the socket was full at the last attempt.
    pub(super) fn is_full(&self) -> bool {
        self.full_since.is_some()
    }

    /// Sends without waiting. The time since the socket became full counts for the minimum rate.
    pub(super) fn send(&mut self, wire: &Wire, min_rate: &mut MinRate) -> io::Result<Progress> {
        if let Some(since) = self.full_since.take() {
            min_rate.waited(Moment::now().since(since));
        }
        let progress = self.send_some(wire, min_rate)?;
        match progress {
            Progress::All if self.is_bulk => wire.stream.set_bulk(false),
            Progress::Full => self.full_since = Some(Moment::now()),
            _ => {}
        }
        Ok(progress)
    }

    fn send_some(&mut self, wire: &Wire, min_rate: &mut MinRate) -> io::Result<Progress> {
        let mut share = SHARE;
        loop {
            let mut left = self.bytes.get(self.sent..).unwrap_or_default();
            let before = left.len();
            if before > 0 {
                let more = self.range.is_some();
                let is_all = wire.send_now(&mut left, &mut &[][..], more, min_rate)?;
                let sent = match is_all {
                    true => before,
                    false => before - left.len(),
                };
                self.sent += sent;
                share = share.saturating_sub(sent as u64);
                if !is_all {
                    return Ok(Progress::Full);
                }
                // Not for as long as the file takes.
                (self.bytes, self.sent) = (Vec::new(), 0);
            }
            let Some(range) = &mut self.range else {
                return Ok(Progress::All);
            };
            if share == 0 {
                return Ok(Progress::Share);
            }
            let offset = &mut range.offset;
            match send_range(wire, &range.file, offset, range.end, share, min_rate)? {
                Progress::All => self.range = None,
                Progress::Unable => self.bytes = range.read_block()?,
                progress => return Ok(progress),
            }
        }
    }

    /// Sends all of it, and waits.
    pub(super) fn finish(
        &mut self,
        wire: &Wire,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<()> {
        loop {
            match self.send(wire, min_rate)? {
                Progress::All => return Ok(()),
                Progress::Full => {
                    self.full_since = None;
                    wire.wait_writable(min_rate, allowance)?;
                }
                Progress::Share | Progress::Unable => {}
            }
        }
    }
}

impl Range {
    fn read_block(&mut self) -> io::Result<Vec<u8>> {
        let count = self.end.saturating_sub(self.offset).min(BLOCK);
        let mut block = vec![0; count as usize];
        let read = crate::sys::read_at(&self.file, &mut block, self.offset)?;
        if read == 0 {
            return Err(shorter());
        }
        block.truncate(read);
        self.offset += read as u64;
        Ok(block)
    }
}

/// Sends a part of a file with `sendfile`, at most one share, without waiting.
///
/// # Errors
/// Those of the socket and of the file; `UnexpectedEof` if it has become shorter.
pub(super) fn send_range(
    wire: &Wire,
    file: &File,
    offset: &mut u64,
    end: u64,
    mut share: u64,
    min_rate: &mut MinRate,
) -> io::Result<Progress> {
    while *offset < end {
        if share == 0 {
            return Ok(Progress::Share);
        }
        let count = (end - *offset).min(share);
        match wire.send_file_now(file, offset, count as usize, min_rate) {
            Ok(Some(0)) => return Err(shorter()),
            Ok(Some(sent)) => share = share.saturating_sub(sent as u64),
            Ok(None) => return Ok(Progress::Unable),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Full),
            Err(error) => return Err(error),
        }
    }
    Ok(Progress::All)
}

impl Connection {
    /// The progress of the connection. If it has changed, the connection begins a new wait.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let written = match self.channel.has_tail() {
            true => self.channel.written(),
            false => self.handed_written(),
        };
        (self.answered, written)
    }

    /// Sends more of the tail, without waiting. Returns true if nothing is left.
    ///
    /// # Errors
    /// If the client has left or is too slow, or if the file has become shorter. The connection is ending then.
    pub(super) fn send_tail(&mut self) -> Result<bool> {
        self.channel.send_tail().map_err(|error| {
            // The client sees that a file is cut, by the declared length.
            let is_visible = error.kind() == io::ErrorKind::UnexpectedEof;
            self.state = State::Ending(match is_visible {
                true => Ending::Linger,
                false => Ending::Close,
            });
            self.channel.wire.stream.cut_end();
            if !is_visible {
                self.channel.wire.stream.end_with_reset();
            }
            error.into()
        })
    }

    /// Drops the tail and makes the connection end with a reset, so that the response does not look complete and the kernel
    /// does not retransmit unsent bytes for minutes.
    pub(crate) fn cut_tail(&self) {
        if self.channel.drop_tail() {
            self.channel.wire.stream.end_with_reset();
        }
    }
}

/// The error that a file has become shorter than announced.
pub(super) fn shorter() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file shrank while it was being sent",
    )
}
