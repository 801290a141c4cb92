//! The servers: how each is started, and what to install for one that is not there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench;
use crate::build::{Ours, Programs};
use crate::site::Site;

/// All names, in the order of the tables. `limit` comes first: it is what the others are compared with.
pub const PEERS: [&str; 20] = [
    "limit",
    "limit-plain",
    "limit-edge",
    "limit-memory",
    "limit-read",
    "servette",
    "before",
    "nginx",
    "nginx-ofc",
    "h2o",
    "lighttpd",
    "hyper",
    "axum",
    "actix",
    "may",
    "tiny_http",
    "tiny_http-64",
    "static-web-server",
    "go",
    "python",
];

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answer with thirteen bytes.
    Hello,
    /// The same, once per connection.
    Close,
    /// Read a body and drop it.
    Post,
    /// Serve a small file.
    Small,
    /// Say that the small file has not changed.
    NotModified,
    /// Say the same to the entity tag that the server itself has given.
    TagMatch,
    /// Serve a part of a file of 1 GiB.
    Range,
    /// Serve a compressed file in the place of the plain one.
    Precompressed,
    /// Serve a file that fits the socket's buffer.
    Medium,
    /// Serve a file that does not.
    Big,
    /// List a directory.
    Listing,
    /// Run handlers that sleep 100 ms.
    Blocking,
    /// Run handlers that sleep as long as the path says.
    Short,
    /// Run handlers that block in ways that only our program has.
    Handlers,
    /// The same with so many event loops.
    Loops(u16),
    /// Keep event streams.
    Events,
    /// Serve a small file, and a large one to slow readers.
    Slow,
}

impl Role {
    fn is_app(self) -> bool {
        matches!(
            self,
            Role::Hello
                | Role::Close
                | Role::Post
                | Role::Blocking
                | Role::Short
                | Role::Handlers
                | Role::Loops(_)
                | Role::Events
        )
    }
}

/// Why there is no server.
#[derive(Debug)]
pub enum Absent {
    /// It does not do this.
    NotIts,
    /// It is not on this machine; this is what to install.
    Missing(String),
}

/// What a server is started with.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub programs: &'a Programs,
    pub site: &'a Site,
    pub port: u16,
    pub role: Role,
    /// The event loops of servette in the scenarios with handlers that block.
    pub loops: Option<u16>,
}

/// The command that starts a peer.
pub fn command(peer: &str, setting: &Setting<'_>) -> Result<Command, Absent> {
    let role = setting.role;
    let apt = |package: &str| format!("benches/install {package}");
    match peer {
        "servette" => servette(&setting.programs.ours, setting),
        "before" if role == Role::Events => Err(Absent::NotIts),
        "before" => match &setting.programs.before {
            // An earlier one may not have the option.
            Some(_) if role == Role::Precompressed => Err(Absent::NotIts),
            Some(before) => servette(before, setting),
            None => Err(Absent::NotIts),
        },
        _ if matches!(role, Role::Handlers | Role::Loops(_)) => Err(Absent::NotIts),
        "limit" if role == Role::Events => rust("limit-events", setting),
        "axum" if role == Role::Events => rust("axum", setting),
        "go" if role == Role::Events => go(setting),
        _ if role == Role::Events => Err(Absent::NotIts),
        "limit" | "limit-plain" | "limit-edge" | "limit-memory" | "limit-read" => {
            limit(peer, setting)
        }
        "nginx" | "nginx-ofc" => match (peer, role) {
            (_, Role::Blocking | Role::Short) => Err(Absent::NotIts),
            ("nginx-ofc", role) if role.is_app() || role == Role::Listing => Err(Absent::NotIts),
            _ => nginx(
                setting,
                peer == "nginx-ofc",
                find("nginx").ok_or(Absent::Missing(apt("nginx-light")))?,
            ),
        },
        // It compresses by itself, and does not send what is there already.
        "lighttpd" if role == Role::Precompressed => Err(Absent::NotIts),
        "h2o" | "lighttpd" if matches!(role, Role::Post | Role::Blocking | Role::Short) => {
            Err(Absent::NotIts)
        }
        "h2o" => h2o(setting, find("h2o").ok_or(Absent::Missing(apt("h2o")))?),
        "lighttpd" => lighttpd(
            setting,
            find("lighttpd").ok_or(Absent::Missing(apt("lighttpd")))?,
        ),
        "axum" | "actix" if role == Role::Short => Err(Absent::NotIts),
        "hyper" | "axum" | "actix" if role.is_app() => rust(peer, setting),
        "may" if matches!(role, Role::Hello | Role::Close | Role::Post) => rust(peer, setting),
        "tiny_http" if matches!(role, Role::Hello | Role::Close | Role::Post) => {
            rust("tiny-http", setting)
        }
        "tiny_http" | "tiny_http-64" if role == Role::Short => {
            let mut command = rust("tiny-http", setting)?;
            command.arg(if peer == "tiny_http" { "4" } else { "64" });
            Ok(command)
        }
        // They have no tags, no ranges or no precompressed files, or need other settings for them.
        "static-web-server" | "go" | "python"
            if matches!(role, Role::TagMatch | Role::Range | Role::Precompressed) =>
        {
            Err(Absent::NotIts)
        }
        "static-web-server" if !role.is_app() => static_web_server(setting),
        "go" => go(setting),
        "python" => {
            let mut command = Command::new(find("python3").ok_or(Absent::Missing(apt("python3")))?);
            command
                .arg(&setting.programs.python)
                .arg(setting.port.to_string());
            with_root(command, setting)
        }
        _ => Err(Absent::NotIts),
    }
}

fn go(setting: &Setting<'_>) -> Result<Command, Absent> {
    let missing =
        || Absent::Missing("benches/install golang-go (then run again: it is built)".into());
    let mut command = Command::new(setting.programs.go.as_ref().ok_or_else(missing)?);
    command.env("GOMAXPROCS", "1").arg(setting.port.to_string());
    with_root(command, setting)
}

fn limit(peer: &str, setting: &Setting<'_>) -> Result<Command, Absent> {
    let (mode, file) = match (peer, setting.role) {
        ("limit", Role::Hello) => ("hello", ""),
        ("limit-edge", Role::Hello) => ("edge-hello", ""),
        ("limit", Role::Close) => ("close", ""),
        ("limit", Role::Post) => ("post", ""),
        ("limit", Role::NotModified | Role::TagMatch) => ("notmodified", ""),
        ("limit", Role::Range) => ("sendfile", "4k.txt"),
        ("limit", Role::Precompressed) => ("read", "app.js.gz"),
        ("limit", Role::Small) => ("read", "1k.txt"),
        ("limit-memory", Role::Small) => ("memory", "1k.txt"),
        ("limit", Role::Medium) => ("sendfile", "100k.txt"),
        ("limit-read", Role::Medium) => ("read", "100k.txt"),
        ("limit-plain", Role::Big) => ("sendfile", "big.bin"),
        ("limit", Role::Big) => ("big", "big.bin"),
        _ => return Err(Absent::NotIts),
    };
    let mut command = rust("limit", setting)?;
    command.args([mode, &bench::body(setting.role).len().to_string()]);
    command.arg(setting.site.path(file));
    Ok(command)
}

fn servette(programs: &Ours, setting: &Setting<'_>) -> Result<Command, Absent> {
    let port = setting.port.to_string();
    let mut command = match setting.role {
        Role::Blocking | Role::Short | Role::Handlers | Role::Loops(_) | Role::Events => {
            let mut command = Command::new(&programs.blocking);
            command.arg(port);
            command.args(setting.loops.map(|loops| loops.to_string()));
            return Ok(command);
        }
        role if role.is_app() => Command::new(&programs.hello),
        _ => {
            let mut command = Command::new(&programs.servette);
            command
                .args(["-q", "-p", "HTTP/1.1", "-b", "127.0.0.1", "-d"])
                .arg(&setting.site.root);
            if setting.role == Role::Precompressed {
                command.arg("--precompressed");
            }
            command
        }
    };
    command.arg(port);
    Ok(command)
}

fn rust(name: &str, setting: &Setting<'_>) -> Result<Command, Absent> {
    let mut command = Command::new(setting.programs.peer(name));
    command.arg(setting.port.to_string());
    Ok(command)
}

fn with_root(mut command: Command, setting: &Setting<'_>) -> Result<Command, Absent> {
    if !setting.role.is_app() {
        command.arg(&setting.site.root);
    }
    Ok(command)
}

fn static_web_server(setting: &Setting<'_>) -> Result<Command, Absent> {
    let hint = "benches/install static-web-server (builds it with cargo)";
    let program = find("static-web-server")
        .or_else(|| Some(setting.programs.tools.join("static-web-server")));
    let program = program
        .filter(|program| program.is_file())
        .ok_or(Absent::Missing(hint.into()))?;
    let mut command = Command::new(program);
    command.args([
        "--host",
        "127.0.0.1",
        "--port",
        &setting.port.to_string(),
        "--root",
    ]);
    command.arg(&setting.site.root);
    command.args([
        "--threads-multiplier",
        "1",
        "--log-level",
        "error",
        "--directory-listing",
        "true",
    ]);
    command.args([
        "--cache-control-headers",
        "false",
        "--security-headers",
        "false",
    ]);
    Ok(command)
}

fn nginx(setting: &Setting<'_>, caches: bool, program: PathBuf) -> Result<Command, Absent> {
    let scratch = setting.site.scratch.display();
    let (port, root) = (setting.port, setting.site.root.display());
    let cache = match caches {
        true => "open_file_cache max=1000; open_file_cache_valid 60s;",
        false => "",
    };
    let precompressed = match setting.role {
        Role::Precompressed => "gzip_static on; gzip_vary on;",
        _ => "",
    };
    // A single process, so that nothing but the worker is measured.
    let text = format!(
        "daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {scratch}/nginx.pid; error_log {scratch}/nginx.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; {cache} {precompressed}
  keepalive_requests 1000000000; keepalive_timeout 3600s; client_max_body_size 0;
  client_body_temp_path {scratch}/nginx-body; proxy_temp_path {scratch}/nginx-proxy;
  fastcgi_temp_path {scratch}/nginx-fastcgi; uwsgi_temp_path {scratch}/nginx-uwsgi;
  scgi_temp_path {scratch}/nginx-scgi;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=1024; root {root}; autoindex on;
    location = /hello {{ return 200 \"Hello, World!\"; }}
  }}
}}
"
    );
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(&setting.site.scratch)
        .arg("-c")
        .arg(write(setting, "nginx.conf", &text));
    Ok(command)
}

fn lighttpd(setting: &Setting<'_>, program: PathBuf) -> Result<Command, Absent> {
    let text = format!(
        "server.port = {}
server.bind = \"127.0.0.1\"
server.document-root = \"{}\"
server.errorlog = \"{}/lighttpd.log\"
server.modules = (\"mod_dirlisting\")
dir-listing.activate = \"enable\"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 3600
server.max-fds = 20000
server.max-connections = 16384
server.listen-backlog = 1024
mimetype.assign = (\".txt\" => \"text/plain\")
",
        setting.port,
        setting.site.root.display(),
        setting.site.scratch.display()
    );
    let mut command = Command::new(program);
    command
        .arg("-D")
        .arg("-f")
        .arg(write(setting, "lighttpd.conf", &text));
    Ok(command)
}

fn h2o(setting: &Setting<'_>, program: PathBuf) -> Result<Command, Absent> {
    let user = match rustix::process::geteuid().is_root() {
        true => "user: root\n",
        false => "",
    };
    let precompressed = match setting.role {
        Role::Precompressed => "file.send-compressed: ON\n",
        _ => "",
    };
    let text = format!(
        "{user}{precompressed}num-threads: 1
num-name-resolution-threads: 1
max-connections: 16384
tcp-fastopen: 0
http1-request-timeout: 3600
file.dirlisting: ON
error-log: {}/h2o.log
listen:
  host: 127.0.0.1
  port: {}
hosts:
  default:
    paths:
      /:
        file.dir: {}
",
        setting.site.scratch.display(),
        setting.port,
        setting.site.root.display()
    );
    let mut command = Command::new(program);
    command.arg("-c").arg(write(setting, "h2o.conf", &text));
    Ok(command)
}

fn write(setting: &Setting<'_>, name: &str, text: &str) -> PathBuf {
    let path = setting.site.scratch.join(name);
    fs::write(&path, text).expect("the scratch directory takes files");
    path
}

/// A program on the path, or where a distribution keeps servers.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/usr/local/sbin"].map(|place| Path::new(place).to_owned()));
    places
        .iter()
        .map(|place| place.join(name))
        .find(|program| program.is_file())
}
