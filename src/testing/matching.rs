//! [`RequestPattern`]: which requests are meant.

use std::fmt;
use std::sync::Arc;

use super::condition::{Condition, Difference, check_name, check_value};
use super::path::{Path, PathPattern};
use super::request::Request;
use crate::http1::is_token;

/// A GET for this path: see [`RequestPattern`].
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn get(path: impl Into<PathPattern>) -> RequestPattern {
    method("GET", path)
}

/// A HEAD for this path.
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn head(path: impl Into<PathPattern>) -> RequestPattern {
    method("HEAD", path)
}

/// A POST to this path.
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn post(path: impl Into<PathPattern>) -> RequestPattern {
    method("POST", path)
}

/// A PUT of this path.
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn put(path: impl Into<PathPattern>) -> RequestPattern {
    method("PUT", path)
}

/// A DELETE of this path.
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn delete(path: impl Into<PathPattern>) -> RequestPattern {
    method("DELETE", path)
}

/// Any method by its name, `SPAM` or `PROPFIND` or `CONNECT` (whose path is `host:port`).
///
/// # Panics
/// If no request can have such a method or such a path.
#[track_caller]
pub fn method(name: &str, path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(Some(name.to_owned()), path.into())
}

/// Any method.
///
/// # Panics
/// If no request can have such a path.
#[track_caller]
pub fn any(path: impl Into<PathPattern>) -> RequestPattern {
    RequestPattern::new(None, path.into())
}

/// Which requests are meant: a method, a path, and conditions that all must hold.
///
/// ```
/// use servette::testing::{post, prefix};
///
/// let pattern = post(prefix("/hooks/"))
///     .query("v", "2")
///     .header("X-Signature", "abc")
///     .body_contains("paid");
/// assert_eq!(
///     pattern.to_string(),
///     r#"POST /hooks/… (prefix) with query v=2, header X-Signature: abc, body that contains "paid""#,
/// );
/// ```
#[derive(Clone)]
pub struct RequestPattern {
    method: Option<String>,
    pub(super) path: Path,
    conditions: Vec<Condition>,
}

impl RequestPattern {
    #[track_caller]
    #[allow(clippy::panic)]
    fn new(method: Option<String>, path: PathPattern) -> Self {
        let mut pattern = RequestPattern {
            method,
            path: path.0,
            conditions: Vec::new(),
        };
        if let Path::WithQuery(path, query) = pattern.path {
            pattern.path = *path;
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                pattern = pattern.query(name, value);
            }
        }
        if let Some(why) = pattern.impossible() {
            panic!("no request can match `{pattern}`: {why}");
        }
        pattern
    }

    /// Why no request can match.
    fn impossible(&self) -> Option<String> {
        let (text, starts) = match &self.path {
            Path::Glob(glob) => (glob.as_str(), ["/", "*", "[", "{"].as_slice()),
            path => (path.text(), ["/"].as_slice()),
        };
        if let Some(method) = &self.method
            && !is_token(method.as_bytes())
        {
            return Some(format!("{method:?} is not a method, which is one word"));
        }
        let may_be = |method| self.method.as_deref().is_none_or(|own| own == method);
        let is_authority = !text.starts_with('/') && text.contains([':', '*']);
        if matches!(&self.path, Path::Exact(path) if path == "*") {
            let may = may_be("OPTIONS");
            return (!may).then(|| "only OPTIONS can ask for `*`".into());
        }
        if may_be("CONNECT") && is_authority {
            return None;
        }
        if self.method.as_deref() == Some("CONNECT") {
            return Some("the target of CONNECT is host:port".into());
        }
        if !starts.iter().any(|start| text.starts_with(start)) {
            return Some("a path starts with a slash".into());
        }
        if text.starts_with("//") {
            return Some("the server makes one slash of those a path starts with".into());
        }
        text.contains('?')
            .then(|| "the path has no query; use .query(name, value) for it".into())
    }

    /// With this parameter in the query; both are compared without percent-encoding.
    pub fn query(self, name: &str, value: &str) -> Self {
        self.with(Condition::Query(name.into(), value.into()))
    }

    /// With a field of this name and value; the case of the name does not matter.
    ///
    /// # Panics
    /// If no field can have such a name or such a value.
    #[track_caller]
    pub fn header(self, name: &str, value: &str) -> Self {
        check_name(name);
        check_value(value);
        self.with(Condition::Header(name.into(), value.into()))
    }

    /// With a field of this name.
    ///
    /// # Panics
    /// If no field can have such a name.
    #[track_caller]
    pub fn has_header(self, name: &str) -> Self {
        check_name(name);
        self.with(Condition::HasHeader(name.into()))
    }

    /// Without a field of this name.
    ///
    /// # Panics
    /// If no field can have such a name, or the pattern asks for the field elsewhere.
    #[track_caller]
    pub fn no_header(self, name: &str) -> Self {
        check_name(name);
        self.with(Condition::NoHeader(name.into()))
    }

    /// With exactly this body.
    ///
    /// No request matches whose body is longer than what is seen of it: a stub sees the first 16 MiB, or
    /// as much as [`Builder::keep`](super::Builder::keep) says if that is more; an assertion about what
    /// was recorded sees what was kept.
    ///
    /// # Panics
    /// If the pattern asks for another one already.
    #[track_caller]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.with(Condition::Body(body.as_ref().to_vec()))
    }

    /// With this text somewhere in the body, as far as that is seen (see [`body`](Self::body)).
    ///
    /// # Panics
    /// If the pattern asks for a body without it.
    #[track_caller]
    pub fn body_contains(self, text: &str) -> Self {
        self.with(Condition::BodyContains(text.into()))
    }

    /// That passes this test; `what` names it in messages: `"a body of at most 100 bytes"`.
    ///
    /// It is asked where everything else matches: once or more for a request, and again for messages. So
    /// what it says should depend on the request only; it may use the [`Stubs`](super::Stubs) it is in.
    /// It is given as much of the body as [`body`](Self::body) sees, and
    /// [`is_truncated`](Request::is_truncated) if there is more. Where it panics, the request is answered
    /// with 500, and the test that owns the server fails.
    pub fn that(self, what: &str, test: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.with(Condition::That(what.into(), Arc::new(test)))
    }

    #[track_caller]
    #[allow(clippy::panic)]
    fn with(mut self, condition: Condition) -> Self {
        let excludes = |own: &&Condition| own.excludes(&condition) || condition.excludes(own);
        if let Some(own) = self.conditions.iter().find(excludes) {
            panic!("no request can match `{self}` and `{condition}`: that excludes `{own}`");
        }
        self.conditions.push(condition);
        self
    }

    /// Whether it is meant.
    ///
    /// # Panics
    /// If a test does that was given to [`that`](Self::that).
    pub fn matches(&self, request: &Request) -> bool {
        self.matches_without(Condition::runs_code, request)
            && self.conditions.iter().all(|own| own.passes(request))
    }

    /// Whether a request matches as far as can be said before its body is here.
    pub(super) fn may_match_head(&self, request: &Request) -> bool {
        self.matches_without(Condition::needs_body, request)
    }

    /// Whether it is meant if some of the conditions are left out.
    fn matches_without(&self, left_out: fn(&Condition) -> bool, request: &Request) -> bool {
        let mut conditions = self.conditions.iter().filter(|own| !left_out(own));
        self.knows_method(&request.command)
            && self.knows_path(request)
            && request.refusal.is_none()
            && conditions.all(|own| own.difference(request).is_none())
    }

    /// What keeps a request from being meant. A test that the program wrote is asked last, as in
    /// [`matches`](Self::matches); a panic in it is a difference.
    pub(super) fn differences(&self, request: &Request) -> Vec<Difference> {
        let mut found = Vec::new();
        if let Some(refusal) = &request.refusal {
            let what = format!("the server refused it with {refusal}");
            found.push(Difference::new(what));
            if request.requestline.is_empty() {
                return found;
            }
        }
        if let Some(method) = &self.method
            && *method != request.command
        {
            let what = format!("the method is {}, not {method}", request.command);
            found.push(Difference::new(what));
        }
        if !self.knows_path(request) {
            let what = format!("the path is {}, not {}", request.path, self.path);
            found.push(Difference::new(what));
        }
        let (tests, others): (Vec<_>, Vec<_>) =
            self.conditions.iter().partition(|own| own.runs_code());
        found.extend(others.iter().filter_map(|own| own.difference(request)));
        if found.is_empty() {
            found.extend(tests.iter().find_map(|own| own.difference(request)));
        }
        found
    }

    /// Whether the body decides.
    pub(super) fn needs_body(&self) -> bool {
        self.conditions.iter().any(Condition::needs_body)
    }

    /// The condition that asks for a body.
    pub(super) fn body_condition(&self) -> Option<&Condition> {
        self.conditions.iter().find(|own| own.names_body())
    }

    /// Whether the stub before leaves nothing for this one.
    pub(super) fn covers(&self, other: &RequestPattern) -> bool {
        let same_method = self.method.is_none() || self.method == other.method;
        same_method && self.conditions.is_empty() && self.path.covers(&other.path)
    }

    pub(super) fn knows_method(&self, method: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method)
    }

    fn knows_path(&self, request: &Request) -> bool {
        self.path.matches(&request.path) || self.path.matches(&request.decoded_path())
    }
}

impl fmt::Display for RequestPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.method.as_deref().unwrap_or("any method"),
            self.path
        )?;
        for (index, condition) in self.conditions.iter().enumerate() {
            f.write_str(if index == 0 { " with " } else { ", " })?;
            condition.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for RequestPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestPattern({self})")
    }
}
