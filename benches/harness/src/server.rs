//! A server that runs, pinned to its core, and that is killed whatever happens.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::client::{Answer, Client};
use crate::usage::Usage;

const PATIENCE: Duration = Duration::from_secs(10);

/// The process groups that are alive, for the end by a signal.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Which cores belong to whom.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    server: CpuSet,
    load: CpuSet,
    /// Whether the load has cores of its own.
    pub apart: bool,
}

impl Cores {
    /// The first core that may be used is the server's, the others are the load's.
    pub fn split() -> io::Result<Cores> {
        let all = sched_getaffinity(Pid::from_raw(0))?;
        let mut usable = (0..CpuSet::count()).filter(|&core| all.is_set(core).unwrap_or(false));
        let mut cores = Cores {
            server: CpuSet::new(),
            load: CpuSet::new(),
            apart: false,
        };
        if let Some(first) = usable.next() {
            cores.server.set(first)?;
        }
        for core in usable {
            cores.load.set(core)?;
            cores.apart = true;
        }
        if !cores.apart {
            cores.load = cores.server;
        }
        cores.use_load()?;
        Ok(cores)
    }

    fn use_load(&self) -> io::Result<()> {
        Ok(sched_setaffinity(Pid::from_raw(0), &self.load)?)
    }
}

/// A running server; dropping it kills it and all its children.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub port: u16,
    /// From the start of the program to its first answer, in seconds.
    pub start: f64,
    /// That answer.
    pub answer: Answer,
    /// The entity tag that clients send back, if that is what is measured.
    pub tag: String,
}

impl Server {
    /// Starts the program, and asks it until it answers.
    pub fn start(
        mut command: Command,
        port: u16,
        cores: &Cores,
        log: PathBuf,
        request: &[u8],
    ) -> io::Result<Server> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        // A group of its own, so that all of it can be killed at once.
        command.process_group(0);
        // Held until the child is on the list: an end by a signal misses nobody.
        let mut list = running();
        // A child has the affinity of the thread that starts it.
        sched_setaffinity(Pid::from_raw(0), &cores.server)?;
        let begin = Instant::now();
        let spawned = command.spawn();
        cores.use_load()?;
        let child = spawned?;
        list.push(child.id());
        drop(list);
        let mut server = Server {
            child,
            log,
            port,
            start: 0.0,
            answer: Answer::default(),
            tag: String::new(),
        };
        let mut client = server.connect(begin)?;
        server.answer = client
            .ask(request)
            .map_err(|error| server.complain(&error.to_string()))?;
        server.start = begin.elapsed().as_secs_f64();
        Ok(server)
    }

    fn connect(&mut self, begin: Instant) -> io::Result<Client> {
        loop {
            match Client::connect(self.port) {
                Ok(client) => return Ok(client),
                Err(error) if begin.elapsed() > PATIENCE => {
                    return Err(self.complain(&error.to_string()));
                }
                Err(_) => {}
            }
            if begin.elapsed() > Duration::from_millis(50) {
                thread::sleep(Duration::from_millis(1));
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.complain(&status.to_string()));
            }
        }
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    fn complain(&self, error: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        io::Error::other(format!("{error} {}", log.lines().last().unwrap_or("")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(self.child.id());
        let _ = self.child.wait();
        running().retain(|&pid| pid != self.child.id());
    }
}

/// A port that is free at the moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Kills every server that runs; none can be started after it.
pub fn kill_all() {
    let list = running();
    list.iter().copied().for_each(kill);
    std::mem::forget(list);
}

fn kill(group: u32) {
    // It may have ended by itself.
    let _ = killpg(Pid::from_raw(group as i32), Signal::SIGKILL);
}

fn running() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
