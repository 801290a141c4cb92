//! File descriptors that this process has inherited, and that its child processes would inherit.
//!
//! Descriptors that this crate and the standard library open are closed in child processes. Inherited ones are not,
//! and safe Rust can't change a descriptor that is known by its number only. Therefore each script is started through
//! a shell that closes them. Usually there are none, and no shell is needed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use super::process::PAUSES;

/// `O_CLOEXEC`, as `/proc` shows it.
const CLOEXEC: u32 = 0o2_000_000;
/// Shells to use. bash accepts descriptors of several digits; `sh` may not.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Returns the file descriptors, other than 0, 1 and 2, that a child process would inherit from this one. Empty if
/// the system can't tell.
///
/// [`CgiHandler`](crate::CgiHandler) calls this when it is made, and starts each script through a shell that closes
/// these descriptors. To avoid the shell, restart the program without them before it opens anything, with
/// [`command_without`], as the command `servette` does.
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

/// Returns a command that closes these descriptors and then runs `program`, with the arguments that are added to the
/// command. Without descriptors it runs the program directly, otherwise through a shell.
///
/// If the shell can't close them, the program is not run. If the file of the program is open for writing, bash tries
/// again for a third of a second.
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

/// Returns the shell commands that run the program. If its file is executable but the start fails, as it does while
/// the file is open for writing, they try again after pauses (in milliseconds), like `Process::spawn`. Only bash goes
/// on after a failed `exec`. No variable is set, because the program would get it.
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
