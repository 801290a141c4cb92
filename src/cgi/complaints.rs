//! The standard error of a script, split into lines for the log.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ChildStderr;

/// Maximum length of a line; a longer one is split.
const LINE: usize = 2 << 10;
/// Maximum number of bytes that are logged for one script; the rest is dropped.
const MOST: usize = 64 << 10;

/// The lines of a script's standard error.
#[derive(Debug)]
pub(super) struct Complaints {
    pipe: Option<File>,
    unfinished: Vec<u8>,
    logged: usize,
}

impl Complaints {
    /// Reads from this non-blocking pipe.
    pub(super) fn new(stderr: Option<ChildStderr>) -> Self {
        Complaints {
            pipe: stderr.map(|stderr| File::from(OwnedFd::from(stderr))),
            unfinished: Vec::new(),
            logged: 0,
        }
    }

    /// Returns the descriptor to poll, until the end of the stream.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Logs the lines that can be read without waiting. Returns even if the script writes as fast as it is read.
    pub(super) fn read(&mut self, mut log: impl FnMut(&str)) {
        let mut buffer = [0; 4 << 10];
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default(), &mut log),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
    }

    /// Logs the rest, which has no line end.
    pub(super) fn finish(&mut self, mut log: impl FnMut(&str)) {
        self.read(&mut log);
        let rest = std::mem::take(&mut self.unfinished);
        self.line(&rest, &mut log);
    }

    fn take(&mut self, mut bytes: &[u8], log: &mut impl FnMut(&str)) {
        while !bytes.is_empty() {
            let room = LINE.saturating_sub(self.unfinished.len()).min(bytes.len());
            let end = bytes.iter().take(room).position(|&byte| byte == b'\n');
            let (line, rest) = bytes
                .split_at_checked(end.unwrap_or(room))
                .unwrap_or_default();
            self.unfinished.extend_from_slice(line);
            bytes = match end {
                Some(_) => rest.get(1..).unwrap_or_default(),
                None => rest,
            };
            if end.is_some() || self.unfinished.len() >= LINE {
                let line = std::mem::take(&mut self.unfinished);
                self.line(&line, log);
            }
        }
    }

    fn line(&mut self, line: &[u8], log: &mut impl FnMut(&str)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || self.logged >= MOST {
            return;
        }
        // A line costs more than its bytes.
        self.logged += line.len() + 64;
        log(&String::from_utf8_lossy(line));
        if self.logged >= MOST {
            log("(further lines are not logged)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut complaints = Complaints::new(None);
        let mut lines = Vec::new();
        for piece in pieces {
            complaints.take(piece, &mut |line: &str| lines.push(line.to_owned()));
        }
        complaints.finish(|line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn lines_are_put_together_whatever_the_pieces() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n", b"\n\nd"]), ["a", "bc", "d"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(lines(&[b"", b"\n"]).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_and_endless_noise_ends() {
        let long = vec![b'x'; LINE * 2 + 1];
        assert_eq!(
            lines(&[&long]).iter().map(String::len).collect::<Vec<_>>(),
            [LINE, LINE, 1]
        );
        let noise = b"noise\n".repeat(MOST);
        let lines = lines(&[&noise]);
        assert!(lines.len() < MOST / 64, "{}", lines.len());
        assert_eq!(lines.last().unwrap(), "(further lines are not logged)");
    }
}
