//! One run: which server is started how, asked what, and in which order.

use std::io;
use std::sync::Mutex;

use crate::build::Programs;
use crate::chart::Costs;
use crate::client::{Answer, Client};
use crate::heads::Heads;
use crate::options::Options;
use crate::peers::{self, Absent, Role, Setting};
use crate::server::{Cores, Server, free_port};
use crate::site::{self, HELLO, MODIFIED, Site};

/// The body of a POST.
static BODY: [u8; 1 << 20] = [b'x'; 1 << 20];
/// What is asked for of a file of 1 GiB: the first and the last byte.
const RANGE: (usize, usize) = (512 << 20, (512 << 20) + (4 << 10) - 1);
/// The tag that a server is sent back that gives none.
const TAG: &str = "\"0123456789abcdef\"";

/// What all scenarios share.
#[derive(Debug)]
pub struct Bench {
    pub options: Options,
    pub programs: Programs,
    pub site: Site,
    pub cores: Cores,
    /// Those of the last closed loop, for the chart.
    pub costs: Mutex<Option<Costs>>,
}

/// What became of a peer in a scenario.
#[derive(Debug)]
pub struct Rounds<T> {
    pub peer: &'static str,
    pub samples: Vec<T>,
    /// Why there are no more of them.
    pub trouble: Option<String>,
}

impl Bench {
    /// Measures every peer in every round, each round starting with another peer, so that what changes
    /// on the machine meets all of them. Peers that do not do this are left out.
    pub fn rounds<T>(
        &self,
        role: Role,
        mut measure: impl FnMut(&'static str) -> io::Result<T>,
    ) -> Vec<Rounds<T>> {
        let mut all = Vec::new();
        for &peer in &self.options.peers {
            let trouble = match self.command(peer, role, 0) {
                Ok(_) => None,
                Err(Absent::NotIts) => continue,
                Err(Absent::Missing(hint)) => Some(format!("not there: {hint}")),
            };
            all.push(Rounds {
                peer,
                samples: Vec::new(),
                trouble,
            });
        }
        for round in 0..self.options.rounds {
            eprint!(" {}", round + 1);
            let count = all.len().max(1);
            for at in (0..all.len()).map(|at| (at + round) % count) {
                let Some(rounds) = all.get_mut(at) else {
                    continue;
                };
                if rounds.trouble.is_none() {
                    match measure(rounds.peer) {
                        Ok(sample) => rounds.samples.push(sample),
                        Err(error) => rounds.trouble = Some(error.to_string()),
                    }
                }
            }
        }
        eprintln!();
        all
    }

    /// Starts a peer, and makes sure that it answers rightly.
    pub fn serve(&self, peer: &str, role: Role) -> io::Result<Server> {
        let request = request(role);
        let port = free_port()?;
        let command = self.command(peer, role, port);
        let command = command.map_err(|absent| io::Error::other(format!("{absent:?}")))?;
        let log = self.site.scratch.join(format!("{peer}.err"));
        let mut server = Server::start(command, port, &self.cores, log, &request)?;
        if role == Role::TagMatch {
            server.tag = server.answer.tag().unwrap_or(TAG.into());
            server.answer = Client::connect(port)?.ask(&head(role, "", &server.tag))?;
        }
        match self.is_right(role, &server.answer) {
            true => Ok(server),
            false => {
                let head = server.answer.head.lines().next().unwrap_or("").to_owned();
                Err(io::Error::other(format!("answers wrongly: {head}")))
            }
        }
    }

    fn command(&self, peer: &str, role: Role, port: u16) -> Result<std::process::Command, Absent> {
        let (programs, site) = (&self.programs, &self.site);
        peers::command(
            peer,
            &Setting {
                programs,
                site,
                port,
                role,
                loops: match role {
                    Role::Loops(loops) => Some(loops),
                    _ => self.options.loops,
                },
            },
        )
    }

    fn is_right(&self, role: Role, answer: &Answer) -> bool {
        let is_file = |name: &str| {
            let file = std::fs::read(self.site.path(name)).unwrap_or_default();
            answer.status() == 200 && answer.body == file
        };
        match role {
            Role::Hello
            | Role::Close
            | Role::Blocking
            | Role::Short
            | Role::Handlers
            | Role::Events
            | Role::Slow
            | Role::Loops(_) => answer.status() == 200 && answer.body == HELLO,
            // What it says does not matter: most say how much they have read.
            Role::Post => answer.status() == 200,
            Role::Small => is_file("1k.txt"),
            Role::Medium => is_file("100k.txt"),
            // The limit does not say that it is a part.
            Role::Range => {
                let is_status = matches!(answer.status(), 200 | 206);
                is_status && answer.body.len() == RANGE.1 - RANGE.0 + 1
            }
            Role::Precompressed => is_file("app.js.gz"),
            Role::NotModified | Role::TagMatch => answer.status() == 304 && answer.body.is_empty(),
            Role::Big => {
                let length = answer
                    .field("content-length")
                    .and_then(|length| length.parse().ok());
                length == Some(self.site.big) && answer.body.starts_with(b"a")
            }
            Role::Listing => {
                let body = String::from_utf8_lossy(&answer.body);
                answer.status() == 200
                    && [0, site::NAMES - 1]
                        .iter()
                        .all(|&at| body.contains(&site::name(at)))
            }
        }
    }
}

/// What the connections ask in a scenario: the head of each, without the body. `tag` is what the server has given.
pub fn heads(role: Role, heads: Heads, connections: usize, tag: &str) -> Vec<Vec<u8>> {
    let head = |connection| head(role, &heads.fields(connection), tag);
    (0..connections).map(head).collect()
}

/// What follows each head.
pub fn body(role: Role) -> &'static [u8] {
    match role {
        Role::Post => &BODY,
        _ => &[],
    }
}

/// A whole request, for clients that ask one thing after the other; and of a server whose tag is not known yet, for
/// the file.
pub fn request(role: Role) -> Vec<u8> {
    let role = match role {
        Role::TagMatch => Role::Small,
        role => role,
    };
    [&head(role, "", ""), body(role)].concat()
}

/// The head of a GET with the fields of a client.
pub fn get(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into()
}

fn head(role: Role, fields: &str, tag: &str) -> Vec<u8> {
    match role {
        Role::Hello
        | Role::Blocking
        | Role::Short
        | Role::Handlers
        | Role::Loops(_)
        | Role::Events
        | Role::Slow => get("/hello", fields),
        Role::Close => get("/hello", &format!("{fields}Connection: close\r\n")),
        Role::Post => {
            let length = BODY.len();
            let fields = format!("Host: localhost\r\n{fields}Content-Length: {length}");
            format!("POST /hello HTTP/1.1\r\n{fields}\r\n\r\n").into()
        }
        Role::Small => get("/1k.txt", fields),
        Role::NotModified => get(
            "/1k.txt",
            &format!("{fields}If-Modified-Since: {MODIFIED}\r\n"),
        ),
        Role::TagMatch => get("/1k.txt", &format!("{fields}If-None-Match: {tag}\r\n")),
        Role::Range => {
            let (first, last) = RANGE;
            get(
                "/sparse.bin",
                &format!("{fields}Range: bytes={first}-{last}\r\n"),
            )
        }
        Role::Precompressed => get("/app.js", &format!("{fields}Accept-Encoding: gzip\r\n")),
        Role::Medium => get("/100k.txt", fields),
        Role::Big => get("/big.bin", fields),
        Role::Listing => get("/list/", fields),
    }
}
