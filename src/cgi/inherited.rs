//! Descriptors that this process was started with and that its children would get, too.
//!
//! What this crate and the standard library open is closed in a child. What the process itself has
//! inherited is not, unless somebody sees to it; and in safe Rust a descriptor that is known by its
//! number alone can't be changed. So a shell does it: each script is started through one which closes
//! them first. Where there are none, which is the rule, no shell is needed.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// `O_CLOEXEC`, as /proc shows it.
const CLOEXEC: u32 = 0o2_000_000;
/// A shell that takes descriptors of several digits; the second one may.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// The numbers of the descriptors, beside the standard ones, that a program run by this process would
/// inherit. Empty where the system can't tell.
///
/// [`CgiHandler`](crate::CgiHandler) asks for them when it is made, and keeps them from its scripts.
/// That is done by a shell for each script; a program that wants to spare it starts itself anew
/// without them before anything else, as the command `servette` does.
pub fn inherited_descriptors() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut inherited: Vec<u32> = numbers.filter(|&fd| fd > 2 && is_inherited(fd)).collect();
    inherited.sort_unstable();
    inherited
}

fn is_inherited(fd: u32) -> bool {
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
        .is_ok_and(|info| flags(&info).is_some_and(|flags| flags & CLOEXEC == 0))
}

fn flags(info: &str) -> Option<u32> {
    let line = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// A command that closes these descriptors and then runs `program`, with the arguments that are added
/// to it. A shell that can't close them runs nothing.
///
/// # Errors
/// `NotFound` if there is no shell.
pub fn command_without(descriptors: &[u32], program: &Path) -> io::Result<Command> {
    if descriptors.is_empty() {
        return Ok(Command::new(program));
    }
    let shell = SHELLS.into_iter().find(|shell| Path::new(shell).exists());
    let mut command = Command::new(shell.ok_or(io::ErrorKind::NotFound)?);
    let closed: Vec<_> = descriptors.iter().map(|fd| format!("{fd}>&-")).collect();
    command
        .arg("-c")
        .arg(format!("exec {}; exec \"$0\" \"$@\"", closed.join(" ")))
        .arg(program);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_octal() {
        let info = "pos:\t0\nflags:\t02100000\nmnt_id:\t15\n";
        assert_eq!(flags(info), Some(0o2_100_000));
        assert_eq!(
            flags("flags:\t0100000\n").map(|flags| flags & CLOEXEC),
            Some(0)
        );
        assert_eq!(flags("pos:\t0\n"), None);
    }
}
