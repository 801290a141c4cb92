//! Colours of the log on a terminal: Python 3.15's colours for each class of status codes.

use std::env;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::sync::LazyLock;

/// Colours the request and its code in a line of Python's format. Returns `None` if stderr has no colours.
pub(crate) fn paint(line: &str, code: u16) -> Option<String> {
    static IS_COLOURED: LazyLock<bool> = LazyLock::new(|| {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").as_deref() == Some(OsStr::new("dumb"));
        decide(is_set("NO_COLOR"), is_set("FORCE_COLOR"), is_dumb, || {
            std::io::stderr().is_terminal()
        })
    });
    IS_COLOURED.then(|| painted(line, code)).flatten()
}

/// Decides about colours as Python does.
fn decide(no: bool, force: bool, is_dumb: bool, is_terminal: impl FnOnce() -> bool) -> bool {
    !no && (force || (!is_dumb && is_terminal()))
}

fn painted(line: &str, code: u16) -> Option<String> {
    let colour = match code {
        200..300 => GREEN,
        300..400 => CYAN,
        400..500 => YELLOW,
        500..600 => RED,
        _ => return None,
    };
    // The request stands after the date, and only the size stands after the code.
    let (head, rest) = line.split_once("] \"")?;
    let (request, size) = rest.rsplit_once(' ')?;
    Some(format!("{head}] {colour}\"{request}{RESET} {size}"))
}

const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_status_has_its_colour() {
        let painted = |code: u16| {
            let line = format!("::1 - - [23/Nov/2026 14:20:00] \"GET /] \"a HTTP/1.1\" {code} -\n");
            painted(&line, code)
        };
        for (code, colour) in [(200, 32), (206, 32), (304, 36), (404, 33), (500, 31)] {
            let wanted = format!(
                "::1 - - [23/Nov/2026 14:20:00] \x1b[{colour}m\"GET /] \"a HTTP/1.1\" {code}\x1b[0m -\n"
            );
            assert_eq!(painted(code), Some(wanted));
        }
        for code in [0, 101, 600] {
            assert_eq!(painted(code), None);
        }
    }

    #[test]
    fn no_color_beats_force_color_and_that_the_terminal() {
        let decide = |no, force, dumb, terminal| super::decide(no, force, dumb, || terminal);
        assert!(decide(false, false, false, true) && decide(false, true, true, false));
        assert!(!decide(true, true, false, true));
        assert!(!decide(false, false, true, true) && !decide(false, false, false, false));
    }
}
