//! Sending and dropping large amounts of data, on systems without special support.

use std::fs::File;
use std::io;

use rustix::net::{RecvFlags, SendFlags};

use crate::sys::BorrowedSocket;

/// No flags: the system has no way to say that more bytes follow.
pub(super) const MORE: SendFlags = SendFlags::empty();

/// `None`: TCP can't drop received bytes without copying them.
pub(super) const DROP: Option<RecvFlags> = None;

pub(super) fn send_file(
    _: BorrowedSocket<'_>,
    _: &File,
    _: &mut u64,
    _: usize,
) -> io::Result<Option<usize>> {
    Ok(None)
}

pub(super) fn set_cork(_: BorrowedSocket<'_>, _: bool) {}

pub(super) fn set_little_unsent(_: BorrowedSocket<'_>, _: bool) {}
