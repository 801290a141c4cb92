//! [`State`]: a session between the socket and the layers above: it decrypts what is received and encrypts what is sent.

use std::io::{self, Read};

use super::failure::Failure;
use super::output::Output;
use super::session::{FRAGMENT, OVERHEAD, Plaintext, Progress, Session};
use super::{Scratch, grown};
use crate::connection::stream::{Stream, WASTE};
use crate::tls::TlsInfo;

/// Maximum size of the ciphertext that is read at once.
const INCOMING: usize = 64 << 10;
/// Maximum size of an incomplete handshake message. (Certificates of clients may be long.)
const MOST_HELD: usize = 72 << 10;

/// The session on a socket, and the bytes on their way through it.
pub(super) struct State {
    session: Session,
    pub(super) phase: Phase,
    /// The beginning of a record, or of a message of the handshake.
    held: Vec<u8>,
    /// Decrypted bytes; those from `taken` on are not read yet.
    plain: Vec<u8>,
    taken: usize,
    /// Encrypted bytes; those from `sent` on are not sent yet.
    unsent: Vec<u8>,
    sent: usize,
    /// Number of plaintext bytes in `unsent` that were not reported as sent.
    pub(super) owed: usize,
    /// The client sends nothing more.
    has_ended: bool,
    /// `close_notify` was sent, or is not to be sent.
    pub(super) has_said_end: bool,
    server_name: Option<Box<str>>,
    pub(super) failure: Option<Box<Failure>>,
    /// A fixture resets the connection when the client has begun the handshake.
    #[cfg(all(feature = "testing", feature = "self-signed"))]
    pub(super) resets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was received.
    Fresh,
    Handshake,
    Open,
    /// TLS has failed, or the session has left: received bytes are dropped.
    Over,
    /// The client sends plain HTTP, and gets a plain response that says so.
    Plain,
}

impl State {
    pub(super) fn new(session: Session, phase: Phase) -> Self {
        State {
            session,
            phase,
            held: Vec::new(),
            plain: Vec::new(),
            taken: 0,
            unsent: Vec::new(),
            sent: 0,
            owed: 0,
            has_ended: false,
            has_said_end: false,
            server_name: None,
            failure: None,
            #[cfg(all(feature = "testing", feature = "self-signed"))]
            resets: false,
        }
    }

    /// The parameters of the session; `None` before the end of the handshake.
    pub(super) fn info(&self) -> Option<TlsInfo> {
        match self.phase {
            Phase::Open | Phase::Over => self.session.info(self.server_name.as_deref()),
            _ => None,
        }
    }

    /// Returns true if the client has ended the session.
    #[cfg(windows)]
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns true if there are decrypted bytes that were not read yet.
    pub(super) fn holds_plaintext(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Reads the available bytes. Returns 0 at the end, and fails with `WouldBlock` if there are none.
    pub(super) fn recv(
        &mut self,
        socket: &Stream,
        buffer: &mut [u8],
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        let mut filled = self.take_plain(buffer);
        match self.phase {
            Phase::Over => return drop_all(socket),
            Phase::Plain if filled == 0 => return socket.recv(buffer),
            Phase::Plain => return Ok(filled),
            _ => {}
        }
        while filled < buffer.len() && !self.has_ended {
            let start = self.held.len();
            let length = INCOMING.max(start + FRAGMENT + OVERHEAD);
            let incoming = grown(&mut scratch.incoming, length);
            let read = match socket.recv(incoming.get_mut(start..).unwrap_or_default()) {
                Ok(0) => {
                    self.has_ended = true;
                    break;
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled > 0 => break,
                Err(error) => return Err(error),
            };
            if let Some(place) = incoming.get_mut(..start) {
                place.copy_from_slice(&self.held);
            }
            let received = incoming.get_mut(..start + read).unwrap_or_default();
            #[cfg(all(feature = "testing", feature = "self-signed"))]
            if self.resets {
                socket.reset_on_close()?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if self.phase == Phase::Fresh {
                if received.first().is_some_and(|&first| begins_request(first)) {
                    self.phase = Phase::Plain;
                    self.plain = received.to_vec();
                    return Ok(self.take_plain(buffer));
                }
                self.phase = Phase::Handshake;
            }
            let room = buffer.get_mut(filled..).unwrap_or_default();
            filled += self.process(socket, received, room, &mut scratch.outgoing)?;
            // A read without plaintext tells nothing: the end of the stream may stand behind a message of the
            // handshake.
            if start + read < length && filled > 0 {
                break;
            }
        }
        Ok(filled)
    }

    fn take_plain(&mut self, buffer: &mut [u8]) -> usize {
        let mut rest = self.plain.get(self.taken..).unwrap_or_default();
        let count = rest.read(buffer).unwrap_or_default();
        self.taken += count;
        if self.taken == self.plain.len() {
            (self.plain, self.taken) = (Vec::new(), 0);
        }
        count
    }

    /// Decrypts received bytes. Returns how many bytes of plaintext went into the buffer.
    fn process(
        &mut self,
        socket: &Stream,
        received: &mut [u8],
        room: &mut [u8],
        out: &mut Output,
    ) -> io::Result<usize> {
        out.clear();
        let mut plaintext = Plaintext {
            room,
            filled: 0,
            rest: &mut self.plain,
        };
        let progress = self.session.receive(received, &mut plaintext, out);
        let filled = plaintext.filled;
        if let name @ Some(_) = self.session.take_server_name() {
            self.server_name = name;
        }
        self.unsent.extend_from_slice(out.bytes());
        let progress = match progress {
            Ok(progress) => progress,
            Err(failure) => return Err(self.fail(socket, failure)),
        };
        self.keep(received, progress);
        if self.held.len() > MOST_HELD {
            return Err(self.fail(socket, Failure::TooLong));
        }
        if progress.has_ended {
            self.has_ended = true;
            self.held = Vec::new();
            if filled > 0 || !self.plain.is_empty() {
                // It stands behind plaintext, and has no event of its own: now it has one.
                socket.shutdown_read();
            }
        }
        if progress.is_open {
            self.phase = Phase::Open;
        }
        // At once, also what completes a handshake: a client that leaves Nagle's algorithm on sends its request when it
        // has the acknowledgement that comes with this, 40 ms earlier than without.
        if !self.unsent.is_empty() {
            self.send_messages(socket)?;
        }
        Ok(filled)
    }

    /// Keeps the unprocessed rest of a read.
    fn keep(&mut self, received: &[u8], progress: Progress) {
        let rest = received.get(progress.used..).unwrap_or_default();
        match (rest, self.held.is_empty()) {
            ([], true) => {}
            ([], false) => self.held = Vec::new(),
            _ => self.held = rest.to_vec(),
        }
    }

    /// Ends the session after a failure, and sends an alert, without waiting.
    fn fail(&mut self, socket: &Stream, failure: Failure) -> io::Error {
        let _ = self.flush(socket, false);
        self.failure = Some(Box::new(failure));
        self.phase = Phase::Over;
        (self.held, self.plain, self.taken) = (Vec::new(), Vec::new(), 0);
        io::ErrorKind::ConnectionReset.into()
    }

    /// Sends messages of the handshake at once.
    fn send_messages(&mut self, socket: &Stream) -> io::Result<()> {
        match self.flush(socket, false) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            // Nobody waits for room before the session is open: a client that takes not even these is given up.
            _ if !self.unsent.is_empty() && self.phase != Phase::Open => {
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => Ok(()),
        }
    }

    /// Sends encrypted bytes, as many as the socket takes. Returns their number.
    fn flush(&mut self, socket: &Stream, more: bool) -> io::Result<usize> {
        let mut moved = 0;
        while let rest @ [_, ..] = self.unsent.get(self.sent..).unwrap_or_default() {
            match socket.send(rest, &[], more) {
                Ok(count) => {
                    moved += count;
                    self.sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && moved > 0 => {
                    return Ok(moved);
                }
                Err(error) => return Err(error),
            }
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        Ok(moved)
    }

    /// Sends bytes that were encrypted before. Returns how many plaintext bytes, at most `most`, are out now.
    pub(super) fn send_on(
        &mut self,
        socket: &Stream,
        most: usize,
        more: bool,
    ) -> io::Result<usize> {
        let moved = self.flush(socket, more)?;
        // The last byte is sent when all is out.
        let free = match self.unsent.is_empty() {
            true => self.owed,
            false => moved.min(self.owed - 1),
        };
        match free.min(most) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                self.owed -= count;
                Ok(count)
            }
        }
    }

    /// Encrypts and sends. Returns how many plaintext bytes are out. (The others are encrypted too, and must follow.)
    pub(super) fn seal(
        &mut self,
        socket: &Stream,
        data: &[u8],
        more: bool,
        out: &mut Output,
    ) -> io::Result<usize> {
        if self.phase != Phase::Open || self.has_said_end {
            return Err(io::ErrorKind::NotConnected.into());
        }
        out.clear();
        out.push(self.unsent.get(self.sent..).unwrap_or_default());
        let sealed = self.session.encrypt(&mut self.held, data, out);
        sealed.map_err(|failure| self.fail(socket, failure))?;
        let bytes = out.bytes();
        let moved = match socket.send(bytes, &[], more) {
            Ok(moved) => moved,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let rest = bytes.get(moved..).unwrap_or_default();
        if rest.is_empty() {
            if !self.unsent.is_empty() {
                (self.unsent, self.sent) = (Vec::new(), 0);
            }
            return Ok(data.len());
        }
        (self.unsent, self.sent) = (rest.to_vec(), 0);
        // One byte is sent at least, so that those above know that these bytes can't be taken back.
        let count = moved.max(1).min(data.len() - 1);
        self.owed = data.len() - count;
        match count {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    pub(super) fn close_notify(&mut self, socket: &Stream, more: bool, scratch: &mut Scratch) {
        let out = &mut scratch.outgoing;
        out.clear();
        if self.session.close_notify(&mut self.held, out).is_ok() {
            self.unsent.extend_from_slice(out.bytes());
            // It fails only where the client is gone, or takes nothing.
            let _ = self.flush(socket, more);
        }
    }
}

/// Drops bytes that arrive after the end, at most one share.
fn drop_all(socket: &Stream) -> io::Result<usize> {
    match socket.discard(WASTE)? {
        0 => Ok(0),
        _ => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Returns true if a request can begin with this byte; no TLS record does.
fn begins_request(first: u8) -> bool {
    first.is_ascii_alphabetic() || first == b'\r' || first == b'\n'
}
