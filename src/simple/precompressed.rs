//! Precompressed files: `app.js.br` beside `app.js`, made by a build, and sent instead of
//! it to clients that accept the coding (RFC 9110, 8.4 and 12.5.3).

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::codings::{Accepted, Coding};
use super::handler::Ready;
use super::ready::ReadyFile;
use super::{ServeFiles, media};
use crate::Exchange;
use crate::shutdown::lock;

/// A compressed file that is sent instead of the plain one.
pub(super) struct Precompressed {
    pub(super) file: Ready,
    pub(super) path: PathBuf,
    pub(super) coding: Coding,
}

/// The result of looking for a compressed file.
#[derive(Default)]
pub(super) struct Choice {
    /// Whether another request may get another representation.
    pub(super) varies: bool,
    pub(super) compressed: Option<Precompressed>,
}

/// The compressed files that were ignored; each is logged once. Clones of a handler share it.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedOnce(Arc<Mutex<HashSet<PathBuf>>>);

/// Maximum number of them to remember and to log.
const MOST_TOLD: usize = 1000;

impl NamedOnce {
    fn is_first(&self, path: &Path) -> bool {
        let mut told = lock(&self.0);
        told.len() < MOST_TOLD && !told.contains(path) && told.insert(path.to_owned())
    }
}

/// Looks for the compressed file to send instead of a file. It is opened by the same rules as the file, and ignored
/// if it is not a regular file.
///
/// A request for a range gets a part of the plain file, unless the client rejects that: most clients join parts with
/// others that they have, without decoding.
pub(super) fn choose(
    h: &dyn ServeFiles,
    x: &Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
) -> Choice {
    let is_compressed = |coding: Coding| {
        path.as_os_str()
            .as_encoded_bytes()
            .ends_with(coding.suffix().as_bytes())
    };
    if Coding::ALL.into_iter().any(is_compressed) || !media::is_compressible(&h.guess_type(path)) {
        return Choice::default();
    }
    let accepted = Accepted::of(x.headers.get_all("Accept-Encoding"));
    let wants_part = x.headers.get("Range").is_some();
    let compressed = match wants_part && accepted.identity {
        true => None,
        false => accepted
            .codings()
            .find_map(|coding| find(h, x, path, plain, coding)),
    };
    Choice {
        varies: true,
        compressed,
    }
}

fn find(
    h: &dyn ServeFiles,
    x: &Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
    coding: Coding,
) -> Option<Precompressed> {
    let files = h.files();
    let mut name = OsString::with_capacity(path.as_os_str().len() + 4);
    name.push(path);
    name.push(coding.suffix());
    let path = PathBuf::from(name);
    // Whatever keeps it from being opened, the plain file is there.
    let file = files.ready(&path).ok()??;
    // Nothing is encoded as nothing, and what has no size may be anything.
    let fault = match file.facts.size() {
        0 => "is empty",
        _ if file.is_older_than(plain) => "is older than the plain file",
        _ if file.has_parts() => {
            return Some(Precompressed { file, path, coding });
        }
        _ => return None,
    };
    if files.site().told.is_first(&path) {
        h.log_error(
            x,
            format_args!("{} {fault}, and is not sent", path.display()),
        );
    }
    None
}
