//! [`ServeFiles`]: the hooks of handlers that serve files.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Content, Directory, DirectoryListing, FileMetadata, SimpleHandler, Visibility};
use crate::{Exchange, RequestHandler, Result, simple};

/// A supertrait that other crates can't name. A handler of files must say that it is one where a layer around it asks
/// ([`RequestHandler::as_files`]); so all of them are of this crate, or layers.
pub trait Sealed {}

/// What serves files: the methods of Python's `SimpleHTTPRequestHandler`.
///
/// [`SimpleHandler`] is the ready-made one. To subclass it, implement [`Layer`](crate::Layer), which has all these hooks:
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
/// The trait can't be implemented otherwise, so that a layer around a handler of files finds its hooks:
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
    /// The attributes: this handler serves files as that one does.
    fn files(&self) -> &SimpleHandler;

    /// Answers GET: [`send_head`](Self::send_head), then [`copyfile`](Self::copyfile).
    ///
    /// # Errors
    /// Those of the two.
    #[doc(alias = "do_GET")]
    fn do_get(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_get(self, x)
    }

    /// Answers HEAD: [`send_head`](Self::send_head).
    ///
    /// # Errors
    /// As that.
    #[doc(alias = "do_HEAD")]
    fn do_head(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_head(self, x)
    }

    /// Answers with the head for a file, for parts of it, for an index page or a listing, and returns the
    /// body to send; or `None` where the answer is complete: a redirect, 304, an error.
    ///
    /// # Errors
    /// Those of the hooks that it calls; and where the system is out of descriptors or memory.
    fn send_head(&self, x: &mut Exchange<'_>) -> Result<Option<Content>> {
        simple::send_head(self, x)
    }

    /// Answers where no file is: with the page of [`SimpleHandler::with_fallback`] or
    /// [`SimpleHandler::with_not_found_page`], or with 404. `path` is what `translate_path` has made.
    ///
    /// # Errors
    /// As those of [`send_head`](Self::send_head).
    fn send_not_found(&self, x: &mut Exchange<'_>, path: &Path) -> Result<Option<Content>> {
        simple::send_not_found(self, x, path)
    }

    /// Answers with the head for the listing of a directory, and returns its page, as HTML, JSON or plain text; or answers
    /// with 404 if the directory can't be read.
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

    /// The HTML page of a listing, in UTF-8: for a page of your own. The head is sent later, so fields may be sent here, such
    /// as a `Content-Security-Policy`, which the default sets for its own page.
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
    /// Those of an override; it is answered with 500, or the status of the error. The default has none.
    fn listing_page(
        &self,
        x: &mut Exchange<'_>,
        listing: &DirectoryListing<'_>,
    ) -> Result<Vec<u8>> {
        simple::listing_page(self, x, listing)
    }

    /// The path of the file that a request's path (with its query) names: below
    /// [`SimpleHandler::directory`], whatever `..` and percent-encoding say. What has a NUL in it
    /// becomes a path that does not exist.
    fn translate_path(&self, path: &str) -> PathBuf {
        simple::translate_path(self, path)
    }

    /// Who sees a file or directory of this name. It is asked for every name on the way to a file, and for those in a
    /// listing. Below the directory of the handler these are the names of the path that
    /// [`translate_path`](Self::translate_path) returns, elsewhere those of the request. Default: what
    /// [`SimpleHandler::dot_files`] says.
    fn visibility(&self, name: &OsStr) -> Visibility {
        simple::visibility(self, name)
    }

    /// The media type of a file, by its name. What is a text gets the
    /// [`charset`](SimpleHandler::charset) besides, unless it names one.
    fn guess_type(&self, path: &Path) -> Cow<'_, str> {
        simple::guess_type(self, path)
    }

    /// The entity tag of a file, with its quotes, as it stands in `ETag` and is compared with those of the
    /// request; or `None` for none. Whoever sends another `ETag` elsewhere makes this one lie.
    ///
    /// It must be another one whenever the content is another. The default is made of the number, the size
    /// and the times of the file, to the nanosecond; it is the same after a restart, and for a file that
    /// was changed within the last moments, one that nothing matches. Where the same files lie on several
    /// servers, override it: their numbers and times differ. For a file that is sent
    /// [in the place](SimpleHandler::precompressed) of another one, the path is its own.
    fn entity_tag<'a>(&'a self, path: &Path, file: &'a FileMetadata) -> Option<Cow<'a, str>> {
        simple::entity_tag(self, path, file)
    }

    /// The `Cache-Control` of a file that was asked for and found, also of a 304 for it; or `None` for none. By default
    /// what [`SimpleHandler::immutable`] and [`SimpleHandler::with_cache_control`] say. One of
    /// [`extra_response_header`](SimpleHandler::extra_response_header) is sent only if this is `None`.
    fn cache_control(&self, path: &Path) -> Option<Cow<'_, str>> {
        simple::cache_control(self, path)
    }

    /// Sends the body that [`send_head`](Self::send_head) returned; a file without copying it through
    /// memory.
    ///
    /// # Errors
    /// Those of [`wfile`](crate::ResponseWriter), and `UnexpectedEof` for a file that has become
    /// shorter than was announced.
    fn copyfile(&self, x: &mut Exchange<'_>, source: Content) -> Result<()> {
        simple::copyfile(self, x, source)
    }
}
