//! Sidecars: `app.js.br` beside `app.js`, made when a site was built, and sent in its place to clients that take
//! this coding (RFC 9110, 8.4 and 12.5.3).

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::codings::{Accepted, Coding};
use super::handler::Ready;
use super::ready::ReadyFile;
use super::{ServeFiles, media};
use crate::Exchange;
use crate::shutdown::lock;

/// A file that is sent in the place of another one.
pub(super) struct Sidecar {
    pub(super) file: Ready,
    pub(super) path: PathBuf,
    pub(super) coding: Coding,
}

/// What there is besides the plain file.
#[derive(Default)]
pub(super) struct Choice {
    /// Another request may get another representation of it.
    pub(super) varies: bool,
    pub(super) sidecar: Option<Sidecar>,
}

/// The sidecars that were passed over, each of which is told of once. Clones of a handler share it.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedOnce(Arc<Mutex<HashSet<PathBuf>>>);

/// So many are remembered, and told of.
const MOST_TOLD: usize = 1000;

impl NamedOnce {
    fn is_first(&self, path: &Path) -> bool {
        let mut told = lock(&self.0);
        told.len() < MOST_TOLD && !told.contains(path) && told.insert(path.to_owned())
    }
}

/// Looks for the sidecar to send in the place of a file, by its rules: they are opened as the file is, and one that is
/// no regular file is passed over.
///
/// Parts are those of the plain file, unless the client wants no plain one: most clients put them together with
/// parts that they have, and decode nothing.
pub(super) fn choose<H: ServeFiles + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
) -> Choice {
    let is_sidecar = |coding: Coding| {
        path.as_os_str()
            .as_bytes()
            .ends_with(coding.suffix().as_bytes())
    };
    if Coding::ALL.into_iter().any(is_sidecar) || !media::is_compressible(&h.guess_type(path)) {
        return Choice::default();
    }
    let accepted = Accepted::of(x.headers.get_all("Accept-Encoding"));
    let wants_part = x.headers.get("Range").is_some();
    let sidecar = match wants_part && accepted.identity {
        true => None,
        false => accepted
            .codings()
            .find_map(|coding| find(h, x, path, plain, coding)),
    };
    Choice {
        varies: true,
        sidecar,
    }
}

fn find<H: ServeFiles + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
    coding: Coding,
) -> Option<Sidecar> {
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
            return Some(Sidecar { file, path, coding });
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
