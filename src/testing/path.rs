//! [`PathPattern`]: a pattern that matches paths.

use std::fmt;

use super::glob::Glob;

/// Matches exactly this path. No character is special.
pub fn exact(path: &str) -> PathPattern {
    PathPattern(Path::Exact(path.into()))
}

/// Matches every path that starts with this text.
pub fn prefix(path: &str) -> PathPattern {
    PathPattern(Path::Prefix(path.into()))
}

/// Matches paths by a glob. A glob is not a regular expression: `.` and `+` are literal.
///
/// | in the glob | matches |
/// |---|---|
/// | `*` | any number of characters except `/`, also none |
/// | `**` | any number of characters |
/// | `[a-z]`, `[!a-z]` | one of these characters; one other character |
/// | `{a,b}` | one of these texts, which may be globs |
/// | `\*` | the character after the backslash |
///
/// # Panics
/// If the glob is malformed.
#[track_caller]
#[allow(clippy::panic)] // A test that asks for what can't be should stop where it asks.
pub fn glob(pattern: &str) -> PathPattern {
    match Glob::new(pattern) {
        Ok(glob) => PathPattern(Path::Glob(glob)),
        Err(why) => panic!("the pattern {pattern:?} does not compile: {why}"),
    }
}

/// A pattern that matches paths: made by [`exact`], [`prefix`] and [`glob`], or from a string.
///
/// A string is the path of a URL, with or without a query. If the path contains `*`, it is a [`glob`];
/// otherwise it is [`exact`]. The query is decoded, and each parameter becomes a
/// [`query`](super::RequestPattern::query) condition: their order does not matter, and a request may have more.
/// A string with `#` is rejected, because clients don't send the fragment of a URL.
///
/// Paths are compared without their query. A path matches as sent or percent-decoded.
///
/// ```
/// use servette::testing::{Stubs, TestServer, get, prefix, status};
///
/// let server = TestServer::start(
///     Stubs::new()
///         .on(get("/users/*/name").answer(status(200).body("Ada")))
///         .on(get(prefix("/static/")).answer(status(404))),
/// );
/// let mut response = ureq::get(server.url("/users/7/name")).call().unwrap();
/// assert_eq!(response.body_mut().read_to_string().unwrap(), "Ada");
/// ```
#[derive(Clone, Debug)]
pub struct PathPattern(pub(super) Path);

/// The kinds of [`PathPattern`].
#[derive(Clone, Debug)]
pub(super) enum Path {
    Exact(String),
    Prefix(String),
    Glob(Glob),
    /// A path with a query.
    WithQuery(Box<Path>, String),
}

impl From<&str> for PathPattern {
    #[track_caller]
    #[allow(clippy::panic)]
    fn from(text: &str) -> Self {
        if text.contains('#') {
            panic!(
                "no client sends the fragment of {text:?}: leave it out, or write %23 for a `#` that is \
                 part of the path or the query"
            );
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let pattern = match path.len() > 1 && path.contains('*') {
            true => glob(path),
            false => exact(path),
        };
        match query {
            Some(query) => PathPattern(Path::WithQuery(Box::new(pattern.0), query.to_owned())),
            None => pattern,
        }
    }
}

impl From<&String> for PathPattern {
    #[track_caller]
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl Path {
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Path::Exact(own) => own == path,
            Path::Prefix(own) => path.starts_with(own),
            Path::Glob(own) => own.matches(path),
            Path::WithQuery(own, _) => own.matches(path),
        }
    }

    /// The pattern as it was written.
    pub(super) fn text(&self) -> &str {
        match self {
            Path::Exact(text) | Path::Prefix(text) => text,
            Path::Glob(glob) => glob.as_str(),
            Path::WithQuery(path, _) => path.text(),
        }
    }

    /// A hint for failure messages: the kind of pattern that may have been intended.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Path::Exact(text) if text.contains(['[', '{', '(', '^', '$', '\\', '<']) => {
                " (compared exactly; use glob() for a pattern)"
            }
            Path::Exact(text) if text.contains("/:") => {
                " (compared exactly; use `*` for any segment)"
            }
            Path::Glob(glob)
                if [".*", ".+", "]+", ")", "$"]
                    .iter()
                    .any(|own| glob.as_str().contains(own)) =>
            {
                " (a glob, not a regular expression: `.`, `+`, `(` and `$` are literal)"
            }
            _ => "",
        }
    }

    /// Whether every path that `other` matches is matched by this one too, as far as that is easy to
    /// see.
    pub(super) fn covers(&self, other: &Path) -> bool {
        match (self, other) {
            (Path::Prefix(own), Path::Exact(other) | Path::Prefix(other)) => other.starts_with(own),
            (own, Path::Exact(other)) => own.matches(other),
            (Path::Glob(own), Path::Glob(other)) => own.as_str() == "/**" || own == other,
            _ => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Prefix(text) => write!(f, "{text}… (prefix)"),
            _ => f.write_str(self.text()),
        }
    }
}
