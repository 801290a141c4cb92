//! What differs from one system to another, behind one set of names. A file is a platform.

#[cfg(all(unix, test))]
pub(crate) use self::unix::*;

#[cfg(unix)]
mod unix;
