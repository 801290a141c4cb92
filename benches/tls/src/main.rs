//! Measures HTTPS beside nginx, hyper with tokio-rustls, and Go: the CPU time of the server for each unit of work, in
//! rounds in which the servers take turns. `benches/tls/run` builds it all and starts this on one core; each server runs
//! on another one. Arguments: rounds, seconds a measurement.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use servette::rustls::client::Resumption;
use servette::rustls::crypto::{CryptoProvider, ring};
use servette::rustls::pki_types::pem::PemObject;
use servette::rustls::pki_types::{CertificateDer, ServerName};
use servette::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};

type Client = StreamOwned<ClientConnection, TcpStream>;
type Measure = fn(&Site, u16, Duration) -> io::Result<(f64, f64)>;

const PORT: u16 = 18_443;
const PEERS: [&str; 4] = ["servette", "nginx", "hyper", "go"];

/// What is measured: work and its unit, and whether more of it for a CPU second is better, or less CPU time for each.
const SCENARIOS: [(&str, &str, bool, Measure); 5] = [
    ("hello, 64 kept connections", "µs", false, hello),
    ("new connection, full handshake", "µs", false, full),
    ("new connection, resumed", "µs", false, resumed),
    ("100 KiB file, 4 connections", "µs", false, medium),
    ("64 MiB file", "MB a CPU second", true, big),
];

/// The files that are served, and what clients trust.
struct Site {
    directory: PathBuf,
    full: Arc<ClientConfig>,
    resumed: Arc<ClientConfig>,
}

/// A server; all of its group is killed at the end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.0.wait();
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<f64>());
    let mut next = |default| arguments.next().and_then(Result::ok).unwrap_or(default);
    let (rounds, seconds) = (next(7.0) as usize, next(2.0));
    let site = site()?;
    let time = Duration::from_secs_f64(seconds);
    println!("| | {} |", PEERS.join(" | "));
    println!("|---{}|", "|---".repeat(PEERS.len()));
    for (title, unit, more_is_better, measure) in SCENARIOS {
        let mut all: [Vec<f64>; 4] = Default::default();
        for _ in 0..rounds {
            for (peer, results) in PEERS.iter().zip(&mut all) {
                let is_file = title.contains("file");
                let value = match *peer {
                    "hyper" if is_file => continue,
                    peer => run(&site, peer, time, measure)
                        .map_err(|error| io::Error::other(format!("{peer}, {title}: {error}")))?,
                };
                results.push(if more_is_better { 1e3 / value } else { value });
            }
        }
        let ours = all[0].clone();
        let cells = all.iter_mut().enumerate().map(|(number, values)| {
            let ratios: Vec<_> = values.iter().zip(&ours).map(|(a, b)| a / b).collect();
            match (number, values.is_empty()) {
                (_, true) => String::new(),
                (0, _) => format!("{:.4}", median(values.clone())),
                _ => format!("{:.4}: {:.2}", median(values.clone()), median(ratios)),
            }
        });
        let cells: Vec<_> = cells.collect();
        println!("| {title}, {unit} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn site() -> io::Result<Site> {
    let directory = std::env::temp_dir().join(format!("servette-bench-tls-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("medium"), vec![b'x'; 100 << 10])?;
    fs::File::create(directory.join("big"))?.set_len(64 << 20)?;
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(&directory)
        .stderr(Stdio::null())
        .status()?;
    assert!(made.success(), "openssl");
    let certificate = CertificateDer::from_pem_file(directory.join("cert.pem"));
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate.map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    let provider = ring::default_provider();
    // What the servers would choose differs else.
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..provider
    };
    let config = |resumption| {
        let builder = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(io::Error::other)?;
        let mut config = builder
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.resumption = resumption;
        io::Result::Ok(Arc::new(config))
    };
    Ok(Site {
        full: config(Resumption::disabled())?,
        resumed: config(Resumption::in_memory_sessions(8))?,
        directory,
    })
}

fn start(site: &Site, peer: &str) -> io::Result<Server> {
    let own = std::env::current_exe()?;
    let beside = |name: &str| own.parent().unwrap_or(Path::new(".")).join(name);
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| site.directory.join(name));
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]);
    match peer {
        "nginx" => {
            let conf = site.directory.join("nginx.conf");
            fs::write(&conf, nginx(site))?;
            command.arg("nginx").arg("-c").arg(conf);
        }
        peer => {
            let program = match peer {
                "go" => beside("tls-go"),
                peer => beside(&format!("tls-{peer}")),
            };
            command.arg(program).arg(PORT.to_string());
            command.args([&certificate, &key]).arg(&site.directory);
            command.env("GOMAXPROCS", "1");
        }
    }
    command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = Server(command.spawn()?);
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err(io::Error::other(format!("{peer} does not start")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(server)
}

fn nginx(site: &Site) -> String {
    let root = site.directory.display();
    format!(
        "daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
         events {{ worker_connections 4096; }}
         http {{
           access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
           client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
           uwsgi_temp_path {root}/d; scgi_temp_path {root}/e; default_type application/octet-stream;
           server {{
             listen 127.0.0.1:{PORT} ssl backlog=1024;
             ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
             ssl_protocols TLSv1.2 TLSv1.3;
             root {root};
             location = /hello {{ default_type text/plain; return 200 'Hello, World!'; }}
           }}
         }}"
    )
}

/// The CPU time of a server for each unit of work, in µs.
fn run(site: &Site, peer: &str, time: Duration, measure: Measure) -> io::Result<f64> {
    let server = start(site, peer)?;
    measure(site, PORT, Duration::from_millis(200))?;
    let before = cpu(server.0.id());
    let (units, _) = measure(site, PORT, time)?;
    let used = cpu(server.0.id()) - before;
    Ok(used / 1e3 / units)
}

/// CPU time of all processes of this group in ns.
fn cpu(group: u32) -> f64 {
    let is_of_group = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields.split_whitespace().nth(2) == Some(&group.to_string())
    };
    let mut total = 0.0;
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|b| b.is_ascii_digit()) || !is_of_group(&pid) {
            continue;
        }
        for task in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let first = stat
                .split_whitespace()
                .next()
                .and_then(|ns| ns.parse::<f64>().ok());
            total += first.unwrap_or(0.0);
        }
    }
    total
}

fn connect(config: &Arc<ClientConfig>, port: u16) -> io::Result<Client> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let client = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(client, stream))
}

/// Reads one answer with a length; the bytes of its body.
fn answer(client: &mut Client, room: &mut Vec<u8>) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        room.resize(room.len().max(filled + (64 << 10)), 0);
        let count = client.read(&mut room[filled..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        let head = &room[..filled];
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let length: usize = length.ok_or_else(|| io::Error::other(text.clone()))?;
        let mut left = (end + 4 + length).saturating_sub(filled);
        while left > 0 {
            let most = left.min(room.len());
            let count = client.read(&mut room[..most])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count;
        }
        return Ok(length);
    }
}

/// So many connections in step: all ask, then all read.
fn kept(
    site: &Site,
    port: u16,
    time: Duration,
    count: usize,
    path: &str,
) -> io::Result<(f64, f64)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let clients = (0..count).map(|_| connect(&site.full, port));
    let mut clients = clients.collect::<io::Result<Vec<_>>>()?;
    let (mut room, mut units, mut bytes) = (Vec::new(), 0.0, 0.0);
    let begin = Instant::now();
    while begin.elapsed() < time {
        for client in &mut clients {
            client.write_all(request.as_bytes())?;
        }
        for client in &mut clients {
            bytes += answer(client, &mut room)? as f64;
            units += 1.0;
        }
    }
    Ok((units, bytes))
}

fn hello(site: &Site, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    kept(site, port, time, 64, "/hello")
}

fn medium(site: &Site, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    kept(site, port, time, 4, "/medium")
}

/// In units of 1,000 bytes: µs for each are CPU seconds for a GB.
fn big(site: &Site, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    let (_, bytes) = kept(site, port, time, 1, "/big")?;
    Ok((bytes / 1e3, bytes))
}

fn full(site: &Site, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    new(&site.full, port, time)
}

fn resumed(site: &Site, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    new(&site.resumed, port, time)
}

fn new(config: &Arc<ClientConfig>, port: u16, time: Duration) -> io::Result<(f64, f64)> {
    let request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (mut room, mut units) = (Vec::new(), 0.0);
    let begin = Instant::now();
    while begin.elapsed() < time {
        let mut client = connect(config, port)?;
        client.write_all(request)?;
        answer(&mut client, &mut room)?;
        // Tickets come with the answer, or before it.
        let _ = client.read(&mut [0; 16]);
        units += 1.0;
    }
    Ok((units, 0.0))
}
