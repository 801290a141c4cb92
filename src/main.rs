//! The `servette` command: `python -m http.server`, with the same arguments.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use servette::server::Listener;
use servette::{RequestHandler, SimpleHandler};

use self::health::Health;
use self::listen::SocketFile;

#[path = "main/announce.rs"]
mod announce;
#[path = "main/environment.rs"]
mod environment;
#[path = "main/health.rs"]
mod health;
#[path = "main/limits.rs"]
mod limits;
#[path = "main/listen.rs"]
mod listen;
#[path = "main/logs.rs"]
mod logs;
#[path = "main/manual.rs"]
mod manual;
#[path = "main/port.rs"]
mod port;
#[path = "main/proxies.rs"]
mod proxies;
#[cfg_attr(unix, path = "main/scripts.rs")]
#[cfg_attr(windows, path = "main/no_scripts.rs")]
mod scripts;
#[path = "main/site.rs"]
mod site;
#[path = "main/stop.rs"]
mod stop;
#[cfg_attr(unix, path = "main/system/unix.rs")]
#[cfg_attr(windows, path = "main/system/windows.rs")]
mod system;
#[cfg_attr(unix, path = "main/systemd.rs")]
#[cfg_attr(windows, path = "main/no_systemd.rs")]
mod systemd;
#[path = "main/tls.rs"]
mod tls;

/// Serves the files of a directory over HTTP or HTTPS.
#[derive(Debug, Parser)]
#[command(
    name = "servette",
    version,
    max_term_width = 100,
    infer_long_args = true
)]
struct Arguments {
    /// Port to listen on; 0 for any free port, 8000+ for the first free port from 8000 on
    #[arg(value_name = "PORT", default_value = "8000")]
    port: port::Port,

    /// Address to listen on, or unix:PATH for a Unix socket; repeatable [default: all interfaces, IPv4 and IPv6]
    #[arg(short, long, value_name = "ADDRESS")]
    bind: Vec<String>,

    /// Directory to serve
    #[arg(short, long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,

    /// HTTP version: HTTP/1.0 or HTTP/1.1 (or 1.0, 1.1); 1.1 keeps connections open (keep-alive)
    #[arg(short, long, value_name = "VERSION", default_value = "HTTP/1.0", value_parser = protocol)]
    protocol: String,

    /// Content-Type of files with an unknown suffix
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream", value_parser = field_value)]
    content_type: String,

    /// Add a header field to responses with files and listings; repeatable
    #[arg(short = 'H', long = "header", value_names = ["NAME", "VALUE"], num_args = 2,
          allow_negative_numbers = true)]
    headers: Vec<String>,

    /// Follow symbolic links that lead out of the directory, too
    #[arg(long)]
    follow_symlinks: bool,

    /// Do not log requests
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    listen: listen::ListenArguments,

    #[command(flatten)]
    announce: announce::AnnounceArguments,

    #[command(flatten)]
    manual: manual::ManualArguments,

    #[command(flatten)]
    log: logs::LogArguments,

    #[command(flatten)]
    proxies: proxies::ProxyArguments,

    #[command(flatten)]
    stop: stop::StopArguments,

    #[command(flatten)]
    site: site::SiteArguments,

    #[command(flatten)]
    tls: tls::TlsArguments,

    #[command(flatten)]
    limits: limits::LimitArguments,

    #[command(flatten)]
    cgi: scripts::ScriptArguments,
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
    let checked = arguments
        .tls
        .check()
        .and_then(|()| arguments.listen.check(&arguments.bind));
    let handler = match checked.and_then(|()| files(&arguments)) {
        Ok(handler) => handler,
        Err(error) => return usage_error(&error),
    };
    let sockets = match arguments
        .cgi
        .shed_inherited()
        .and_then(|()| systemd::sockets())
    {
        Ok(sockets) => sockets,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    let served = match (arguments.cgi.handler(handler), &arguments.stop.health) {
        (Ok(handler), None) => handler.serve(&arguments, sockets),
        (Ok(handler), Some(path)) => {
            let path = path.clone();
            let inner = handler.into_shared();
            serve(&arguments, sockets, Health { path, inner })
        }
        (Err(error), _) => return usage_error(&error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The handler of the directory.
///
/// # Errors
/// What is wrong in the arguments, in words.
fn files(arguments: &Arguments) -> Result<SimpleHandler, String> {
    if !arguments.directory.is_dir() {
        let directory = arguments.directory.display();
        return Err(format!("not a directory: {directory}"));
    }
    let mut handler = SimpleHandler::new(&arguments.directory)
        .with_protocol_version(&*arguments.protocol)
        .with_default_content_type(&*arguments.content_type)
        .follow_symlinks(arguments.follow_symlinks)
        .quiet(arguments.quiet);
    for pair in arguments.headers.chunks(2) {
        let [name, value] = pair else {
            return Err(
                "SERVETTE_HEADER needs two lines for each field: the name, then the value".into(),
            );
        };
        field_name(name)
            .and_then(|()| field_value(value).map(drop))
            .map_err(|error| format!("invalid value for '--header': {error}"))?;
        handler = handler.extra_response_header(name, value);
    }
    arguments
        .site
        .apply(handler, listen::hosts(&arguments.bind))
}

fn serve<H>(arguments: &Arguments, sockets: Vec<Listener>, handler: H) -> servette::Result<()>
where
    H: RequestHandler + Clone + Sync,
{
    let paths: Vec<_> = match sockets.is_empty() {
        true => listen::unix_paths(&arguments.bind).collect(),
        false => Vec::new(),
    };
    arguments.announce.prepare()?;
    let log = arguments.log.log()?;
    let server = listen::bind(arguments, &log, sockets, handler)?;
    let files = paths
        .iter()
        .map(|path| SocketFile::new(path))
        .collect::<io::Result<_>>()?;
    let stopper = server.shutdown_handle();
    arguments.stop.stop_at_signals(stopper, files)?;
    say(&listen::banner(server.info(), &paths));
    let _announced = arguments.announce.announce(server.info())?;
    systemd::notify("READY=1");
    let served = server.serve_forever();
    logs::flush(&log);
    served
}

fn protocol(version: &str) -> Result<String, String> {
    match version {
        "HTTP/1.0" | "1.0" => Ok("HTTP/1.0".into()),
        "HTTP/1.1" | "1.1" => Ok("HTTP/1.1".into()),
        _ => Err("expected HTTP/1.0 or HTTP/1.1 (or 1.0, 1.1)".into()),
    }
}

fn field_name(name: &str) -> Result<(), String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(format!(
            "'{}' is not a valid field name",
            name.escape_debug()
        ));
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
        true => Err(format!("'{name}' is set by the server itself")),
        false => Ok(()),
    }
}

/// A value that says something.
fn some_value(value: &str) -> Result<String, String> {
    match value.trim().is_empty() {
        true => Err("the value is empty".into()),
        false => field_value(value),
    }
}

fn field_value(value: &str) -> Result<String, String> {
    match value
        .chars()
        .all(|c| c == '\t' || (!c.is_control() && u32::from(c) < 0x100))
    {
        true => Ok(value.to_owned()),
        false => Err(format!(
            "'{}' has characters that a field value can't have",
            value.escape_debug()
        )),
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
