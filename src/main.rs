//! The `servette` command: `python -m http.server`, with the same arguments.

use std::env;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::thread;
use std::time::Duration;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use servette::{
    Error, Log, RequestHandler, ShutdownHandle, SimpleHandler, ThreadingHttpServer, Tls,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::scripts::Handler;

#[path = "main/announce.rs"]
mod announce;
#[path = "main/environment.rs"]
mod environment;
#[path = "main/limits.rs"]
mod limits;
#[path = "main/logs.rs"]
mod logs;
#[path = "main/manual.rs"]
mod manual;
#[path = "main/port.rs"]
mod port;
#[path = "main/scripts.rs"]
mod scripts;
#[path = "main/site.rs"]
mod site;
#[path = "main/tls.rs"]
mod tls;

/// How long running answers get when the server is told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// What a shell reports for a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// Serves the files of a directory over HTTP.
#[derive(Debug, Parser)]
#[command(
    name = "servette",
    version,
    max_term_width = 100,
    infer_long_args = true
)]
struct Arguments {
    /// Port to listen on; 0 takes any free one, 8000+ the first free one from 8000 on
    #[arg(value_name = "PORT", default_value = "8000")]
    port: port::Port,

    /// Bind to this address [default: all interfaces, IPv4 and IPv6]
    #[arg(short, long, value_name = "ADDRESS")]
    bind: Option<String>,

    /// Serve this directory
    #[arg(short, long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,

    /// Speak this version of HTTP; 1.1 keeps connections
    #[arg(short, long, value_name = "VERSION", default_value = "HTTP/1.0", value_parser = protocol)]
    protocol: String,

    /// Content-Type of files whose name says nothing
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream", value_parser = field_value)]
    content_type: String,

    /// Add a field to the answers for files and listings; may be repeated
    #[arg(short = 'H', long = "header", value_names = ["NAME", "VALUE"], num_args = 2,
          allow_negative_numbers = true)]
    headers: Vec<String>,

    /// Follow all symbolic links, also those that lead out of the directory
    #[arg(long)]
    follow_symlinks: bool,

    /// Do not log requests
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    announce: announce::AnnounceArguments,

    #[command(flatten)]
    manual: manual::ManualArguments,

    #[command(flatten)]
    log: logs::LogArguments,

    #[command(flatten)]
    site: site::SiteArguments,

    #[command(flatten)]
    tls: tls::TlsArguments,

    #[command(flatten)]
    limits: limits::LimitArguments,

    #[command(flatten)]
    cgi: scripts::ScriptArguments,
}

impl Arguments {
    /// What the server binds to; none for all interfaces.
    fn host(&self) -> Option<&str> {
        let host = self.bind.as_deref();
        host.map(|host| host.trim_matches(['[', ']']))
    }
}

fn main() -> ExitCode {
    let arguments = match environment::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(&reason(&error)),
    };
    match arguments.manual.text(environment::command::<Arguments>()) {
        Ok(None) => {}
        Ok(Some(text)) => {
            // A pager may have been left.
            let _ = io::stdout().write_all(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(&error.to_string()),
    }
    if !arguments.directory.is_dir() {
        let directory = arguments.directory.display();
        return usage_error(&format!("not a directory: {directory}"));
    }
    if let Err(error) = arguments.tls.check() {
        return usage_error(&error);
    }
    let mut handler = SimpleHandler::new(&arguments.directory)
        .with_protocol_version(&*arguments.protocol)
        .with_default_content_type(&*arguments.content_type)
        .follow_symlinks(arguments.follow_symlinks)
        .quiet(arguments.quiet);
    for pair in arguments.headers.chunks_exact(2) {
        if let [name, value] = pair {
            if let Err(error) = field_name(name).and_then(|()| field_value(value).map(drop)) {
                return usage_error(&format!("invalid value for '--header': {error}"));
            }
            handler = handler.extra_response_header(name, value);
        }
    }
    let handler = match arguments.site.apply(handler, arguments.bind.as_deref()) {
        Ok(handler) => handler,
        Err(error) => return usage_error(&error),
    };
    let served = match arguments.cgi.handler(handler) {
        Ok(Handler::Files(handler)) => serve(&arguments, *handler),
        Ok(Handler::Scripts(handler)) => serve(&arguments, *handler),
        Err(error) => return usage_error(&error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn serve<H>(arguments: &Arguments, handler: H) -> servette::Result<()>
where
    H: RequestHandler + Clone + Sync,
{
    if let Some(warning) = activation_warning(
        |name| env::var(name).unwrap_or_default(),
        std::process::id(),
    ) {
        warn(&warning);
    }
    arguments.announce.prepare()?;
    let log = arguments.log.log()?;
    let tls = arguments.tls.tls(arguments.host())?;
    let bind = |port| bind(arguments, port, tls.as_ref(), &log, handler.clone());
    let server = arguments.port.bind(bind)?;
    let stopper = server.shutdown_handle();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        let mut stopping = false;
        for signal in &mut signals {
            if stopping {
                exit(INTERRUPTED);
            }
            stopping = true;
            if signal == SIGINT {
                say("\nKeyboard interrupt received, exiting.\n");
            }
            let stopper = stopper.clone();
            thread::spawn(move || stop(&stopper));
        }
    });
    let address = server.server_address().socket_addr();
    let host = address.map_or_else(String::new, |address| address.ip().to_string());
    let shown = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    let port = server.server_port();
    let (name, scheme) = match server.info().is_tls {
        true => ("HTTPS", "https"),
        false => ("HTTP", "http"),
    };
    say(&format!(
        "Serving {name} on {host} port {port} ({scheme}://{shown}:{port}/) ...\n"
    ));
    let _announced = arguments.announce.announce(server.info())?;
    let served = server.serve_forever();
    logs::flush(&log);
    served
}

/// Binds to what was asked for: by default all interfaces, IPv6 and IPv4 on one socket where the
/// system has IPv6.
fn bind<H>(
    arguments: &Arguments,
    port: u16,
    tls: Option<&Tls>,
    log: &Log,
    handler: H,
) -> Result<ThreadingHttpServer<H>, Error>
where
    H: RequestHandler + Clone + Sync,
{
    let builder = |handler| {
        let builder = ThreadingHttpServer::builder(handler)
            .limits(arguments.limits.limits())
            .log(log.clone());
        tls::secure(builder, tls, log, arguments.quiet)
    };
    if let Some(host) = arguments.host() {
        let addresses: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|error| {
                io::Error::other(format!("cannot find the address '{host}': {error}"))
            })?
            .collect();
        return builder(handler).bind(&*addresses);
    }
    let dual_stack = builder(handler.clone()).bind((Ipv6Addr::UNSPECIFIED, port));
    match dual_stack.map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error.into()),
        Err(_) => builder(handler).bind((Ipv4Addr::UNSPECIFIED, port)),
        Ok(server) => Ok(server),
    }
}

/// Lets running answers end, and then the process, even if a handler does not.
fn stop(stopper: &ShutdownHandle) {
    if stopper.shutdown(STOP_DEADLINE) > 0 {
        exit(0);
    }
}

fn protocol(version: &str) -> Result<String, String> {
    match version {
        "HTTP/1.0" | "HTTP/1.1" => Ok(version.to_owned()),
        _ => Err("it is HTTP/1.0 or HTTP/1.1".into()),
    }
}

fn field_name(name: &str) -> Result<(), String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(format!("'{}' is not a field name", name.escape_debug()));
    }
    let own = [
        "Transfer-Encoding",
        "Connection",
        "Server",
        "Date",
        "Content-Type",
        "Content-Length",
    ];
    match own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        true => Err(format!("servette sends '{name}' itself")),
        false => Ok(()),
    }
}

/// A value that says something.
fn some_value(value: &str) -> Result<String, String> {
    match value.trim().is_empty() {
        true => Err("it is an empty value".into()),
        false => field_value(value),
    }
}

fn field_value(value: &str) -> Result<String, String> {
    match value
        .chars()
        .all(|c| c == '\t' || (!c.is_control() && u32::from(c) < 0x100))
    {
        true => Ok(value.to_owned()),
        false => Err(format!("'{}' can't stand in a field", value.escape_debug())),
    }
}

/// What is wrong with the arguments. The first paragraph of clap's text says it, and the rest repeats the
/// usage; but it does not tell an abbreviation of several options from an unknown one.
fn reason(error: &clap::Error) -> String {
    let mut command = environment::command::<Arguments>();
    command.build();
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && let Some(given) = given.strip_prefix("--")
    {
        let names = command.get_arguments().filter_map(clap::Arg::get_long);
        let could_be: Vec<_> = names.filter(|name| name.starts_with(given)).collect();
        if !given.is_empty() && !could_be.is_empty() {
            let could_be = could_be.join(", --");
            return format!("ambiguous option: '--{given}' could be --{could_be}");
        }
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    // Possible values, and options that are missing, stand on lines of their own.
    let paragraph = paragraph.trim_end().replace("\n  ", " ");
    match environment::origin(error, &command) {
        Some(variable) => format!("{paragraph} (from {variable})"),
        None => paragraph,
    }
}

/// What to say if a service manager has opened sockets for this process (systemd's socket activation): they
/// stay unused.
fn activation_warning(variable: impl Fn(&str) -> String, own: u32) -> Option<String> {
    let sockets = variable("LISTEN_FDS");
    let process = variable("LISTEN_PID");
    // Without a process it is meant for whoever reads it.
    let is_for_us = process.is_empty() || process == own.to_string();
    (is_for_us && !matches!(&*sockets, "" | "0")).then(|| {
        format!(
            "LISTEN_FDS is set to '{sockets}', but sockets of a service manager are not supported; \
             listening on the address and port of the command line instead"
        )
    })
}

fn usage_error(text: &str) -> ExitCode {
    complain(text);
    ExitCode::from(2)
}

/// A line on stdout; a reader that has gone is no reason to stop serving.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

fn complain(text: &str) {
    tell("error", text);
}

fn warn(text: &str) {
    tell("warning", text);
}

fn tell(kind: &str, text: &str) {
    log(&format!("servette: {kind}: {text}"));
}

/// One line on stderr, whatever an argument or a client had in it.
fn log(text: &str) {
    let mut line = String::new();
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_debug()),
            false => line.push(c),
        }
    }
    line.push('\n');
    let _ = io::stderr().write_all(line.as_bytes());
}
