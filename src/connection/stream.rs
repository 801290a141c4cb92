//! [`Stream`]: the byte stream of a connection: a non-blocking socket, or memory.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::sync::Arc;

use rustix::net::{RecvFlags, Shutdown};

use self::bulk::{DROP, MORE};
pub(crate) use self::system::QUIET;
use self::system::send_slices;
#[cfg(feature = "tls-config")]
use super::tls::Tls;
use crate::sys::{self, BorrowedSocket, LocalStream, OwnedSocket};

#[cfg_attr(target_os = "linux", path = "stream/bulk/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "stream/bulk/other.rs")]
mod bulk;
#[cfg_attr(unix, path = "stream/unix.rs")]
#[cfg_attr(windows, path = "stream/windows.rs")]
mod system;

/// Maximum number of bytes that are dropped at once.
pub(crate) const WASTE: usize = 1 << 20;

/// A socket (always non-blocking), perhaps with TLS on it, or requests and responses in memory.
#[cfg_attr(windows, allow(dead_code))]
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(LocalStream),
    /// A TCP or Unix socket to which other threads write as well.
    Shared(Arc<Socket>),
    Memory(RefCell<Memory>),
    #[cfg(feature = "tls-config")]
    Tls(Box<Tls>),
}

/// A socket that is shared.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedSocket,
    is_tcp: bool,
}

impl Socket {
    /// Writes as much as the socket takes.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| Ok(rustix::net::send(&self.descriptor, bytes, QUIET)?))
    }
}

/// The requests of [`respond`](crate::respond()), and the responses.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) input: Vec<u8>,
    pub(crate) taken: usize,
    pub(crate) output: Vec<u8>,
}

impl Memory {
    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.input.get(self.taken..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

impl Stream {
    /// The socket to poll; `None` for memory, which never blocks.
    #[inline]
    pub(crate) fn fd(&self) -> Option<BorrowedSocket<'_>> {
        match self {
            Stream::Tcp(socket) => Some(sys::socket(socket)),
            Stream::Unix(socket) => Some(sys::socket(socket)),
            Stream::Shared(socket) => Some(sys::socket(&socket.descriptor)),
            Stream::Memory(_) => None,
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => tls.socket().fd(),
        }
    }

    /// The socket, if it is a TCP socket.
    pub(super) fn tcp(&self) -> Option<BorrowedSocket<'_>> {
        match self {
            Stream::Tcp(socket) => Some(sys::socket(socket)),
            Stream::Shared(socket) if socket.is_tcp => Some(sys::socket(&socket.descriptor)),
            _ => None,
        }
    }

    /// Reads the available bytes. Returns 0 at the end, and fails with `WouldBlock` if there are none.
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Memory(memory) => memory.borrow_mut().recv(buffer),
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => tls.recv(buffer),
            _ => retry(|| {
                let (_, count) =
                    rustix::net::recv(self.socket()?, &mut *buffer, RecvFlags::empty())?;
                Ok(count)
            }),
        }
    }

    /// Reads as [`recv`](Self::recv) does, but leaves the bytes in the socket.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| {
            let (_, count) = rustix::net::recv(self.socket()?, &mut *buffer, RecvFlags::PEEK)?;
            Ok(count)
        })
    }

    /// Returns true if [`discard`](Self::discard) works without copying.
    pub(crate) fn drops_in_kernel(&self) -> bool {
        DROP.is_some() && self.tcp().is_some()
    }

    /// Drops the available bytes, at most `most` and [`WASTE`]. With TLS these are encrypted records, so it is used only
    /// after the session has ended.
    pub(crate) fn discard(&self, most: usize) -> io::Result<usize> {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.socket().discard(most);
        }
        thread_local! {
            /// Made once, for zeroing it takes longer than dropping. Where the kernel drops, its pages
            /// are never touched.
            static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let flags = DROP.filter(|_| self.tcp().is_some());
        let flags = flags.unwrap_or(RecvFlags::empty());
        ROOM.with_borrow_mut(|room| {
            if room.is_empty() {
                *room = vec![0; WASTE];
            }
            let room = room.get_mut(..most.min(WASTE)).unwrap_or_default();
            retry(|| {
                let (_, count) = rustix::net::recv(self.socket()?, &mut *room, flags)?;
                Ok(count)
            })
        })
    }

    /// Writes as much of both slices as the socket takes; `more` says that more bytes follow at once.
    pub(crate) fn send(&self, first: &[u8], second: &[u8], more: bool) -> io::Result<usize> {
        let flags = if more { QUIET.union(MORE) } else { QUIET };
        match (self, second) {
            (Stream::Memory(memory), _) => {
                let output = &mut memory.borrow_mut().output;
                output.extend_from_slice(first);
                output.extend_from_slice(second);
                Ok(first.len() + second.len())
            }
            #[cfg(feature = "tls-config")]
            (Stream::Tls(tls), _) => tls.send(first, second, more),
            (_, []) => retry(|| Ok(rustix::net::send(self.socket()?, first, flags)?)),
            _ => retry(|| {
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                send_slices(self.socket()?, &slices, flags)
            }),
        }
    }

    /// Writes as much of all slices as the socket takes.
    pub(crate) fn send_all(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Stream::Memory(memory) = self {
            let output = &mut memory.borrow_mut().output;
            slices
                .iter()
                .for_each(|slice| output.extend_from_slice(slice));
            return Ok(slices.iter().map(|slice| slice.len()).sum());
        }
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.send_all(slices);
        }
        retry(|| send_slices(self.socket()?, slices, QUIET))
    }

    /// Returns true if the client has shut down its sending side or has left. Nothing is read for that. A client in memory
    /// never leaves.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left_by(true)
    }

    /// Returns true if the client has left; `its_end` says whether a half-close counts.
    pub(super) fn has_left_by(&self, its_end: bool) -> bool {
        let Some(socket) = self.fd() else {
            return false;
        };
        self::system::has_left(socket, its_end)
    }

    /// Sends up to `count` bytes of `file` from `offset` on without copying them through the process;
    /// `None` if this system, stream or file can't do that. (TLS encrypts them on the way.)
    pub(crate) fn send_file(
        &self,
        file: &File,
        offset: &mut u64,
        count: usize,
    ) -> io::Result<Option<usize>> {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.send_file(file, offset, count);
        }
        match self.fd() {
            Some(socket) => retry(|| self::bulk::send_file(socket, file, offset, count)),
            None => Ok(None),
        }
    }

    /// Switches the socket to bulk mode for a large file, or back. In bulk mode, segments that are not full are held back,
    /// and (with the feature `bulk`) few bytes wait unsent in the kernel. This works for TCP on Linux; elsewhere sending
    /// costs more.
    pub(crate) fn set_bulk(&self, on: bool) {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            // A record ends within a segment. The last segment would be held back for 200 ms again and again, because
            // its bytes count as unsent, and the socket takes no more.
            if let Some(socket) = tls.socket().tcp() {
                self::bulk::set_little_unsent(socket, on);
            }
            return;
        }
        if let Some(socket) = self.tcp() {
            self::bulk::set_cork(socket, on);
            self::bulk::set_little_unsent(socket, on);
        }
    }

    /// Closes the socket, and keeps the TLS session, whose data `end_request` may read.
    pub(super) fn close(&mut self) {
        match self {
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => tls.socket.close(),
            _ => *self = Stream::Memory(Default::default()),
        }
    }

    /// Shuts down the sending side.
    pub(crate) fn shutdown_write(&self) {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            tls.close_notify(true);
        }
        if let Some(socket) = self.fd() {
            // It fails only where the client is gone already.
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
        }
    }

    /// Makes the poller report the end of the stream, which was read already.
    #[cfg(feature = "tls-config")]
    pub(super) fn shutdown_read(&self) {
        if let Some(socket) = self.fd() {
            // It fails only where the client is gone already.
            let _ = rustix::net::shutdown(socket, Shutdown::Read);
        }
    }

    /// Sends an orderly end (`close_notify` over TLS), before the stream is closed.
    pub(super) fn say_end(&self) {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            tls.close_notify(false);
        }
    }

    /// Suppresses the orderly end (`close_notify` over TLS), because the response is truncated.
    pub(super) fn cut_end(&self) {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            tls.cut_end();
        }
    }

    /// Returns true if there are bytes to read that the poller does not know of.
    pub(super) fn holds_bytes(&self) -> bool {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.holds_plaintext();
        }
        false
    }

    /// Returns true if the client sends plain HTTP where TLS is expected.
    #[inline]
    pub(super) fn lacks_tls(&self) -> bool {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.is_plain();
        }
        false
    }

    /// The session, if there is TLS on the stream.
    #[cfg(feature = "tls-config")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Stream::Tls(tls) => Some(tls),
            _ => None,
        }
    }

    /// Makes the socket end with a reset.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        let socket = self.fd().ok_or_else(no_socket)?;
        self::system::reset_on_close(socket)
    }

    /// Makes the socket end with a reset, and ignores errors: memory has no reset, and a closed socket needs none.
    pub(crate) fn end_with_reset(&self) {
        let _ = self.reset_on_close();
    }

    /// A second descriptor of the socket, for an owner of its own.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedSocket> {
        self.fd().ok_or_else(no_socket)?.try_clone_to_owned()
    }

    /// The socket, for bytes as they are: never one with TLS on it, where they would go unencrypted.
    #[inline]
    fn socket(&self) -> io::Result<BorrowedSocket<'_>> {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(_) = self {
            return Err(no_socket());
        }
        self.fd().ok_or_else(no_socket)
    }
}

#[cold]
fn no_socket() -> io::Error {
    io::Error::other("the exchange has no socket of its own")
}

#[inline]
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
