//! Servers that are no fixtures, gates for their handlers, and servers in child processes: for the tests
//! of servers that live and die.

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::{PATIENCE, echo, handler, limits};
use servette::server::Builder;
use servette::{HttpServer, Limits, RequestHandler, RunningServer, ThreadingHttpServer};

/// A server of many threads in the background.
pub(crate) fn spawn(
    handler: impl RequestHandler + Send + Sync + 'static,
    set: impl FnOnce(&mut Limits),
) -> RunningServer {
    let server = secured(ThreadingHttpServer::builder(handler)).limits(limits(set));
    server.bind("127.0.0.1:0").unwrap().spawn().unwrap()
}

/// The same with so many event loops.
pub(crate) fn spawn_loops(
    event_loops: usize,
    handler: impl RequestHandler + Send + Sync + 'static,
    set: impl FnOnce(&mut Limits),
) -> RunningServer {
    let server = secured(ThreadingHttpServer::builder(handler)).limits(limits(set));
    let server = server.event_loops(event_loops);
    server.bind("127.0.0.1:0").unwrap().spawn().unwrap()
}

/// A server of a single thread in the background.
pub(crate) fn spawn_single(handler: impl RequestHandler + Send + 'static) -> RunningServer {
    let server = secured(HttpServer::builder(handler));
    server.bind("127.0.0.1:0").unwrap().spawn().unwrap()
}

/// A server of HTTPS where the tests run over TLS.
pub(crate) fn secured<H, S>(builder: Builder<H, S>) -> Builder<H, S> {
    #[cfg(feature = "self-signed")]
    if let Some(tls) = crate::over_tls::tls() {
        return builder.tls(tls);
    }
    builder
}

/// One of each kind.
pub(crate) fn spawn_both(
    handler: impl RequestHandler + Send + Sync + 'static,
) -> [RunningServer; 2] {
    spawn_both_with(handler, |_| ())
}

/// The same with limits.
pub(crate) fn spawn_both_with(
    handler: impl RequestHandler + Send + Sync + 'static,
    set: impl Fn(&mut Limits),
) -> [RunningServer; 2] {
    let handler = Arc::new(handler);
    let single = secured(HttpServer::builder(handler.clone())).limits(limits(&set));
    let single = single.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    [single, spawn(handler, set)]
}

/// A server of many threads, all of whose answers wait at a gate.
pub(crate) fn spawn_gated(set: impl FnOnce(&mut Limits)) -> (RunningServer, Gate) {
    let gate = Gate::default();
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        inner.pass();
        echo(h, x)
    });
    (spawn(handler, set), gate)
}

/// Holds handlers until it is opened, and knows how many have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        self.0.0.lock().unwrap().0 += 1;
        self.0.1.notify_all();
        self.wait(|&(_, is_open)| is_open);
    }

    /// Waits until so many have come, since the start.
    pub(crate) fn await_comers(&self, count: usize) {
        self.wait(|&(comers, _)| comers >= count);
    }

    fn wait(&self, is_so: impl Fn(&(usize, bool)) -> bool) {
        let (state, changed) = &*self.0;
        let guard = state.lock().unwrap();
        let waited = changed.wait_timeout_while(guard, PATIENCE, |state| !is_so(state));
        let (guard, result) = waited.unwrap();
        let (comers, is_open) = *guard;
        drop(guard);
        assert!(!result.timed_out(), "{comers} came; open: {is_open}");
    }

    pub(crate) fn comers(&self) -> usize {
        self.0.0.lock().unwrap().0
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}

static PROCESSES: RwLock<()> = RwLock::new(());

/// While the guard lives, no test starts a process: until it runs its program, that would hold copies
/// of all descriptors, those of listeners that are to be closed among them.
pub(crate) fn no_new_processes() -> RwLockReadGuard<'static, ()> {
    PROCESSES.read().unwrap_or_else(PoisonError::into_inner)
}

/// While the guard lives, this test may start a process.
pub(crate) fn a_new_process() -> RwLockWriteGuard<'static, ()> {
    PROCESSES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Lets this process open as many descriptors as it may, and says how many those are.
#[cfg(target_os = "linux")]
pub(crate) fn raise_descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    usize::try_from(limit).unwrap()
}

/// Servers in a process of their own: this test binary, started again for one test.
#[cfg(target_os = "linux")]
pub(crate) mod child {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    const CONTROL: &str = "SERVETTE_TEST_CONTROL";
    const DESCRIPTORS: &str = "SERVETTE_TEST_DESCRIPTORS";

    /// The child, as its parent sees it. It ends when this is dropped.
    #[derive(Debug)]
    pub(crate) struct Child {
        process: std::process::Child,
        control: Option<TcpStream>,
        pub(crate) address: SocketAddr,
    }

    impl Child {
        /// Runs the test of this name in a child, with a limit of descriptors.
        pub(crate) fn start(test: &str, descriptors: Option<u64>) -> Child {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .args([test, "--exact", "--test-threads=1"])
                .env(CONTROL, listener.local_addr().unwrap().to_string())
                .stdout(Stdio::null());
            if let Some(descriptors) = descriptors {
                command.env(DESCRIPTORS, descriptors.to_string());
            }
            let guard = a_new_process();
            let process = command.spawn().unwrap();
            drop(guard);
            let (control, _) = listener.accept().unwrap();
            control.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut line = String::new();
            BufReader::new(&control).read_line(&mut line).unwrap();
            Child {
                process,
                control: Some(control),
                address: line.trim().parse().unwrap(),
            }
        }

        fn proc(&self, name: &str) -> std::path::PathBuf {
            format!("/proc/{}/{name}", self.process.id()).into()
        }

        pub(crate) fn descriptors(&self) -> usize {
            std::fs::read_dir(self.proc("fd")).unwrap().count()
        }

        pub(crate) fn threads(&self) -> usize {
            std::fs::read_dir(self.proc("task")).unwrap().count()
        }

        /// Resident memory in bytes.
        pub(crate) fn memory(&self) -> usize {
            let status = std::fs::read_to_string(self.proc("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:"));
            let kib: usize = line
                .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
                .unwrap();
            kib * 1024
        }

        /// Processor time, in ticks of (nearly everywhere) 10 ms.
        pub(crate) fn ticks(&self) -> u64 {
            let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
            let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
            fields
                .skip(11)
                .take(2)
                .map(|field| field.parse::<u64>().unwrap())
                .sum()
        }
    }

    impl Drop for Child {
        fn drop(&mut self) {
            drop(self.control.take());
            let status = self.process.wait();
            if !std::thread::panicking() {
                assert!(status.unwrap().success(), "the child failed");
            }
        }
    }

    /// In the child: serves until the parent has dropped its [`Child`]. False in the parent.
    pub(crate) fn serves(server: impl FnOnce() -> RunningServer) -> bool {
        let Ok(address) = std::env::var(CONTROL) else {
            return false;
        };
        let mut control = TcpStream::connect(address).unwrap();
        if let Ok(descriptors) = std::env::var(DESCRIPTORS) {
            use rustix::process::{Resource, Rlimit, setrlimit};
            let limit = Rlimit {
                current: Some(descriptors.parse().unwrap()),
                maximum: Some(descriptors.parse().unwrap()),
            };
            setrlimit(Resource::Nofile, limit).unwrap();
        } else {
            raise_descriptors();
        }
        let server = server();
        writeln!(control, "{}", server.addr()).unwrap();
        let _ = control.read_to_end(&mut Vec::new());
        drop(server);
        true
    }
}
