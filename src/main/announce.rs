//! The options of the command that tell others where the server is, once it listens: a file, a browser.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

use clap::Args;
use servette::{Error, Result, ServerInfo};

/// `--open` and `--ready-file`.
#[derive(Debug, Args)]
pub(super) struct AnnounceArguments {
    /// Open the server in a browser, at this path [default path: /]
    #[arg(short, long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "/")]
    open: Option<String>,

    /// Write the URL of the server to this file when it listens; the file is removed at exit
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl AnnounceArguments {
    /// A file of an earlier run must not be taken for one of this.
    pub(super) fn prepare(&self) -> Result<()> {
        let Some(path) = &self.ready_file else {
            return Ok(());
        };
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => {
                fs::remove_file(path).map_err(|error| failed(path, error))
            }
            Ok(_) => Err(failed(path, io::Error::other("it is not a regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Tells that the server listens.
    pub(super) fn announce(&self, info: &ServerInfo) -> Result<Announced> {
        if let Some(path) = &self.ready_file {
            // Whoever finds it finds all of it.
            let mut unfinished = path.clone().into_os_string();
            unfinished.push(format!(".{}", std::process::id()));
            let written = fs::write(&unfinished, format!("{}\n", info.url("/")));
            written
                .and_then(|()| fs::rename(&unfinished, path))
                .inspect_err(|_| drop(fs::remove_file(&unfinished)))
                .map_err(|error| failed(path, error))?;
        }
        if let Some(path) = &self.open {
            let url = info.url(path);
            thread::spawn(move || {
                if let Err(error) = browse(&url) {
                    super::warn(&format!("cannot open {url} in a browser: {error}"));
                }
            });
        }
        Ok(Announced(self.ready_file.clone()))
    }
}

/// Dropped at the end of the server.
#[derive(Debug)]
pub(super) struct Announced(Option<PathBuf>);

impl Drop for Announced {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

fn browse(url: &str) -> io::Result<()> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let quiet = || Stdio::null();
    let status = Command::new(opener)
        .arg(url)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("{opener}: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{opener}: {status}"))),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    let text = format!("cannot write the ready file {}: {error}", path.display());
    io::Error::new(error.kind(), text).into()
}
