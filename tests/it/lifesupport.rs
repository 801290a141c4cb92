//! Clients, gates and servers in child processes, for the tests of servers that live and die.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use servette::{Exchange, Limits, RequestHandler, Result, Status, handler_fn};

/// No wait of a test is longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A quiet handler that keeps connections.
pub(crate) fn handler<F>(f: F) -> servette::base::HandlerFn<F>
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>,
{
    handler_fn(f).protocol_version("HTTP/1.1").quiet()
}

/// Answers with the path.
pub(crate) fn echo(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    h.send_content(x, Status::OK, "text/plain", x.path.as_bytes())
}

pub(crate) fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

/// A client whose every wait ends.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn closes(&self) -> bool {
        self.head.contains("\r\nConnection: close\r\n")
    }
}

impl Client {
    pub(crate) fn new(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn send(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.stream.get_mut().write_all(data.as_ref()).unwrap();
        self
    }

    pub(crate) fn get(&mut self, path: &str) -> &mut Self {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    /// The next answer, or `None` where the connection has ended.
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).ok()? == 0 {
                assert_eq!(head, "", "an incomplete head");
                return None;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.expect("a length").parse().unwrap();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        Some(Answer { head, body })
    }

    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer")
    }

    /// Everything up to the end; a reset is an end too.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("no end: {error}")
            }
            _ => rest,
        }
    }

    /// Asserts that the server ended the connection without a word.
    pub(crate) fn is_closed_silently(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.rest()), "");
    }

    /// Asserts that this is the end, and not a reset, which could have lost an answer.
    pub(crate) fn ends_orderly(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Has the socket end with a reset when it is dropped.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(self.stream.get_ref(), linger).unwrap();
    }
}

/// Writes until the server has ended the connection.
pub(crate) fn write_until_cut(client: &mut Client) {
    let start = Instant::now();
    let error = loop {
        match client.stream.get_mut().write_all(&[b'x'; 1024]) {
            Ok(()) => assert!(start.elapsed() < PATIENCE, "the server reads for ever"),
            Err(error) => break error.kind(),
        }
        std::thread::yield_now();
    };
    let cut = [
        std::io::ErrorKind::ConnectionReset,
        std::io::ErrorKind::BrokenPipe,
    ];
    assert!(cut.contains(&error), "{error}");
}

/// Holds handlers until it is opened, and knows how many have come.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        let (state, result) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !state.1)
            .unwrap();
        drop(state);
        assert!(!result.timed_out(), "nobody opened the gate");
    }

    /// Waits until so many have come, since the start.
    pub(crate) fn await_comers(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let (state, result) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.0 < count)
            .unwrap();
        assert!(!result.timed_out(), "{} came, not {count}", state.0);
    }

    pub(crate) fn comers(&self) -> usize {
        self.state.lock().unwrap().0
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        self.state.lock().unwrap().1 = false;
    }
}

/// Opens a gate even where a test fails, so that its server can end.
#[derive(Debug)]
pub(crate) struct OpenOnDrop<'g>(pub(crate) &'g Gate);

impl Drop for OpenOnDrop<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Asks again and again until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
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
    use servette::RunningServer;
    use std::net::{SocketAddr, TcpListener};
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
