//! The body of [`send_head`](super::send_head), step by step: what the path leads to, its representation, the
//! validators of that, the conditions of the request, the range, the head. Each step that can be is a pure function
//! elsewhere.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::caching::{self, NO_CACHE};
use super::conditions::{self, Asked, Outcome, Validators};
use super::content::Content;
use super::fields::Head;
use super::open::Found;
use super::parts::Frames;
use super::prefix::Within;
use super::ranges::Ranges;
use super::ready::ReadyFile;
use super::sidecar;
use super::{NOT_FOUND, ServeFiles, media, path, visibility};
use crate::http1::bytes;
use crate::{Exchange, Result, Status, clock};

/// What a file is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What was asked for.
    Found,
    /// The page for what is not there, which another client might get as 404.
    Fallback,
}

/// The body of [`send_head`](super::send_head).
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
        h.send_missing(x, &path)
    } else if let Some(kept) = files.kept(&mut path, has_slash) {
        send_file(h, x, &path, &kept.file, Purpose::Found)
    } else {
        send_opened(h, x, &path, has_slash)
    };
    path::give_back(path);
    sent
}

/// What the path leads to, and that is not kept.
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
            redirect_with(h, x, caching::of_no_file(h, path)).map(|()| None)
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
        Ok(Found::File(..)) => h.send_missing(x, path),
        Err(error) => send_unopened(h, x, path, error),
    }
}

/// Whatever keeps a file from being opened is a 404, as in Python; unless it is none of the path's.
fn send_unopened<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    error: io::Error,
) -> Result<Option<Content>> {
    match is_shortage(&error) {
        true => Err(error.into()),
        false => h.send_missing(x, path),
    }
}

/// Whether a file could not be opened, whatever it is.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// A directory is asked for with a slash behind its name, so that the links of its page are right.
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

/// The file, or a sidecar of it.
pub(super) fn send_file<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    plain: &ReadyFile,
    purpose: Purpose,
) -> Result<Option<Content>> {
    let mut sent = Representation {
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
    let choice = sidecar::choose(h, x, path, plain);
    if choice.varies {
        sent.vary = Some(match purpose {
            Purpose::Found => "Accept-Encoding",
            Purpose::Fallback => "Accept, Accept-Encoding",
        });
    }
    if let Some(sidecar) = &choice.sidecar {
        sent.file = &sidecar.file;
        sent.place = &sidecar.path;
        sent.coding = Some(sidecar.coding.name());
    }
    send_representation(h, x, &sent)
}

/// What is sent of a file: itself, or a sidecar.
struct Representation<'a> {
    /// What was asked for.
    path: &'a Path,
    file: &'a ReadyFile,
    /// Where that is.
    place: &'a Path,
    coding: Option<&'static str>,
    vary: Option<&'static str>,
    purpose: Purpose,
}

/// All of it, a part, or that the client need not have it.
fn send_representation<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    sent: &Representation<'_>,
) -> Result<Option<Content>> {
    let file = sent.file;
    let tag = h.entity_tag(sent.place, &file.facts);
    let there = Validators {
        tag: tag.as_deref(),
        modified: file.modified,
        modified_text: &file.modified_text,
    };
    let has_parts = x.channel().limits.ranges > 0 && file.has_parts();
    let head = || Head {
        file,
        tag: there.tag,
        has_parts,
        cache_control: match sent.purpose {
            Purpose::Found => h.cache_control(sent.path),
            Purpose::Fallback => Some(Cow::Borrowed(NO_CACHE)),
        },
        vary: sent.vary,
        coding: sent.coding,
    };
    // Most requests have neither conditions nor ranges.
    if !x.headers.has_lengths(conditions::LENGTHS) {
        return send_ranges(h, x, sent.path, &head(), None);
    }
    let asked = Asked::of(x.headers.of_lengths(conditions::LENGTHS));
    match asked.evaluate(&there) {
        Outcome::Failed => h.send_error(x, Status::PRECONDITION_FAILED).map(|()| None),
        Outcome::NotModified => head().send_not_modified(h, x).map(|()| None),
        Outcome::Proceed => {
            let range = asked.valid_range(&there, clock::time_of_day);
            send_ranges(h, x, sent.path, &head(), range)
        }
    }
}

/// What is asked for of a file that is sent.
fn send_ranges<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    head: &Head<'_>,
    range: Option<&str>,
) -> Result<Option<Content>> {
    let media_type = media::with_charset(h.guess_type(path), h.files().charset_of_texts());
    let file = head.file;
    let size = file.facts.size();
    let ranges = match range {
        Some(range) if head.has_parts && x.command == "GET" => {
            Ranges::of(range, size, x.channel().limits.ranges)
        }
        _ => Ranges::Whole,
    };
    match ranges {
        Ranges::One(range) => {
            let mut digits = itoa::Buffer::new();
            let length = digits.format(range.length());
            let of = format!("bytes {}-{}/{size}", range.first, range.last);
            let status = Status::PARTIAL_CONTENT;
            head.send(h, x, status, &media_type, Some(length), Some(&of))?;
            Ok(Some(file.part(&range)))
        }
        // A type that can't be sent in a field can't be sent in a frame either; and a coding would be one of the
        // frames, too.
        Ranges::Several(ranges)
            if bytes::is_printable(media_type.as_bytes()) && head.coding.is_none() =>
        {
            let frames = Frames::new(&ranges, size, &media_type);
            let length = frames.length(&ranges).to_string();
            let media_type = frames.content_type();
            let status = Status::PARTIAL_CONTENT;
            head.send(h, x, status, &media_type, Some(&length), None)?;
            let parts = frames.around(ranges.iter().map(|range| file.part(range)));
            Ok(Some(Content::Parts(parts)))
        }
        Ranges::Unsatisfiable => {
            h.send_header(x, "Content-Range", &format!("bytes */{size}"));
            h.send_error(x, Status::RANGE_NOT_SATISFIABLE)
                .map(|()| None)
        }
        Ranges::Whole | Ranges::Several(_) => {
            let length = file.length_text.as_deref();
            head.send(h, x, Status::OK, &media_type, length, None)?;
            Ok(Some(file.content()))
        }
    }
}
