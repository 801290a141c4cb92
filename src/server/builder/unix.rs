//! Unix sockets.

use std::path::{Path, PathBuf};

use super::Builder;
use crate::Result;
use crate::server::listener;
use crate::server::task::Speaks;

impl<H, S> Builder<H, S> {
    /// Listens at a Unix socket as well; see [`bind_unix`](Self::bind_unix). Absent on Windows.
    pub fn also_bind_unix(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let bind = Box::new(move |mode, queue| listener::bind_unix(&path, mode, queue));
        self.also.push((bind, Speaks::AsTheServer));
        self
    }

    /// Sets the mode of the Unix sockets that are bound, such as `0o660`: a process that may write to a socket may connect
    /// to it. The mode is set before anybody can connect. Default: `0o777` without the bits of the umask.
    ///
    /// Absent on Windows.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Binds to a Unix socket at this path, and listens. A socket that a server left there is replaced if nobody listens to
    /// it any more. [`socket_mode`](Self::socket_mode) and the permissions of the directory decide who may connect.
    ///
    /// Absent on Windows.
    ///
    /// # Errors
    /// If it can't be bound, with the path in the text: there is another file, or another server listens.
    pub fn bind_unix(self, path: impl AsRef<Path>) -> Result<S> {
        let queue = self.options.request_queue_size;
        let listener = listener::bind_unix(path.as_ref(), self.mode, queue)?;
        self.from_listener(listener)
    }
}
