//! `SimpleHTTPRequestHandler`: files below a directory, by GET and HEAD.
//!
//! [`ServeFiles`] has the hooks, [`SimpleHandler`] the attributes, and the functions here are the
//! hooks' bodies, to call as `super()`. Below them: [`path`] (from target to path), [`open`] (from path
//! to file, without leaving the root), [`cache`] (what was opened before), [`mime`], [`condition`] and [`listing`].

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::open::Found;
use self::ready::ReadyFile;
use crate::base::{self, software};
use crate::{Exchange, Result, Status, clock};

pub use self::content::{Content, OpenFile};
pub use self::handler::SimpleHandler;
pub use self::hooks::ServeFiles;
pub use self::listing::Entry;
pub use self::open::{Directory, Symlinks};

mod cache;
mod condition;
mod content;
mod handler;
mod hooks;
pub(crate) mod listing;
mod mime;
mod names;
pub(crate) mod open;
pub(crate) mod path;
mod ready;

const SERVER_VERSION: &str = software!("SimpleHTTP");
const NOT_FOUND: Status<'_> = Status::NOT_FOUND.with_message("File not found");

/// The `do_method` of a handler that serves files: GET, HEAD, and 501 for the rest. A handler that
/// embeds a [`SimpleHandler`] calls it from its own
/// [`do_method`](crate::RequestHandler::do_method).
///
/// # Errors
/// Those of the hooks.
pub fn do_method<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    match x.command {
        "GET" => h.do_get(x),
        "HEAD" => h.do_head(x),
        _ => base::do_method(h, x),
    }
}

/// The body of [`ServeFiles::do_get`].
///
/// # Errors
/// Those of [`ServeFiles::send_head`] and [`ServeFiles::copyfile`].
pub fn do_get<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    match h.send_head(x)? {
        Some(content) => h.copyfile(x, content),
        None => Ok(()),
    }
}

/// The body of [`ServeFiles::do_head`].
///
/// # Errors
/// Those of [`ServeFiles::send_head`].
pub fn do_head<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    h.send_head(x).map(drop)
}

/// The body of [`ServeFiles::send_head`].
///
/// # Errors
/// Those of the hooks that it calls; and where the system is out of descriptors or memory.
pub fn send_head<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<Option<Content>> {
    let mut path = h.translate_path(x.path);
    let has_slash = path::has_trailing_slash(x.path);
    let sent = match h.files().kept(&mut path, has_slash) {
        Some(kept) => send_file_head(h, x, &path, &kept.file),
        None => send_opened_head(h, x, &path, has_slash),
    };
    path::give_back(path);
    sent
}

fn send_opened_head<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    has_slash: bool,
) -> Result<Option<Content>> {
    let files = h.files();
    match files.open(path) {
        Ok(Found::File(file, description)) if !has_slash => {
            send_file_head(h, x, path, &files.keep(path, file, description)?)
        }
        Ok(Found::Directory(_)) if !has_slash => redirect(h, x),
        Ok(Found::Directory(directory)) => match directory.open_index(files.index_pages()) {
            Ok(Some((file, description, name))) => {
                let path = path.join(name);
                send_file_head(h, x, &path, &files.keep(&path, file, description)?)
            }
            Ok(None) => h.list_directory(x, &directory),
            Err(error) => not_found(h, x, error),
        },
        Ok(Found::File(..)) => h.send_error(x, NOT_FOUND).map(|()| None),
        Err(error) => not_found(h, x, error),
    }
}

/// Whatever keeps a file from being opened is a 404, as in Python; unless it is none of the path's.
fn not_found<H: ServeFiles + ?Sized>(
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
    h.send_header(x, "Location", &path::redirect_location(x.path));
    h.send_header(x, "Content-Length", "0");
    h.end_headers(x)?;
    Ok(None)
}

fn send_file_head<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    file: &ReadyFile,
) -> Result<Option<Content>> {
    if file.is_dated
        && let Some(since) = x.headers.get("If-Modified-Since")
        && !has_tags(x)
        // What most clients send is the very text that they got, which is cheaper to compare than to read.
        && (file.modified_text.is(since) || condition::not_modified(Some(since), false, file.modified))
    {
        return send_not_modified(h, x);
    }
    send_head_of(h, x, path, file)?;
    Ok(Some(file.content()))
}

fn has_tags(x: &Exchange<'_>) -> bool {
    x.headers.get("If-None-Match").is_some()
}

/// The client has the file already.
fn send_not_modified<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
) -> Result<Option<Content>> {
    h.send_response(x, Status::NOT_MODIFIED);
    h.end_headers(x)?;
    Ok(None)
}

/// The head for a file.
fn send_head_of<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
    file: &ReadyFile,
) -> Result<()> {
    h.send_response(x, Status::OK);
    h.send_header(x, "Content-type", &h.guess_type(path));
    if let Some(length) = &file.length_text {
        h.send_header(x, "Content-Length", length);
    }
    if file.is_dated
        && let Some(time) = condition::last_modified(file.modified, clock::time_of_day())
    {
        h.send_header(x, "Last-Modified", &h.date_time_string(Some(time)));
    }
    send_extra_headers(h, x, "Last-Modified");
    h.end_headers(x)
}

/// Sends `extra_response_headers`, but for names that are sent automatically: those of every answer,
/// and `own`.
fn send_extra_headers<H: ServeFiles + ?Sized>(h: &H, x: &mut Exchange<'_>, own: &str) {
    let automatic = ["Server", "Date", "Content-Type", "Content-Length", own];
    for (name, value) in h.files().extra_response_headers() {
        if !automatic.iter().any(|sent| sent.eq_ignore_ascii_case(name)) {
            h.send_header(x, name, value);
        }
    }
}

/// The body of [`ServeFiles::list_directory`].
///
/// # Errors
/// Those of [`end_headers`](crate::RequestHandler::end_headers) and
/// [`send_error`](crate::RequestHandler::send_error).
pub fn list_directory<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    directory: &Directory<'_>,
) -> Result<Option<Content>> {
    let Ok(names) = listing::names(directory) else {
        let status = Status::NOT_FOUND.with_message("No permission to list directory");
        return h.send_error(x, status).map(|()| None);
    };
    let page = listing::page(x.path, names.lines());
    h.send_response(x, Status::OK);
    h.send_header(x, "Content-type", "text/html; charset=utf-8");
    h.send_header(x, "Content-Length", itoa::Buffer::new().format(page.len()));
    send_extra_headers(h, x, "");
    h.end_headers(x)?;
    Ok(Some(Content::Page(io::Cursor::new(page))))
}

/// The body of [`ServeFiles::translate_path`].
pub fn translate_path<H: ServeFiles + ?Sized>(h: &H, path: &str) -> PathBuf {
    // A name with a NUL names nothing.
    path::below(h.files().directory(), path).unwrap_or_else(|_| PathBuf::from("\0"))
}

/// The body of [`ServeFiles::guess_type`].
pub fn guess_type<'h, H: ServeFiles + ?Sized>(h: &'h H, path: &Path) -> Cow<'h, str> {
    let files = h.files();
    mime::guess(path, files.extensions())
        .unwrap_or_else(|| files.default_content_type())
        .into()
}

/// The body of [`ServeFiles::copyfile`].
///
/// # Errors
/// Those of [`wfile`](crate::ResponseWriter), and `UnexpectedEof` for a file that has become shorter
/// than was announced.
pub fn copyfile<H: ServeFiles + ?Sized>(
    _: &H,
    x: &mut Exchange<'_>,
    source: Content,
) -> Result<()> {
    match source {
        Content::File(file) => {
            x.wfile
                .send_shared_file(file.shared(), file.position(), file.left())?;
        }
        Content::Stream(mut stream) => {
            io::copy(&mut stream, &mut x.wfile)?;
        }
        Content::Page(page) => x.wfile.write_all(unread(&page))?,
        Content::Kept(content) => x.wfile.write_all(unread(&content))?,
    }
    Ok(())
}

/// What a reader has not taken yet.
fn unread<T: AsRef<[u8]>>(content: &io::Cursor<T>) -> &[u8] {
    let from = usize::try_from(content.position()).unwrap_or(usize::MAX);
    content.get_ref().as_ref().get(from..).unwrap_or_default()
}

/// [`server_version`](crate::RequestHandler::server_version) of [`SimpleHandler`]: `SimpleHTTP/` and
/// the version of this crate.
pub fn server_version<H: ServeFiles + ?Sized>(_: &H) -> &'static str {
    SERVER_VERSION
}
