//! Signals and names of Windows.

use std::io;
use std::path::Path;

use servette::server::Builder;
use servette::{Error, Result, ThreadingHttpServer};

/// Calls `told` at each Ctrl-C and Ctrl-Break, and when the console is closed or the user logs off: whether it came from
/// the keyboard, which nothing tells apart.
pub(crate) fn at_signals(mut told: impl FnMut(bool) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || told(true)).map_err(io::Error::other)
}

/// There is no such signal: the server is started anew instead.
pub(crate) fn at_hang_ups(_: impl Fn() + Send + 'static) -> io::Result<()> {
    Ok(())
}

pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".to_owned())
}

/// There are no Unix sockets.
pub(crate) fn bind_unix<H>(
    _: Builder<H, ThreadingHttpServer<H>>,
    path: &Path,
) -> Result<ThreadingHttpServer<H>> {
    Err(no_unix_sockets(path))
}

pub(crate) fn also_bind_unix<H, S>(_: Builder<H, S>, path: &Path) -> Result<Builder<H, S>> {
    Err(no_unix_sockets(path))
}

fn no_unix_sockets(path: &Path) -> Error {
    let path = path.display();
    Error::other(format!(
        "cannot bind {path}: there are no Unix sockets on Windows"
    ))
}

/// There is no file of a socket.
pub(crate) fn identity(_: &Path) -> io::Result<(u64, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn with_socket_mode<H, S>(builder: Builder<H, S>, _: u32) -> Builder<H, S> {
    builder
}
