//! Unix sockets.

use std::path::{Path, PathBuf};

use super::Builder;
use crate::Result;
use crate::server::listener;
use crate::server::task::Speaks;

impl<H, S> Builder<H, S> {
    /// Adds a Unix socket to listen on; see [`bind_unix`](Self::bind_unix). Absent on Windows.
    pub fn also_bind_unix(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let bind = Box::new(move |mode, queue| listener::bind_unix(&path, mode, queue));
        self.also.push((bind, Speaks::AsTheServer));
        self
    }

    /// Sets the file mode of the Unix sockets that this builder binds, such as `0o660`. Clients need write permission to
    /// connect. The mode is set before clients can connect. Default: `0o777` without the bits of the umask.
    ///
    /// Absent on Windows.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Binds to a Unix socket at this path and makes the server. A socket file on which no process listens any more is
    /// replaced. [`socket_mode`](Self::socket_mode) and the permissions of the directory decide which users may connect.
    ///
    /// Absent on Windows.
    ///
    /// # Errors
    /// If the path can't be bound, for example because another file is there or another server listens. The error names
    /// the path.
    pub fn bind_unix(self, path: impl AsRef<Path>) -> Result<S> {
        let queue = self.options.request_queue_size;
        let listener = listener::bind_unix(path.as_ref(), self.mode, queue)?;
        self.from_listener(listener)
    }
}
