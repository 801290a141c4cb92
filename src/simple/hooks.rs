//! [`ServeFiles`]: the hooks of handlers that serve files.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Content, Directory, DirectoryListing, FileMetadata, SimpleHandler, Visibility};
use crate::{Exchange, RequestHandler, Result, simple};

/// A supertrait that other crates can't name. A handler of files must say that it is one where a layer around it asks
/// ([`RequestHandler::as_files`]); so all of them are of this crate, or layers.
pub trait Sealed {
    /// Returns this handler.
    fn dyn_files(&self) -> &dyn ServeFiles;
}

/// The hooks of a handler that serves files: the methods of Python's `SimpleHTTPRequestHandler`.
///
/// [`SimpleHandler`] implements them. To override some, implement [`Layer`](crate::Layer) around it, which has all
/// these hooks:
///
/// ```
/// use servette::{Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, respond};
/// use std::{borrow::Cow, path::Path};
///
/// struct Site(SimpleHandler);
///
/// impl Layer for Site {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn guess_type(&self, path: &Path) -> Cow<'_, str> {
///         match path.file_name() {
///             Some(name) if name == "Cargo.toml" => "text/plain".into(),
///             _ => self.0.guess_type(path), // super().guess_type(path)
///         }
///     }
///     fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
///         x.send_header("Access-Control-Allow-Origin", "*");
///         self.0.end_headers(x)
///     }
/// }
///
/// let site = Site(SimpleHandler::new(env!("CARGO_MANIFEST_DIR")));
/// let answer = String::from_utf8(respond(&site, "GET /Cargo.toml HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(answer.contains(": text/plain; charset=utf-8\r\n"));
/// assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
/// ```
///
/// The trait can't be implemented in another way, so that a layer around a handler of files finds its hooks:
///
/// ```compile_fail,E0277
/// use servette::{RequestHandler, ServeFiles, SimpleHandler};
///
/// struct Site(SimpleHandler);
///
/// impl RequestHandler for Site {}
/// impl ServeFiles for Site {
///     fn files(&self) -> &SimpleHandler {
///         &self.0
///     }
/// }
/// ```
#[doc(alias = "SimpleHTTPRequestHandler")]
pub trait ServeFiles: RequestHandler + Sealed {
    /// Returns the [`SimpleHandler`] with the options of this handler.
    fn files(&self) -> &SimpleHandler;

    /// Answers GET: calls [`send_head`](Self::send_head), then [`copyfile`](Self::copyfile).
    ///
    /// # Errors
    /// Those of the two.
    #[doc(alias = "do_GET")]
    fn do_get(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_get(self, x)
    }

    /// Answers HEAD: calls [`send_head`](Self::send_head).
    ///
    /// # Errors
    /// Those of `send_head`.
    #[doc(alias = "do_HEAD")]
    fn do_head(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_head(self, x)
    }

    /// Sends the response head for a file, a part of it, an index page or a listing, and returns the body to send.
    /// Returns `None` if the response is complete: a redirect, 304, an error.
    ///
    /// # Errors
    /// Those of the hooks that it calls; and if the system is out of file descriptors or memory.
    fn send_head(&self, x: &mut Exchange<'_>) -> Result<Option<Content>> {
        simple::send_head(self, x)
    }

    /// Answers a request for a file that does not exist: with the page of [`SimpleHandler::with_fallback`] or
    /// [`SimpleHandler::with_not_found_page`], or with 404. `path` is the result of
    /// [`translate_path`](Self::translate_path).
    ///
    /// # Errors
    /// Those of [`send_head`](Self::send_head).
    fn send_not_found(&self, x: &mut Exchange<'_>, path: &Path) -> Result<Option<Content>> {
        simple::send_not_found(self, x, path)
    }

    /// Sends the response head for the listing of a directory, and returns the listing as HTML, JSON or plain text.
    /// Answers with 404 if the directory can't be read. To change only the HTML page, override
    /// [`listing_page`](Self::listing_page).
    ///
    /// # Errors
    /// Those of the hooks that it calls.
    fn list_directory(
        &self,
        x: &mut Exchange<'_>,
        directory: &Directory<'_>,
    ) -> Result<Option<Content>> {
        simple::list_directory(self, x, directory)
    }

    /// Returns the HTML page of a listing, in UTF-8. Override it for a page of your own. The head is sent after the
    /// call, so a field may be added here, such as a `Content-Security-Policy`; the default adds one for its own
    /// page.
    ///
    /// ```
    /// use servette::simple::{DirectoryListing, html_escape};
    /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond};
    ///
    /// struct Plain(SimpleHandler);
    ///
    /// impl Layer for Plain {
    ///     fn inner(&self) -> &dyn RequestHandler {
    ///         &self.0
    ///     }
    ///     fn listing_page(&self, _: &mut Exchange<'_>, listing: &DirectoryListing<'_>) -> Result<Vec<u8>> {
    ///         let mut page = format!("<!DOCTYPE html><meta charset=utf-8><h1>{}</h1>", html_escape(&listing.path()));
    ///         for entry in listing.entries() {
    ///             page += &format!("<p><a href=\"{}\">{}</a>", entry.href(), html_escape(&entry.text()));
    ///         }
    ///         Ok(page.into_bytes())
    ///     }
    /// }
    ///
    /// let site = Plain(SimpleHandler::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    /// let answer = String::from_utf8(respond(&site, "GET / HTTP/1.0\r\n\r\n")).unwrap();
    /// assert!(answer.contains("<h1>/</h1>"));
    /// assert!(answer.contains("<p><a href=\"base/\">base/</a><p><a href=\"base.rs\">base.rs</a>"));
    /// ```
    ///
    /// # Errors
    /// Those of an override; the response is then 500, or the status of the error. The default returns none.
    fn listing_page(
        &self,
        x: &mut Exchange<'_>,
        listing: &DirectoryListing<'_>,
    ) -> Result<Vec<u8>> {
        simple::listing_page(self, x, listing)
    }

    /// Returns the path of the file for a request path, which may have a query. The result is below
    /// [`SimpleHandler::directory`], whatever `..` and percent-encoding the request contains. A path with a NUL
    /// becomes one that does not exist.
    fn translate_path(&self, path: &str) -> PathBuf {
        simple::translate_path(self, path)
    }

    /// Returns who sees a file or directory with this name. It is called for each name on the way to a file, and for
    /// each name in a listing. Default: the setting of [`SimpleHandler::dot_files`].
    ///
    /// Below the directory of the handler, these are the names of the path that
    /// [`translate_path`](Self::translate_path) returns; elsewhere, the names of the request path.
    fn visibility(&self, name: &OsStr) -> Visibility {
        simple::visibility(self, name)
    }

    /// Returns the media type of a file, by its name. The [`charset`](SimpleHandler::charset) is added to the type of
    /// a text that has none.
    fn guess_type(&self, path: &Path) -> Cow<'_, str> {
        simple::guess_type(self, path)
    }

    /// Returns the entity tag of a file with its quotes, for `ETag` and for the conditions of the request; or `None`
    /// for no tag. `path` is the file that is sent: with [`precompressed`](SimpleHandler::precompressed), that is the
    /// compressed one. Do not send another `ETag` in another hook.
    ///
    /// The tag must change whenever the content changes. The default is made from the inode number, the size and the
    /// times of the file in nanoseconds. It stays the same after a restart. Override it if several servers have the
    /// same files, because their numbers and times differ.
    ///
    /// For 20 ms after a change (2 s if the file system counts whole seconds) the default is a new tag at each request,
    /// which no later request matches, because a second change in this time might not show. A handler that writes files
    /// and compares `If-Match` with these tags needs an override: for example, from the size and the inode number, if
    /// each change writes a new file and renames it.
    fn entity_tag<'a>(&'a self, path: &Path, file: &'a FileMetadata) -> Option<Cow<'a, str>> {
        simple::entity_tag(self, path, file)
    }

    /// Returns the `Cache-Control` of a file that was found, also for a 304; or `None` for no field. Default: the
    /// settings of [`SimpleHandler::immutable`] and [`SimpleHandler::with_cache_control`]. A `Cache-Control` from
    /// [`extra_response_header`](SimpleHandler::extra_response_header) is sent only if this is `None`.
    fn cache_control(&self, path: &Path) -> Option<Cow<'_, str>> {
        simple::cache_control(self, path)
    }

    /// Sends the body that [`send_head`](Self::send_head) returned. Files are sent without a copy through memory
    /// where the system allows.
    ///
    /// # Errors
    /// Those of [`wfile`](crate::ResponseWriter), and `UnexpectedEof` for a file that has become shorter than its
    /// `Content-Length`.
    fn copyfile(&self, x: &mut Exchange<'_>, source: Content) -> Result<()> {
        simple::copyfile(self, x, source)
    }
}
