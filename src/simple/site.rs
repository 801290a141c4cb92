//! Options for built sites, which Python's module does not have. Each is off by default.

use std::path::PathBuf;

use super::caching::Caching;
use super::hosts::Hosts;
use super::precompressed::NamedOnce;
use super::{Listing, SimpleHandler, Visibility, values};
use crate::Exchange;
use crate::exchange::prefix;

/// The options for built sites.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) is_precompressed: bool,
    pub(super) told: NamedOnce,
    pub(super) caching: Caching,
    /// Relative to the directory.
    pub(super) fallback: Option<PathBuf>,
    pub(super) not_found_page: Option<PathBuf>,
    pub(super) dot_names: Visibility,
    pub(super) listing: Listing,
    pub(super) has_cors: bool,
    prefix: Option<Box<str>>,
    hosts: Option<Hosts>,
}

/// Where a request path leads, seen from the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within<'a> {
    /// Below the prefix: the rest of the path from its slash on, with the query.
    Below(&'a str),
    /// The prefix itself, without a slash at its end.
    Itself,
    /// Somewhere else.
    Outside,
}

impl Site {
    /// Returns where a request path leads.
    #[inline]
    pub(super) fn within<'a>(&self, path: &'a str) -> Within<'a> {
        match &self.prefix {
            None => Within::Below(path),
            Some(prefix) => match prefix::below(path, prefix) {
                None => Within::Outside,
                Some(rest) if prefix::after_slash(rest).is_some() => Within::Below(rest),
                Some(_) => Within::Itself,
            },
        }
    }

    /// Returns the methods that files have, for the field `Allow`.
    pub(super) fn methods(&self) -> &'static str {
        match self.has_cors {
            true => "GET, HEAD, OPTIONS",
            false => "GET, HEAD",
        }
    }

    #[inline]
    pub(super) fn allows_host(&self, x: &Exchange<'_>) -> bool {
        match &self.hosts {
            None => true,
            Some(hosts) => hosts.allow(x.host(), &x.server.server_name),
        }
    }
}

/// Options for built sites. Each is off by default.
impl SimpleHandler {
    /// Sets whether files that your build has compressed are sent: for `app.js`, one of `app.js.br`, `app.js.zst` and
    /// `app.js.gz`, if the `Accept-Encoding` of the client allows it. With equal weights the order is Brotli,
    /// Zstandard, gzip. Default: false.
    ///
    /// Only types that compress well are looked up: texts, JavaScript, JSON, XML, SVG, WebAssembly, TrueType and
    /// OpenType fonts. The plain file must exist. A compressed file that is older than the plain one is ignored, and
    /// the log names it once. All responses for files of these types have `Vary: Accept-Encoding`. A request with
    /// `Range` gets a part of the plain file, unless its `Accept-Encoding` rejects that.
    pub fn precompressed(mut self, is_precompressed: bool) -> Self {
        self.site_mut().is_precompressed = is_precompressed;
        self
    }

    /// Adds a directory whose files never change because their names contain a hash, such as the `assets` of most
    /// build tools. They are sent with `Cache-Control: public, max-age=31536000, immutable` (RFC 8246). May be called
    /// several times. Default: none.
    ///
    /// A 404, a listing or a redirect below the directory has `no-cache`, so that clients see a file that the next
    /// deployment adds.
    ///
    /// # Panics
    /// If no file can be below it: it is empty (`/` is the whole directory), or contains `.` or `..`.
    #[track_caller]
    pub fn immutable(mut self, directory: &str) -> Self {
        let directory = values::given(values::directory(directory));
        self.site_mut().caching.immutable.push(directory.into());
        self
    }

    /// Sets the `Cache-Control` of all other files. `no-cache` means: store the file, and ask each time whether it
    /// has changed. Default: none is sent, and caches decide by `Last-Modified`.
    #[must_use]
    pub fn with_cache_control(mut self, value: impl Into<String>) -> Self {
        self.site_mut().caching.others = Some(value.into().into());
        self
    }

    /// Sets the page for requests that name no file, for a single-page application (SPA): usually `index.html`. The
    /// path is relative to the directory. Default: none.
    ///
    /// It is sent with 200, only if `Accept` contains `text/html`, as in requests of browsers for pages and frames.
    /// All other requests, such as one for a missing script, get 404. The page has `Cache-Control: no-cache` and
    /// `Vary: Accept`.
    ///
    /// # Panics
    /// If it can't be a file below the directory.
    #[track_caller]
    #[must_use]
    pub fn with_fallback(mut self, page: &str) -> Self {
        self.site_mut().fallback = Some(values::given(values::page(page)).into());
        self
    }

    /// Sets the page that is sent with status 404 for requests that name no file. The path is relative to the
    /// directory. Default: the built-in error page.
    ///
    /// # Panics
    /// If it can't be a file below the directory.
    #[track_caller]
    #[must_use]
    pub fn with_not_found_page(mut self, page: &str) -> Self {
        self.site_mut().not_found_page = Some(values::given(values::page(page)).into());
        self
    }

    /// Sets who sees files and directories whose names begin with a dot, such as `.git` and `.env`, and everything
    /// below them. Default: [`Visibility::Shown`], as in Python. `.well-known` in the root is always shown (RFC
    /// 8615). For other names override the hook [`visibility`](super::ServeFiles::visibility).
    pub fn dot_files(mut self, visibility: Visibility) -> Self {
        self.site_mut().dot_names = visibility;
        self
    }

    /// Sets what the listings of directories show. Default: [`Listing::Full`]: names, sizes and times.
    ///
    /// An HTML page of more than 2,000 entries has names only, unless the client asks for `?details`, or sorts by
    /// size or time.
    pub fn listing(mut self, listing: Listing) -> Self {
        self.site_mut().listing = listing;
        self
    }

    /// Sets whether scripts in pages of other origins may read what is served (CORS): all responses have
    /// `Access-Control-Allow-Origin: *`, and OPTIONS is answered, also as a preflight. Default: false.
    ///
    /// Cookies are not allowed. To allow some origins only, override
    /// [`end_headers`](crate::RequestHandler::end_headers) instead. A handler that embeds this one calls
    /// [`simple::end_headers`](crate::simple::end_headers) from its own.
    pub fn cors(mut self, has_cors: bool) -> Self {
        self.site_mut().has_cors = has_cors;
        self
    }

    /// Sets the URL path below which the directory is served, such as `/files`. Paths outside it are answered with
    /// 404, and the prefix without a slash is redirected to the one with it. Default: `/`.
    ///
    /// [`translate_path`](super::ServeFiles::translate_path) gets the path without the prefix. The paths of CGI
    /// scripts don't have it.
    ///
    /// # Panics
    /// If it contains `.` or `..`, which are resolved in the paths of requests, or a scheme.
    #[track_caller]
    #[must_use]
    pub fn with_prefix(mut self, path: &str) -> Self {
        self.site_mut().prefix = Some(values::given(values::url_prefix(path)))
            .filter(|path| !path.trim_matches('/').is_empty())
            .map(Into::into);
        self
    }

    /// Sets the hosts whose requests are answered; other requests are rejected with 421. A name with a leading dot,
    /// such as `.lan`, also allows all names below it. IP addresses, `localhost` and the name of the server are
    /// always allowed. Default: all hosts.
    ///
    /// This protects against DNS rebinding: without it, another site can make its host name resolve to this machine,
    /// and its pages can read what is served here. Turn it on if that is not meant for everybody. It is checked by
    /// [`simple::do_method`](crate::simple::do_method).
    ///
    /// # Panics
    /// If a name is not a host name, for example because it has a scheme or a port.
    #[track_caller]
    #[must_use]
    pub fn with_allowed_hosts<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.site_mut().hosts = Some(Hosts::new(names));
        self
    }
}
