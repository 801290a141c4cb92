//! The response if there is no file: the page of a single-page application, a 404 page of the site, or the built-in
//! one.

use std::path::Path;

use super::head::{self, Purpose};
use super::ready::ReadyFile;
use super::{Content, NOT_FOUND, ServeFiles, caching, media, outermost};
use crate::http1::accept;
use crate::{Exchange, Result};

/// The default of [`ServeFiles::send_not_found`].
///
/// # Errors
/// Those of the hooks that it calls; and if the system is out of file descriptors or memory.
pub fn send_not_found<H: ServeFiles + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    path: &Path,
) -> Result<Option<Content>> {
    send_instead(outermost(handler, x), x, path)
}

fn send_instead(
    handler: &dyn ServeFiles,
    x: &mut Exchange<'_>,
    path: &Path,
) -> Result<Option<Content>> {
    let files = handler.files();
    let site = files.site();
    // Documents ask for HTML by name; scripts, styles and images, and most tools, do not.
    if let Some(page) = &site.fallback
        && accept::names(x.headers.get_all("Accept"), "text/html")
    {
        let page = files.directory().join(page);
        if let Some(file) = files.ready(&page)? {
            return head::send_file(handler, x, &page, &file, Purpose::Fallback);
        }
    }
    // These are kept for the page, or for whatever `send_error` sends.
    if let Some(value) = caching::of_no_file(handler, path) {
        handler.send_header(x, "Cache-Control", value);
    }
    if site.fallback.is_some() {
        handler.send_header(x, "Vary", "Accept");
    }
    if let Some(page) = &site.not_found_page {
        let page = files.directory().join(page);
        if let Some(file) = files.ready(&page)? {
            return send_page(handler, x, &page, &file);
        }
    }
    handler.send_error(x, NOT_FOUND).map(|()| None)
}

/// A page with the status 404. It is no file that was asked for, so there are no validators, conditions or ranges.
fn send_page(
    handler: &dyn ServeFiles,
    x: &mut Exchange<'_>,
    page: &Path,
    file: &ReadyFile,
) -> Result<Option<Content>> {
    let files = handler.files();
    let media_type = media::with_charset(handler.guess_type(page), files.charset_of_texts());
    let (code, message) = (NOT_FOUND.code(), NOT_FOUND.message().unwrap_or_default());
    handler.log_error(x, format_args!("code {code}, message {message}"));
    handler.send_response(x, NOT_FOUND);
    handler.send_header(x, "Content-Type", &media_type);
    if let Some(length) = &file.length_text {
        handler.send_header(x, "Content-Length", length);
    }
    handler.end_headers(x)?;
    Ok(Some(file.content()))
}
