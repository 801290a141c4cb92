//! [`Representation`]: what is sent of a file, or of bytes in memory: all of it, a part, or 304. The validators are
//! given; this module evaluates conditions and range, and sends the head.

use std::borrow::Cow;

use super::conditions::{self, Asked, Validators, Verdict};
use super::content::Content;
use super::fields::Head;
use super::parts::Frames;
use super::ranges::{ByteRange, Ranges};
use crate::http1::bytes;
use crate::{Exchange, RequestHandler, Result, Status, clock};

/// What to send, if the conditions of the request allow it.
pub(super) struct Representation<'a, S> {
    pub(super) size: u64,
    /// The decimal digits of the size, if it is known.
    pub(super) length: Option<&'a str>,
    pub(super) there: Validators<'a>,
    /// Whether parts of it can be sent.
    pub(super) has_parts: bool,
    pub(super) coding: Option<&'static str>,
    /// The request fields that select this representation.
    pub(super) vary: Option<&'static str>,
    pub(super) source: &'a S,
}

/// The source of the bytes, with what is needed only to send them.
pub(super) trait Source {
    fn media_type(&self) -> Cow<'_, str>;

    fn cache_control(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Sends further fields, except those that were sent.
    fn send_extra_headers(&self, _: &mut Exchange<'_>, _: impl Fn(&str) -> bool) {}

    fn content(&self) -> Content;

    fn part(&self, range: &ByteRange) -> Content;
}

impl<S: Source> Representation<'_, S> {
    /// Sends the head, and returns the body; or `None` if the response is complete.
    pub(super) fn send<H: RequestHandler + ?Sized>(
        &self,
        h: &H,
        x: &mut Exchange<'_>,
    ) -> Result<Option<Content>> {
        let head = || Head {
            there: self.there,
            has_parts: self.has_parts && x.channel().limits.ranges > 0,
            cache_control: self.source.cache_control(),
            vary: self.vary,
            coding: self.coding,
            source: self.source,
        };
        let headers = x.headers;
        let mut fields = headers.of_lengths(conditions::LENGTHS).peekable();
        // Most requests have neither conditions nor ranges, and for other methods they mean something else.
        if fields.peek().is_none() || !matches!(x.command, "GET" | "HEAD") {
            let head = head();
            return self.send_ranges(h, x, &head, None);
        }
        let asked = Asked::of(fields);
        match asked.evaluate(&self.there) {
            Verdict::Failed => h.send_error(x, Status::PRECONDITION_FAILED).map(|()| None),
            Verdict::NotModified => {
                let head = head();
                head.send_not_modified(h, x).map(|()| None)
            }
            Verdict::Proceed => {
                let range = asked.valid_range(&self.there, clock::time_of_day);
                let head = head();
                self.send_ranges(h, x, &head, range)
            }
        }
    }

    /// Sends the requested ranges.
    fn send_ranges<H: RequestHandler + ?Sized>(
        &self,
        h: &H,
        x: &mut Exchange<'_>,
        head: &Head<'_, S>,
        range: Option<&str>,
    ) -> Result<Option<Content>> {
        let source = self.source;
        let media_type = source.media_type();
        let size = self.size;
        let ranges = match range {
            Some(range) if head.has_parts && x.command == "GET" => {
                Ranges::of(range, size, x.channel().limits.ranges)
            }
            _ => Ranges::Whole,
        };
        match ranges {
            Ranges::One(range) => {
                let mut digits = itoa::Buffer::new();
                let length = digits.format(range.length());
                let of = range.of_size(size);
                let status = Status::PARTIAL_CONTENT;
                head.send(h, x, status, &media_type, Some(length), Some(&of))?;
                Ok(Some(source.part(&range)))
            }
            // A type that can't be sent in a field can't be sent in a frame either; and a coding would be one of the
            // frames, too.
            Ranges::Several(ranges)
                if bytes::is_printable(media_type.as_bytes()) && head.coding.is_none() =>
            {
                let frames = Frames::new(&ranges, size, &media_type);
                let length = frames.length(&ranges).to_string();
                let media_type = frames.content_type();
                let status = Status::PARTIAL_CONTENT;
                head.send(h, x, status, &media_type, Some(&length), None)?;
                let parts = frames.around(ranges.iter().map(|range| source.part(range)));
                Ok(Some(Content::Parts(parts)))
            }
            Ranges::Unsatisfiable => {
                h.send_header(x, "Content-Range", &format!("bytes */{size}"));
                h.send_error(x, Status::RANGE_NOT_SATISFIABLE)
                    .map(|()| None)
            }
            Ranges::Whole | Ranges::Several(_) => {
                head.send(h, x, Status::OK, &media_type, self.length, None)?;
                Ok(Some(source.content()))
            }
        }
    }
}
