//! How many requests a second a script answers behind this server and behind others, and what one
//! costs: the same program, the same client, rounds in turn, medians.
//!
//! `cargo bench --features cli --bench cgi [-- ROUNDS REQUESTS]` on Linux. It needs `cc`, and measures
//! those of lighttpd, Go and Python that are there. The servers run on the first processor and the
//! client on the last one, where there is `taskset`; as nobody, if it is started by root, for the
//! others do not change the user either. `limit` is a program that parses nothing and only does
//! `posix_spawn`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
const REQUEST: &[u8] = b"GET /cgi-bin/hello HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
/// Ticks of /proc/PID/stat in a second, on every Linux that there is.
const TICKS: f64 = 100.0;

struct Server {
    name: &'static str,
    child: Child,
    port: u16,
    /// Requests a second and microseconds of processor time per request, for each round.
    rounds: Vec<(f64, f64)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok());
    let rounds = numbers.next().unwrap_or(7);
    let requests = numbers.next().unwrap_or(1500);
    let place = Place::new();
    let mut servers = place.servers();
    pin(std::process::id(), last_processor());
    for server in &mut servers {
        round(server.port, 50);
    }
    for _ in 0..rounds {
        for server in &mut servers {
            let before = processor_time(server.child.id());
            let start = Instant::now();
            let done = round(server.port, requests) as f64;
            let rate = done / start.elapsed().as_secs_f64();
            let spent = processor_time(server.child.id()) - before;
            server.rounds.push((rate, spent * 1e6 / done));
        }
    }
    let limit = median(&servers[0], |round| round.1);
    println!(
        "{:10} {:>11} {:>16} {:>10}",
        "server", "requests/s", "CPU us/request", "of limit"
    );
    for server in &servers {
        let (rate, cost) = (
            median(server, |round| round.0),
            median(server, |round| round.1),
        );
        println!(
            "{:10} {rate:11.0} {cost:16.0} {:10.3}",
            server.name,
            cost / limit
        );
    }
}

/// Where everything is built.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place {
    fn new() -> Place {
        let place =
            Place(std::env::temp_dir().join(format!("servette-bench-{}", std::process::id())));
        fs::create_dir_all(place.path("www/cgi-bin")).unwrap();
        for directory in ["", "www", "www/cgi-bin"] {
            fs::set_permissions(place.path(directory), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (source, program) in [("hello.c", "www/cgi-bin/hello"), ("limit.c", "limit")] {
            let made = Command::new("cc")
                .args(["-O2", "-static", "-o"])
                .arg(place.path(program))
                .arg(Place::source(source))
                .status();
            assert!(made.is_ok_and(|status| status.success()), "cc failed");
        }
        fs::copy(env!("CARGO_BIN_EXE_servette"), place.path("servette")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn source(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("benches/cgi")
            .join(name)
    }

    /// The limit first, then this server, then those that are there.
    fn servers(&self) -> Vec<Server> {
        let (www, hello) = (self.path("www"), self.path("www/cgi-bin/hello"));
        let mut servers = vec![
            start("limit", |port| {
                let mut command = command(&self.path("limit"));
                command.arg(port.to_string()).arg(&hello);
                command
            }),
            start("servette", |port| {
                let mut command = command(&self.path("servette"));
                command.args(["--cgi", "-q", "-p", "HTTP/1.1", "-b", "127.0.0.1"]);
                command.arg(port.to_string()).arg("-d").arg(&www);
                command
            }),
        ];
        if let Some(lighttpd) = find("lighttpd") {
            servers.push(start("lighttpd", |port| {
                let file = self.path("lighttpd.conf");
                let text = format!(
                    "server.document-root = {www:?}\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
                     server.modules = (\"mod_cgi\")\ncgi.assign = (\"/cgi-bin/hello\" => \"\")\n\
                     server.upload-dirs = ({:?})\n",
                    std::env::temp_dir()
                );
                fs::write(&file, text).unwrap();
                let mut command = command(&lighttpd);
                command.arg("-D").arg("-f").arg(file);
                command
            }));
        }
        if let Some(go) = find("go") {
            let peer = self.path("peer");
            let made = Command::new(go)
                .args(["build", "-o"])
                .arg(&peer)
                .arg(Place::source("peer.go"))
                .env("GOCACHE", self.path("go"))
                .status();
            if made.is_ok_and(|status| status.success()) {
                servers.push(start("go", |port| {
                    let mut command = command(&peer);
                    command.arg(port.to_string()).arg(&hello);
                    command
                }));
            }
        }
        if let Some(python) = find("python3") {
            servers.push(start("python", |port| {
                let mut command = command(&python);
                command.args(["-m", "http.server", "--cgi", "--bind", "127.0.0.1"]);
                command.arg(port.to_string()).current_dir(&www);
                command
            }));
        }
        servers.retain(|server| server.port != 0);
        servers
    }
}

/// A program that everybody may run.
fn find(program: &str) -> Option<PathBuf> {
    let places = [
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
        "/usr/sbin",
        "/usr/local/go/bin",
    ];
    let found = places
        .into_iter()
        .map(|place| Path::new(place).join(program))
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: {program} is missing");
    }
    found
}

/// A command for a server: without the rights of root, and on the first processor.
fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" {
        command.gid(65534).uid(65534);
    }
    command
}

/// Starts a server on a free port, and waits until it answers. Port 0 says that it does not.
fn start(name: &'static str, command: impl FnOnce(u16) -> Command) -> Server {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = command(port).spawn().unwrap();
    pin(child.id(), 0);
    let mut server = Server {
        name,
        child,
        port,
        rounds: Vec::new(),
    };
    let start = Instant::now();
    while !answers(port) {
        thread::sleep(Duration::from_millis(20));
        if start.elapsed() > Duration::from_secs(10) {
            eprintln!("skipped: {name} does not answer");
            server.port = 0;
            break;
        }
    }
    server
}

fn pin(process: u32, processor: usize) {
    let _ = Command::new("taskset")
        .args(["-a", "-cp", &processor.to_string(), &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn last_processor() -> usize {
    thread::available_parallelism().map_or(0, |count| count.get() - 1)
}

fn answers(port: u16) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut answer = Vec::new();
    let sent = socket
        .write_all(REQUEST)
        .and_then(|()| socket.read_to_end(&mut answer));
    sent.is_ok() && answer.windows(13).any(|part| part == b"Hello, world!")
}

/// Sends requests from several clients, and counts the right answers: all of them.
fn round(port: u16, requests: usize) -> usize {
    let ask = || (0..requests / CLIENTS).filter(|_| answers(port)).count();
    let done = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    assert_eq!(done, requests / CLIENTS * CLIENTS, "answers are missing");
    done
}

/// Seconds of a process and of the children that it has reaped.
fn processor_time(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = fields
        .iter()
        .skip(11)
        .take(4)
        .map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS
}

fn median(server: &Server, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
    let mut values: Vec<_> = server.rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
