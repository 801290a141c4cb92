//! Static files: the counterpart of Python's `SimpleHTTPRequestHandler`.
//!
//! [`SimpleHandler`] serves the files of a directory. [`ServeFiles`] has its hooks; override them with a
//! [`Layer`](crate::Layer). Each function of this module is the default of the hook of the same name: call it from an
//! override where Python calls `super()`. [`Blob`] sends bytes in memory as if they were a file.

// From a request to a response: `path` (from target to path), `open` (from path to file, without leaving the root), `cache`
// (files that were opened before), `head` (the steps from there to the response), `representation` (those of them that
// bytes in memory take, too), `mime`, `media`, `validators`, `conditions`, `ranges`, `fields`, `parts` and `listing`.
//
// Options for built sites (`site`) are steps of their own: `hosts`, `cors`, `visibility`, `missing`, `precompressed` with
// `codings`, and `caching`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::base::{self, software};
use crate::{Exchange, Result, Status};

pub use self::blob::Blob;
pub use self::caching::cache_control;
pub use self::content::{Content, OpenFile, Parts};
pub use self::cors::end_headers;
pub use self::handler::SimpleHandler;
pub(crate) use self::hooks::Sealed;
pub use self::hooks::ServeFiles;
pub(crate) use self::hosts::refuse as refuse_host;
pub use self::listing::{Crumb, DirectoryListing, Entry, Listing, html_escape, listing_page};
pub use self::missing::send_not_found;
pub use self::open::{Directory, Symlinks};
pub use self::validators::FileMetadata;
pub use self::visibility::{Visibility, visibility};

mod blob;
mod cache;
mod caching;
pub(crate) mod codings;
pub(crate) mod conditions;
mod content;
mod cors;
mod fields;
mod handler;
pub(crate) mod head;
mod hooks;
mod hosts;
pub(crate) mod listing;
mod media;
mod mime;
mod missing;
pub(crate) mod open;
mod parts;
pub(crate) mod path;
mod precompressed;
pub(crate) mod ranges;
mod ready;
mod representation;
mod site;
mod validators;
#[doc(hidden)]
pub mod values;
mod visibility;

const SERVER_VERSION: &str = software!("SimpleHTTP");
const NOT_FOUND: Status<'_> = Status::NOT_FOUND.with_message("File not found");

/// Returns the outermost handler if that is a layer around a handler of files, and otherwise this handler.
///
/// Handlers share one copy of the code that calls hooks through it, which saves much of the time to compile the library.
/// Only files without a layer have their own copy ([`send_head`]): that saves 7 % of the instructions of a response.
fn outermost<'h, 'x: 'h, H: ServeFiles + ?Sized>(
    handler: &'h H,
    x: &Exchange<'x>,
) -> &'h dyn ServeFiles {
    let layer = x.layers().and_then(|layer| layer.as_files());
    layer.unwrap_or_else(|| handler.dyn_files())
}

/// Answers a request as [`SimpleHandler`] does. This is its [`do_method`](crate::RequestHandler::do_method); a
/// handler that embeds a [`SimpleHandler`] calls it from its own.
///
/// GET and HEAD are answered by [`ServeFiles::do_get`] and [`ServeFiles::do_head`], OPTIONS if
/// [`SimpleHandler::cors`] is on, and all other methods with 501, as in Python, and an `Allow` field. A host that is
/// not [allowed](SimpleHandler::with_allowed_hosts) is rejected with 421.
///
/// # Errors
/// Those of the hooks.
pub fn do_method<H: ServeFiles + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    let handler = outermost(handler, x);
    match x.command {
        _ if !handler.files().allows_host(x) => refuse_host(handler, x),
        "GET" => handler.do_get(x),
        "HEAD" => handler.do_head(x),
        "OPTIONS" if handler.files().site().has_cors => cors::answer_options(handler, x),
        _ => unsupported(handler, x),
    }
}

/// Answers with 501. `Allow` has the methods of files (RFC 9110, section 10.2.1); scripts may have more.
#[cold]
fn unsupported(handler: &dyn ServeFiles, x: &mut Exchange<'_>) -> Result<()> {
    if handler.as_scripts().is_none() {
        x.send_header("Allow", handler.files().site().methods());
    }
    base::do_method(handler, x)
}

/// The default of [`ServeFiles::do_get`].
///
/// # Errors
/// Those of [`ServeFiles::send_head`] and [`ServeFiles::copyfile`].
pub fn do_get<H: ServeFiles + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    let handler = outermost(handler, x);
    match handler.send_head(x)? {
        Some(content) => handler.copyfile(x, content),
        None => Ok(()),
    }
}

/// The default of [`ServeFiles::do_head`].
///
/// # Errors
/// Those of [`ServeFiles::send_head`].
pub fn do_head<H: ServeFiles + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    outermost(handler, x).send_head(x).map(drop)
}

/// The default of [`ServeFiles::send_head`].
///
/// # Errors
/// Those of the hooks that it calls; and if the system is out of file descriptors or memory.
pub fn send_head<H: ServeFiles + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
) -> Result<Option<Content>> {
    match x.layers().and_then(|layer| layer.as_files()) {
        None => head::send(handler, x),
        Some(layer) => base::layered(|| head::send(layer, x)),
    }
}

/// The default of [`ServeFiles::entity_tag`].
pub fn entity_tag<'f, H: ServeFiles + ?Sized>(
    _: &H,
    _: &Path,
    file: &'f FileMetadata,
) -> Option<Cow<'f, str>> {
    file.tag().map(Cow::Borrowed)
}

/// The default of [`ServeFiles::list_directory`].
///
/// # Errors
/// Those of [`end_headers`](crate::RequestHandler::end_headers) and
/// [`send_error`](crate::RequestHandler::send_error).
pub fn list_directory<H: ServeFiles + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    directory: &Directory<'_>,
) -> Result<Option<Content>> {
    listing::list(outermost(handler, x), x, directory)
}

/// The default of [`ServeFiles::translate_path`].
pub fn translate_path<H: ServeFiles + ?Sized>(handler: &H, path: &str) -> PathBuf {
    // A name with a NUL names nothing.
    path::below(handler.files().directory(), path).unwrap_or_else(|_| PathBuf::from("\0"))
}

/// The default of [`ServeFiles::guess_type`].
pub fn guess_type<'h, H: ServeFiles + ?Sized>(handler: &'h H, path: &Path) -> Cow<'h, str> {
    let files = handler.files();
    mime::guess(path, files.extensions())
        .unwrap_or_else(|| files.default_content_type())
        .into()
}

/// The default of [`ServeFiles::copyfile`].
///
/// # Errors
/// Those of [`wfile`](crate::ResponseWriter), and `UnexpectedEof` for a file that has become shorter than its
/// `Content-Length`.
pub fn copyfile<H: ServeFiles + ?Sized>(
    _: &H,
    x: &mut Exchange<'_>,
    source: Content,
) -> Result<()> {
    content::send(x, source)
}

/// The [`server_version`](crate::RequestHandler::server_version) of [`SimpleHandler`]: `SimpleHTTP/` and the version
/// of this crate.
pub fn server_version<H: ServeFiles + ?Sized>(_: &H) -> &'static str {
    SERVER_VERSION
}
