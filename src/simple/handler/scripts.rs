//! Methods for the CGI handler, which contains a file handler.

use std::io;
use std::path::{Path, PathBuf};

use super::SimpleHandler;
use crate::simple::Symlinks;
use crate::simple::open::{self, Located};

impl SimpleHandler {
    /// Finds what a path from `translate_path` leads to, by the same rules, without opening it.
    pub(crate) fn locate(&self, path: &Path) -> io::Result<Located> {
        match open::relative_to(&self.directory, path) {
            Some(relative) => open::locate(&self.directory, relative, self.symlinks),
            None => open::locate(path, Path::new(""), Symlinks::Follow),
        }
    }

    /// Excludes the files below these relative directories from being sent.
    pub(crate) fn keep_unserved(&mut self, directories: Vec<PathBuf>) {
        self.unserved = directories;
        self.forget_files();
    }
}
