//! Signals and names of Unix.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io, thread};

use servette::server::Builder;
use servette::{RequestHandler, Result, ThreadingHttpServer};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `told` at each signal that is to end the process: whether it came from the keyboard.
pub(crate) fn at_signals(mut told: impl FnMut(bool) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for signal in &mut signals {
            told(signal == SIGINT);
        }
    });
    Ok(())
}

/// Calls `told` at each SIGHUP.
pub(crate) fn at_hang_ups(told: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP])?;
    thread::spawn(move || (&mut signals).into_iter().for_each(|_| told()));
    Ok(())
}

pub(crate) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

pub(crate) fn bind_unix<H: RequestHandler>(
    builder: Builder<H, ThreadingHttpServer<H>>,
    path: &Path,
) -> Result<ThreadingHttpServer<H>> {
    builder.bind_unix(path)
}

pub(crate) fn also_bind_unix<H, S>(builder: Builder<H, S>, path: &Path) -> Result<Builder<H, S>>
where
    H: RequestHandler,
{
    Ok(builder.also_bind_unix(path))
}

/// What tells a file from others: device and number.
pub(crate) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

pub(crate) fn with_socket_mode<H, S>(builder: Builder<H, S>, mode: u32) -> Builder<H, S>
where
    H: RequestHandler,
{
    builder.socket_mode(mode)
}
