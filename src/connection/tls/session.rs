//! [`Session`]: every call of rustls.
//!
//! The unbuffered API of rustls has panicked on bytes of a client, and it calls code of the program (resolvers, verifiers).
//! So each call is guarded: a panic ends the session, and no thread.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

use super::failure::Failure;
use super::output::Output;
use crate::error::guarded;
use crate::tls::{TlsInfo, take_server_name};

/// Maximum size of the plaintext in a record.
pub(super) const FRAGMENT: usize = 16 << 10;
/// Maximum size that a record adds, in every version and cipher.
pub(super) const OVERHEAD: usize = 64;
/// Initial room for a handshake message.
const MESSAGE: usize = 1024;

/// The server's side of a session. `None` after a panic.
pub(super) struct Session(Option<Box<UnbufferedServerConnection>>);

/// The destination of decrypted bytes: the caller's buffer, and a second buffer for what does not fit.
pub(super) struct Plaintext<'a> {
    pub(super) room: &'a mut [u8],
    pub(super) filled: usize,
    pub(super) rest: &'a mut Vec<u8>,
}

impl Plaintext<'_> {
    fn push(&mut self, mut bytes: &[u8]) {
        if self.rest.is_empty() {
            let free = self.room.get_mut(self.filled..).unwrap_or_default();
            self.filled += bytes.read(free).unwrap_or_default();
        }
        self.rest.extend_from_slice(bytes);
    }
}

/// The result of processing received records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Number of bytes that are processed.
    pub(super) used: usize,
    /// The handshake is complete.
    pub(super) is_open: bool,
    /// The client has sent `close_notify`.
    pub(super) has_ended: bool,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Failure> {
        let made = guarded(|| Ok(UnbufferedServerConnection::new(config)));
        let made = made.map_err(|panic| Failure::Panic(panic.to_string()))?;
        Ok(Session(Some(Box::new(made.map_err(Failure::Tls)?))))
    }

    /// The placeholder for a session that has moved.
    pub(super) fn none() -> Self {
        Session(None)
    }

    fn guard<T>(
        &mut self,
        call: impl FnOnce(&mut UnbufferedServerConnection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let conn = self.0.as_mut().ok_or(Failure::NotOpen)?;
        guarded(|| Ok(call(conn))).unwrap_or_else(|panic| {
            // It may be in any state.
            *self = Session::none();
            Err(Failure::Panic(panic.to_string()))
        })
    }

    /// Processes the complete records in `records`. Messages to send are appended to `out`; on failure an alert.
    pub(super) fn receive(
        &mut self,
        records: &mut [u8],
        plaintext: &mut Plaintext<'_>,
        out: &mut Output,
    ) -> Result<Progress, Failure> {
        self.guard(|conn| {
            let mut progress = Progress::default();
            let processed = process(conn, records, &mut progress, plaintext, out);
            processed.map(|()| progress).map_err(|error| {
                // For the alert rustls must see the same bytes again: fewer of them make it panic.
                let rest = records.get_mut(progress.used..).unwrap_or_default();
                encode_pending(conn, rest, out);
                Failure::Tls(error)
            })
        })
    }

    /// Encrypts `data` and appends it to `out`. `held` is the received part of an incomplete record.
    pub(super) fn encrypt(
        &mut self,
        held: &mut [u8],
        data: &[u8],
        out: &mut Output,
    ) -> Result<(), Failure> {
        let size = data.len() + (data.len() / FRAGMENT + 1) * OVERHEAD;
        self.write(held, size, out, |traffic, room| traffic.encrypt(data, room))
    }

    /// Appends close_notify to `out`.
    pub(super) fn close_notify(
        &mut self,
        held: &mut [u8],
        out: &mut Output,
    ) -> Result<(), Failure> {
        self.write(held, OVERHEAD, out, |traffic, room| {
            traffic.queue_close_notify(room)
        })
    }

    fn write(
        &mut self,
        held: &mut [u8],
        size: usize,
        out: &mut Output,
        mut write: impl FnMut(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> Result<(), Failure> {
        self.guard(|conn| {
            if conn.wants_write() {
                encode_pending(conn, held, out);
                if let Ok(ConnectionState::TransmitTlsData(data)) =
                    conn.process_tls_records(held).state
                {
                    data.done();
                }
            }
            let state = conn.process_tls_records(held).state;
            let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
                return Err(Failure::NotOpen);
            };
            let is_written = out.append(size, |room| match write(&mut traffic, room) {
                Ok(count) => Ok(Some(count)),
                Err(EncryptError::InsufficientSize(more)) => Err(more),
                Err(EncryptError::EncryptExhausted) => Ok(None),
            });
            match is_written {
                true => Ok(()),
                false => Err(Failure::NotOpen),
            }
        })
    }

    /// The server name (SNI) that the client sent, directly after the call that received it.
    pub(super) fn take_server_name(&self) -> Option<Box<str>> {
        take_server_name()
    }

    /// The parameters of the session.
    pub(super) fn info(&self, server_name: Option<&str>) -> Option<TlsInfo> {
        self.0.as_ref().map(|conn| TlsInfo::of(conn, server_name))
    }
}

/// Lets rustls process records until it needs more. `progress` is valid after an error, too.
fn process(
    conn: &mut UnbufferedServerConnection,
    records: &mut [u8],
    progress: &mut Progress,
    plaintext: &mut Plaintext<'_>,
    out: &mut Output,
) -> Result<(), rustls::Error> {
    loop {
        let rest = records.get_mut(progress.used..).unwrap_or_default();
        let UnbufferedStatus { discard, state, .. } = conn.process_tls_records(rest);
        progress.used += discard;
        match state? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    progress.used += record.discard;
                    plaintext.push(record.payload);
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, out),
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::BlockedHandshake => return Ok(()),
            ConnectionState::WriteTraffic(_) => {
                progress.is_open = true;
                return Ok(());
            }
            ConnectionState::PeerClosed => progress.has_ended = true,
            ConnectionState::Closed => {
                progress.has_ended = true;
                return Ok(());
            }
            _ => return Err(rustls::Error::General("early data".into())),
        }
    }
}

/// Appends the messages that are ready to be sent.
fn encode_pending(conn: &mut UnbufferedServerConnection, held: &mut [u8], out: &mut Output) {
    while conn.wants_write() {
        match conn.process_tls_records(held).state {
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            _ => return,
        }
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, out: &mut Output) {
    out.append(MESSAGE, |room| match data.encode(room) {
        Ok(count) => Ok(Some(count)),
        Err(EncodeError::InsufficientSize(more)) => Err(more),
        Err(EncodeError::AlreadyEncoded) => Ok(None),
    });
}

impl Drop for Session {
    /// Drops the session, guarded: the last session of a configuration also drops code of the program.
    fn drop(&mut self) {
        let conn = self.0.take();
        let _ = guarded(|| {
            drop(conn);
            Ok(())
        });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
