//! Whether, and of what, a poller reports.

#[cfg(unix)]
pub(super) use self::unix::Registration;
#[cfg(windows)]
pub(super) use self::windows::Registration;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
