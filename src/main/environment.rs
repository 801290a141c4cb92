//! Options by environment variables: `--log-file` is `SERVETTE_LOG_FILE`, PORT is `SERVETTE_PORT`.
//!
//! An option of the command line wins over its variable, and that over the default. A variable that is empty counts as not
//! set. There is one rule for all options, so no option has to name its variable.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

/// The text below the options in `--help`.
const HELP: &str = "Each option except --help, --version, --man and --completions can also be set by an environment variable: \
--log-file by SERVETTE_LOG_FILE, PORT by SERVETTE_PORT. The command line overrides the variable. For an option without a \
value, set the variable to 1 or 0; for a repeatable option, put each value on its own line.";

/// The arguments: those of the command line, and of the environment.
pub(super) fn parse<A: CommandFactory + FromArgMatches>() -> Result<A, clap::Error> {
    parse_from(env::args_os(), |name| env::var_os(name))
}

fn parse_from<A: CommandFactory + FromArgMatches>(
    arguments: impl IntoIterator<Item = OsString>,
    value: impl Fn(&str) -> Option<OsString>,
) -> Result<A, clap::Error> {
    let command = command::<A>().mut_args(|arg| match variable(&arg) {
        Some(name) => match value(&name) {
            Some(value) if !is_unset(&arg, &value) => of_variable(arg, name),
            _ => arg,
        },
        None => arg,
    });
    A::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The definition of all options, from which help, man page, completions and `docs/command.md` are made.
pub(super) fn command<A: CommandFactory>() -> Command {
    A::command().after_help(HELP)
}

/// The name of the variable of an option.
pub(super) fn variable(arg: &Arg) -> Option<String> {
    let id = arg.get_id().as_str();
    let name = arg.get_long().unwrap_or(id);
    let is_about_itself = matches!(name, "help" | "version" | "man" | "completions");
    (!is_about_itself).then(|| format!("SERVETTE_{}", name.replace('-', "_").to_uppercase()))
}

/// An option without a value that is switched off is as if it were not there: others may need it, or exclude it.
fn is_unset(arg: &Arg, value: &OsStr) -> bool {
    value.is_empty() || (value == "0" && matches!(arg.get_action(), ArgAction::SetTrue))
}

fn of_variable(arg: Arg, name: String) -> Arg {
    // Values may be secrets, and help is not the place for them.
    let arg = arg.env(name).hide_env(true).hide_env_values(true);
    match arg.get_action() {
        ArgAction::SetTrue => {
            arg.value_parser(PossibleValuesParser::new(["0", "1"]).map(|value| value == "1"))
        }
        ArgAction::Append => arg.value_delimiter('\n'),
        _ => arg,
    }
}

/// Which variable the value came from that is wrong, if it did.
pub(super) fn origin(error: &clap::Error, command: &Command) -> Option<String> {
    let (Some(ContextValue::String(given)), Some(ContextValue::String(value))) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
    ) else {
        return None;
    };
    let arg = command
        .get_arguments()
        .find(|arg| &arg.to_string() == given)?;
    let name = variable(arg)?;
    let is_there = env::var_os(&name).is_some_and(|set| set.to_string_lossy().contains(&**value));
    (is_there && !value.is_empty()).then_some(name)
}
