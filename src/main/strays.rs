//! Files that look like scripts and lie where they are sent, source and all.

use std::fs;
use std::path::{Path, PathBuf};

/// As many entries are looked at, so that a large tree does not delay the start.
const ENTRIES: usize = 20_000;

/// What to say about files below `root` that have one of these suffixes, for which an interpreter was
/// named, and lie outside all directories of scripts.
pub(super) fn warning(root: &Path, directories: &[String], suffixes: &[String]) -> Option<String> {
    if suffixes.is_empty() {
        return None;
    }
    let mut search = Search {
        scripts: directories.iter().map(|path| below(root, path)).collect(),
        suffixes,
        found: Vec::new(),
        left: ENTRIES,
    };
    search.walk(root.to_owned());
    let what = match &search.found[..] {
        [] if search.left > 0 => return None,
        [] => format!(
            "files ending in {} (too many files to check)",
            suffixes.join(", ")
        ),
        [only] => format!("'{}'", only.display()),
        [first, more @ ..] => format!("'{}' and {} more", first.display(), more.len()),
    };
    let directories = directories.join(" and ");
    Some(format!(
        "{what} outside {directories}: clients get the source of such files; --cgi-interpreter runs only scripts inside"
    ))
}

fn below(root: &Path, path: &str) -> PathBuf {
    match path.trim_start_matches('/') {
        "" => root.to_owned(),
        path => root.join(path),
    }
}

struct Search<'s> {
    scripts: Vec<PathBuf>,
    suffixes: &'s [String],
    found: Vec<PathBuf>,
    left: usize,
}

impl Search<'_> {
    fn walk(&mut self, root: PathBuf) {
        let mut directories = vec![root];
        while let Some(directory) = directories.pop() {
            if self.scripts.contains(&directory) {
                continue;
            }
            // A directory that can't be read is not served, either.
            let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
            for entry in entries {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    return;
                }
                let path = entry.path();
                // No link is followed to a directory, which may be one above.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    directories.push(path);
                } else if self.has_suffix(&path) && path.is_file() {
                    self.found.push(path);
                }
            }
        }
    }

    fn has_suffix(&self, path: &Path) -> bool {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        let Some(suffix) = suffix.map(str::to_ascii_lowercase) else {
            return false;
        };
        // A name for Windows runs as Python, too.
        let suffix = match &*suffix {
            "pyw" => "py",
            suffix => suffix,
        };
        self.suffixes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(suffix))
    }
}
