//! Accepting: within the limit of connections, and when the process has run out of descriptors.

use std::cmp::Reverse;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Job, Lane, Lead};
use crate::Error;
use crate::clock::Moment;
use crate::connection::Connection;
use crate::http1::Refusal;
use crate::server::client::Client;
use crate::server::listener::Acceptor;
use crate::server::queue::Kind;

/// Connections accepted between two polls; without a bound the parked ones would starve.
pub(super) const ACCEPTS: u32 = 32;
/// Connections beyond the limit: those that are refused, and those that have got their last answer.
const BEYOND: usize = 32;
/// Who goes when connections run out: the longest idle; where none is idle, the one that has been sending
/// its head for longest.
const DISPENSABLE: [Kind; 2] = [Kind::Idle, Kind::Heads];
/// Who goes when the process can't have more.
const ALL: [Kind; 3] = [Kind::Idle, Kind::Ending, Kind::Heads];
/// How often it is reported that connections run short.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);
/// How long accepting rests when the process has run out of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);

impl Lead {
    /// No connection waits: the poller reports the next one.
    fn accepts_no_more(&mut self) {
        self.accepts = 0;
        self.accept_again = None;
    }

    /// Goes on with accepting where that was put off until now; false if it was not, or no connection waits.
    pub(super) fn accepts_again(&mut self, now: Instant) -> bool {
        if self.accept_again.is_none_or(|again| again > now) {
            return false;
        }
        self.accept_again = None;
        let has_more = self.acceptor.as_ref().is_some_and(Acceptor::has_more);
        if has_more {
            self.accepts = ACCEPTS;
        }
        has_more
    }

    /// Accepts nothing for a while.
    fn rest(&mut self) {
        self.accepts = 0;
        self.accept_again = Some(Instant::now() + ACCEPT_REST);
    }
}

impl Lane {
    /// Accepts a connection, if one waits and it is not turned away.
    pub(super) fn accept(&self, lead: &mut Lead) -> Option<Job> {
        while lead.accepts > 0 {
            let acceptor = lead.acceptor.as_ref()?;
            // Of the first one it is known.
            if lead.accepts < ACCEPTS && !acceptor.has_more() {
                lead.accepts_no_more();
                return None;
            }
            let is_crowded = self.open() >= self.hub.max_connections.saturating_add(BEYOND);
            if is_crowded && !self.evict(&ALL) {
                self.complain(lead, "too many connections: accepting rests");
                lead.rest();
                return None;
            }
            lead.accepts -= 1;
            if lead.accepts == 0 {
                // There may be more: the poller reports them once only.
                lead.accept_again = Some(Instant::now());
            }
            let (stream, peer) = match acceptor.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    lead.accepts_no_more();
                    return None;
                }
                // Out of descriptors: make room for one.
                Err(error) if is_out_of_descriptors(&error) && self.evict(&ALL) => {
                    self.complain(
                        lead,
                        "out of descriptors: the longest idle connections are closed",
                    );
                    continue;
                }
                // The client is gone again, or a firewall is against it: the next one may be fine.
                Err(error) if is_of_the_client(&error) => continue,
                // Out of memory, or of what the whole system has.
                Err(error) => {
                    self.complain(lead, &format!("accepting rests: {error}"));
                    lead.rest();
                    return None;
                }
            };
            if !self.hub.options.accepts(&peer) {
                #[cfg(feature = "testing")]
                if self.hub.options.resets_refused {
                    stream.reset_on_close();
                }
                continue;
            }
            let limits = &self.hub.options.limits;
            let conn = Connection::new(stream, peer, self.hub.info.clone(), limits.clone());
            lead.next_home = (lead.next_home + 1) % self.hub.dealt.load(Relaxed).max(1);
            let mut client = Box::new(Client::new(conn, lead.next_home, limits, Moment::now()));
            if self.is_full() {
                self.complain(lead, "the limit of connections is reached");
            }
            while self.is_full() && self.evict(&DISPENSABLE) {}
            if self.is_full() {
                client.conn.refuse(Refusal::new(503, ""));
            }
            self.hub.open.fetch_add(1, Relaxed);
            return Some(client);
        }
        None
    }

    /// Reports that connections run short, once in a while: every client may be another occasion.
    fn complain(&self, lead: &mut Lead, what: &str) {
        let is_due = |last: Instant| last.elapsed() >= BETWEEN_COMPLAINTS;
        if lead.complained.is_none_or(is_due) {
            lead.complained = Some(Instant::now());
            let server = &self.hub.info.server_address;
            self.hub.options.report(&Error::other(what), server);
        }
    }

    /// How many connections there are.
    fn open(&self) -> usize {
        self.hub.open.load(Relaxed)
    }

    /// Whether there are as many connections as there may be, not counting those that have their last
    /// answer, and will be gone soon.
    fn is_full(&self) -> bool {
        if self.open() < self.hub.max_connections {
            return false;
        }
        let lanes = 0..self.hub.tables.len();
        let ending: usize = lanes
            .map(|lane| self.hub.table(lane).waiting(Kind::Ending))
            .sum();
        self.open().saturating_sub(ending) >= self.hub.max_connections
    }

    /// Closes the connection that has waited for longest in all lanes, of the first of these kinds that
    /// there are.
    fn evict(&self, kinds: &[Kind]) -> bool {
        let hub = &self.hub;
        kinds.iter().any(|&kind| {
            let lanes = 0..hub.tables.len();
            let waiting = lanes.filter_map(|lane| {
                let mut table = hub.table(lane);
                // Of those that began in the same moment, one of the lane that has more of them.
                let since = table.waits_since(kind)?;
                Some((since, Reverse(table.waiting(kind)), lane))
            });
            let Some((.., lane)) = waiting.min() else {
                return false;
            };
            let taken = hub.table(lane).take_longest_waiting(kind);
            taken.is_some_and(|client| {
                hub.close(client);
                true
            })
        })
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MFILE)
}

/// Errors that were waiting on the new socket are reported by accept (accept(2) on Linux).
fn is_of_the_client(error: &io::Error) -> bool {
    const OF_THE_CLIENT: [Errno; 10] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PERM,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NOPROTOOPT,
    ];
    Errno::from_io_error(error).is_some_and(|error| OF_THE_CLIENT.contains(&error))
}

/// How many connections the process's limit of descriptors leaves room for.
pub(super) fn spare_descriptors() -> usize {
    /// For files, listeners, the poller, and what the program itself has open.
    const OTHERS: u64 = 64;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let spare = limit
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHERS)
        .max(OTHERS / 2);
    usize::try_from(spare).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::connection::Buffers;
    use crate::server::options::Options;

    #[test]
    fn nobody_makes_room_for_a_connection_that_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let lanes = Lane::all(listener.into(), Options::default(), 1).unwrap();
        let lane = &lanes[0];
        let mut lead = lane.lead();
        let connect = |lead: &mut Lead| {
            let client = TcpStream::connect(address).unwrap();
            while !lead.accepts() {
                lane.wait(lead, None).unwrap();
            }
            client
        };
        let _idle = connect(&mut lead);
        let job = lane.accept(&mut lead).unwrap();
        assert!(lane.prepare(job, &mut Buffers::default()).is_none());
        let as_many_as_there_may_be = lane.hub.max_connections + BEYOND;
        lane.hub.open.store(as_many_as_there_may_be, Relaxed);
        assert!(lane.accept(&mut lead).is_none() && !lead.accepts());
        lead.rest();
        assert!(!lead.accepts_again(Instant::now()));
        assert!(!lead.accepts_again(Instant::now() + ACCEPT_REST));
        assert_eq!(lane.table().waiting(Kind::Idle), 1);

        let _next = connect(&mut lead);
        lead.rest();
        assert!(lead.accepts_again(Instant::now() + ACCEPT_REST));
        assert!(lane.accept(&mut lead).is_some());
        assert_eq!(lane.table().waiting(Kind::Idle), 0);
    }
}
