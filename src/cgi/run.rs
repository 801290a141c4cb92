//! Runs a script for a request: checks the path, starts the script, follows local redirects.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, access};

use super::answer::{Answer, ScriptResult};
use super::process::Process;
use super::script::{self, Lookup, Script};
use super::spool::Input;
use super::transfer::Transfer;
use super::{CgiInfo, RunScripts, environment, inherited, user};
use crate::error::Fault;
use crate::http1::quote::quoted;
use crate::{Error, Exchange, Result, Status, simple};

/// Maximum number of local redirects of a request.
const REDIRECTS: u32 = 10;

/// The default of [`super::run_cgi`].
pub(super) fn run(h: &dyn RunScripts, x: &mut Exchange<'_>, info: &CgiInfo) -> Result<()> {
    const NOT_PLAIN: &str = "CGI script is not a plain file";
    let script = match script::find(h, info)? {
        Lookup::Found(script) => script,
        Lookup::Missing(name) => {
            return refuse(h, x, Status::NOT_FOUND, "No such CGI script", &name);
        }
        Lookup::NeedsSlash(_) if matches!(x.command, "GET" | "HEAD") => {
            return simple::head::redirect(h.dyn_files(), x);
        }
        Lookup::NotPlain(name) | Lookup::NeedsSlash(name) => {
            return refuse(h, x, Status::FORBIDDEN, NOT_PLAIN, &name);
        }
    };
    let Some(program) = program(h, &script.file) else {
        let message = "CGI script is not executable";
        return refuse(h, x, Status::FORBIDDEN, message, &script.name);
    };
    if !h.cgi().has_room() {
        return Err(too_many());
    }
    let answered = answer(h, x, &script, program).inspect_err(|error| {
        if error.fault() == Some(&Fault::Gone) {
            h.log_error(x, format_args!("\"{}\" {error}", x.requestline));
        }
    });
    match answered? {
        ScriptResult::Answered => Ok(()),
        ScriptResult::Redirect(path) => hand_on(h, x, &path),
    }
}

/// Answers with an error page, with Python's text.
fn refuse(
    h: &dyn RunScripts,
    x: &mut Exchange<'_>,
    status: Status<'_>,
    text: &str,
    name: &[u8],
) -> Result<()> {
    let message = format!("{text} ({})", quoted(&String::from_utf8_lossy(name)));
    h.send_error(x, status.with_message(&message))
}

/// Returns what to execute: the script itself, or the interpreter for its suffix. `None` if there is neither.
fn program<'h>(h: &'h dyn RunScripts, file: &Path) -> Option<Program<'h>> {
    if h.is_executable(file) {
        return Some(Program::Itself);
    }
    let suffix = match h.is_python(file) {
        true => "py".as_ref(),
        false => file.extension()?,
    };
    h.cgi().interpreter_for(suffix).map(Program::Interpreter)
}

#[derive(Clone, Copy)]
enum Program<'h> {
    Itself,
    Interpreter(&'h Path),
}

impl Program<'_> {
    /// Returns why the script can't be started, if its interpreter is the reason.
    fn fault(self, script: &Path) -> Option<String> {
        let (interpreter, note) = match self {
            Program::Interpreter(interpreter) => (interpreter.to_owned(), ""),
            Program::Itself => script::interpreter(script)?,
        };
        let is_runnable = interpreter.is_file() && access(&interpreter, Access::EXEC_OK).is_ok();
        let name = interpreter.display();
        (!is_runnable)
            .then(|| format!("its interpreter \"{name}\" is missing or not executable{note}"))
    }
}

/// Runs the script until its response is complete.
fn answer(
    h: &dyn RunScripts,
    x: &mut Exchange<'_>,
    script: &Script,
    program: Program<'_>,
) -> Result<ScriptResult> {
    // A request that was handed on has no body: it belonged to the script before.
    let has_field = |name| x.headers.get(name).is_some();
    let has_body =
        x.redirects == 0 && (has_field("Content-Length") || has_field("Transfer-Encoding"));
    let input = Input::take(&mut x.rfile, has_body, h.cgi().max_body())?;
    // A body that had to be kept first has taken its time; no script has waited for it.
    let permit = h.cgi().permit().ok_or_else(too_many)?;
    let started = command(h, x, script, program, &input)
        .and_then(|mut command| Process::spawn(&mut command, permit));
    let name = String::from_utf8_lossy(&script.name);
    let process = match started {
        Ok(process) => process,
        Err(error) => {
            let fault = program.fault(&script.file);
            let fault = fault.unwrap_or_else(|| error.to_string());
            h.log_error(
                x,
                format_args!("CGI script {name} can't be started: {fault}"),
            );
            let status = match error.kind() {
                // What does not fit into an environment.
                io::ErrorKind::ArgumentListTooLong => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
                _ => Status::INTERNAL_SERVER_ERROR,
            };
            return Err(status.with_message("CGI script can't be started").into());
        }
    };
    let is_raw = script
        .file
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"nph-"));
    let answer = Answer::new(name.to_string(), is_raw);
    let result = Transfer::new(h, x, process, input, answer)?.run();
    // A shell that starts the script fails in its place, and says less.
    if result.is_err()
        && !h.cgi().inherited().is_empty()
        && let Some(fault) = program.fault(&script.file)
    {
        h.log_error(x, format_args!("CGI script {name}: {fault}"));
    }
    result
}

fn too_many() -> Error {
    let status = Status::SERVICE_UNAVAILABLE;
    status
        .with_message("Too many CGI scripts are running")
        .into()
}

/// Returns the command that starts the script, with nothing inherited from this process.
///
/// Unless the user changes, the standard library starts this kind of command with `posix_spawn`, which does not copy
/// the server's page tables: a program with a slash in its name, no user, no group, no code to run before it.
fn command(
    h: &dyn RunScripts,
    x: &Exchange<'_>,
    script: &Script,
    program: Program<'_>,
    input: &Input,
) -> io::Result<Command> {
    let cgi = h.cgi();
    let (program, argument): (PathBuf, Option<&Path>) = match program {
        Program::Itself => (script.file.clone(), None),
        Program::Interpreter(interpreter) => (interpreter.to_owned(), Some(&script.file)),
    };
    let mut command = inherited::command_without(cgi.inherited(), &program)?;
    command.args(argument);
    if cgi.passes_query_arguments() && matches!(x.command, "GET" | "HEAD") {
        command.args(environment::query_arguments(x.path));
    }
    command
        .env_clear()
        .envs(environment::of(h, x, script, input.length()))
        .current_dir(environment::working_directory(&script.file))
        .stdin(input.stdio()?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if !cgi.runs_as_server_user()
        && let Some(identity) = user::to_become().map_err(io::Error::other)?
    {
        // The standard library drops the supplementary groups of one who is root, too.
        command.gid(identity.gid).uid(identity.uid);
    }
    Ok(command)
}

/// Answers with another path of this server, as for a GET.
fn hand_on(h: &dyn RunScripts, x: &mut Exchange<'_>, path: &str) -> Result<()> {
    if x.redirects >= REDIRECTS {
        let status = Status::BAD_GATEWAY.with_message("Too many CGI redirects");
        return Err(status.into());
    }
    // It names a path of the whole server, of which this handler may have a part.
    let mount = x.mount();
    let Some(path) = path.strip_prefix(mount).filter(|p| p.starts_with('/')) else {
        return x.send_redirect(Status::FOUND, path);
    };
    let redirects = x.redirects + 1;
    let is_head = x.command == "HEAD";
    let mut x = x.with_path(path);
    x.redirects = redirects;
    x.command = if is_head { "HEAD" } else { "GET" };
    h.do_method(&mut x)
}
