//! Directory listings, for people and programs.
//!
//! [`entries`] reads the directory into [`names`], [`asked`] parses the query, [`order`] sorts, and [`html`] or
//! [`json`] writes. [`directory`] is what the hook for a page gets.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::SystemTime;

use self::asked::{Asked, Format, Order};
pub use self::directory::{Crumb, DirectoryListing};
pub(super) use self::entries::all;
pub use self::escape::html_escape;
use self::escape::{mark, push_link};
use self::names::{Details, Kind, Line};
use super::site::Within;
use super::{Content, Directory, ServeFiles, caching, fields, outermost, visibility};
use crate::{Exchange, Result, Status};

mod asked;
mod directory;
mod entries;
mod escape;
pub(crate) mod html;
mod json;
pub(crate) mod names;
mod order;
mod units;

/// Maximum number of entries for which a page has sizes and times by default: they cost a system call for each entry.
const DETAILED: usize = 2000;

/// What directory listings show; see [`SimpleHandler::listing`](super::SimpleHandler::listing).
///
/// ```
/// use servette::simple::Listing;
/// use servette::{SimpleHandler, respond};
///
/// let site = SimpleHandler::new(env!("CARGO_MANIFEST_DIR")).listing(Listing::Off);
/// assert!(respond(&site, "GET /src/ HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 404 "));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// Names, sizes and times.
    #[default]
    Full,
    /// Names only.
    Names,
    /// No listings: 404, as for a directory that can't be read.
    Off,
}

/// An entry of a directory.
///
/// ```
/// use servette::simple::{DirectoryListing, Entry};
/// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond};
///
/// struct Names(SimpleHandler);
///
/// impl Layer for Names {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn listing_page(&self, _: &mut Exchange<'_>, listing: &DirectoryListing<'_>) -> Result<Vec<u8>> {
///         let line = |entry: Entry| match entry.is_dir {
///             true => String::new(),
///             false => format!("<a href=\"{}\">{} bytes</a>\n", entry.href(), entry.size.unwrap_or(0)),
///         };
///         Ok(listing.entries().map(line).collect::<String>().into_bytes())
///     }
/// }
///
/// let site = Names(SimpleHandler::new(env!("CARGO_MANIFEST_DIR")));
/// let response = String::from_utf8(respond(&site, "GET /src/ HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(response.contains("<a href=\"lib.rs\">"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name, as on disk.
    pub name: OsString,
    /// Whether it is a directory, or a link to one that would be served.
    pub is_dir: bool,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// The size in bytes of a file, or of the target of a link. `None` for directories, for entries that are not
    /// served, and if details were not read.
    pub size: Option<u64>,
    /// The time of the last change, in whole seconds. `None` for links that are not followed, and if details were not
    /// read.
    pub modified: Option<SystemTime>,
}

impl Entry {
    fn of(line: &Line<'_>) -> Self {
        Entry {
            name: crate::sys::name(line.name).unwrap_or_default().to_owned(),
            is_dir: line.is_dir(),
            is_link: line.is_link,
            size: line.details.size,
            modified: line.details.modified,
        }
    }

    fn line(&self) -> Line<'_> {
        Line {
            name: self.name.as_encoded_bytes(),
            kind: match self.is_dir {
                true => Kind::Directory,
                false => Kind::File,
            },
            is_link: self.is_link,
            details: Details::default(),
        }
    }

    /// Returns the text that Python shows: the name, followed by `/` for a directory or `@` for a link. Bytes that
    /// are not UTF-8 are replaced by U+FFFD. It is not escaped for HTML; see [`html_escape`].
    pub fn text(&self) -> String {
        format!("{}{}", self.name.to_string_lossy(), mark(&self.line()))
    }

    /// Returns the link, relative to the page: the percent-encoded name, followed by a slash for a directory. It is
    /// safe in HTML.
    pub fn href(&self) -> String {
        let mut link = Vec::new();
        push_link(&mut link, &self.line());
        String::from_utf8(link).unwrap_or_default()
    }
}

/// The default of [`ServeFiles::listing_page`]. It also adds a `Content-Security-Policy` for the page.
///
/// # Errors
/// None.
pub fn listing_page<H: ServeFiles + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    listing: &DirectoryListing<'_>,
) -> Result<Vec<u8>> {
    // Before the status line: it is kept for the response.
    outermost(handler, x).send_header(x, POLICY_FIELD, html::POLICY);
    Ok(html::page(listing))
}

const POLICY_FIELD: &str = "Content-Security-Policy";

/// The default of [`list_directory`](super::list_directory).
pub(super) fn list(
    handler: &dyn ServeFiles,
    x: &mut Exchange<'_>,
    directory: &Directory<'_>,
) -> Result<Option<Content>> {
    let shown = handler.files().site().listing;
    if shown == Listing::Off {
        return refuse(handler, x);
    }
    let is_root = directory.is_root();
    let is_listed = |name: &OsStr| visibility::is_listed(handler, name, is_root);
    let Ok(mut names) = entries::read(directory, is_listed) else {
        return refuse(handler, x);
    };
    let asked = Asked::of(x.path);
    let format = asked
        .format
        .unwrap_or_else(|| Format::of_type(x.accepts(Format::TYPES)));
    let order = match shown {
        Listing::Names if asked.order.needs_details() => Order::default(),
        _ => asked.order,
    };
    let is_large = names.len() > DETAILED;
    let has_details = shown == Listing::Full
        && (order.needs_details()
            || match format {
                Format::Html => asked.details || !is_large,
                Format::Json => true,
                Format::Text => false,
            });
    if has_details {
        entries::describe(&mut names, directory);
    }
    order::arrange(&mut names, order);
    let page = match format {
        Format::Json => json::json(names.lines()),
        Format::Text => json::text(names.lines()),
        Format::Html => {
            let path = x.whole_path();
            let below = match handler.files().site().within(x.path) {
                Within::Below(below) => below,
                Within::Itself | Within::Outside => x.path,
            };
            let mut listing = DirectoryListing::new(&path, below, &names);
            listing.order = order;
            listing.has_details = has_details;
            listing.may_have_details = shown == Listing::Full && is_large;
            handler.listing_page(x, &listing)?
        }
    };
    send_head(
        handler,
        x,
        directory,
        format,
        asked.format.is_none(),
        page.len(),
    )?;
    Ok(Some(Content::Page(io::Cursor::new(page))))
}

fn send_head(
    handler: &dyn ServeFiles,
    x: &mut Exchange<'_>,
    directory: &Directory<'_>,
    format: Format,
    varies: bool,
    length: usize,
) -> Result<()> {
    handler.send_response(x, Status::OK);
    handler.send_header(x, "Content-type", format.content_type());
    handler.send_header(x, "Content-Length", itoa::Buffer::new().format(length));
    if varies {
        handler.send_header(x, "Vary", "Accept");
    }
    let cache_control = caching::of_listing(handler, directory);
    if let Some(value) = cache_control {
        handler.send_header(x, "Cache-Control", value);
    }
    let has_policy = x.channel().out.borrow().keeps(POLICY_FIELD);
    fields::send_extra_headers(handler, x, |name| {
        (cache_control.is_some() && name.eq_ignore_ascii_case("Cache-Control"))
            || (has_policy && name.eq_ignore_ascii_case(POLICY_FIELD))
    });
    handler.end_headers(x)
}

/// Answers with 404, with Python's text.
fn refuse(handler: &dyn ServeFiles, x: &mut Exchange<'_>) -> Result<Option<Content>> {
    let status = Status::NOT_FOUND.with_message("No permission to list directory");
    handler.send_error(x, status).map(|()| None)
}
