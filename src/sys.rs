//! What differs from one system to another, behind one set of names. A file is a platform.

#[cfg(unix)]
pub(crate) use self::unix::*;
#[cfg(windows)]
pub(crate) use self::windows::*;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
