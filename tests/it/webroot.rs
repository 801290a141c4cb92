//! A directory tree to serve, removed on drop, and ways to ask for what is in it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use servette::{Exchange, Layer, RequestHandler, SimpleHandler, respond};

use crate::support::until;

/// What lies beside the root, and must never be seen.
pub(crate) const SECRET: &str = "the secret of the parent directory";
/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An empty directory `www`, and `secret.txt` beside it.
pub(crate) struct WebRoot {
    outer: PathBuf,
}

impl WebRoot {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("servette-it-{}-{number}", std::process::id());
        let outer = std::env::temp_dir().join(name);
        fs::create_dir_all(outer.join("www")).unwrap();
        fs::write(outer.join("secret.txt"), SECRET).unwrap();
        WebRoot { outer }
    }

    /// The directory to serve.
    pub(crate) fn path(&self) -> PathBuf {
        self.outer.join("www")
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &Self {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn dir(&self, name: impl AsRef<Path>) -> &Self {
        fs::create_dir_all(self.join(name)).unwrap();
        self
    }

    /// Puts a file in the place of one that may be open. wine refuses that as long as it is, whatever its share mode; so it is
    /// tried again.
    pub(crate) fn replace(&self, name: &str, by: &str) {
        until("a file is replaced", || {
            let replaced = fs::rename(self.join(by), self.join(name));
            assert!(cfg!(windows) || replaced.is_ok(), "{replaced:?}");
            replaced.is_ok()
        });
    }

    #[cfg(unix)]
    pub(crate) fn link(&self, name: impl AsRef<Path>, target: impl AsRef<Path>) -> &Self {
        std::os::unix::fs::symlink(target, self.join(name)).unwrap();
        self
    }

    pub(crate) fn modified(&self, name: impl AsRef<Path>, time: SystemTime) -> &Self {
        to_change(&self.join(name)).set_modified(time).unwrap();
        self
    }

    /// Waits until no further change of a file can have the time of the last one.
    pub(crate) fn settle(&self, name: impl AsRef<Path>) -> &Self {
        let facts = fs::metadata(self.join(name)).unwrap();
        let changed = changed(&facts);
        let since = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let grain = if since.subsec_nanos() == 0 { 2100 } else { 30 };
        let end = changed + Duration::from_millis(grain);
        until("the end of the grain of the clock", || {
            SystemTime::now() > end
        });
        self
    }

    /// A handler for the tree that logs nothing.
    pub(crate) fn handler(&self) -> Silent {
        self.handler_with(|files| files)
    }

    pub(crate) fn handler_with(&self, set: impl FnOnce(SimpleHandler) -> SimpleHandler) -> Silent {
        Silent(set(SimpleHandler::new(self.path())))
    }
}

#[cfg(unix)]
fn changed(facts: &fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    at(facts.ctime() as u64) + Duration::from_nanos(facts.ctime_nsec() as u64)
}

/// A file or a directory, open so that its times can be changed.
#[cfg(unix)]
fn to_change(path: &Path) -> fs::File {
    fs::File::open(path).unwrap()
}

#[cfg(windows)]
fn to_change(path: &Path) -> fs::File {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let mut options = fs::File::options();
    options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(path).unwrap()
}

#[cfg(windows)]
fn changed(facts: &fs::Metadata) -> SystemTime {
    facts.modified().unwrap()
}

impl Drop for WebRoot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outer);
    }
}

/// [`SimpleHandler`] without its log, which would drown what the tests say.
pub(crate) struct Silent(pub(crate) SimpleHandler);

impl Layer for Silent {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

/// The name of these bytes; `None` where no file can have it.
#[cfg(unix)]
pub(crate) fn name(bytes: &[u8]) -> Option<&std::ffi::OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(windows)]
pub(crate) fn name(bytes: &[u8]) -> Option<&std::ffi::OsStr> {
    let name = str::from_utf8(bytes).ok()?;
    let is_forbidden = |c: char| c.is_control() || "\\/:*?\"<>|".contains(c);
    let is_name = !name.contains(is_forbidden) && !name.ends_with(['.', ' ']);
    is_name.then(|| name.as_ref())
}

/// One answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let fields = lines.map(|field| {
            let (name, value) = field.split_once(": ").expect(field);
            (name.to_owned(), value.to_owned())
        });
        Answer {
            line,
            fields: fields.collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let field = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&field.1)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn get(handler: &(impl RequestHandler + ?Sized), target: &str) -> Answer {
    ask(handler, format!("GET {target} HTTP/1.0\r\n\r\n"))
}

pub(crate) fn ask(handler: &(impl RequestHandler + ?Sized), request: impl AsRef<[u8]>) -> Answer {
    Answer::parse(&respond(handler, request))
}

/// A client whose reads and writes end in time.
pub(crate) fn connect(address: impl ToSocketAddrs) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Sends one request, and reads until the server closes.
pub(crate) fn fetch(address: impl ToSocketAddrs, request: impl AsRef<[u8]>) -> Vec<u8> {
    let mut client = connect(address);
    client.write_all(request.as_ref()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answer
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
