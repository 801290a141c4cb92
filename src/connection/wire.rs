//! [`Wire`]: the socket of a connection with its timeouts. It tries first, then waits.
//!
//! Handlers wait in [`Wire::wait`], [`Wire::wait_beside`] and the hook's `waits_briefly`, and nowhere else.

use std::fs::File;
use std::io;
use std::sync::Arc;

use self::registration::Registration;
pub(crate) use self::wait::Client;
use self::wait::Direction;
use super::min_rate::{Allowance, MinRate};
use super::observer::{Observation, Observed};
use super::stream::{Stream, WASTE};
use super::wait_hook::WaitHook;
use crate::error::Fault;
use crate::shutdown::{Control, DetachedGuard};

#[cfg_attr(unix, path = "wire/registration/unix.rs")]
#[cfg_attr(windows, path = "wire/registration/windows.rs")]
mod registration;
mod wait;

#[cfg(feature = "tls-config")]
pub(super) use self::wait::timespec;

/// A stream, and the shutdown that may end its waits.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    pub(crate) observed: Observed,
    pub(super) control: Arc<Control>,
    registration: Registration,
    /// The hook that is called before a running handler waits.
    pub(super) hook: Option<Box<dyn WaitHook>>,
}

impl Wire {
    pub(crate) fn new(stream: Stream, control: Arc<Control>) -> Self {
        Wire {
            stream,
            observed: Observed::default(),
            control,
            registration: Registration::default(),
            hook: None,
        }
    }

    /// Returns a guard that counts this connection as open after it is detached.
    pub(super) fn enter_detached(&self) -> DetachedGuard {
        self.control.enter_detached()
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Reads the available bytes. Returns `None` if there are none, and 0 at the end.
    #[inline]
    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.recv(buffer) {
            Ok(count) => {
                self.observed.tell(Observation::Received(
                    buffer.get(..count).unwrap_or_default(),
                ));
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.fault_of(error)),
        }
    }

    /// Reads at least a byte, waiting as long as the minimum rate allows; 0 is the end. `before_wait` runs
    /// before the first wait.
    pub(crate) fn recv(
        &self,
        buffer: &mut [u8],
        min_rate: &mut MinRate,
        allowance: Allowance,
        before_wait: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<usize> {
        let count = self.take(
            || self.stream.recv(buffer),
            min_rate,
            allowance,
            before_wait,
        )?;
        self.observed.tell(Observation::Received(
            buffer.get(..count).unwrap_or_default(),
        ));
        Ok(count)
    }

    /// Reads as [`recv`](Self::recv) does, and drops up to `most` bytes.
    pub(crate) fn discard(
        &self,
        most: usize,
        min_rate: &mut MinRate,
        allowance: Allowance,
        before_wait: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<usize> {
        self.take(
            || self.stream.discard(most),
            min_rate,
            allowance,
            before_wait,
        )
    }

    fn take(
        &self,
        mut receive: impl FnMut() -> io::Result<usize>,
        min_rate: &mut MinRate,
        allowance: Allowance,
        before_wait: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut first = true;
        loop {
            self.check_cut()?;
            match receive() {
                Ok(count) => {
                    min_rate.moved(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.fault_of(error)),
            }
            if std::mem::take(&mut first) {
                before_wait()?;
            }
            self.wait(Direction::Read, min_rate, allowance)?;
        }
    }

    /// Drops the available bytes, without waiting. Returns their number, or `None` at the end of the stream.
    pub(super) fn drop_available(&self) -> Option<u64> {
        let dropped = match self.observed.is_active() {
            // Who looks on wants to see it.
            true => self.try_recv(&mut [0; 16 << 10]),
            false => match self.stream.discard(WASTE) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                dropped => dropped.map(Some),
            },
        };
        match dropped {
            Ok(None) => Some(0),
            Ok(Some(0)) | Err(_) => None,
            Ok(Some(count)) => Some(count as u64),
        }
    }

    /// Writes both slices completely, waiting as long as the minimum rate allows.
    pub(crate) fn send(
        &self,
        mut first: &[u8],
        mut second: &[u8],
        more: bool,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<()> {
        while !self.send_now(&mut first, &mut second, more, min_rate)? {
            self.wait(Direction::Write, min_rate, allowance)?;
        }
        Ok(())
    }

    /// Writes as much of both slices as the socket takes. Returns true if that is everything; otherwise the rest is left in
    /// the slices.
    #[inline]
    pub(super) fn send_now(
        &self,
        first: &mut &[u8],
        second: &mut &[u8],
        more: bool,
        min_rate: &mut MinRate,
    ) -> io::Result<bool> {
        while !(first.is_empty() && second.is_empty()) {
            self.check_cut()?;
            match self.stream.send(first, second, more) {
                Ok(count) => {
                    min_rate.moved(count);
                    if count == first.len() + second.len() {
                        return Ok(true);
                    }
                    let behind = count.saturating_sub(first.len());
                    *second = second.get(behind..).unwrap_or_default();
                    *first = first.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.fault_of(error)),
            }
        }
        Ok(true)
    }

    /// Tells the hook that this thread is about to wait for something else.
    pub(super) fn before_wait(&self) {
        if let Some(hook) = &self.hook {
            hook.before_wait();
        }
    }

    /// Waits until the socket is writable.
    pub(super) fn wait_writable(
        &self,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<()> {
        self.wait(Direction::Write, min_rate, allowance)
    }

    /// Waits until the socket is readable or at its end.
    pub(crate) fn wait_readable(
        &self,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<()> {
        self.wait(Direction::Read, min_rate, allowance)
    }

    /// Sends up to `count` bytes of a file. Returns `None` if the bytes must be copied instead.
    pub(crate) fn send_file(
        &self,
        file: &File,
        offset: &mut u64,
        count: usize,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<Option<usize>> {
        loop {
            match self.send_file_now(file, offset, count, min_rate) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(Direction::Write, min_rate, allowance)?;
                }
                sent => return sent,
            }
        }
    }

    /// Sends as [`send_file`](Self::send_file) does, but fails with `WouldBlock` if the socket is full.
    pub(super) fn send_file_now(
        &self,
        file: &File,
        offset: &mut u64,
        count: usize,
        min_rate: &mut MinRate,
    ) -> io::Result<Option<usize>> {
        self.check_cut()?;
        let sent = self.stream.send_file(file, offset, count);
        let sent = sent.map_err(|error| self.fault_of(error))?;
        min_rate.moved(sent.unwrap_or(0));
        Ok(sent)
    }

    pub(super) fn check_cut(&self) -> io::Result<()> {
        match self.control.is_cut() {
            true => Err(Fault::Stopped.into()),
            false => Ok(()),
        }
    }

    /// Classifies an error of the socket as a [`Fault`].
    fn fault_of(&self, error: io::Error) -> io::Error {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionReset
            | Kind::BrokenPipe
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable => Fault::Gone.into(),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use mio::{Events, Poll, Registry, Token};

    use super::super::wait_hook::Coming;
    use super::*;
    use crate::sys::{self, SignalEnd};

    /// Takes the wire off its poller, and lets something come as soon as it is waited for.
    #[derive(Debug)]
    struct Lets(Registry, SignalEnd);

    impl WaitHook for Lets {
        fn before_handler(&self, _: &str, _: &str, _: Coming) -> bool {
            false
        }

        fn after_handler(&self) {}

        fn before_read(&self, wire: &Wire) {
            wire.deregister(&self.0);
        }

        fn before_wait(&self) {
            (&self.1).write_all(b"some").unwrap();
        }
    }

    #[test]
    fn what_a_handler_waits_for_is_not_reported_and_what_comes_later_is() {
        let (ours, theirs) = sys::signal_pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::of_pair(ours);
        let mut wire = Wire::new(stream, Arc::default());
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let registry = poll.registry().try_clone().unwrap();
        wire.register(&registry, Token(7), false).unwrap();
        let lets = Lets(registry.try_clone().unwrap(), theirs.try_clone().unwrap());
        wire.hook = Some(Box::new(lets));
        let allowance = Allowance {
            patience: Duration::from_secs(10),
            rate: 0,
        };
        let mut room = [0; 16];
        let mut min_rate = MinRate::default();
        let read = wire.recv(&mut room, &mut min_rate, allowance, &mut || Ok(()));
        assert_eq!(read.unwrap(), 4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty() && !wire.is_registered());
        // What comes before it is registered again is reported too.
        (&theirs).write_all(b"more").unwrap();
        wire.register(&registry, Token(7), false).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(10)))
            .unwrap();
        assert!(events.iter().any(|event| event.token() == Token(7)));
    }
}
