//! What a site that was built wants of a server beyond Python's: each off until it is asked for.

use std::path::PathBuf;

use super::caching::Caching;
use super::hosts::Hosts;
use super::sidecar::NamedOnce;
use super::{Listing, SimpleHandler, Visibility, values};
use crate::Exchange;
use crate::exchange::prefix;

/// The attributes for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) is_precompressed: bool,
    pub(super) told: NamedOnce,
    pub(super) caching: Caching,
    /// Relative paths.
    pub(super) fallback: Option<PathBuf>,
    pub(super) not_found_page: Option<PathBuf>,
    pub(super) dot_names: Visibility,
    pub(super) listing: Listing,
    pub(super) has_cors: bool,
    prefix: Option<Box<str>>,
    hosts: Option<Hosts>,
}

/// Where a request's path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within<'a> {
    /// What follows the prefix, from its slash on, with the query.
    Below(&'a str),
    /// The prefix, without a slash behind it.
    Itself,
    /// Elsewhere.
    Outside,
}

impl Site {
    /// Where a request's path leads.
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

    #[inline]
    pub(super) fn allows_host(&self, x: &Exchange<'_>) -> bool {
        match &self.hosts {
            None => true,
            Some(hosts) => hosts.allow(x.host(), &x.server.server_name),
        }
    }
}

/// What a built site wants of a server: each of these is off by default.
impl SimpleHandler {
    /// Whether files that were compressed when the site was built are sent in the place of the plain ones: for
    /// `app.js`, one of `app.js.br`, `app.js.zst` and `app.js.gz`, to clients whose `Accept-Encoding` takes it. At
    /// the same weight Brotli goes first, then Zstandard, then gzip. Default: false.
    ///
    /// Only files whose type is worth it have such a sidecar: texts, scripts, JSON, XML, SVG, WebAssembly, TrueType and
    /// OpenType fonts. The plain file must be there. A sidecar that is older than it, by the times of their content, is not
    /// sent, and named in the log once. All answers for files of these types say `Vary: Accept-Encoding`. A request for
    /// a range gets that of the plain file, unless it wants none.
    pub fn precompressed(mut self, is_precompressed: bool) -> Self {
        self.site_mut().is_precompressed = is_precompressed;
        self
    }

    /// A directory whose files never change, for their names have a hash in them, as in the `assets` of most build
    /// tools: they are sent with `Cache-Control: public, max-age=31536000, immutable` (RFC 8246). May be called several
    /// times. Default: none.
    ///
    /// What is not there, and listings and redirects below the directory, say `no-cache`, so that a file that comes
    /// with the next deployment is seen.
    ///
    /// # Panics
    /// If no file can be below it: it is empty (`/` is the whole directory), or has `.` or `..` in it.
    #[track_caller]
    pub fn immutable(mut self, directory: &str) -> Self {
        let directory = values::given(values::directory(directory));
        self.site_mut().caching.immutable.push(directory.into());
        self
    }

    /// The `Cache-Control` of all other files, such as `no-cache`: keep it, and ask each time whether it is unchanged.
    /// Default: none is sent, and caches decide by `Last-Modified`.
    #[must_use]
    pub fn with_cache_control(mut self, value: impl Into<String>) -> Self {
        self.site_mut().caching.others = Some(value.into().into());
        self
    }

    /// The file that is sent where none is, for an application in the browser (SPA) that knows its routes itself:
    /// usually `index.html`. It is relative to the directory. Default: none.
    ///
    /// It is sent only to clients that ask for `text/html` by name in `Accept`, as browsers do for documents and
    /// frames. All others, such as a script that asks for a missing chunk, get a 404. It has `Cache-Control: no-cache`
    /// and `Vary: Accept`.
    ///
    /// # Panics
    /// If it can't be a file below the directory.
    #[track_caller]
    #[must_use]
    pub fn with_fallback(mut self, page: &str) -> Self {
        self.site_mut().fallback = Some(values::given(values::page(page)).into());
        self
    }

    /// The page that is sent with the status 404 in the place of the usual one, where no file is. It is relative to the
    /// directory. Default: none.
    ///
    /// # Panics
    /// If it can't be a file below the directory.
    #[track_caller]
    #[must_use]
    pub fn with_not_found_page(mut self, page: &str) -> Self {
        self.site_mut().not_found_page = Some(values::given(values::page(page)).into());
        self
    }

    /// Who sees files and directories whose names begin with a dot, such as `.git` and `.env`, and what is below
    /// them. Default: [`Visibility::Shown`], as in Python. `.well-known` in the root is always shown (RFC 8615). For
    /// other names there is the hook [`visibility`](super::ServeFiles::visibility).
    pub fn dot_files(mut self, visibility: Visibility) -> Self {
        self.site_mut().dot_names = visibility;
        self
    }

    /// What the listings of directories show. Default: [`Listing::Full`]: names, sizes and times.
    ///
    /// A page of more than 2,000 entries shows names only, unless a client asks for `?details`, or for the order of sizes or
    /// times.
    pub fn listing(mut self, listing: Listing) -> Self {
        self.site_mut().listing = listing;
        self
    }

    /// Whether scripts in pages of other origins may read what is served (CORS): all answers say
    /// `Access-Control-Allow-Origin: *`, and OPTIONS is answered, with the fields of a preflight if it is one. Default:
    /// false.
    ///
    /// They may read all that they can reach, but send no cookies. To allow only some origins, override
    /// [`end_headers`](crate::RequestHandler::end_headers) instead. A handler that embeds this one calls
    /// [`simple::end_headers`](crate::simple::end_headers) from its own.
    pub fn cors(mut self, has_cors: bool) -> Self {
        self.site_mut().has_cors = has_cors;
        self
    }

    /// The path in URLs below which the directory is served, such as `/files`. What is outside is 404, and the prefix
    /// itself is redirected to the same with a slash. It is compared as in [`Exchange::strip_prefix`]. Default: `/`.
    ///
    /// [`translate_path`](super::ServeFiles::translate_path) gets the path without it. The paths of scripts don't have it.
    ///
    /// # Panics
    /// If it has `.` or `..` in it, which are resolved in the paths of requests, or a scheme.
    #[track_caller]
    #[must_use]
    pub fn with_prefix(mut self, path: &str) -> Self {
        self.site_mut().prefix = Some(values::given(values::url_prefix(path)))
            .filter(|path| !path.trim_matches('/').is_empty())
            .map(Into::into);
        self
    }

    /// The hosts under whose names requests are answered; others are 421. A name that begins with a dot stands for all
    /// below it, too: `.lan`. Addresses, `localhost` and the name of the server are allowed in any case. Default: all.
    ///
    /// Without it, a page of another site can have its own name lead to this machine (DNS rebinding), and read
    /// what is served here as if it were its own. Turn it on where that is not for everybody. It is checked by
    /// [`simple::do_method`](crate::simple::do_method).
    ///
    /// # Panics
    /// If a name is not that of a host, such as one with a scheme or a port.
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
