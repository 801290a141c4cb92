//! What the handler of scripts needs of the handler of files.

use std::io;
use std::path::{Path, PathBuf};

use super::SimpleHandler;
use crate::simple::Symlinks;
use crate::simple::open::{self, Located};

impl SimpleHandler {
    /// Finds what a path that `translate_path` made leads to, by the rules of `open`, without opening it.
    pub(crate) fn locate(&self, path: &Path) -> io::Result<Located> {
        match open::relative_to(&self.directory, path) {
            Some(relative) => open::locate(&self.directory, relative, self.symlinks),
            None => open::locate(path, Path::new(""), Symlinks::Follow),
        }
    }

    /// From now on no file below these directories, which are relative, is sent.
    pub(crate) fn keep_unserved(&mut self, directories: Vec<PathBuf>) {
        self.unserved = directories;
        self.forget_files();
    }
}
