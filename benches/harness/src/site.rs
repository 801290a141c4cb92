//! The files that are served: a directory that is made for the run and removed after it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// When every file was last modified, as a field value. Old, so that any server may cache.
pub const MODIFIED: &str = "Wed, 01 Jan 2020 00:00:00 GMT";
const MODIFIED_SECONDS: u64 = 1_577_836_800;
/// The body of hello.
pub const HELLO: &[u8] = b"Hello, World!";
/// Files in `/list/`.
pub const NAMES: usize = 10_000;

/// The directory; dropping it removes it.
#[derive(Debug)]
pub struct Site {
    /// Where the servers' own files go: configurations and what they complain about.
    pub scratch: PathBuf,
    /// What is served.
    pub root: PathBuf,
    /// The size of `/big.bin`.
    pub big: u64,
}

impl Site {
    /// Writes all files.
    pub fn new(big: u64) -> io::Result<Site> {
        let scratch = std::env::temp_dir().join(format!("servette-bench-{}", std::process::id()));
        let root = scratch.join("root");
        fs::create_dir_all(root.join("list"))?;
        let site = Site { scratch, root, big };
        site.write("hello", HELLO)?;
        site.write("1k.txt", &text(1 << 10))?;
        site.write("4k.txt", &text(4 << 10))?;
        site.write("100k.txt", &text(100 << 10))?;
        // What is in it does not matter: nobody here decodes it.
        site.write("app.js", &text(4 << 10))?;
        site.write("app.js.gz", &text(1 << 10))?;
        let sparse = File::create(site.path("sparse.bin"))?;
        sparse.set_len(1 << 30)?;
        age(&sparse)?;
        let block = text(1 << 20);
        let mut file = File::create(site.root.join("big.bin"))?;
        for _ in 0..big.div_ceil(1 << 20) {
            file.write_all(&block)?;
        }
        file.set_len(big)?;
        age(&file)?;
        for index in 0..NAMES {
            File::create(site.root.join("list").join(name(index)))?;
        }
        Ok(site)
    }

    /// The path of a served file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.path(name))?;
        file.write_all(bytes)?;
        age(&file)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        remove(&self.scratch);
    }
}

/// Removes what a site left behind.
pub fn remove(scratch: &Path) {
    // Again if something was just being written; nothing better can be done about a failure.
    let _ = fs::remove_dir_all(scratch).or_else(|_| fs::remove_dir_all(scratch));
}

/// The name of a file in `/list/`.
pub fn name(index: usize) -> String {
    format!("file-{index:05}.txt")
}

/// Text without a visible period, so that a block that is sent twice shows.
fn text(length: usize) -> Vec<u8> {
    let letter = |at: usize| match (at + 1).is_multiple_of(64) {
        true => b'\n',
        false => b'a' + ((at * 31 + at / 64 * 7) % 26) as u8,
    };
    (0..length).map(letter).collect()
}

fn age(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED_SECONDS))
}
