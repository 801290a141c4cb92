//! [`Head`]: response heads for files and other contents: complete, partial, or not modified.

use std::borrow::Cow;

use super::conditions::Validators;
use super::representation::Source;
use super::{ServeFiles, validators};
use crate::{Exchange, RequestHandler, Result, Status, clock};

/// What all responses for a file have in common.
pub(super) struct Head<'a, S> {
    pub(super) there: Validators<'a>,
    pub(super) has_parts: bool,
    pub(super) cache_control: Option<Cow<'a, str>>,
    pub(super) vary: Option<&'static str>,
    pub(super) coding: Option<&'static str>,
    pub(super) source: &'a S,
}

/// Fields that the server sets for files.
const OF_FILES: [&str; 4] = ["Last-Modified", "ETag", "Accept-Ranges", "Content-Range"];
/// Fields for caches, which a 304 has as well (RFC 9110, 15.4.5).
const OF_CACHES: [&str; 4] = ["Cache-Control", "Content-Location", "Expires", "Vary"];

impl<S: Source> Head<'_, S> {
    /// Sends the head of a 200 or 206.
    pub(super) fn send<H: RequestHandler + ?Sized>(
        &self,
        h: &H,
        x: &mut Exchange<'_>,
        status: Status<'_>,
        media_type: &str,
        length: Option<&str>,
        range: Option<&str>,
    ) -> Result<()> {
        h.send_response(x, status);
        h.send_header(x, "Content-type", media_type);
        if let Some(coding) = self.coding {
            h.send_header(x, "Content-Encoding", coding);
        }
        if let Some(length) = length {
            h.send_header(x, "Content-Length", length);
        }
        if let Some(range) = range {
            h.send_header(x, "Content-Range", range);
        }
        if let Some(modified) = self.there.modified
            && let Some(time) = validators::last_modified(modified, clock::time_of_day())
        {
            h.send_header(x, "Last-Modified", &h.date_time_string(Some(time)));
        }
        self.send_common(h, x);
        if self.has_parts {
            h.send_header(x, "Accept-Ranges", "bytes");
        }
        self.source.send_extra_headers(x, |name| {
            OF_FILES.iter().any(|own| own.eq_ignore_ascii_case(name)) || self.has(name)
        });
        h.end_headers(x)
    }

    /// Sends a 304: the client has this version already.
    pub(super) fn send_not_modified<H: RequestHandler + ?Sized>(
        &self,
        h: &H,
        x: &mut Exchange<'_>,
    ) -> Result<()> {
        h.send_response(x, Status::NOT_MODIFIED);
        self.send_common(h, x);
        self.source.send_extra_headers(x, |name| {
            !OF_CACHES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
                || self.has(name)
        });
        h.end_headers(x)
    }

    /// What is the same in all of them.
    #[inline]
    fn send_common<H: RequestHandler + ?Sized>(&self, h: &H, x: &mut Exchange<'_>) {
        if let Some(tag) = self.there.tag {
            h.send_header(x, "ETag", tag);
        }
        if let Some(value) = &self.cache_control {
            h.send_header(x, "Cache-Control", value);
        }
        if let Some(fields) = self.vary {
            h.send_header(x, "Vary", fields);
        }
    }

    /// Returns whether an option has sent this field. `Vary` is never such a field, because values are added to it.
    fn has(&self, name: &str) -> bool {
        (self.cache_control.is_some() && name.eq_ignore_ascii_case("Cache-Control"))
            || (self.coding.is_some() && name.eq_ignore_ascii_case("Content-Encoding"))
    }
}

/// Sends the `extra_response_headers`, except those that the server sets itself: for every response, and for this
/// one.
pub(super) fn send_extra_headers<H: ServeFiles + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    is_sent: impl Fn(&str) -> bool,
) {
    let automatic = ["Server", "Date", "Content-Type", "Content-Length"];
    for (name, value) in h.files().extra_response_headers() {
        let is_automatic = automatic.iter().any(|sent| sent.eq_ignore_ascii_case(name));
        if !is_automatic && !is_sent(name) {
            h.send_header(x, name, value);
        }
    }
}
