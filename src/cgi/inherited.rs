//! Descriptors that this process was started with and that its children would get, too.
//!
//! What this crate and the standard library open is closed in a child. What the process itself has
//! inherited is not, unless somebody sees to it; and in safe Rust a descriptor that is known by its
//! number alone can't be changed. So a shell does it: each script is started through one which closes
//! them first. Where there are none, which is the rule, no shell is needed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use super::process::PAUSES;

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
/// to it. A shell that can't close them runs nothing. For a program whose file somebody has open for
/// writing it waits a little, where it is bash.
///
/// # Errors
/// `NotFound` if there is no shell.
pub fn command_without(descriptors: &[u32], program: &Path) -> io::Result<Command> {
    match descriptors {
        [] => Ok(Command::new(program)),
        descriptors => through_a_shell(descriptors, program, &PAUSES),
    }
}

fn through_a_shell(descriptors: &[u32], program: &Path, pauses: &[u64]) -> io::Result<Command> {
    let shell = SHELLS.into_iter().find(|shell| Path::new(shell).exists());
    let mut command = Command::new(shell.ok_or(io::ErrorKind::NotFound)?);
    let closed: Vec<_> = descriptors.iter().map(|fd| format!("{fd}>&-")).collect();
    command
        .arg("-c")
        .arg(format!("exec {}\n{}", closed.join(" "), become_it(pauses)))
        .arg(program);
    Ok(command)
}

/// What the shell runs to become the program, again after pauses (in milliseconds) where that fails for a
/// file which it may execute: somebody has it open for writing, as in `Process::spawn`. Only bash goes on
/// behind a failed `exec`; another shell ends there. No variable is set, for the program would get it.
fn become_it(pauses: &[u64]) -> String {
    const EXEC: &str = "exec \"$0\" \"$@\"\n";
    let again = |millis: &u64| {
        let pause = Duration::from_millis(*millis).as_secs_f64();
        format!("{EXEC}[ $? = 126 ] && [ -x \"$0\" ] || exit 127\n/bin/sleep {pause}\n")
    };
    let tries: String = pauses.iter().map(again).collect();
    format!("shopt -s execfail 2>/dev/null\n{tries}{EXEC}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

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

    #[test]
    fn a_shell_waits_too_for_a_program_that_is_being_written() {
        if !Path::new(SHELLS[0]).exists() {
            return;
        }
        let name = format!("servette-inherited-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Another process writes it: what this one opens, the children of other tests may hold.
        let writes = "printf '#!/bin/sh\necho \"ran $1\"\n' >\"$0\"; chmod 755 \"$0\"\n\
                      exec 3>>\"$0\"; echo open; read line";
        let mut writer = Command::new("/bin/sh");
        writer.args(["-c", writes]).arg(&path);
        let writer = writer.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut writer = writer.spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(writer.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "open\n");

        let mut command = through_a_shell(&[97, 98], &path, &[40; 500]).unwrap();
        command.arg("it").stdout(Stdio::piped());
        let mut started = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut complaints = BufReader::new(started.stderr.take().unwrap());
        let mut complaint = String::new();
        // That it failed once; or the end, on a system that runs such a program all the same.
        complaints.read_line(&mut complaint).unwrap();
        drop(writer.stdin.take());
        writer.wait().unwrap();
        complaints.read_to_string(&mut complaint).unwrap();
        let output = started.wait_with_output().unwrap();
        fs::remove_file(&path).unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output, "ran it\n", "{complaint}");
    }
}
