//! Signals and names of Unix.

use std::{io, thread};

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
