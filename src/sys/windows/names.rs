//! Names of files as requests give them: Windows takes many to mean something else.

/// Whether this is the name of a file or directory, and means that alone.
///
/// Not so: separators, drives and streams (`\`, `:`), wildcards and what else no name may have; control characters; a dot
/// or a space at the end, which is dropped; devices, whatever extension they have; and what looks like a short name
/// (`GIT~1`), by which a file would be there under a second name that no rule knows.
pub(crate) fn is_name(name: &str) -> bool {
    let is_forbidden = |c: char| c.is_control() || "\\/:*?\"<>|".contains(c);
    !name.is_empty()
        && !name.contains(is_forbidden)
        && !name.ends_with(['.', ' '])
        && !is_device(name)
        && !is_short(name)
}

/// Whether a name stands for a device in every directory.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let is_number = |rest: &str| {
        let mut digits = rest.chars();
        let digit = digits.next();
        digit.is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && digits.next().is_none()
    };
    match &*stem {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$" => true,
        stem => ["COM", "LPT"]
            .iter()
            .any(|kind| stem.strip_prefix(kind).is_some_and(is_number)),
    }
}

/// Whether a name has the form of a short one (8.3) that the file system makes: up to eight characters that end in `~`
/// and a number, and an extension of up to three.
fn is_short(name: &str) -> bool {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let Some((start, number)) = stem.rsplit_once('~') else {
        return false;
    };
    !start.is_empty()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && stem.chars().count() <= 8
        && extension.chars().count() <= 3
        && !extension.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_a_file_and_nothing_else() {
        for name in [
            "a.txt",
            "A b.c",
            "é",
            ".git",
            "com",
            "com10",
            "COM",
            "console",
            "nul_",
            "xcon",
            "a~b",
            "~1",
            "long-name~1",
            "a~1.html",
            "lpt",
            "..a",
            "a..b",
            "auxiliary.txt",
        ] {
            assert!(is_name(name), "{name:?}");
        }
    }

    #[test]
    fn what_windows_takes_to_mean_something_else_is_no_name() {
        for name in [
            "",
            ".",
            "..",
            "...",
            "a.",
            "a ",
            "a. .",
            "a\\b",
            "..\\a",
            "C:",
            "C:a",
            "a:b",
            "a::$DATA",
            "a*",
            "a?",
            "a\"",
            "<",
            ">",
            "|",
            "a\u{1}",
            "\u{7f}",
            "a\0",
            "CON",
            "con",
            "Con.txt",
            "con .txt",
            "nul",
            "NUL.tar.gz",
            "PRN",
            "aux.h",
            "COM1",
            "com9.log",
            "COM0",
            "COM¹",
            "lpt³.x",
            "LPT1",
            "CONIN$",
            "conout$",
            "GIT~1",
            "PROGRA~1",
            "A~1.TXT",
            "ABCDE~12",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
