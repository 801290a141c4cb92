//! [`DirectoryListing`]: the contents of a listing page, as the hook gets them.

use percent_encoding::percent_decode_str;

use super::Entry;
use super::asked::Order;
use super::escape::push_text;
use super::names::{Line, Names};
use crate::simple::path;

/// The contents of a listing page, for the hook [`listing_page`](crate::ServeFiles::listing_page).
///
/// ```
/// use servette::simple::{DirectoryListing, html_escape};
/// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond};
///
/// struct Count(SimpleHandler);
///
/// impl Layer for Count {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn listing_page(&self, _: &mut Exchange<'_>, listing: &DirectoryListing<'_>) -> Result<Vec<u8>> {
///         let (path, count) = (html_escape(&listing.path()), listing.entries().count());
///         Ok(format!("{path}: {count} entries").into_bytes())
///     }
/// }
///
/// let site = Count(SimpleHandler::new(env!("CARGO_MANIFEST_DIR")));
/// let response = String::from_utf8(respond(&site, "GET /src/ HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(response.contains("\r\n\r\n/src/: "));
/// ```
#[derive(Debug)]
pub struct DirectoryListing<'a> {
    crumbs: Vec<Crumb>,
    names: &'a Names,
    pub(super) order: Order,
    pub(super) has_details: bool,
    /// Whether a client may ask for details.
    pub(super) may_have_details: bool,
}

/// A directory on the path to the listed one, for a breadcrumb link.
///
/// ```
/// use servette::simple::{Crumb, DirectoryListing, html_escape};
/// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond};
///
/// struct Path(SimpleHandler);
///
/// impl Layer for Path {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn listing_page(&self, _: &mut Exchange<'_>, listing: &DirectoryListing<'_>) -> Result<Vec<u8>> {
///         let link = |crumb: &Crumb| format!("<a href=\"{}\">{}</a>", crumb.href, html_escape(&crumb.text));
///         Ok(listing.crumbs().iter().map(link).collect::<String>().into_bytes())
///     }
/// }
///
/// let site = Path(SimpleHandler::new(env!("CARGO_MANIFEST_DIR")));
/// let response = String::from_utf8(respond(&site, "GET /src/ HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(response.ends_with("<a href=\"../\">/</a><a href=\"./\">src/</a>"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crumb {
    /// The decoded name, followed by a slash; `/` or the mount point for the first one. It is not escaped for HTML.
    pub text: String,
    /// The link, relative to the page, such as `../`.
    pub href: String,
}

impl<'a> DirectoryListing<'a> {
    /// Makes the contents for a request target: `path` is the whole one, and `below` the part after a mount point or
    /// prefix.
    pub(crate) fn new(path: &str, below: &str, names: &'a Names) -> Self {
        DirectoryListing {
            crumbs: crumbs(path::path_of(path), path::path_of(below)),
            names,
            order: Order::default(),
            has_details: false,
            may_have_details: false,
        }
    }

    /// Returns the decoded path of the request, with the mount point or prefix of the handler. Control characters,
    /// and bytes that are not UTF-8, are replaced by U+FFFD. It is not escaped for HTML; see
    /// [`html_escape`](crate::simple::html_escape).
    pub fn path(&self) -> String {
        self.crumbs
            .iter()
            .map(|crumb| crumb.text.as_str())
            .collect()
    }

    /// Returns the directories from the root of the handler, or its mount point, to the listed one, which is the
    /// last. If there are two or more, there is a parent directory, `../`.
    pub fn crumbs(&self) -> &[Crumb] {
        &self.crumbs
    }

    /// Returns the entries to show, in the order that the client asked for. Entries whose
    /// [`visibility`](crate::ServeFiles::visibility) is not `Shown` are left out. By default they have sizes and
    /// times if there are at most 2,000.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.lines().map(|line| Entry::of(&line))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.names.lines()
    }

    pub(super) fn names(&self) -> &Names {
        self.names
    }
}

/// Splits a path at its slashes. Each link leads up by the number of segments that follow, as the client counts them:
/// in the path as it was written.
fn crumbs(path: &str, below: &str) -> Vec<Crumb> {
    let mount = path.strip_suffix(below).unwrap_or_default();
    let (_, names) = below.split_once('/').unwrap_or(("", below));
    let first = path.strip_suffix(names).unwrap_or(mount);
    let mut crumbs: Vec<(String, usize)> = vec![(shown(first), 0)];
    for segment in names.split_inclusive('/') {
        match crumbs.last_mut() {
            // An empty name is a slash more.
            Some((text, depth)) if segment == "/" => {
                text.push('/');
                *depth += 1;
            }
            _ => crumbs.push((shown(segment), 1)),
        }
    }
    let mut left: usize = crumbs.iter().map(|(_, depth)| depth).sum();
    let linked = crumbs.into_iter().map(|(text, depth)| {
        left -= depth;
        let href = match left {
            0 => "./".to_owned(),
            left => "../".repeat(left),
        };
        Crumb { text, href }
    });
    linked.collect()
}

/// Decodes a path to show it.
fn shown(path: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let text = String::from_utf8_lossy(&bytes);
    text.replace(char::is_control, "\u{fffd}")
}

/// Adds the path, escaped for HTML.
pub(super) fn push_path(page: &mut Vec<u8>, listing: &DirectoryListing<'_>) {
    for crumb in &listing.crumbs {
        push_text(page, crumb.text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumbs_lead_to_the_directories_on_the_way() {
        type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
        let table: [Row<'_>; 11] = [
            ("/", "/", &[("/", "./")]),
            ("/a/", "/a/", &[("/", "../"), ("a/", "./")]),
            (
                "/a/b%20c/?x=/y/",
                "/a/b%20c/?x=/y/",
                &[("/", "../../"), ("a/", "../"), ("b c/", "./")],
            ),
            // A mount point or a prefix is the first one.
            ("/files/", "/", &[("/files/", "./")]),
            ("/x/files/a/", "/a/", &[("/x/files/", "../"), ("a/", "./")]),
            // For a client, an encoded slash is part of a name, and an empty name is one.
            ("/a%2fb/", "/a%2fb/", &[("/", "../"), ("a/b/", "./")]),
            (
                "/a//b/",
                "/a//b/",
                &[("/", "../../../"), ("a//", "../"), ("b/", "./")],
            ),
            ("//a/", "//a/", &[("//", "../"), ("a/", "./")]),
            ("/files%2fa/", "%2fa/", &[("/files/a/", "./")]),
            (
                "/%ff%0a/",
                "/%ff%0a/",
                &[("/", "../"), ("\u{fffd}\u{fffd}/", "./")],
            ),
            ("http://h/a/", "http://h/a/", &[("/", "../"), ("a/", "./")]),
        ];
        for (path, below, expected) in table {
            let names = Names::default();
            let listing = DirectoryListing::new(path, below, &names);
            let crumbs = listing.crumbs().iter();
            let found: Vec<_> = crumbs.map(|crumb| (&*crumb.text, &*crumb.href)).collect();
            assert_eq!(found, expected, "{path} {below}");
        }
    }
}
