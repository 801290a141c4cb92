//! Threads that go from one fixture to the next, each with a poller: to make them and to end them takes
//! longer than all that most fixtures do.
//!
//! A host waits in its poller, and with nothing else in its hands: a fixture is registered there without
//! waking it, and is taken from it again without waking it. So the one wake-up that most fixtures cost
//! is that by their first client.
//!
//! Only for fixtures whose answers are all canned. What a test's own code prints on a thread is shown
//! with the output of the test that started the thread, and might be that of another test here.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::affinity::Affinity;
use super::builder::note_end;
use super::recording::Shared;
use super::server::TestServer;
use crate::Result;
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::server::ThreadingHttpServer;
use crate::server::poller::{Access, Poller};
use crate::server::relief::{Port, Turn};
use crate::shutdown::{Control, LoopGuard, lock};

/// How long a thread without a fixture stays.
const IDLE: Duration = Duration::from_millis(500);

/// How often a host wakes up for a fixture where that was started, and not just anywhere: what is asked more
/// often may be asked by several clients at a time, which need the cores.
const NEAR: u32 = 16;

/// Hosts without a fixture, the one that was busy last on top: so the others can end.
static IDLE_HOSTS: Mutex<Vec<Arc<Host>>> = Mutex::new(Vec::new());

/// A thread, as others know it.
struct Host {
    access: Access,
    place: Mutex<Place>,
}

/// What a host serves.
struct Place {
    fixture: Option<(Arc<dyn Fixture>, LoopGuard)>,
    /// The host has nothing of the fixture in its hands, and polls before it has.
    waits: bool,
    /// It does not wait for longer than [`IDLE`], even if nothing comes.
    looks_soon: bool,
    /// Since when there is no fixture.
    idle_since: Instant,
    /// How often the host has woken up for the fixture.
    wake_ups: u32,
    /// Of the host's thread, while there is one.
    affinity: Option<Affinity>,
    /// The thread has ended.
    is_gone: bool,
}

/// A fixture, from the side of its host.
trait Fixture: Send + Sync {
    /// See [`ThreadingHttpServer::serve_turn`]. None if it panicked.
    fn serve_turn(
        self: Arc<Self>,
        host: &Arc<Host>,
        poller: Poller,
        buffers: &mut Buffers,
    ) -> Option<Turn>;

    /// Closes its port and what is parked, once it is told to stop.
    fn close_all(&self);

    fn control(&self) -> &Arc<Control>;

    fn problem(&self, problem: String);
}

/// The stay of a fixture at its host.
pub(super) struct Stay {
    host: Arc<Host>,
    fixture: Arc<dyn Fixture>,
}

/// Has a host serve what is made for its poller: one without a fixture, or a new one.
pub(super) fn start<H: RequestHandler + Send + Sync + 'static>(
    make: impl FnOnce(Access) -> Result<(ThreadingHttpServer<H>, TestServer)>,
) -> Result<TestServer> {
    let idle = lock(&IDLE_HOSTS).pop();
    let host = idle.map_or_else(Host::start, Ok)?;
    // Held until the fixture is there: what its clients do before that waits for it.
    let mut place = lock(&host.place);
    if place.is_gone {
        drop(place);
        return start(make);
    }
    let mut chosen = Chosen(Some(host.clone()));
    let (server, mut handle) = make(host.access.clone())?;
    let counted = handle.shutdown.control().enter_loop();
    let shared = handle.shared.clone();
    let fixture: Arc<dyn Fixture> = Arc::new(Canned { server, shared });
    place.fixture = Some((fixture.clone(), counted));
    place.wake_ups = 0;
    if let Some(affinity) = &mut place.affinity {
        affinity.follow_caller();
    }
    drop(place);
    chosen.0 = None;
    handle.stay = Some(Stay { host, fixture });
    Ok(handle)
}

/// A host for which a fixture is being made. If none comes of it, the host goes on without.
struct Chosen(Option<Arc<Host>>);

impl Drop for Chosen {
    fn drop(&mut self) {
        if let Some(host) = self.0.take() {
            host.join_the_idle();
        }
    }
}

impl Stay {
    /// Stops the fixture, without waiting for an answer that is on its way. Nothing, if other threads
    /// have taken over.
    pub(super) fn end(&self) {
        let mut place = lock(&self.host.place);
        let own = place.fixture.as_ref();
        if !own.is_some_and(|(own, _)| Arc::ptr_eq(own, &self.fixture)) {
            return;
        }
        // A host that is awake looks before it waits.
        self.fixture.control().stop_without_waking();
        let left = if place.waits { place.leave() } else { None };
        let must_wake = !place.looks_soon;
        drop(place);
        self.fixture.close_all();
        if left.is_some() {
            self.host.join_the_idle();
            if must_wake {
                // Else it would never end. It fails only when the poller is gone.
                let _ = self.host.access.waker.wake();
            }
        }
    }
}

impl Place {
    /// The fixture leaves. Its end is known when what is returned is dropped.
    fn leave(&mut self) -> Option<(Arc<dyn Fixture>, LoopGuard)> {
        self.idle_since = Instant::now();
        self.fixture.take()
    }

    /// The host's thread runs on any core.
    fn roam(&mut self) {
        if let Some(affinity) = &mut self.affinity {
            affinity.roam();
        }
    }

    /// How long the host waits now, if nothing comes; `is_busy` says that something has just come.
    fn wait(&mut self, wait: Option<Duration>, is_busy: bool) -> Option<Duration> {
        let is_over = |(fixture, _): &(Arc<dyn Fixture>, _)| fixture.control().is_stopping();
        if self.fixture.as_ref().is_some_and(is_over) {
            return Some(Duration::ZERO);
        }
        let soon = wait.filter(|wait| *wait <= IDLE);
        let wait = soon.or(if is_busy { Some(IDLE) } else { wait });
        self.looks_soon = soon.is_some() || is_busy;
        self.waits = true;
        wait
    }
}

impl Host {
    fn start() -> Result<Arc<Self>> {
        let (poller, access) = Poller::new()?;
        let host = Arc::new(Host {
            access,
            place: Mutex::new(Place {
                fixture: None,
                waits: true,
                looks_soon: true,
                idle_since: Instant::now(),
                wake_ups: 0,
                affinity: None,
                is_gone: false,
            }),
        });
        let own = host.clone();
        let thread = thread::Builder::new().name("fixture".into());
        thread.spawn(move || {
            lock(&own.place).affinity = Some(Affinity::own());
            let _last = Goes(own.clone());
            own.run(poller);
        })?;
        Ok(host)
    }

    /// Serves one fixture after the other, until there is none for a time, or another thread has the
    /// poller.
    fn run(self: Arc<Self>, mut poller: Poller) {
        let mut buffers = Buffers::default();
        let mut wait = Some(IDLE);
        loop {
            match poller.sleep(wait, Instant::now()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return self.fails(&format!("cannot poll: {error}"));
                }
                _ => {}
            }
            let Some((fixture, counted)) = self.wakes() else {
                let Some(left) = self.idles() else { return };
                wait = Some(left);
                continue;
            };
            let is_busy = poller.has_events();
            let turn = fixture.clone().serve_turn(&self, poller, &mut buffers);
            match turn {
                Some(Turn::Waits(own, next)) => {
                    poller = own;
                    let_go((fixture, counted));
                    wait = lock(&self.place).wait(next, is_busy);
                }
                Some(Turn::Stopped(own)) => {
                    poller = own;
                    let mut place = lock(&self.place);
                    let left = place.leave();
                    wait = place.wait(None, true);
                    drop(place);
                    // First of all: who waits for the end finds this host for the next fixture.
                    self.join_the_idle();
                    let_go((left, fixture, counted));
                }
                Some(Turn::Relieved) => return drop((fixture, counted)),
                None => return self.fails("the server panicked"),
            }
        }
    }

    /// The fixture that is to be served now; it does not end before its guard is dropped.
    fn wakes(&self) -> Option<(Arc<dyn Fixture>, LoopGuard)> {
        let mut place = lock(&self.place);
        let (fixture, _) = place.fixture.as_ref()?;
        let here = (fixture.clone(), fixture.control().enter_loop());
        place.waits = false;
        place.wake_ups = place.wake_ups.saturating_add(1);
        if place.wake_ups > NEAR {
            place.roam();
        }
        Some(here)
    }

    /// How long to wait for the next fixture; None if none came for so long that this host has gone.
    fn idles(self: &Arc<Self>) -> Option<Duration> {
        let mut place = lock(&self.place);
        place.looks_soon = true;
        let left = IDLE.saturating_sub(place.idle_since.elapsed());
        drop(place);
        if !left.is_zero() {
            return Some(left);
        }
        // One that is not there was chosen in this moment: the fixture is about to come.
        (!self.leave_the_idle()).then_some(IDLE)
    }

    fn join_the_idle(self: &Arc<Self>) {
        lock(&IDLE_HOSTS).push(self.clone());
    }

    /// Whether it was one of them.
    fn leave_the_idle(self: &Arc<Self>) -> bool {
        let mut idle = lock(&IDLE_HOSTS);
        let before = idle.len();
        idle.retain(|host| !Arc::ptr_eq(host, self));
        idle.len() < before
    }

    /// The fixture, if there is one, ends with this host.
    fn fails(self: &Arc<Self>, how: &str) {
        self.leave_the_idle();
        let Some((fixture, counted)) = lock(&self.place).leave() else {
            return;
        };
        fixture.problem(how.into());
        fixture.control().stop_without_waking();
        fixture.close_all();
        drop((fixture, counted));
    }
}

/// What a fixture owned may panic when it is dropped; the thread, which others count on, goes on.
fn let_go<T>(owned: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(owned)));
}

/// The end of a host's thread, in whatever way.
struct Goes(Arc<Host>);

impl Drop for Goes {
    fn drop(&mut self) {
        let mut place = lock(&self.0.place);
        place.affinity = None;
        place.is_gone = true;
        drop(place);
        self.0.leave_the_idle();
    }
}

/// A fixture all of whose answers are canned.
struct Canned<H> {
    server: ThreadingHttpServer<H>,
    shared: Arc<Shared>,
}

impl<H: RequestHandler + Send + Sync + 'static> Fixture for Canned<H> {
    fn serve_turn(
        self: Arc<Self>,
        host: &Arc<Host>,
        poller: Poller,
        buffers: &mut Buffers,
    ) -> Option<Turn> {
        let (own, host) = (self.clone(), host.clone());
        let relieve = move || own.relieve(&host).is_ok();
        let turn = || self.server.serve_turn(poller, buffers, relieve);
        catch_unwind(AssertUnwindSafe(turn)).ok()
    }

    fn close_all(&self) {
        Port::of(&self.server).close();
    }

    fn control(&self) -> &Arc<Control> {
        self.server.info().shutdown.control()
    }

    fn problem(&self, problem: String) {
        self.shared.problem(problem);
    }
}

impl<H: RequestHandler + Send + Sync + 'static> Canned<H> {
    /// Has new threads serve, and takes the fixture from its host.
    fn relieve(self: &Arc<Self>, host: &Host) -> io::Result<()> {
        let mut place = lock(&host.place);
        // The new threads may run where this one may.
        place.roam();
        let (own, counted) = (self.clone(), self.control().enter_loop());
        let thread = thread::Builder::new().name("fixture".into());
        thread.spawn(move || {
            note_end(&own.shared, || own.server.serve_forever());
            drop((own, counted));
        })?;
        place.fixture = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Answer;

    #[test]
    fn a_panic_while_a_fixture_is_made_strands_no_thread() {
        let mut waker = None;
        let make = |access: Access| -> Result<(ThreadingHttpServer<Answer>, _)> {
            waker = Some(access.waker);
            panic!("on purpose");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| start(make))).is_err());
        let waker = waker.unwrap();
        let start = Instant::now();
        // The host ends, with or without a fixture of another test in between.
        while Arc::strong_count(&waker) > 1 {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "it is still there"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}
