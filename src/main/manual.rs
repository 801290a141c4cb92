//! `--man` and `--completions`: written from the definition of the options, as is the table of `docs/command.md`.

use std::io;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

/// `--man` and `--completions`.
#[derive(Debug, Args)]
pub(super) struct ManualArguments {
    /// Print the manual page
    #[arg(long)]
    man: bool,

    /// Print the completion script for this shell
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

impl ManualArguments {
    /// What is to be printed instead of serving.
    pub(super) fn text(&self, mut command: Command) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        if self.man {
            page(command, &mut text)?;
        } else if let Some(shell) = self.completions {
            clap_complete::generate(shell, &mut command, "servette", &mut text);
        } else {
            return Ok(None);
        }
        Ok(Some(text))
    }
}

fn page(command: Command, text: &mut Vec<u8>) -> io::Result<()> {
    let environment = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.after_help(""));
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    text.extend(b".SH ENVIRONMENT\n");
    text.extend(
        environment
            .unwrap_or_default()
            .replace('-', "\\-")
            .as_bytes(),
    );
    text.extend(OTHER_SECTIONS.as_bytes());
    man.render_version_section(text)
}

/// Sections of the manual page beyond the options.
const OTHER_SECTIONS: &str = r#"
.PP
NO_COLOR switches colours off in the log, FORCE_COLOR switches them on where stderr is not a terminal, and TZ sets the time zone.
.SH SIGNALS
.TP
SIGINT, SIGTERM
Stop the server gracefully: running responses have the time of \fB\-\-grace\fR to complete. With SIGTERM the server first keeps accepting requests for the time of \fB\-\-drain\fR, so that load balancers notice. A second signal ends the process at once.
.TP
SIGHUP
Reopens the file of \fB\-\-log\-file\fR and reloads the certificates of \fB\-\-tls\-cert\fR. Without these options it ends the process.
.SH EXIT STATUS
.TP
0
The server was stopped.
.TP
1
The server failed to start: a port can't be bound, or a file can't be read or written.
.TP
2
The arguments are wrong.
.SH EXAMPLES
.TP
servette
Serves the files of the current directory on port 8000.
.TP
servette 8000+ \-o
Serves them on the first free port from 8000 on, and opens a browser.
.TP
servette \-p 1.1 \-d public \-\-log\-format combined \-\-log\-file access.log
Serves the directory "public" with keep-alive, and writes an access log in the format of Apache and nginx.
"#;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Arguments;
    use crate::environment::{command, variable};
    use clap::ArgAction;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command.md");
    const MARKS: [&str; 2] = ["<!-- options -->\n", "<!-- end of options -->\n"];

    /// The tables of all options, one for each group.
    fn tables() -> String {
        let mut command = command::<Arguments>();
        command.build();
        let mut text = String::new();
        let mut heading = None;
        // The sort is stable: the options without a heading, which clap puts first and last, are one group.
        let mut arguments: Vec<_> = command.get_arguments().collect();
        arguments.sort_by_key(|arg| arg.get_help_heading().is_some());
        for arg in arguments {
            if heading != Some(arg.get_help_heading()) {
                heading = Some(arg.get_help_heading());
                let title = arg.get_help_heading().unwrap_or("General");
                text +=
                    &format!("\n### {title}\n\n| option | variable | meaning |\n|---|---|---|\n");
            }
            let mut option = match arg.get_short() {
                Some(short) => format!("-{short}, {arg}"),
                None => arg.to_string(),
            };
            // "..." says of options and of a positional argument that they may be repeated, which their text says.
            option = option.replace("...", "");
            let variable = variable(arg)
                .map(|name| format!("`{name}`"))
                .unwrap_or_default();
            let mut help = arg.get_help().unwrap().to_string();
            let values: Vec<_> = arg
                .get_possible_values()
                .iter()
                .map(|value| value.get_name().to_owned())
                .collect();
            if !values.is_empty() && !matches!(arg.get_action(), ArgAction::SetTrue) {
                help += &format!("; one of `{}`", values.join("`, `"));
            }
            let defaults = arg
                .get_default_values()
                .iter()
                .map(|value| value.to_str().unwrap());
            let default = defaults.collect::<Vec<_>>().join(" ");
            if !default.is_empty() && !matches!(arg.get_action(), ArgAction::SetTrue) {
                help += &format!(" [default: {default}]");
            }
            text += &format!("| `{option}` | {variable} | {} |\n", markdown(&help));
        }
        text.push('\n');
        text
    }

    /// Help text for a cell: options as code, defaults in parentheses, as brackets would be links.
    fn markdown(help: &str) -> String {
        let help = help.replace('|', "\\|").replace('<', "&lt;");
        let help = help.replace('[', "(").replace(']', ")");
        let mut text = String::new();
        for word in help.split_inclusive(' ') {
            let is_end = |c: char| !c.is_ascii_lowercase() && c != '-';
            let length = word.find(is_end).unwrap_or(word.len());
            match word.split_at(length) {
                (option, rest) if option.starts_with("--") => text += &format!("`{option}`{rest}"),
                _ => text += word,
            }
        }
        text
    }

    /// `UPDATE_DOCS=1 cargo test --features cli --bin servette` writes them.
    #[test]
    fn the_page_has_the_options_as_they_are() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(MARKS[0]).unwrap();
        let (written, after) = rest.split_once(MARKS[1]).unwrap();
        let tables = tables();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let [begin, end] = MARKS;
            std::fs::write(PAGE, format!("{before}{begin}{tables}{end}{after}")).unwrap();
        } else {
            assert_eq!(written, tables, "run this test with UPDATE_DOCS=1");
        }
    }

    #[test]
    fn the_definition_holds() {
        command::<Arguments>().debug_assert();
    }

    #[test]
    fn every_option_is_in_the_manual_and_the_completions() {
        let mut text = Vec::new();
        page(command::<Arguments>(), &mut text).unwrap();
        let man = String::from_utf8(text).unwrap().replace("\\-", "-");
        let mut command = command::<Arguments>();
        command.build();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), "servette", &mut text);
            let completions = String::from_utf8(text).unwrap();
            for long in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(completions.contains(long), "{shell} lacks {long}");
                assert!(man.contains(&format!("--{long}")), "the page lacks {long}");
            }
        }
    }
}
