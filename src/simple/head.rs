//! The body of [`send_head`](super::send_head), step by step: what the path leads to, its validators, the
//! conditions of the request, the range, the head. Each step that can be is a pure function elsewhere.

use std::io;
use std::path::Path;

use super::conditions::{self, Asked, Outcome, Validators};
use super::content::Content;
use super::open::Found;
use super::parts::Frames;
use super::ranges::Ranges;
use super::ready::ReadyFile;
use super::{Directory, NOT_FOUND, ServeFiles, listing, media, path, validators};
use crate::http1::bytes;
use crate::{Exchange, Result, Status, base, clock};

/// The body of [`send_head`](super::send_head).
pub(super) fn send<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<Option<Content>> {
    let mut path = h.translate_path(x.path);
    let has_slash = path::has_trailing_slash(x.path);
    let sent = match h.files().kept(&mut path, has_slash) {
        Some(kept) => send_file(h, x, &path, &kept.file),
        None => send_opened(h, x, &path, has_slash),
    };
    path::give_back(path);
    sent
}

/// The body of [`list_directory`](super::list_directory).
pub(super) fn list<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    directory: &Directory<'_>,
) -> Result<Option<Content>> {
    let Ok(names) = listing::names(directory) else {
        let status = Status::NOT_FOUND.with_message("No permission to list directory");
        return h.send_error(x, status).map(|()| None);
    };
    let page = listing::page(&x.whole_path(), names.lines());
    h.send_response(x, Status::OK);
    h.send_header(x, "Content-type", "text/html; charset=utf-8");
    h.send_header(x, "Content-Length", itoa::Buffer::new().format(page.len()));
    send_extra_headers(h, x, &[]);
    h.end_headers(x)?;
    Ok(Some(Content::Page(io::Cursor::new(page))))
}

/// What the path leads to, and that is not kept.
fn send_opened<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    has_slash: bool,
) -> Result<Option<Content>> {
    let files = h.files();
    match files.open(path) {
        Ok(Found::File(file, description)) if !has_slash => {
            send_file(h, x, path, &files.keep(path, file, description)?)
        }
        Ok(Found::Directory(_)) if !has_slash => redirect(h, x),
        Ok(Found::Directory(directory)) => match directory.open_index(files.index_pages()) {
            Ok(Some((file, description, name))) => {
                let path = path.join(name);
                send_file(h, x, &path, &files.keep(&path, file, description)?)
            }
            Ok(None) => h.list_directory(x, &directory),
            Err(error) => send_missing(h, x, error),
        },
        Ok(Found::File(..)) => h.send_error(x, NOT_FOUND).map(|()| None),
        Err(error) => send_missing(h, x, error),
    }
}

/// Whatever keeps a file from being opened is a 404, as in Python; unless it is none of the path's.
fn send_missing<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    error: io::Error,
) -> Result<Option<Content>> {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Err(error.into()),
        _ => h.send_error(x, NOT_FOUND).map(|()| None),
    }
}

/// A directory is asked for with a slash behind its name, so that the links of its page are right.
pub(crate) fn redirect<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
) -> Result<Option<Content>> {
    h.send_response(x, Status::MOVED_PERMANENTLY);
    h.send_header(x, "Location", &path::redirect_location(&x.whole_path()));
    h.send_header(x, "Content-Length", "0");
    h.end_headers(x)?;
    Ok(None)
}

/// The file, a part of it, or that the client need not have it.
fn send_file<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    file: &ReadyFile,
) -> Result<Option<Content>> {
    let tag = h.entity_tag(path, &file.facts);
    let there = Validators {
        tag: tag.as_deref(),
        modified: file.modified,
        modified_text: &file.modified_text,
    };
    let asked = Asked::of(x.headers.of_lengths(conditions::LENGTHS));
    match asked.evaluate(&there) {
        Outcome::Failed => h.send_error(x, Status::PRECONDITION_FAILED).map(|()| None),
        Outcome::NotModified => send_not_modified(h, x, there.tag),
        Outcome::Proceed => send_ranges(h, x, path, file, &asked, &there),
    }
}

/// The client has the file already.
fn send_not_modified<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    tag: Option<&str>,
) -> Result<Option<Content>> {
    h.send_response(x, Status::NOT_MODIFIED);
    if let Some(tag) = tag {
        h.send_header(x, "ETag", tag);
    }
    // Those that a cache goes by (RFC 9110, 15.4.5).
    for (name, value) in h.files().extra_response_headers() {
        let known = ["Cache-Control", "Content-Location", "Expires", "Vary"];
        if known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            h.send_header(x, name, value);
        }
    }
    h.end_headers(x)?;
    Ok(None)
}

/// What is asked for of a file that is sent.
fn send_ranges<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    file: &ReadyFile,
    asked: &Asked<'_>,
    there: &Validators<'_>,
) -> Result<Option<Content>> {
    let media_type = media::with_charset(h.guess_type(path), h.files().charset_of_texts());
    let most = x.channel().limits.ranges;
    let has_parts = most > 0 && file.has_parts();
    let size = file.facts.size();
    let ranges = match asked.valid_range(there, clock::time_of_day) {
        Some(range) if has_parts && x.command == "GET" => Ranges::of(range, size, most),
        _ => Ranges::Whole,
    };
    let head = Head {
        file,
        tag: there.tag,
        has_parts,
    };
    match ranges {
        Ranges::One(range) => {
            let length = range.length().to_string();
            let of = format!("bytes {}-{}/{size}", range.first, range.last);
            head.send(
                h,
                x,
                Status::PARTIAL_CONTENT,
                &media_type,
                Some(&length),
                Some(&of),
            )?;
            Ok(Some(file.part(&range)))
        }
        // A type that can't be sent in a field can't be sent in a frame either.
        Ranges::Several(ranges) if bytes::is_printable(media_type.as_bytes()) => {
            let frames = Frames::new(&ranges, size, &media_type);
            let length = frames.length(&ranges).to_string();
            let media_type = frames.content_type();
            head.send(
                h,
                x,
                Status::PARTIAL_CONTENT,
                &media_type,
                Some(&length),
                None,
            )?;
            let parts = frames.around(ranges.iter().map(|range| file.part(range)));
            Ok(Some(Content::Parts(parts)))
        }
        Ranges::Unsatisfiable => {
            let of = format!("bytes */{size}");
            let field = ("Content-Range", &*of);
            base::send_error_with(h, x, Status::RANGE_NOT_SATISFIABLE, Some(field)).map(|()| None)
        }
        Ranges::Whole | Ranges::Several(_) => {
            head.send(
                h,
                x,
                Status::OK,
                &media_type,
                file.length_text.as_deref(),
                None,
            )?;
            Ok(Some(file.content()))
        }
    }
}

/// What the heads for a file and for parts of it have in common.
struct Head<'a> {
    file: &'a ReadyFile,
    tag: Option<&'a str>,
    has_parts: bool,
}

impl Head<'_> {
    fn send<H: ServeFiles + ?Sized>(
        &self,
        h: &H,
        x: &mut Exchange<'_>,
        status: Status<'_>,
        media_type: &str,
        length: Option<&str>,
        range: Option<&str>,
    ) -> Result<()> {
        h.send_response(x, status);
        h.send_header(x, "Content-type", media_type);
        if let Some(length) = length {
            h.send_header(x, "Content-Length", length);
        }
        if let Some(range) = range {
            h.send_header(x, "Content-Range", range);
        }
        if let Some(modified) = self.file.modified
            && let Some(time) = validators::last_modified(modified, clock::time_of_day())
        {
            h.send_header(x, "Last-Modified", &h.date_time_string(Some(time)));
        }
        if let Some(tag) = self.tag {
            h.send_header(x, "ETag", tag);
        }
        if self.has_parts {
            h.send_header(x, "Accept-Ranges", "bytes");
        }
        send_extra_headers(h, x, &OF_FILES);
        h.end_headers(x)
    }
}

/// Fields that are sent automatically with files.
const OF_FILES: [&str; 4] = ["Last-Modified", "ETag", "Accept-Ranges", "Content-Range"];

/// Sends `extra_response_headers`, but for names that are sent automatically: those of every answer,
/// and `own`.
fn send_extra_headers<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>, own: &[&str]) {
    let automatic = ["Server", "Date", "Content-Type", "Content-Length"];
    for (name, value) in h.files().extra_response_headers() {
        let mut sent = automatic.iter().chain(own);
        if !sent.any(|sent| sent.eq_ignore_ascii_case(name)) {
            h.send_header(x, name, value);
        }
    }
}
