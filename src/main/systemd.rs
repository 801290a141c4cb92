//! What the command and a service manager such as systemd say to each other: the sockets that it has opened
//! (`LISTEN_FDS`, sd_listen_fds(3)), and that the server is ready or stops (`NOTIFY_SOCKET`, sd_notify(3)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use listenfd::ListenFd;
#[cfg(not(target_vendor = "apple"))]
use rustix::net::sockopt;
use servette::server::Listener;

/// The first descriptor that is handed over.
const FIRST: u32 = 3;
/// More sockets are a mistake.
const MOST: u32 = 64;

/// The descriptors that were handed over to this process.
///
/// # Errors
/// If the environment says so in a wrong way.
pub(super) fn descriptors() -> Result<Range<u32>, String> {
    let variable = |name| env::var_os(name).unwrap_or_default();
    let (sockets, process) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
    // Without a process they are meant for whoever reads it.
    let is_for_us = process.is_empty() || *process == *std::process::id().to_string();
    if sockets.is_empty() || !is_for_us {
        return Ok(FIRST..FIRST);
    }
    let count = sockets.to_str().and_then(|count| count.parse().ok());
    let count = count.filter(|&count: &u32| count <= MOST).ok_or_else(|| {
        let sockets = sockets.display();
        format!("LISTEN_FDS is '{sockets}', which is not a number from 0 to {MOST}")
    })?;
    Ok(FIRST..FIRST + count)
}

/// The sockets that were handed over to this process. Scripts do not inherit them.
///
/// # Errors
/// If one of the descriptors is no socket that listens.
pub(super) fn sockets() -> Result<Vec<Listener>, String> {
    let descriptors = descriptors()?;
    if descriptors.is_empty() {
        return Ok(Vec::new());
    }
    let mut handed_over = ListenFd::from_env();
    let all = descriptors.enumerate().map(|(number, descriptor)| {
        take(&mut handed_over, number).ok_or_else(|| {
            format!("descriptor {descriptor} of LISTEN_FDS is not a listening TCP or Unix socket")
        })
    });
    all.collect()
}

fn take(handed_over: &mut ListenFd, number: usize) -> Option<Listener> {
    #[cfg(not(target_vendor = "apple"))]
    let listens = |socket: &dyn AsFd| sockopt::socket_acceptconn(socket.as_fd()).unwrap_or(false);
    // There is no such question to Apple's systems.
    #[cfg(target_vendor = "apple")]
    let listens = |_: &dyn AsFd| true;
    if let Ok(Some(socket)) = handed_over.take_unix_listener(number) {
        return listens(&socket).then(|| socket.into());
    }
    let socket = handed_over.take_tcp_listener(number).ok().flatten()?;
    listens(&socket).then(|| socket.into())
}

/// Tells the service manager, if there is one.
pub(super) fn notify(state: &str) {
    let Some(place) = env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
        return;
    };
    if let Err(error) = send(&place, state) {
        let place = place.display();
        super::warn(&format!(
            "cannot notify the service manager at '{place}': {error}"
        ));
    }
}

fn send(place: &OsStr, state: &str) -> io::Result<()> {
    let address = match place.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        [b'/', ..] => SocketAddr::from_pathname(place)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the server up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}
