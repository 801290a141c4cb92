//! Where the command listens: at an address, at a Unix socket, or at what a service manager has opened.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::Args;
use servette::server::{Builder, Listener};
use servette::{Log, Peer, RequestHandler, Result, ServerInfo, ThreadingHttpServer};

use super::{Arguments, system, tls};

/// What goes with `--bind`.
#[derive(Debug, Args)]
pub(super) struct ListenArguments {
    /// Mode of the Unix socket of --bind unix:PATH
    #[arg(long, value_name = "MODE", default_value = "660", value_parser = mode)]
    socket_mode: u32,
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|&mode| mode <= 0o777 && !text.starts_with('+'));
    mode.ok_or_else(|| "it is an octal number of up to 777".into())
}

/// The path of `--bind unix:PATH`.
pub(super) fn unix_path(bind: Option<&str>) -> Option<&Path> {
    bind?.strip_prefix("unix:").map(Path::new)
}

/// The host of `--bind ADDRESS`.
pub(super) fn host(bind: Option<&str>) -> Option<&str> {
    bind.filter(|bind| !bind.starts_with("unix:"))
        .map(|host| host.trim_matches(['[', ']']))
}

/// Binds to what was asked for: by default all interfaces, IPv6 and IPv4 on one socket where the system has IPv6. Sockets
/// of a service manager take the place of that.
pub(super) fn bind<H>(
    arguments: &Arguments,
    log: &Log,
    sockets: Vec<Listener>,
    handler: H,
) -> Result<ThreadingHttpServer<H>>
where
    H: RequestHandler + Clone + Sync,
{
    let host = host(arguments.bind.as_deref());
    let tls = arguments.tls.tls(host)?;
    let builder = || {
        let builder = ThreadingHttpServer::builder(handler.clone())
            .limits(arguments.limits.limits())
            .log(log.clone());
        let builder = system::with_socket_mode(builder, arguments.listen.socket_mode);
        let builder = arguments.proxies.apply(builder);
        tls::secure(builder, tls.as_ref(), log, arguments.quiet)
    };
    let mut sockets = sockets.into_iter();
    if let Some(first) = sockets.next() {
        return sockets
            .fold(builder(), Builder::also_listen)
            .from_listener(first);
    }
    match unix_path(arguments.bind.as_deref()) {
        Some(path) => system::bind_unix(builder(), path),
        None => arguments.port.bind(|port| bind_port(host, port, builder)),
    }
}

fn bind_port<H>(
    host: Option<&str>,
    port: u16,
    builder: impl Fn() -> Builder<H, ThreadingHttpServer<H>>,
) -> Result<ThreadingHttpServer<H>> {
    if let Some(host) = host {
        let addresses: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|error| {
                io::Error::other(format!("cannot find the address '{host}': {error}"))
            })?
            .collect();
        return builder().bind(&*addresses);
    }
    let dual_stack = builder().bind((Ipv6Addr::UNSPECIFIED, port));
    match dual_stack.map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error.into()),
        Err(_) => builder().bind((Ipv4Addr::UNSPECIFIED, port)),
        Ok(server) => Ok(server),
    }
}

/// What the command says when it listens: Python's line, one for each place.
pub(super) fn banner(info: &ServerInfo, path: Option<&Path>) -> String {
    let (name, scheme) = match info.is_tls {
        true => ("HTTPS", "https"),
        false => ("HTTP", "http"),
    };
    let line = |peer: &Peer| match (peer.socket_addr(), path) {
        (Some(address), _) => {
            let (host, port) = (address.ip(), address.port());
            format!("Serving {name} on {host} port {port} ({scheme}://{address}/) ...\n")
        }
        (None, Some(path)) => format!("Serving {name} on unix:{} ...\n", path.display()),
        (None, None) => format!("Serving {name} on a Unix socket ...\n"),
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
