//! The options of the command that have to do with scripts.

use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use servette::cgi::{command_without, inherited_descriptors};
use servette::server::Listener;
use servette::simple::values;
use servette::{CgiHandler, RequestHandler, SimpleHandler};

use super::{Arguments, systemd};

#[path = "strays.rs"]
mod strays;

/// Set when the command has started itself anew, so that it does so only once.
const AGAIN: &str = "SERVETTE_STARTED_AGAIN";

/// `--cgi`, and what goes with it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Scripts")]
pub(crate) struct ScriptArguments {
    /// Run CGI scripts in /cgi-bin and /htbin
    #[arg(long)]
    cgi: bool,

    /// Run CGI scripts in this directory instead (a URL path); repeatable
    #[arg(long, value_name = "PATH", requires = "cgi", value_parser = directory)]
    cgi_directory: Vec<String>,

    /// Program that runs files with this suffix if they are not executable; repeatable
    #[arg(long, value_name = ".SUFFIX=PROGRAM", requires = "cgi")]
    cgi_interpreter: Vec<String>,

    /// Script that answers for its directory, such as index.cgi; repeatable
    #[arg(long, value_name = "NAME", requires = "cgi", value_parser = name)]
    cgi_index: Vec<String>,

    /// Environment variable for scripts; repeatable
    #[arg(long, value_name = "NAME=VALUE", requires = "cgi")]
    cgi_env: Vec<String>,

    /// Pass this environment variable of the server on to scripts; repeatable
    #[arg(long, value_name = "NAME", requires = "cgi", value_parser = variable)]
    cgi_inherit: Vec<String>,

    /// Pass requests of all methods to scripts, not only GET, HEAD and POST
    #[arg(long, requires = "cgi")]
    cgi_every_method: bool,

    /// Send output of scripts while the request body still arrives; by default output waits for the body
    #[arg(long, requires = "cgi")]
    cgi_full_duplex: bool,

    /// Set SERVER_NAME and SERVER_PORT from the Host field of the request
    #[arg(long, requires = "cgi")]
    cgi_server_name_from_host: bool,

    /// Pass the Authorization field to scripts (HTTP_AUTHORIZATION)
    #[arg(long, requires = "cgi")]
    cgi_pass_authorization: bool,

    /// Pass the words of a query without "=" as command-line arguments (RFC 3875, 4.4)
    #[arg(long, requires = "cgi")]
    cgi_query_arguments: bool,

    /// Run scripts as the user of the server, even as root (by default root runs them as nobody)
    #[arg(long, requires = "cgi")]
    cgi_same_user: bool,

    /// Kill scripts that neither write output nor read input for this time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "cgi",
          value_parser = clap::value_parser!(u64).range(1..))]
    cgi_silence_timeout: u64,

    /// Kill scripts that run longer than this; 0 for no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "cgi")]
    cgi_total_deadline: u64,

    /// Maximum scripts that run at a time; further requests get 503
    #[arg(long, value_name = "COUNT", default_value_t = 64, requires = "cgi",
          value_parser = clap::value_parser!(u32).range(1..))]
    cgi_max_scripts: u32,

    /// Maximum size of a request body for scripts; 0 for no limit
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, requires = "cgi")]
    cgi_max_body: u64,
}

/// The handler of the command.
#[derive(Debug)]
pub(crate) enum Handler {
    Files(Box<SimpleHandler>),
    Scripts(Box<CgiHandler>),
}

impl Handler {
    /// Serves with this handler, without dynamic dispatch.
    pub(crate) fn serve(
        self,
        arguments: &Arguments,
        sockets: Vec<Listener>,
    ) -> servette::Result<()> {
        match self {
            Handler::Files(handler) => super::serve(arguments, sockets, *handler),
            Handler::Scripts(handler) => super::serve(arguments, sockets, *handler),
        }
    }

    /// Returns the handler as a trait object, for a handler in front of it.
    pub(crate) fn into_shared(self) -> Arc<dyn RequestHandler + Send + Sync> {
        match self {
            Handler::Files(handler) => Arc::new(*handler),
            Handler::Scripts(handler) => Arc::new(*handler),
        }
    }
}

impl ScriptArguments {
    /// Keeps what the command has inherited from scripts, if there are any. To be called before anything is opened.
    pub(crate) fn shed_inherited(&self) -> Result<(), String> {
        if !self.cgi {
            return Ok(());
        }
        start_anew(&systemd::descriptors()?)
            .map_err(|error| format!("cannot restart without the inherited descriptors: {error}"))
    }

    /// The handler that these options ask for.
    pub(crate) fn handler(&self, files: SimpleHandler) -> Result<Handler, String> {
        if !self.cgi {
            return Ok(Handler::Files(files.into()));
        }
        let root = files.directory().to_owned();
        let mut handler = CgiHandler::from(files)
            .with_index_scripts(&self.cgi_index)
            .every_method(self.cgi_every_method)
            .full_duplex(self.cgi_full_duplex)
            .server_name_from_host(self.cgi_server_name_from_host)
            .pass_authorization(self.cgi_pass_authorization)
            .query_arguments(self.cgi_query_arguments)
            .run_as_server_user(self.cgi_same_user)
            .with_silence_timeout(Duration::from_secs(self.cgi_silence_timeout))
            .with_total_deadline(or_none(self.cgi_total_deadline).map(Duration::from_secs))
            .with_max_body(or_none(self.cgi_max_body))
            .with_max_scripts(self.cgi_max_scripts as usize);
        if !self.cgi_directory.is_empty() {
            handler = handler.with_cgi_directories(&self.cgi_directory);
        }
        let mut suffixes = Vec::new();
        for pair in &self.cgi_interpreter {
            let (suffix, program) = split(pair, "--cgi-interpreter")?;
            let wrong = |problem| format!("invalid value for '--cgi-interpreter': {problem}");
            let suffix = values::suffix(suffix).map_err(wrong)?;
            if program.is_empty() {
                return Err(wrong(format!("'{}' has no program", pair.escape_debug())));
            }
            handler = handler.interpreter(&suffix, Path::new(program));
            suffixes.push(suffix);
        }
        if let Some(warning) = strays::warning(&root, handler.cgi_directories(), &suffixes) {
            super::warn(&warning);
        }
        for pair in &self.cgi_env {
            let (name, value) = split(pair, "--cgi-env")?;
            handler = handler.env(name, value);
        }
        for name in &self.cgi_inherit {
            handler = handler.inherit_env(name);
        }
        Ok(Handler::Scripts(Box::new(handler)))
    }
}

/// A directory of scripts, as a path of requests.
fn directory(text: &str) -> Result<String, String> {
    values::directory(text).map(|names| format!("/{names}"))
}

/// The name of a script.
fn name(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains('/') || matches!(text, "." | "..") {
        true => Err("expected a file name without /".into()),
        false => Ok(text.to_owned()),
    }
}

/// The name of a variable.
fn variable(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains('=') {
        true => Err("expected the name of an environment variable".into()),
        false => Ok(text.to_owned()),
    }
}

fn or_none(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}

fn split<'a>(pair: &'a str, option: &str) -> Result<(&'a str, &'a str), String> {
    let split = pair.split_once('=').filter(|(name, _)| !name.is_empty());
    split.ok_or_else(|| {
        let pair = pair.escape_debug();
        format!("invalid value for '{option}': '{pair}' is not of the form NAME=VALUE")
    })
}

/// Starts the command anew without the descriptors that it has inherited, if there are any but the `sockets` of a service
/// manager: its scripts would inherit them, too.
fn start_anew(sockets: &Range<u32>) -> io::Result<()> {
    let mut inherited = inherited_descriptors();
    inherited.retain(|descriptor| !sockets.contains(descriptor));
    if inherited.is_empty() || env::var_os(AGAIN).is_some() {
        return Ok(());
    }
    let error = command_without(&inherited, &env::current_exe()?)?
        .args(env::args_os().skip(1))
        .env(AGAIN, "1")
        .exec();
    Err(error)
}
