//! [`SimpleHandler`]: serves the files of a directory, with its options.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::cache::{Cache, Entry};
use super::mime::Extensions;
use super::open::{self, Description, Found, Symlinks, Way};
use super::ready::ReadyFile;
use super::site::Site;
use super::{SERVER_VERSION, Sealed, ServeFiles, head, path, software, values};
use crate::{Exchange, RequestHandler, Result, base, simple};

#[cfg(unix)]
mod scripts;

/// Serves the files of a directory: the counterpart of Python's `SimpleHTTPRequestHandler`.
///
/// ```
/// use servette::{SimpleHandler, respond};
///
/// let files = SimpleHandler::new(env!("CARGO_MANIFEST_DIR"))
///     .extension(".toml", "text/plain")
///     .extra_response_header("Cache-Control", "no-store");
/// let answer = String::from_utf8(respond(&files, "GET /Cargo.toml HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(answer.contains(": text/plain; charset=utf-8\r\n"));
/// assert!(answer.contains("\r\nCache-Control: no-store\r\n"));
/// ```
///
/// Directories are answered with an index page or a listing. Conditional requests, ranges and `ETag` are always on.
/// Methods other than GET and HEAD are answered with 501, as in Python, and `Allow: GET, HEAD`. For 405 instead, override
/// `do_method`.
///
/// To override hooks, put the handler into a [`Layer`](crate::Layer); see [`ServeFiles`].
#[derive(Clone, Debug)]
#[doc(alias = "SimpleHTTPRequestHandler")]
pub struct SimpleHandler {
    directory: PathBuf,
    extensions: Extensions,
    index_pages: Vec<String>,
    extra_response_headers: Vec<(String, String)>,
    default_content_type: Box<str>,
    charset: Option<Box<str>>,
    symlinks: Symlinks,
    protocol_version: Box<str>,
    is_quiet: bool,
    /// Shared by clones.
    cache: Option<Arc<Cache>>,
    /// Directories whose files are never sent: those of scripts.
    unserved: Vec<PathBuf>,
    site: Site,
}

/// A cached file, or one that was just opened.
pub(super) enum Ready {
    Kept(Arc<Entry>),
    Opened(Box<ReadyFile>),
}

impl Deref for Ready {
    type Target = ReadyFile;

    fn deref(&self) -> &ReadyFile {
        match self {
            Ready::Kept(kept) => &kept.file,
            Ready::Opened(file) => file,
        }
    }
}

impl SimpleHandler {
    /// Serves the files of this directory. A relative path is resolved against the current directory at each request,
    /// as in Python. If the directory does not exist, each request is answered with 404.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        SimpleHandler {
            directory: directory.into(),
            extensions: Extensions::default(),
            index_pages: vec!["index.html".into(), "index.htm".into()],
            extra_response_headers: Vec::new(),
            default_content_type: "application/octet-stream".into(),
            charset: Some("utf-8".into()),
            symlinks: Symlinks::default(),
            protocol_version: "HTTP/1.0".into(),
            is_quiet: false,
            cache: Some(Arc::default()),
            unserved: Vec::new(),
            site: Site::default(),
        }
    }

    /// Sets the media type of files with this suffix, ahead of the types that the crate knows. The suffix may be
    /// given with its dot or without, in any case: `.wasm`, `WASM`.
    ///
    /// # Panics
    /// If no file name can have this suffix: it is empty, or contains a slash or a dot. Only the part after the last
    /// dot of a name is looked up.
    #[track_caller]
    pub fn extension(mut self, suffix: &str, content_type: impl Into<String>) -> Self {
        let suffix = values::given(values::suffix(suffix));
        self.extensions
            .insert(format!(".{suffix}"), content_type.into());
        self
    }

    /// Sets the names of index pages. The first one that is a regular file is sent for its directory. Default:
    /// `index.html`, `index.htm`.
    #[must_use]
    pub fn with_index_pages<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.index_pages = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a field to 200 and 206 responses for files and listings; 304 responses get the ones that caches need,
    /// such as `Cache-Control`. Names that the server sets itself are ignored. The same name may be added several
    /// times.
    pub fn extra_response_header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.extra_response_headers
            .push((name.into(), value.into()));
        self
    }

    /// Sets the media type of files whose suffix is unknown. Default: `application/octet-stream`.
    #[must_use]
    pub fn with_default_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.default_content_type = content_type.into().into();
        self
    }

    /// Sets the charset that is added to the media types of texts (`text/*` except XML, and `application/javascript`)
    /// that have none. It overrides the charset that a page itself declares. `None` adds none, as in Python. Default:
    /// `utf-8`.
    pub fn charset(mut self, charset: Option<&str>) -> Self {
        self.charset = charset.map(Into::into);
        self
    }

    /// Sets which symbolic links are followed. Default: [`Symlinks::InsideRoot`], those that stay inside the
    /// directory.
    pub fn symlinks(mut self, symlinks: Symlinks) -> Self {
        self.symlinks = symlinks;
        self.forget_files();
        self
    }

    /// Sets whether all symbolic links are followed, as in Python, or (`false`) only those that stay inside the
    /// directory. Default: false.
    pub fn follow_symlinks(self, follow: bool) -> Self {
        self.symlinks(match follow {
            true => Symlinks::Follow,
            false => Symlinks::InsideRoot,
        })
    }

    /// Sets the HTTP version, `HTTP/1.0` or `HTTP/1.1`; see
    /// [`RequestHandler::protocol_version`](RequestHandler::protocol_version). HTTP/1.1 keeps connections open.
    /// Default: `HTTP/1.0`.
    #[must_use]
    pub fn with_protocol_version(mut self, version: impl Into<String>) -> Self {
        self.protocol_version = version.into().into();
        self
    }

    /// Sets whether requests are not logged. Errors are logged in any case. Default: false.
    pub fn quiet(mut self, is_quiet: bool) -> Self {
        self.is_quiet = is_quiet;
        self
    }

    /// Sets whether files are cached. Default: true. Files of up to 64 KiB are kept in memory, 16 MiB in all.
    ///
    /// The server checks on every request that the file is unchanged, so the next request always sees an edit. The
    /// check is one system call for a file directly in the directory, or if all links are followed; otherwise it is
    /// three, because a directory on the way could have become a link that leads out.
    ///
    /// Where it is one call, the 32 files of up to 1 MiB that were opened last stay open. A deleted file then takes
    /// its space until the next request for it, or until others take its place, and the file system can't be
    /// unmounted meanwhile.
    #[must_use]
    pub fn cache_files(mut self, is_cached: bool) -> Self {
        self.cache = is_cached.then(Arc::default);
        self
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the media types by lower-case suffix with its dot, which are looked up before the types that the crate
    /// knows. Default: those of compressed files, `.gz`, `.Z`, `.bz2`, `.xz`.
    pub fn extensions_map(&self) -> &BTreeMap<String, String> {
        self.extensions.map()
    }

    pub(super) fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns the names of index pages.
    pub fn index_pages(&self) -> &[String] {
        &self.index_pages
    }

    /// Returns the fields that are added to responses for files and listings.
    pub fn extra_response_headers(&self) -> &[(String, String)] {
        &self.extra_response_headers
    }

    /// Returns the media type of files whose suffix is unknown.
    pub fn default_content_type(&self) -> &str {
        &self.default_content_type
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn site_mut(&mut self) -> &mut Site {
        &mut self.site
    }

    /// Returns whether requests for this host are answered.
    #[inline]
    pub(crate) fn allows_host(&self, x: &Exchange<'_>) -> bool {
        self.site.allows_host(x)
    }

    pub(super) fn charset_of_texts(&self) -> Option<&str> {
        self.charset.as_deref()
    }

    /// Returns the file at a path, or the first index page of a directory, if it is cached and unchanged. `path` then
    /// becomes that of the index page.
    pub(super) fn kept(&self, path: &mut PathBuf, is_directory: bool) -> Option<Arc<Entry>> {
        let cache = self.cache.as_ref()?;
        if !is_directory {
            return self.find(cache, path);
        }
        // An absolute name is never that of a page, and would take the place of the path.
        let page = self
            .index_pages
            .first()
            .filter(|name| !name.starts_with('/'))?;
        let length = path.as_os_str().len();
        path.push(page);
        let kept = self.find(cache, path);
        if kept.is_none() {
            path::truncate(path, length);
        }
        kept
    }

    fn find(&self, cache: &Cache, path: &Path) -> Option<Arc<Entry>> {
        cache.find(path, |way| {
            way.describe(&self.directory, path, self.symlinks)
        })
    }

    /// Returns a file that was just opened, ready to be sent, and caches it if possible. A file whose content may
    /// change unnoticed is never cached.
    pub(super) fn keep(
        &self,
        path: &Path,
        file: File,
        description: Description,
    ) -> io::Result<ReadyFile> {
        // The tag of a file depends on whether it was changed just before it was described.
        let now = SystemTime::now();
        match &self.cache {
            _ if description.is_doubtful() => ReadyFile::measure(file, description, now),
            Some(cache) if Cache::takes(&description) => {
                let way = Way::new(&self.directory, path, self.symlinks);
                Ok(cache.keep(path, file, description, way, now))
            }
            _ => Ok(ReadyFile::open(file, description, now)),
        }
    }

    /// Returns the regular file at a path, cached or opened now; `None` if there is none that may be read.
    pub(super) fn ready(&self, path: &Path) -> io::Result<Option<Ready>> {
        let kept = self.cache.as_ref().and_then(|cache| self.find(cache, path));
        if let Some(kept) = kept {
            return Ok(Some(Ready::Kept(kept)));
        }
        match self.open(path) {
            Ok(Found::File(file, description)) => {
                let file = self.keep(path, file, description)?;
                Ok(Some(Ready::Opened(file.into())))
            }
            Err(error) if head::is_shortage(&error) => Err(error),
            Ok(Found::Directory(_)) | Err(_) => Ok(None),
        }
    }

    /// Opens a path that `translate_path` has returned.
    pub(super) fn open<'a>(&'a self, path: &'a Path) -> io::Result<Found<'a>> {
        match open::relative_to(&self.directory, path) {
            Some(relative) if self.is_unserved(relative) => Err(io::ErrorKind::NotFound.into()),
            Some(relative) => open::open(&self.directory, relative, self.symlinks),
            None => open::open_any(path),
        }
    }

    /// Starts a new cache, because a clone with other rules may have filled this one.
    fn forget_files(&mut self) {
        self.cache = self.cache.is_some().then(Arc::default);
    }

    fn is_unserved(&self, relative: &Path) -> bool {
        let below = |directory: &PathBuf| {
            relative
                .strip_prefix(directory)
                .is_ok_and(|rest| !rest.as_os_str().is_empty())
        };
        self.unserved.iter().any(below)
    }
}

impl Sealed for SimpleHandler {
    fn dyn_files(&self) -> &dyn ServeFiles {
        self
    }
}

impl ServeFiles for SimpleHandler {
    fn files(&self) -> &SimpleHandler {
        self
    }
}

impl RequestHandler for SimpleHandler {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_method(self, x)
    }

    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::end_headers(self, x)
    }

    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        if !self.is_quiet {
            base::log_request(self, x, code, size);
        }
    }

    fn server_version(&self) -> &str {
        SERVER_VERSION
    }

    fn version_string(&self) -> Cow<'_, str> {
        concat!(software!("SimpleHTTP"), " servette").into()
    }

    fn protocol_version(&self) -> &str {
        &self.protocol_version
    }

    fn as_files(&self) -> Option<&dyn ServeFiles> {
        Some(self)
    }
}

impl Default for SimpleHandler {
    /// Serves the current directory.
    fn default() -> Self {
        SimpleHandler::new(".")
    }
}
