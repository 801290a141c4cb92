//! What is sent where no file is: the page of an application that knows its routes itself, a page of the site's own,
//! or the usual one.

use std::path::Path;

use super::head::{self, Purpose};
use super::ready::ReadyFile;
use super::{Content, NOT_FOUND, ServeFiles, caching, media};
use crate::http1::accept;
use crate::{Exchange, Result};

/// The body of [`ServeFiles::send_missing`].
///
/// # Errors
/// Those of the hooks that it calls; and where the system is out of descriptors or memory.
pub fn send_missing<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
) -> Result<Option<Content>> {
    outermost_files!(h, x => send_instead(h, x, path))
}

fn send_instead<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    path: &Path,
) -> Result<Option<Content>> {
    let files = h.files();
    let site = files.site();
    // Documents ask for HTML by name; scripts, styles and images, and most tools, do not.
    if let Some(page) = &site.fallback
        && accept::names(x.headers.get_all("Accept"), "text/html")
    {
        let page = files.directory().join(page);
        if let Some(file) = files.ready(&page)? {
            return head::send_file(h, x, &page, &file, Purpose::Fallback);
        }
    }
    // These are kept for the page, or for whatever `send_error` sends.
    if let Some(value) = caching::of_no_file(h, path) {
        h.send_header(x, "Cache-Control", value);
    }
    if site.fallback.is_some() {
        h.send_header(x, "Vary", "Accept");
    }
    if let Some(page) = &site.not_found_page {
        let page = files.directory().join(page);
        if let Some(file) = files.ready(&page)? {
            return send_page(h, x, &page, &file);
        }
    }
    h.send_error(x, NOT_FOUND).map(|()| None)
}

/// A page with the status 404. It is no file that was asked for, so there are no validators, conditions or ranges.
fn send_page<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    page: &Path,
    file: &ReadyFile,
) -> Result<Option<Content>> {
    let files = h.files();
    let media_type = media::with_charset(h.guess_type(page), files.charset_of_texts());
    let (code, message) = (NOT_FOUND.code(), NOT_FOUND.message().unwrap_or_default());
    h.log_error(x, format_args!("code {code}, message {message}"));
    h.send_response(x, NOT_FOUND);
    h.send_header(x, "Content-Type", &media_type);
    if let Some(length) = &file.length_text {
        h.send_header(x, "Content-Length", length);
    }
    h.end_headers(x)?;
    Ok(Some(file.content()))
}
