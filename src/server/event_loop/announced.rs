//! New connections of a server that requires the PROXY protocol: their header is read before anything else.

use super::EventLoop;
use crate::Error;
use crate::connection::proxy_header::Announcement;
use crate::server::task::Task;

impl EventLoop {
    /// Reads the PROXY header of a new connection, without waiting. Returns the connection when the header is complete;
    /// otherwise it was parked or closed.
    pub(super) fn await_proxy_header(&self, mut task: Box<Task>) -> Option<Box<Task>> {
        if !self
            .shared
            .info
            .proxies
            .contains(task.conn.client_address())
        {
            self.refuse_proxy(task, "the peer is not a trusted proxy");
            return None;
        }
        loop {
            match task.conn.take_proxy_header() {
                Announcement::Complete => return Some(task),
                // The deadline for the first head runs.
                Announcement::Awaited => task = self.park(task)?,
                Announcement::Gone => {
                    self.close(task);
                    return None;
                }
                Announcement::Invalid(reason) => {
                    self.refuse_proxy(task, reason);
                    return None;
                }
            }
        }
    }

    /// Reports the reason and closes the connection, without a reset if possible.
    #[cold]
    fn refuse_proxy(&self, task: Box<Task>, reason: &str) {
        let error = Error::other(format!("PROXY protocol: {reason}"));
        self.report(error, &task.conn);
        task.conn.drop_what_is_there();
        self.close(task);
    }
}
