//! Linux reports the unacknowledged bytes of a connection over a netlink socket (`sock_diag(7)`).

use std::net::{IpAddr, SocketAddr};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::info::Peer;

/// The type of the query about a socket, and of its reply.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const HEADER: usize = 16;
/// Offset of `idiag_wqueue` in the reply, after the header: four bytes, the socket's identity of 48, `idiag_expires`,
/// `idiag_rqueue`.
const SEND_QUEUE: usize = HEADER + 4 + 48 + 8;

/// Returns the number of bytes that the client has not acknowledged; `None` if the system does not report it.
pub(super) fn untaken(server: Peer, client: Peer) -> Option<u64> {
    let (server, client) = (server.socket_addr()?, client.socket_addr()?);
    let request = request(server, client);
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .ok()?;
    rustix::net::send(&socket, &request, SendFlags::empty()).ok()?;
    let mut answer = [0; 512];
    let (_, length) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).ok()?;
    let answer = answer.get(..length)?;
    let kind = answer.get(4..6)?.try_into().map(u16::from_ne_bytes).ok()?;
    let queue = answer.get(SEND_QUEUE..SEND_QUEUE + 4)?.try_into().ok()?;
    (kind == SOCK_DIAG_BY_FAMILY).then(|| u64::from(u32::from_ne_bytes(queue)))
}

/// A header, and an `inet_diag_req_v2` that names the one connection.
fn request(server: SocketAddr, client: SocketAddr) -> Vec<u8> {
    const IPPROTO_TCP: u8 = 6;
    const ANY_STATE: u32 = u32::MAX;
    const NO_COOKIE: [u8; 8] = [0xff; 8];
    let family = AddressFamily::INET.as_raw() as u8;
    let family = match server {
        SocketAddr::V4(_) => family,
        SocketAddr::V6(_) => AddressFamily::INET6.as_raw() as u8,
    };
    let mut body = vec![family, IPPROTO_TCP, 0, 0];
    body.extend(ANY_STATE.to_ne_bytes());
    body.extend(server.port().to_be_bytes());
    body.extend(client.port().to_be_bytes());
    body.extend(address(server.ip()));
    body.extend(address(client.ip()));
    body.extend(0_u32.to_ne_bytes()); // any interface
    body.extend(NO_COOKIE);

    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence, port
    message.extend(body);
    message
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::super::wait_until_taken;
    use super::*;

    #[test]
    fn the_system_says_how_much_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        let here = Peer::from(server.local_addr().unwrap());
        let left = || untaken(here, Peer::from(peer)).unwrap();
        assert_eq!(left(), 0);

        server.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(count) = server.write(&[0; 65536]) {
            sent += count;
        }
        assert!(left() > 0);
        let wait = |patience, goes_on| {
            wait_until_taken(here, Peer::from(peer), patience, |time| {
                std::thread::sleep(time);
                goes_on
            })
        };
        let long = Duration::from_secs(3600);
        assert!(wait(Duration::from_millis(1), true).is_err());
        assert!(wait(long, false).is_err());
        client.read_exact(&mut vec![0; sent]).unwrap();
        assert_eq!(wait(long, true), Ok(()));
    }
}
