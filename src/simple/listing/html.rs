//! The HTML page of a listing.

use super::asked::{Key, Order};
use super::directory::{DirectoryListing, push_path};
use super::escape::{is_plain, push_link, push_text};
use super::names::Line;
use super::units;
use crate::base::{page_head, page_style};
use crate::local_time;

/// From this number of entries on, the browser does not lay out entries that are not in view.
const LONG: usize = 1000;

/// The content security policy: inline style and script, and nothing else. A test compares the hashes with the page.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-SABpnxEsYfaMfQiEtBNfKzqGOaObhfz/peThAUMSktM='; ",
    "script-src 'sha256-qFtOuyi0mHXbDlaLawrH8jL8mEafPNyNp7RZR6ayZvY='; ",
    "img-src data:; base-uri 'none'; form-action 'none'"
);

const HEAD: &str = page_head!(concat!(page_style!(), include_str!("page.css")));
/// For search engines, and for `wget -r`: the page without a query has the same links.
const NO_FOLLOW: &str = "<meta name=\"robots\" content=\"noindex, nofollow\">\n";
const SCRIPT: &str = concat!("<script>", include_str!("filter.js"), "</script>\n");
const END: &str = "</main>\n</body>\n</html>\n";

/// Returns the page of a directory.
///
/// A link is a percent-encoded name, relative to the page. `:` is encoded, too, and such a link begins with `./`, so
/// that it is no scheme even for a client that decodes first.
pub(crate) fn page(listing: &DirectoryListing<'_>) -> Vec<u8> {
    let mut page = Vec::with_capacity(HEAD.len() + SCRIPT.len() + 2048 + size(listing));
    push_head(&mut page, listing);
    if listing.names().len() == 0 {
        page.extend_from_slice(b"<p>This directory is empty.</p>\n");
    } else {
        push_count(&mut page, listing);
        match listing.has_details {
            true => push_table(&mut page, listing),
            false => push_list(&mut page, listing),
        }
        page.extend_from_slice(SCRIPT.as_bytes());
    }
    page.extend_from_slice(END.as_bytes());
    page
}

/// Returns an estimated size, enough for most pages.
fn size(listing: &DirectoryListing<'_>) -> usize {
    let frame = if listing.has_details { 160 } else { 32 };
    2 * listing.names().text_len() + frame * listing.names().len()
}

fn push_head(page: &mut Vec<u8>, listing: &DirectoryListing<'_>) {
    page.extend_from_slice(HEAD.as_bytes());
    if listing.order != Order::default() {
        page.extend_from_slice(NO_FOLLOW.as_bytes());
    }
    page.extend_from_slice(b"<title>Directory listing for ");
    push_path(page, listing);
    page.extend_from_slice(
        b"</title>\n</head>\n<body>\n<main>\n<nav aria-label=\"Path\">\n<h1>Directory listing for ",
    );
    let crumbs = listing.crumbs();
    for (at, crumb) in crumbs.iter().enumerate() {
        page.extend_from_slice(b"<a href=\"");
        page.extend_from_slice(crumb.href.as_bytes());
        page.extend_from_slice(match at + 1 == crumbs.len() {
            true => b"\" aria-current=\"page\">".as_slice(),
            false => b"\">",
        });
        push_text(page, crumb.text.as_bytes());
        page.extend_from_slice(b"</a>");
    }
    page.extend_from_slice(b"</h1>\n");
    if crumbs.len() > 1 {
        page.extend_from_slice(b"<a class=\"up\" href=\"../\">Parent directory</a>\n");
    }
    page.extend_from_slice(b"</nav>\n");
}

/// Adds `3 directories, 12 files`; the script adds its field here.
fn push_count(page: &mut Vec<u8>, listing: &DirectoryListing<'_>) {
    let directories = listing.names().directories();
    let files = listing.names().len() - directories;
    let directories = match directories {
        0 => None,
        1 => Some("1 directory".to_owned()),
        count => Some(format!("{count} directories")),
    };
    let files = match files {
        0 => None,
        1 => Some("1 file".to_owned()),
        count => Some(format!("{count} files")),
    };
    let counts: Vec<String> = directories.into_iter().chain(files).collect();
    let bar = format!(
        "<div class=\"bar\">\n<p role=\"status\">{}</p>\n</div>\n",
        counts.join(", ")
    );
    page.extend_from_slice(bar.as_bytes());
}

/// Adds the names.
fn push_list(page: &mut Vec<u8>, listing: &DirectoryListing<'_>) {
    page.extend_from_slice(b"<nav class=\"order\" aria-label=\"Order\">");
    push_order(page, listing, Key::Name, "Name");
    push_order(page, listing, Key::Natural, "natural");
    if listing.may_have_details {
        push_order(page, listing, Key::Size, "Size");
        push_order(page, listing, Key::Modified, "Modified");
        let order = match (listing.order.key, listing.order.is_descending) {
            (Key::Name, false) => String::new(),
            (key, false) => format!("sort={}&amp;", key.name()),
            (key, true) => format!("sort={}&amp;order=desc&amp;", key.name()),
        };
        let link = format!(" <a href=\"?{order}details\">Show sizes and times</a>");
        page.extend_from_slice(link.as_bytes());
    }
    page.extend_from_slice(b"</nav>\n");
    page.extend_from_slice(match listing.names().len() > LONG {
        true => b"<ul class=\"long\">\n".as_slice(),
        false => b"<ul>\n",
    });
    for line in listing.lines() {
        push_entry(page, &line, &IN_LIST);
    }
    page.extend_from_slice(b"</ul>\n");
}

/// Adds names, sizes and times.
fn push_table(page: &mut Vec<u8>, listing: &DirectoryListing<'_>) {
    page.extend_from_slice(b"<table>\n<thead>\n<tr>");
    for keys in [
        [(Key::Name, "Name"), (Key::Natural, "natural")].as_slice(),
        &[(Key::Size, "Size")],
        &[(Key::Modified, "Modified")],
    ] {
        let is_sorted = keys.iter().any(|(key, _)| *key == listing.order.key);
        page.extend_from_slice(match (is_sorted, listing.order.is_descending) {
            (false, _) => b"<th scope=\"col\">".as_slice(),
            (true, false) => b"<th scope=\"col\" aria-sort=\"ascending\">",
            (true, true) => b"<th scope=\"col\" aria-sort=\"descending\">",
        });
        for (key, label) in keys {
            push_order(page, listing, *key, label);
        }
        page.extend_from_slice(b"</th>");
    }
    page.extend_from_slice(b"</tr>\n</thead>\n<tbody>\n");
    for line in listing.lines() {
        push_row(page, &line);
    }
    page.extend_from_slice(b"</tbody>\n</table>\n");
}

/// Adds a link to an order; the link to the present one reverses it.
fn push_order(page: &mut Vec<u8>, listing: &DirectoryListing<'_>, key: Key, label: &str) {
    let present = listing.order;
    let is_present = present.key == key;
    let turned = is_present && !present.is_descending;
    let details = match listing.has_details && listing.may_have_details {
        true => "&amp;details",
        false => "",
    };
    let query = match (key, turned, details) {
        (Key::Name, false, "") => "./".to_owned(),
        (key, false, details) => format!("?sort={}{details}", key.name()),
        (key, true, details) => format!("?sort={}&amp;order=desc{details}", key.name()),
    };
    let title = match key {
        Key::Natural => " title=\"2 before 10\"",
        _ => "",
    };
    let (current, arrow) = match (is_present, present.is_descending) {
        (false, _) => ("", ""),
        (true, false) => (
            " aria-current=\"true\"",
            "<span aria-hidden=\"true\"> \u{2191}</span>",
        ),
        (true, true) => (
            " aria-current=\"true\"",
            "<span aria-hidden=\"true\"> \u{2193}</span>",
        ),
    };
    let link = format!(" <a href=\"{query}\"{title}{current}>{label}{arrow}</a>");
    page.extend_from_slice(link.as_bytes());
}

fn push_row(page: &mut Vec<u8>, line: &Line<'_>) {
    push_entry(page, line, &IN_TABLE);
    match line.details.size {
        Some(size) => {
            page.extend_from_slice(b"<td title=\"");
            page.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
            page.extend_from_slice(b" bytes\">");
            page.extend_from_slice(units::size(size).as_bytes());
            page.extend_from_slice(b"</td>");
        }
        None => page.extend_from_slice(b"<td></td>"),
    }
    match line.details.modified {
        Some(modified) => {
            page.extend_from_slice(b"<td><time datetime=\"");
            local_time::push_utc_second(page, modified);
            page.extend_from_slice(b"\">");
            local_time::push_local_minute(page, modified);
            page.extend_from_slice(b"</time></td></tr>\n");
        }
        None => page.extend_from_slice(b"<td></td></tr>\n"),
    }
}

/// The text around an entry, in one piece, because there may be very many entries.
struct Frame {
    open: &'static [u8],
    close: &'static [u8],
    close_directory: &'static [u8],
    close_link: &'static [u8],
}

const IN_LIST: Frame = Frame {
    open: b"<li><a href=\"",
    close: b"</a></li>\n",
    close_directory: b"/</a></li>\n",
    close_link: b"@</a></li>\n",
};

const IN_TABLE: Frame = Frame {
    open: b"<tr><td><a href=\"",
    close: b"</a></td>",
    close_directory: b"/</a></td>",
    close_link: b"@</a></td>",
};

// With the frame known to the compiler, a listing of 10,000 names takes 3 % less.
#[inline(always)]
fn push_entry(page: &mut Vec<u8>, line: &Line<'_>, frame: &Frame) {
    let name = line.name;
    let is_plain = name.iter().copied().all(is_plain);
    page.extend_from_slice(frame.open);
    if is_plain {
        page.extend_from_slice(name);
        page.extend_from_slice(if line.is_dir() { b"/\">" } else { b"\">" });
        page.extend_from_slice(name);
    } else {
        if name.contains(&b':') {
            page.extend_from_slice(b"./");
        }
        push_link(page, line);
        page.extend_from_slice(b"\">");
        push_text(page, name);
    }
    page.extend_from_slice(match (line.is_link, line.is_dir()) {
        (true, _) => frame.close_link,
        (false, true) => frame.close_directory,
        (false, false) => frame.close,
    });
}

#[cfg(test)]
mod tests;
