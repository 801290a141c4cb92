//! Where the command listens: at an address, at a Unix socket, or at what a service manager has opened.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::Args;
use servette::server::{Builder, Listener};
use servette::{Log, Peer, RequestHandler, Result, ServerInfo, ThreadingHttpServer};

use super::{Arguments, system, tls};

/// What goes with `--bind`.
#[derive(Debug, Args)]
pub(super) struct ListenArguments {
    /// Mode of the Unix sockets of --bind unix:PATH [default: 660]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    socket_mode: Option<u32>,
}

impl ListenArguments {
    /// # Errors
    /// If there is a mode, but no Unix socket.
    pub(super) fn check(&self, bind: &[String]) -> Result<(), String> {
        match self.socket_mode.is_some() && unix_paths(bind).next().is_none() {
            true => Err("--socket-mode requires --bind unix:PATH".into()),
            false => Ok(()),
        }
    }
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|&mode| mode <= 0o777 && !text.starts_with('+'));
    mode.ok_or_else(|| "expected an octal number up to 777, such as 660".into())
}

/// A value of `--bind`.
#[derive(Clone, Copy)]
enum Place<'a> {
    Unix(&'a Path),
    Host(&'a str),
}

fn place(bind: &str) -> Place<'_> {
    match bind.strip_prefix("unix:") {
        Some(path) => Place::Unix(Path::new(path)),
        None => Place::Host(bind.trim_matches(['[', ']'])),
    }
}

/// The path of each `--bind unix:PATH`.
pub(super) fn unix_paths(bind: &[String]) -> impl Iterator<Item = &Path> {
    bind.iter().filter_map(|bind| match place(bind) {
        Place::Unix(path) => Some(path),
        Place::Host(_) => None,
    })
}

/// The host of each `--bind ADDRESS`.
pub(super) fn hosts(bind: &[String]) -> impl Iterator<Item = &str> {
    bind.iter().filter_map(|bind| match place(bind) {
        Place::Unix(_) => None,
        Place::Host(host) => Some(host),
    })
}

/// Binds to each `--bind`; by default to all interfaces, IPv6 and IPv4 on one socket where the system has IPv6. Sockets of
/// a service manager take the place of that.
pub(super) fn bind<H>(
    arguments: &Arguments,
    log: &Log,
    sockets: Vec<Listener>,
    handler: H,
) -> Result<ThreadingHttpServer<H>>
where
    H: RequestHandler + Clone + Sync,
{
    let hosts: Vec<_> = hosts(&arguments.bind).collect();
    let tls = arguments.tls.tls(&hosts)?;
    let builder = || {
        let builder = ThreadingHttpServer::builder(handler.clone())
            .limits(arguments.limits.limits())
            .log(log.clone());
        let mode = arguments.listen.socket_mode.unwrap_or(0o660);
        let builder = system::with_socket_mode(builder, mode);
        let builder = arguments.proxies.apply(builder);
        tls::secure(builder, tls.as_ref(), log, arguments.quiet)
    };
    let mut sockets = sockets.into_iter();
    if let Some(first) = sockets.next() {
        return sockets
            .fold(builder(), Builder::also_listen)
            .from_listener(first);
    }
    let places: Vec<_> = arguments.bind.iter().map(|bind| place(bind)).collect();
    match &*places {
        [] => arguments
            .port
            .bind(|port| bind_all_interfaces(port, builder)),
        [Place::Unix(path)] => system::bind_unix(builder(), path),
        [first, others @ ..] => arguments
            .port
            .bind(|port| bind_places(*first, others, port, builder())),
    }
}

fn bind_places<H>(
    first: Place<'_>,
    others: &[Place<'_>],
    port: u16,
    mut builder: Builder<H, ThreadingHttpServer<H>>,
) -> Result<ThreadingHttpServer<H>>
where
    H: RequestHandler,
{
    for place in others {
        builder = match place {
            Place::Unix(path) => system::also_bind_unix(builder, path)?,
            Place::Host(host) => builder.also_bind(&*addresses(host, port)?),
        };
    }
    match first {
        Place::Unix(path) => system::bind_unix(builder, path),
        Place::Host(host) => builder.bind(&*addresses(host, port)?),
    }
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| io::Error::other(format!("cannot resolve '{host}': {error}")))?;
    Ok(addresses.collect())
}

fn bind_all_interfaces<H>(
    port: u16,
    builder: impl Fn() -> Builder<H, ThreadingHttpServer<H>>,
) -> Result<ThreadingHttpServer<H>> {
    let dual_stack = builder().bind((Ipv6Addr::UNSPECIFIED, port));
    match dual_stack.map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error.into()),
        Err(_) => builder().bind((Ipv4Addr::UNSPECIFIED, port)),
        Ok(server) => Ok(server),
    }
}

/// The lines on stdout when the server listens: Python's, one for each place. The `paths` are those of the Unix sockets.
pub(super) fn banner(info: &ServerInfo, paths: &[&Path]) -> String {
    let (name, scheme) = match info.is_tls {
        true => ("HTTPS", "https"),
        false => ("HTTP", "http"),
    };
    let mut paths = paths.iter();
    let line = |peer: &Peer| match peer.socket_addr() {
        Some(address) => {
            let (host, port) = (address.ip(), address.port());
            format!("Serving {name} on {host} port {port} ({scheme}://{address}/) ...\n")
        }
        None => match paths.next() {
            Some(path) => format!("Serving {name} on unix:{} ...\n", path.display()),
            None => format!("Serving {name} on a Unix socket ...\n"),
        },
    };
    info.addresses.iter().map(line).collect()
}

/// The file of a Unix socket that the command has bound, to be removed at the end.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number: another server may have put its own there meanwhile.
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(SocketFile {
            identity: system::identity(path)?,
            path: path.to_owned(),
        })
    }

    /// Removes it. Must be called while the server listens: then no other file has its number.
    pub(super) fn remove(self) {
        if system::identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // There is nobody to tell, and the next server replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
