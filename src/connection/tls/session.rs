//! [`Session`]: every call of rustls.
//!
//! Its unbuffered interface has panicked on what a client had sent, and calls code of the program (resolvers,
//! verifiers). So each call is guarded: after a panic the session has failed, and no thread ends by it.

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

/// The largest fragment of a record.
pub(super) const FRAGMENT: usize = 16 << 10;
/// What a record adds to it, in every version and cipher.
pub(super) const OVERHEAD: usize = 64;
/// As much room is tried first for a message of the handshake.
const MESSAGE: usize = 1024;

/// The server's side of a session. `None` after a panic: nothing more is asked of it.
pub(super) struct Session(Option<Box<UnbufferedServerConnection>>);

/// Where decrypted bytes go: into the caller's buffer, and what finds no room there to the rest.
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

/// What has become of received records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// So many bytes of them are not needed any more.
    pub(super) used: usize,
    /// The handshake is complete.
    pub(super) is_open: bool,
    /// The client has sent close_notify.
    pub(super) has_ended: bool,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Failure> {
        let made = guarded(|| Ok(UnbufferedServerConnection::new(config)));
        let made = made.map_err(|panic| Failure::Panic(panic.to_string()))?;
        Ok(Session(Some(Box::new(made.map_err(Failure::Tls)?))))
    }

    /// What is left where a session has gone elsewhere.
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

    /// Processes the complete records in `records`. What is to be sent is appended to `out`; an alert, if it fails.
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

    /// Encrypts `data` behind what is in `out`. `held` is what was received of an unfinished record.
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

    /// The name that the client asked for, directly after the call that has received it.
    pub(super) fn take_server_name(&self) -> Option<Box<str>> {
        take_server_name()
    }

    /// What was agreed on.
    pub(super) fn info(&self, server_name: Option<&str>) -> Option<TlsInfo> {
        self.0.as_ref().map(|conn| TlsInfo::of(conn, server_name))
    }
}

/// Has rustls process records until it needs more. After an error, `progress` says where it stands.
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
    /// The last session of a configuration drops that as well, and the program's code in it.
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
