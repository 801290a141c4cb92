//! Options for sites as a build tool leaves them, and for who may see what is served.

use std::path::Path;

use clap::{Args, ValueEnum};
use servette::SimpleHandler;
use servette::simple::{Listing, Visibility, values};

/// Options that Python's command has not; each of them is off by default.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sites")]
pub(super) struct SiteArguments {
    /// Send FILE.br, FILE.zst or FILE.gz instead of FILE to clients that accept it
    #[arg(long)]
    precompressed: bool,

    /// Let browsers cache the files below this path for a year (for file names with a hash); repeatable
    #[arg(long, value_name = "DIRECTORY", value_parser = values::directory)]
    immutable: Vec<String>,

    /// Cache-Control of all other files
    #[arg(long, value_name = "VALUE", value_parser = super::some_value)]
    cache_control: Option<String>,

    /// Send this file, such as index.html, for pages that do not exist (single-page applications)
    #[arg(long, value_name = "FILE", value_parser = values::page)]
    fallback: Option<String>,

    /// Send this file as the page of 404 errors
    #[arg(long, value_name = "FILE", value_parser = values::page)]
    not_found_page: Option<String>,

    /// Files whose name begins with a dot, except /.well-known: shown, unlisted (served, not listed), or hidden (404)
    #[arg(long, value_name = "VISIBILITY", default_value = "shown")]
    dot_files: DotFiles,

    /// Directory listings: full (with sizes and times), names, or off (404)
    #[arg(long, value_name = "LISTING", default_value = "full")]
    listing: Listings,

    /// Allow pages of all origins to read the files, and answer preflight requests (CORS)
    #[arg(long)]
    cors: bool,

    /// Serve the directory below this URL path instead of /
    #[arg(long, value_name = "PATH", conflicts_with = "cgi", value_parser = values::url_prefix)]
    prefix: Option<String>,

    /// Content-Type of files with this suffix; repeatable
    #[arg(long = "type", value_name = ".SUFFIX=TYPE")]
    types: Vec<String>,

    /// Reject requests for other hosts, except IP addresses and localhost (against DNS rebinding); repeatable
    #[arg(long, value_name = "NAME", value_parser = values::host)]
    allow_host: Vec<String>,
}

/// [`Visibility`], as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DotFiles {
    Shown,
    Unlisted,
    Hidden,
}

/// [`Listing`], as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Listings {
    Full,
    Names,
    Off,
}

impl SiteArguments {
    /// Applies the options to the handler. The `hosts` that the server is bound to are allowed hosts, too.
    pub(super) fn apply<'a>(
        &'a self,
        handler: SimpleHandler,
        hosts: impl Iterator<Item = &'a str>,
    ) -> Result<SimpleHandler, String> {
        let mut handler = handler
            .precompressed(self.precompressed)
            .cors(self.cors)
            .dot_files(match self.dot_files {
                DotFiles::Shown => Visibility::Shown,
                DotFiles::Unlisted => Visibility::Unlisted,
                DotFiles::Hidden => Visibility::Hidden,
            })
            .listing(match self.listing {
                Listings::Full => Listing::Full,
                Listings::Names => Listing::Names,
                Listings::Off => Listing::Off,
            });
        for directory in &self.immutable {
            // An empty rest is that of `/`.
            handler = handler.immutable(if directory.is_empty() { "/" } else { directory });
        }
        if let Some(value) = &self.cache_control {
            handler = handler.with_cache_control(value);
        }
        let root = handler.directory().to_owned();
        if let Some(page) = &self.fallback {
            warn_of_missing(&root, page, "--fallback");
            handler = handler.with_fallback(page);
        }
        if let Some(page) = &self.not_found_page {
            warn_of_missing(&root, page, "--not-found-page");
            handler = handler.with_not_found_page(page);
        }
        if let Some(path) = &self.prefix {
            handler = handler.with_prefix(path);
        }
        for pair in &self.types {
            let wrong = |problem| format!("invalid value for '--type': {problem}");
            let (suffix, media_type) = pair.split_once('=').ok_or_else(|| {
                wrong(format!(
                    "'{}' is not of the form .SUFFIX=TYPE",
                    pair.escape_debug()
                ))
            })?;
            let suffix = &values::suffix(suffix).map_err(wrong)?;
            let media_type = super::field_value(media_type).map_err(wrong)?;
            if media_type.trim().is_empty() {
                return Err(wrong(format!("'{}' has no type", pair.escape_debug())));
            }
            handler = handler.extension(suffix, media_type);
        }
        if !self.allow_host.is_empty() {
            let names = self.allow_host.iter().map(String::as_str);
            handler = handler.with_allowed_hosts(names.chain(hosts));
        }
        Ok(handler)
    }
}

/// It may come later, so this is no error.
fn warn_of_missing(root: &Path, page: &str, option: &str) {
    if !root.join(page.trim_start_matches('/')).is_file() {
        super::warn(&format!("{option} {page}: no such file in the directory"));
    }
}
