//! The registration of a socket with a poller.

#[cfg(unix)]
pub(super) use self::unix::Registration;
#[cfg(windows)]
pub(super) use self::windows::Registration;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
