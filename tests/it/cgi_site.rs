//! What the tests of scripts share: a directory of scripts, and what can be known of processes.

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::client::{Client, Response};
use crate::support::Ask;
use servette::testing::TestServer;
use servette::{CgiHandler, SimpleHandler};

/// A root directory with a `cgi-bin`; anybody may read it, and write to its `out`.
pub(crate) struct Site(PathBuf);

impl Site {
    pub(crate) fn new() -> Site {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("servette-cgi-{}-{number}", std::process::id());
        let site = Site(std::env::temp_dir().join(name));
        for (directory, mode) in [("", 0o755), ("cgi-bin", 0o755), ("out", 0o777)] {
            fs::create_dir_all(site.path(directory)).unwrap();
            fs::set_permissions(site.path(directory), fs::Permissions::from_mode(mode)).unwrap();
        }
        site
    }

    /// With one script, `cgi-bin/script`.
    pub(crate) fn with(text: &str) -> Site {
        let site = Site::new();
        site.script("cgi-bin/script", text);
        site
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        // `join` of nothing would put a slash at the end.
        match path {
            "" => self.0.clone(),
            path => self.0.join(path),
        }
    }

    pub(crate) fn file(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match mode & 0o111 {
            0 => fs::write(&path, text).unwrap(),
            _ => write_elsewhere(&path, text.as_ref()),
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(crate) fn script(&self, path: &str, text: &str) -> PathBuf {
        self.file(path, text, 0o755)
    }

    pub(crate) fn handler(&self) -> CgiHandler {
        CgiHandler::from(SimpleHandler::new(self.path("")).with_protocol_version("HTTP/1.1"))
    }

    #[track_caller]
    pub(crate) fn serve(&self) -> Served {
        serve(self.handler())
    }
}

/// Another process writes what is to be executed. What this one has open for writing, the children that
/// other tests start have open, too, until they run their program, and so long nobody can execute it.
fn write_elsewhere(path: &Path, text: &[u8]) {
    let mut shell = Command::new("/bin/sh");
    let shell = shell.args(["-c", "cat >\"$0\""]).arg(path);
    let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A fixture that runs scripts. A test that fails shows its log, where they complain.
pub(crate) struct Served(pub(crate) TestServer);

#[track_caller]
pub(crate) fn serve(handler: CgiHandler) -> Served {
    Served(TestServer::start(handler))
}

impl Deref for Served {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of {}: {:#?}", self.0.addr(), self.0.log());
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One request on a connection of its own; `head` is without its last line ends. A test that fails shows
/// the answer.
#[track_caller]
pub(crate) fn ask(server: &TestServer, head: &str, body: &[u8]) -> Response {
    let request = format!("{head}\r\nHost: test\r\n\r\n");
    let answer = server.answer([request.as_bytes(), body].concat());
    let begin = &answer.body[..answer.body.len().min(4 << 10)];
    let begin = String::from_utf8_lossy(begin);
    let (line, fields) = (answer.status_line(), &answer.fields);
    println!("{head:.200}\n=> {line} {fields:?}\n{begin}\n");
    answer
}

#[track_caller]
pub(crate) fn get(server: &TestServer, path: &str) -> Response {
    ask(server, &format!("GET {path} HTTP/1.1"), b"")
}

#[track_caller]
pub(crate) fn post(server: &TestServer, path: &str, body: &[u8]) -> Response {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {length}");
    ask(server, &head, body)
}

/// The body of a chunked answer that began, and was cut.
pub(crate) fn cut_body(client: &mut Client) -> Vec<u8> {
    assert_eq!(client.head().status, 200);
    let mut body = Vec::new();
    while let Ok(data) = client.chunk() {
        assert!(!data.is_empty(), "it looks whole");
        body.extend(data);
    }
    body
}

/// Whether a process is there, ended ones that nobody has reaped included.
pub(crate) fn is_there(pid: &str) -> bool {
    let pid = pid.trim();
    assert!(pid.parse::<u32>().is_ok(), "no process number: {pid:?}");
    Path::new("/proc").join(pid).exists()
}

/// Whether a process runs. One that somebody else has not reaped does not.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap_or("").trim_start();
        !state.starts_with(['Z', 'X'])
    })
}

/// Whether a program that a script needs is in the `PATH` of scripts. In CI it must be.
pub(crate) fn has(program: &str) -> bool {
    let found = "/usr/local/bin:/usr/bin:/bin"
        .split(':')
        .any(|directory| Path::new(directory).join(program).exists());
    if !found {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{program} is missing"
        );
        eprintln!("skipped: {program} is missing");
    }
    found
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}
