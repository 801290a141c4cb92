//! Sending and dropping large amounts of data at a low cost, on Linux.

use std::fs::File;
use std::io;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, sockopt};

use crate::sys::BorrowedSocket;

/// More bytes follow at once, so a segment that is not full may wait for them.
pub(super) const MORE: SendFlags = SendFlags::MORE;

/// Makes TCP drop the received bytes, without copying them.
pub(super) const DROP: Option<RecvFlags> = Some(RecvFlags::TRUNC);

/// Maximum number of bytes of a large file that wait unsent in the kernel. Bytes on their way to the client do not count.
/// (128 KiB were slower, and cost more.)
#[cfg(feature = "bulk")]
const UNSENT: u32 = 16 << 10;

/// Sends up to `count` bytes of `file`, from `offset` on. Returns `None` if the file or the socket does not support it.
pub(super) fn send_file(
    socket: BorrowedSocket<'_>,
    file: &File,
    offset: &mut u64,
    count: usize,
) -> io::Result<Option<usize>> {
    match rustix::fs::sendfile(socket, file, Some(offset), count) {
        Ok(count) => Ok(Some(count)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Holds back segments that are not full, or stops doing so. Fails only if the client has left.
pub(super) fn set_cork(socket: BorrowedSocket<'_>, on: bool) {
    let _ = sockopt::set_tcp_cork(socket, on);
}

/// Limits the unsent bytes in the kernel to `UNSENT`, or stops doing so. Fails only if the client has left.
#[cfg(feature = "bulk")]
pub(super) fn set_little_unsent(socket: BorrowedSocket<'_>, on: bool) {
    // Zero is the system's setting.
    let lowat = if on { UNSENT } else { 0 };
    let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(lowat);
}

#[cfg(not(feature = "bulk"))]
pub(super) fn set_little_unsent(_: BorrowedSocket<'_>, _: bool) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::stream::Stream;

    fn socket() -> Stream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Stream::Tcp(mio::net::TcpStream::from_std(socket))
    }

    #[track_caller]
    fn assert_bulk(stream: &Stream, is_corked: bool, is_bulk: bool) {
        let socket = stream.fd().unwrap();
        assert_eq!(sockopt::tcp_cork(socket).unwrap(), is_corked);
        #[cfg(feature = "bulk")]
        {
            let lowat = socket2::SockRef::from(&socket).tcp_notsent_lowat();
            assert_eq!(lowat.unwrap() == UNSENT, is_bulk);
        }
        let _ = is_bulk;
    }

    #[test]
    fn a_tcp_socket_sends_in_bulk_and_as_usual_again() {
        let stream = socket();
        for on in [true, false] {
            stream.set_bulk(on);
            assert_bulk(&stream, on, on);
        }
    }

    /// A download over TLS took up to 4 s instead of 0.05 s.
    #[test]
    #[cfg(feature = "self-signed")]
    fn records_are_never_held_back() {
        let config = crate::Tls::self_signed(["localhost"]).unwrap().0.config();
        let tls = crate::connection::tls::Tls::new(socket(), config).unwrap();
        let stream = Stream::Tls(Box::new(tls));
        for on in [true, false] {
            stream.set_bulk(on);
            assert_bulk(&stream, false, on);
        }
    }
}
