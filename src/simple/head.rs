//! The steps of [`send_head`](super::send_head): what the path leads to, and what is sent of it.
//! [`representation`](super::representation) has the rest.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::caching::{self, NO_CACHE};
use super::conditions::Validators;
use super::content::Content;
use super::open::Found;
use super::precompressed;
use super::ranges::ByteRange;
use super::ready::ReadyFile;
use super::representation::{Representation, Source};
use super::site::Within;
use super::{NOT_FOUND, ServeFiles, fields, media, path, visibility};
use crate::{Exchange, Result, Status};

/// Why a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It was requested.
    Found,
    /// It replaces a page that does not exist. Another client might get 404.
    Fallback,
}

/// The default of [`send_head`](super::send_head).
pub(super) fn send<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<Option<Content>> {
    let files = h.files();
    let target = match files.site().within(x.path) {
        Within::Below(target) => target,
        Within::Itself => return redirect(h, x).map(|()| None),
        Within::Outside => return h.send_error(x, NOT_FOUND).map(|()| None),
    };
    let mut path = h.translate_path(target);
    let has_slash = path::has_trailing_slash(target);
    let sent = if visibility::is_hidden(h, target, &path) {
        h.send_not_found(x, &path)
    } else if let Some(kept) = files.kept(&mut path, has_slash) {
        send_file(h, x, &path, &kept.file, Purpose::Found)
    } else {
        send_opened(h, x, &path, has_slash)
    };
    path::give_back(path);
    sent
}

/// Opens and sends what the path leads to, which is not cached.
pub(super) fn send_opened<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    has_slash: bool,
) -> Result<Option<Content>> {
    let files = h.files();
    match files.open(path) {
        Ok(Found::File(file, description)) if !has_slash => {
            let file = files.keep(path, file, description)?;
            send_file(h, x, path, &file, Purpose::Found)
        }
        Ok(Found::Directory(_)) if !has_slash => {
            redirect_with(h, x, caching::of_no_file(h.dyn_files(), path)).map(|()| None)
        }
        Ok(Found::Directory(directory)) => match directory.open_index(files.index_pages()) {
            Ok(Some((file, description, name))) => {
                let path = path.join(name);
                let file = files.keep(&path, file, description)?;
                send_file(h, x, &path, &file, Purpose::Found)
            }
            Ok(None) => h.list_directory(x, &directory),
            Err(error) => send_unopened(h, x, path, error),
        },
        Ok(Found::File(..)) => h.send_not_found(x, path),
        Err(error) => send_unopened(h, x, path, error),
    }
}

/// Answers for a file that can't be opened: 404, as in Python, unless the path is not the reason.
fn send_unopened<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    error: io::Error,
) -> Result<Option<Content>> {
    match is_shortage(&error) {
        true => Err(error.into()),
        false => h.send_not_found(x, path),
    }
}

/// Returns whether opening a file failed because the system is out of descriptors or memory.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    crate::sys::is_shortage(error)
}

/// Redirects a request for a directory to its name with a slash, so that relative links work.
pub(crate) fn redirect<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    redirect_with(h, x, None)
}

fn redirect_with<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    cache_control: Option<&str>,
) -> Result<()> {
    h.send_response(x, Status::MOVED_PERMANENTLY);
    h.send_header(x, "Location", &path::redirect_location(&x.whole_path()));
    h.send_header(x, "Content-Length", "0");
    if let Some(value) = cache_control {
        h.send_header(x, "Cache-Control", value);
    }
    h.end_headers(x)
}

/// Sends a file, or a compressed one in its place.
pub(super) fn send_file<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
    purpose: Purpose,
) -> Result<Option<Content>> {
    let mut sent = Sent {
        h,
        path,
        file: plain,
        place: path,
        coding: None,
        vary: match purpose {
            Purpose::Found => None,
            Purpose::Fallback => Some("Accept"),
        },
        purpose,
    };
    if !h.files().site().is_precompressed {
        return send_representation(h, x, &sent);
    }
    let choice = precompressed::choose(h.dyn_files(), x, path, plain);
    if choice.varies {
        sent.vary = Some(match purpose {
            Purpose::Found => "Accept-Encoding",
            Purpose::Fallback => "Accept, Accept-Encoding",
        });
    }
    if let Some(compressed) = &choice.compressed {
        sent.file = &compressed.file;
        sent.place = &compressed.path;
        sent.coding = Some(compressed.coding.name());
    }
    send_representation(h, x, &sent)
}

/// A file that is sent, itself or compressed.
struct Sent<'a, H: ?Sized> {
    h: &'a H,
    /// The path that was requested.
    path: &'a Path,
    file: &'a ReadyFile,
    /// The path of the file that is sent.
    place: &'a Path,
    coding: Option<&'static str>,
    vary: Option<&'static str>,
    purpose: Purpose,
}

fn send_representation<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    sent: &Sent<'_, H>,
) -> Result<Option<Content>> {
    let file = sent.file;
    let tag = h.entity_tag(sent.place, &file.facts);
    let representation = Representation {
        size: file.facts.size(),
        length: file.length_text.as_deref(),
        there: Validators {
            tag: tag.as_deref(),
            modified: file.modified,
            modified_text: &file.modified_text,
        },
        has_parts: file.has_parts(),
        coding: sent.coding,
        vary: sent.vary,
        source: sent,
    };
    representation.send(h, x)
}

impl<H: ServeFiles + ?Sized> Source for Sent<'_, H> {
    fn media_type(&self) -> Cow<'_, str> {
        media::with_charset(
            self.h.guess_type(self.path),
            self.h.files().charset_of_texts(),
        )
    }

    fn cache_control(&self) -> Option<Cow<'_, str>> {
        match self.purpose {
            Purpose::Found => self.h.cache_control(self.path),
            Purpose::Fallback => Some(Cow::Borrowed(NO_CACHE)),
        }
    }

    fn send_extra_headers(&self, x: &mut Exchange<'_>, is_sent: impl Fn(&str) -> bool) {
        fields::send_extra_headers(self.h, x, is_sent);
    }

    fn content(&self) -> Content {
        self.file.content()
    }

    fn part(&self, range: &ByteRange) -> Content {
        self.file.part(range)
    }
}
