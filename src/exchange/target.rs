//! [`Target`]: the decoded path and query of a request. [`Exchange::strip_prefix`]: mounting a handler at a prefix.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Exchange;
use super::form::{Pairs, first};
use super::prefix;
use crate::{Error, Result, Status};

/// The decoded path and query of a request; returned by [`Exchange::target`].
///
/// Use it as a router: match on the method and the segments.
///
/// ```
/// use servette::{Exchange, OrStatus, RequestHandler, Result, Status, respond};
///
/// struct Todos;
///
/// impl RequestHandler for Todos {
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         let target = x.target()?;
///         match (x.command, &*target.segments()) {
///             ("GET" | "HEAD", ["todos"]) => {
///                 let wanted = target.query_value("q").unwrap_or_default();
///                 x.send_content(Status::OK, "text/plain", format!("all with {wanted:?}"))
///             }
///             ("GET" | "HEAD", ["todos", id]) => {
///                 let id: u32 = id.parse().or_status(Status::NOT_FOUND)?;
///                 x.send_content(Status::OK, "text/plain", format!("number {id}"))
///             }
///             (_, ["todos"] | ["todos", _]) => {
///                 x.send_header("Allow", "GET, HEAD");
///                 x.send_error(Status::METHOD_NOT_ALLOWED)
///             }
///             _ => x.send_error(Status::NOT_FOUND),
///         }
///     }
/// }
///
/// assert!(respond(&Todos, "GET /todos?q=a+b%20c HTTP/1.0\r\n\r\n").ends_with(b"all with \"a b c\""));
/// assert!(respond(&Todos, "GET /todos/7 HTTP/1.0\r\n\r\n").ends_with(b"number 7"));
/// assert!(respond(&Todos, "GET /todos/x HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 404 "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    path: &'a str,
    query: Option<&'a str>,
    segments: Vec<Cow<'a, str>>,
}

impl<'a> Target<'a> {
    /// Parses `path?query`.
    ///
    /// # Errors
    /// 400 if a segment is not UTF-8 when it is decoded.
    pub(crate) fn parse(target: &'a str) -> Result<Self> {
        match target.split_once('?') {
            Some((path, query)) => Target::of(path, Some(query)),
            None => Target::of(target, None),
        }
    }

    /// Decodes a path, and keeps the query with it.
    ///
    /// # Errors
    /// 400 if a segment is not UTF-8 when it is decoded.
    pub(crate) fn of(path: &'a str, query: Option<&'a str>) -> Result<Self> {
        let inside = path.strip_prefix('/').filter(|path| !path.is_empty());
        let decoded = |segment| match percent_decode_str(segment).decode_utf8() {
            Ok(segment) => Ok(segment),
            Err(_) => Err(Error::from(
                Status::BAD_REQUEST.with_message("The path is not UTF-8"),
            )),
        };
        let segments = inside.into_iter().flat_map(|path| path.split('/'));
        Ok(Target {
            path,
            query,
            segments: segments.map(decoded).collect::<Result<_>>()?,
        })
    }

    /// Returns the path without the query, as the client sent it.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the decoded path, for display. To find a file, use [`segments`](Self::segments): in the decoded path an
    /// encoded slash looks like a separator.
    pub fn decoded_path(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }

    /// Returns the decoded parts of the path between its slashes. A percent sign without two hexadecimal digits is kept.
    ///
    /// | path | segments |
    /// |---|---|
    /// | `/` | none |
    /// | `/todos/7` | `["todos", "7"]` |
    /// | `/todos/` | `["todos", ""]`: a slash at the end makes an empty segment |
    /// | `/todos//7` | `["todos", "", "7"]`: so do two slashes |
    /// | `//todos/7` | `["todos", "7"]`: several slashes at the start count as one, as in Python |
    /// | `/a%2Fb` | `["a/b"]`: an encoded slash does not separate segments |
    ///
    /// To route `/todos/` like `/todos`, match both: `["todos"] | ["todos", ""]`.
    ///
    /// A segment may be `..`, or contain a slash (`%2F`) or NUL. Check it before you use it as a file name.
    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(|segment| &**segment).collect()
    }

    /// Returns the query without its question mark, as the client sent it; `None` if the target has no question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Returns the names and values of the query (`application/x-www-form-urlencoded`), decoded, in their order.
    pub fn query_pairs(&self) -> Pairs<'a> {
        Pairs::of(self.query.unwrap_or_default())
    }

    /// Returns the first value of this name in the query, decoded; `None` if there is none.
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        first(self.query_pairs(), name)
    }
}

impl<'a> Exchange<'a> {
    /// Returns the path and the query, decoded. Use it to route a request.
    ///
    /// # Errors
    /// 400 if the path is not UTF-8 when it is decoded.
    pub fn target(&self) -> Result<Target<'a>> {
        Target::parse(self.path)
    }

    /// Returns the target of the request line as the client sent it. It is in absolute form (`http://host/path`) if the
    /// client sent it so, as clients do to a proxy.
    pub fn target_as_sent(&self) -> &'a str {
        self.requestline.split(' ').nth(1).unwrap_or_default()
    }

    /// Returns the exchange with this prefix removed from its path, to mount another handler there; returns `None` if
    /// the path does not begin with the prefix. Continue with [`delegate_to`](Self::delegate_to).
    ///
    /// The prefix `/files` matches `/files`, `/files/a` and `/files?q`, but not `/filesystem`; the rest of the path is
    /// empty, `/a` and `?q`. Redirects and listings still contain the prefix: [`mount`](Self::mount) returns it.
    ///
    /// Both paths are compared like file names: decoded, split at slashes (`%2F` is one), with `.` and `..` resolved.
    /// So `/%66iles/a`, `/files%2Fa` and `/x/../files/a` match the prefix `/files`, and `/files/../a` does not. A guard
    /// in front of a prefix can't be bypassed by another spelling.
    ///
    /// ```
    /// use servette::{Exchange, RequestHandler, Result, SimpleHandler, Status, respond};
    ///
    /// struct Site {
    ///     files: SimpleHandler,
    /// }
    ///
    /// impl RequestHandler for Site {
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         if let Some(mut x) = x.strip_prefix("/files") {
    ///             return x.delegate_to(&self.files);
    ///         }
    ///         x.send_content(Status::OK, "text/plain", "start")
    ///     }
    /// }
    ///
    /// let site = Site { files: SimpleHandler::new(env!("CARGO_MANIFEST_DIR")) };
    /// let answer = String::from_utf8(respond(&site, "GET /files/src HTTP/1.0\r\n\r\n")).unwrap();
    /// assert!(answer.starts_with("HTTP/1.0 301 ") && answer.contains("\r\nLocation: /files/src/\r\n"));
    /// ```
    pub fn strip_prefix<'b>(&'b mut self, prefix: &str) -> Option<Exchange<'b>> {
        let rest = prefix::below(self.path, prefix)?;
        // These texts live as long as the exchange.
        let data = &self.context.scope.data;
        let mount = data.keep(format!("{}{}", self.mount(), prefix::in_url(prefix)));
        let path = match with_one_slash(rest) {
            Cow::Borrowed(path) => path,
            Cow::Owned(path) => data.keep(path)?,
        };
        let mut x = self.reborrow();
        x.path = path;
        x.mount = mount;
        Some(x)
    }

    /// Returns the prefix at which this handler is mounted, such as `/files`; empty if it is not mounted. See
    /// [`strip_prefix`](Self::strip_prefix). Put it before the location of a redirect:
    /// `x.send_redirect(status, &format!("{}/login", x.mount()))`.
    pub fn mount(&self) -> &'a str {
        self.mount.map_or("", |mount| mount)
    }

    /// Returns the path that the client requested, with the prefix of the mount.
    pub(crate) fn whole_path(&self) -> Cow<'a, str> {
        match self.mount {
            None => self.path.into(),
            Some(mount) => format!("{mount}{}", self.path).into(),
        }
    }

    /// Sends a redirect to another location, for example [`Status::SEE_OTHER`] after a form.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let old = handler_fn(|_, x| x.send_redirect(Status::PERMANENT_REDIRECT, "/new"));
    /// let answer = String::from_utf8(respond(&old, "GET /old HTTP/1.0\r\n\r\n")).unwrap();
    /// assert!(answer.starts_with("HTTP/1.0 308 ") && answer.contains("\r\nLocation: /new\r\n"));
    /// ```
    ///
    /// # Errors
    /// Errors of [`end_headers`](Self::end_headers), such as a location that can't be sent in a field.
    pub fn send_redirect(&mut self, status: Status<'_>, location: &str) -> Result<()> {
        self.send_response(status);
        self.send_header("Location", location);
        self.send_header("Content-Length", "0");
        self.end_headers()
    }
}

/// Returns a path with exactly one leading slash, which is not encoded.
fn with_one_slash(rest: &str) -> Cow<'_, str> {
    let mut inside = rest;
    while let Some(after) = prefix::after_slash(inside) {
        inside = after;
    }
    match rest.strip_suffix(inside).unwrap_or_default() {
        "" => rest.into(),
        slashes if slashes.ends_with('/') => rest.get(slashes.len() - 1..).unwrap_or(rest).into(),
        _ => format!("/{inside}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segments(target: &str) -> Vec<String> {
        let target = Target::parse(target).unwrap();
        target.segments().into_iter().map(String::from).collect()
    }

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        for (target, wanted) in [
            ("/", &[][..]),
            ("", &[]),
            ("*", &[]),
            ("/?a/b", &[]),
            ("/todos", &["todos"]),
            ("/todos/", &["todos", ""]),
            ("/todos/7?x=/y", &["todos", "7"]),
            ("/a%2Fb/%C3%A9/c+d", &["a/b", "\u{e9}", "c+d"]),
            ("/100%/%zz/%4", &["100%", "%zz", "%4"]),
            ("/todos//7", &["todos", "", "7"]),
            ("/todos//", &["todos", "", ""]),
            ("/a/../b/.", &["a", "..", "b", "."]),
            // In `x.path` several slashes at the start are one.
            ("//x", &["", "x"]),
        ] {
            assert_eq!(segments(target), wanted, "{target}");
        }
        let error = Target::parse("/%ff").unwrap_err();
        assert_eq!(error.status().code(), 400);
    }

    #[test]
    fn a_query_is_a_form() {
        let target = Target::parse("/a?q=1+2&q=3&%66=%2B&empty&=x&&h=%ff").unwrap();
        assert_eq!(target.query(), Some("q=1+2&q=3&%66=%2B&empty&=x&&h=%ff"));
        let value = |name| target.query_value(name).map(|value| value.into_owned());
        assert_eq!(value("q").as_deref(), Some("1 2"));
        assert_eq!(value("f").as_deref(), Some("+"));
        assert_eq!(value("empty").as_deref(), Some(""));
        assert_eq!(value("").as_deref(), Some("x"));
        assert_eq!(value("h").as_deref(), Some("\u{fffd}"));
        assert_eq!(value("none"), None);
        assert_eq!(target.query_pairs().count(), 6);
        assert_eq!(Target::parse("/a").unwrap().query(), None);
    }

    proptest! {
        #[test]
        fn any_target_is_split_or_400(target in "[/%?&=+.a-f0-9]{0,40}") {
            if let Ok(parsed) = Target::parse(&target) {
                prop_assert!(parsed.segments().len() <= target.len());
                prop_assert!(parsed.query_pairs().count() <= target.len());
            }
        }

        #[test]
        fn encoded_segments_come_back(parts in proptest::collection::vec("\\PC{1,8}", 1..5)) {
            let encode = |part: &String| {
                percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let path = format!("/{}", parts.iter().map(encode).collect::<Vec<_>>().join("/"));
            prop_assert_eq!(segments(&path), parts);
        }
    }
}
