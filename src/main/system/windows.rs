//! Signals and names of Windows.

use std::io;

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
