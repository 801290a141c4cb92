//! [`Blob`]: bytes in memory that are sent like a file, with `ETag`, conditions and ranges.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use super::conditions::Validators;
use super::content::{self, Content};
use super::ranges::ByteRange;
use super::representation::{Representation, Source};
use super::validators;
use crate::http1::date::HttpDate;
use crate::{Exchange, Result};

/// A file in memory, embedded in the program or made by it, to send with [`Exchange::send_blob`].
///
/// Make it once and keep it in the handler, because the entity tag is computed from the bytes. Clones share the
/// bytes.
///
/// ```
/// use servette::simple::Blob;
/// use servette::{handler_fn, respond};
///
/// let style = Blob::from_static("text/css", b"p { margin: 0 }");
/// let handler = handler_fn(move |_, x| x.send_blob(&style));
/// let response = String::from_utf8(respond(&handler, "GET /style.css HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(response.contains("\r\nContent-type: text/css"));
/// assert!(response.contains("\r\nETag: "));
/// ```
#[derive(Clone)]
pub struct Blob {
    bytes: Bytes,
    media_type: Cow<'static, str>,
    /// With its quotes.
    tag: Box<str>,
    /// In whole seconds.
    modified: Option<SystemTime>,
    modified_text: HttpDate,
    /// The decimal digits of the length.
    length: Box<str>,
}

#[derive(Clone)]
enum Bytes {
    Static(&'static [u8]),
    Shared(Arc<[u8]>),
}

impl Blob {
    /// Makes a blob from bytes that were made at run time.
    pub fn new(media_type: impl Into<Cow<'static, str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Blob::of(media_type.into(), Bytes::Shared(bytes.into()))
    }

    /// Makes a blob from bytes of the program, such as those of `include_bytes!`. They are not copied.
    pub fn from_static(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Blob::of(media_type.into(), Bytes::Static(bytes))
    }

    fn of(media_type: Cow<'static, str>, bytes: Bytes) -> Self {
        let content = bytes.as_ref();
        // Its keys are always the same, so a tag is the same after a restart.
        let mut hasher = DefaultHasher::new();
        hasher.write(content);
        hasher.write_usize(content.len());
        Blob {
            media_type,
            tag: validators::tag_of(hasher.finish()),
            modified: None,
            modified_text: HttpDate::from(SystemTime::UNIX_EPOCH),
            length: itoa::Buffer::new().format(content.len()).into(),
            bytes,
        }
    }

    /// Sets the entity tag, with its quotes: `"\"v1\""`. It must change whenever the bytes change. Default: a hash of
    /// the bytes.
    #[must_use]
    pub fn with_entity_tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into().into();
        self
    }

    /// Sets the time of the last change, for `Last-Modified`. Default: none.
    #[must_use]
    pub fn with_modified(mut self, time: SystemTime) -> Self {
        self.modified_text = HttpDate::from(time);
        self.modified = validators::whole_seconds(time);
        self
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Returns the entity tag, with its quotes. Compare it with `If-Match` before a change (RFC 9110, 13.1.1).
    pub fn entity_tag(&self) -> &str {
        &self.tag
    }
}

impl Exchange<'_> {
    /// Answers with bytes in memory as with a file: with `ETag`, `Accept-Ranges`, and `Last-Modified` if the time is
    /// set. A client that already has the bytes gets 304, a request for a range gets 206 (RFC 9110, 13 and 14). This
    /// is Go's `http.ServeContent`.
    ///
    /// Conditions and ranges apply to GET and HEAD only. Fields that were sent before the call, such as
    /// `Cache-Control`, are in each of these responses.
    ///
    /// ```
    /// use servette::{Blob, Exchange, RequestHandler, Result, Status, respond};
    ///
    /// struct Site {
    ///     page: Blob,
    /// }
    ///
    /// impl RequestHandler for Site {
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         match (x.command, x.path) {
    ///             ("GET" | "HEAD", "/") => x.send_blob(&self.page),
    ///             _ => x.send_error(Status::NOT_FOUND),
    ///         }
    ///     }
    /// }
    ///
    /// let bytes = b"<p>built in"; // include_bytes!("index.html")
    /// let site = Site { page: Blob::from_static("text/html; charset=utf-8", bytes) };
    /// let ask = |field: &str| {
    ///     let answer = respond(&site, format!("GET / HTTP/1.0\r\n{field}\r\n\r\n"));
    ///     String::from_utf8(answer).unwrap()
    /// };
    /// let answer = ask("Range: bytes=3-7");
    /// assert!(answer.starts_with("HTTP/1.0 206 ") && answer.ends_with("\r\n\r\nbuilt"));
    /// let (_, tag) = answer.split_once("ETag: ").unwrap();
    /// let (tag, _) = tag.split_once("\r\n").unwrap();
    /// assert!(ask(&format!("If-None-Match: {tag}")).starts_with("HTTP/1.0 304 "));
    /// ```
    ///
    /// # Errors
    /// Those of [`end_headers`](Self::end_headers) and of writing the body.
    #[doc(alias = "ServeContent")]
    #[doc(alias = "send_bytes")]
    pub fn send_blob(&mut self, blob: &Blob) -> Result<()> {
        let representation = Representation {
            size: blob.bytes().len() as u64,
            length: Some(&blob.length),
            there: Validators {
                tag: Some(&blob.tag),
                modified: blob.modified,
                modified_text: &blob.modified_text,
            },
            has_parts: true,
            coding: None,
            vary: None,
            source: blob,
        };
        match representation.send(self.handler(), self)? {
            Some(content) => content::send(self, content),
            None => Ok(()),
        }
    }
}

impl Source for Blob {
    fn media_type(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.media_type)
    }

    fn content(&self) -> Content {
        match &self.bytes {
            Bytes::Static(bytes) => Content::from(*bytes),
            Bytes::Shared(bytes) => Content::from(bytes.clone()),
        }
    }

    fn part(&self, range: &ByteRange) -> Content {
        match &self.bytes {
            Bytes::Static(bytes) => {
                let [first, last] = [range.first, range.last].map(|at| at as usize);
                Content::from(bytes.get(first..=last).unwrap_or_default())
            }
            Bytes::Shared(bytes) => content::kept(bytes, range.first, range.length()),
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("media_type", &self.media_type)
            .field("length", &self.length)
            .field("tag", &self.tag)
            .field("modified", &self.modified)
            .finish_non_exhaustive()
    }
}
