//! [`RequestPattern`]: a pattern that matches requests.

use std::fmt;
use std::sync::Arc;

use super::condition::{Condition, Difference, Verdict, check_name, check_value};
#[cfg(feature = "json")]
use super::json::Json;
use super::path::{Path, PathPattern};
use super::request::{self, Request};
use crate::http1::is_token;

/// A pattern that matches requests: a method, a path, and conditions that all must hold. Made by
/// [`get`](super::get()), [`post`](super::post()) and the like.
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
    pub(super) fn new(method: Option<String>, path: PathPattern) -> Self {
        let mut pattern = RequestPattern {
            method,
            path: path.0,
            conditions: Vec::new(),
        };
        if let Path::WithQuery(path, query) = pattern.path {
            pattern.path = *path;
            for (name, value) in request::pairs(&query) {
                pattern = pattern.query(&name, &value);
            }
        }
        if let Some(why) = pattern.impossible() {
            panic!("no request can match `{pattern}`: {why}");
        }
        pattern
    }

    /// The reason why no request can match.
    fn impossible(&self) -> Option<String> {
        let (text, starts) = match &self.path {
            Path::Glob(glob) => (glob.as_str(), ["/", "*", "[", "{"].as_slice()),
            path => (path.text(), ["/"].as_slice()),
        };
        if let Some(method) = &self.method
            && !is_token(method.as_bytes())
        {
            return Some(format!("{method:?} is not a method (one token)"));
        }
        let may_be = |method| self.method.as_deref().is_none_or(|own| own == method);
        let is_authority = !text.starts_with('/') && text.contains([':', '*']);
        if matches!(&self.path, Path::Exact(path) if path == "*") {
            let may = may_be("OPTIONS");
            return (!may).then(|| "only OPTIONS can have the target `*`".into());
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
            return Some("the server reduces leading slashes to one".into());
        }
        text.contains('?')
            .then(|| "the path has no query; use .query(name, value) for it".into())
    }

    /// Requires this parameter in the query. Name and value are given decoded: `.query("name", "bar baz")`
    /// matches `?name=bar%20baz` and `?name=bar+baz`. (The query in a path, as in `get("/t?name=bar%20baz")`,
    /// is given encoded.)
    pub fn query(self, name: &str, value: &str) -> Self {
        self.with(Condition::Query(name.into(), value.into()))
    }

    /// Requires a header with this name and value. Names match in any case.
    ///
    /// # Panics
    /// If no header can have such a name or such a value.
    #[track_caller]
    pub fn header(self, name: &str, value: &str) -> Self {
        check_name(name);
        check_value(value);
        self.with(Condition::Header(name.into(), value.into()))
    }

    /// Requires a header with this name, whatever its value.
    ///
    /// # Panics
    /// If no header can have such a name.
    #[track_caller]
    pub fn has_header(self, name: &str) -> Self {
        check_name(name);
        self.with(Condition::HasHeader(name.into()))
    }

    /// Requires that there is no header with this name.
    ///
    /// # Panics
    /// If no header can have such a name, or another condition of the pattern requires it.
    #[track_caller]
    pub fn no_header(self, name: &str) -> Self {
        check_name(name);
        self.with(Condition::NoHeader(name.into()))
    }

    /// Requires exactly this body.
    ///
    /// A longer body than the pattern can see does not match. Patterns of stubs see the first 16 MiB, or the size set
    /// with [`max_recorded`](super::TestServerBuilder::max_recorded) if that is larger. Assertions about recorded
    /// requests see the recorded bytes.
    ///
    /// # Panics
    /// If the pattern already requires another body.
    #[track_caller]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.with(Condition::Body(body.as_ref().to_vec()))
    }

    /// Requires this text in the part of the body that the pattern can see: see [`body`](Self::body).
    ///
    /// # Panics
    /// If the pattern already requires a body without this text.
    #[track_caller]
    pub fn body_contains(self, text: &str) -> Self {
        self.with(Condition::BodyContains(text.into()))
    }

    /// Requires a body that is equal to this JSON. Whitespace, the order of members, escapes and the notation
    /// of numbers (`1` or `1.0`) don't matter, nor does `Content-Type`. (Feature `json`.)
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use serde_json::json;
    /// use servette::testing::{Stubs, post, respond, status};
    ///
    /// let stubs = Stubs::new().on(post("/users").json(json!({"name": "Ada"})).answer(status(201)));
    /// let request = "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{ \"name\" : \"Ada\" }";
    /// assert_eq!(respond(&stubs, request).response().status, 201);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the pattern already requires another body, or the value can't be serialized as JSON.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn json(self, body: impl serde::Serialize) -> Self {
        self.with(Condition::Json(Json::whole(body)))
    }

    /// Requires a JSON body that contains this value. Objects may have further members, at every depth; arrays
    /// must have the same number of elements. (Feature `json`.)
    ///
    /// # Panics
    /// If the pattern already requires a body without this value, or the value can't be serialized as JSON.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn json_contains(self, part: impl serde::Serialize) -> Self {
        self.with(Condition::Json(Json::part(part)))
    }

    /// Requires that a closure accepts the request. `what` names the condition in messages: `"a signed
    /// request"`.
    ///
    /// The closure returns a `bool`, or a `Result` whose error is the reason shown in messages: see
    /// [`Verdict`].
    ///
    /// The closure is called only if all other conditions hold: at least once per request, and again for failure
    /// messages. Its result should depend on the request only. It may use the [`Stubs`](super::Stubs) that contain
    /// it. It sees the same part of the body as [`body`](Self::body); [`is_truncated`](Request::is_truncated) says
    /// whether there is more. If it panics, the request gets a 500, and the test fails.
    ///
    /// ```
    /// use servette::testing::post;
    ///
    /// let signed = post("/hook").predicate("a signed request", |request| {
    ///     match request.header("X-Signature") {
    ///         Some("abc") => Ok(()),
    ///         Some(other) => Err(format!("the signature {other} is of another key")),
    ///         None => Err("there is no signature".to_owned()),
    ///     }
    /// });
    /// let short = post("/hook").predicate("a short body", |request| request.body.len() < 100);
    /// ```
    pub fn predicate<V: Verdict>(
        self,
        what: &str,
        test: impl Fn(&Request) -> V + Send + Sync + 'static,
    ) -> Self {
        let test = move |request: &Request| test(request).into_result();
        self.with(Condition::That(what.into(), Arc::new(test)))
    }

    #[track_caller]
    #[allow(clippy::panic)]
    fn with(mut self, condition: Condition) -> Self {
        let excludes = |own: &&Condition| own.excludes(&condition) || condition.excludes(own);
        if let Some(own) = self.conditions.iter().find(excludes) {
            panic!("no request can match `{self}` and `{condition}`: it contradicts `{own}`");
        }
        self.conditions.push(condition);
        self
    }

    /// Returns whether a request matches.
    ///
    /// # Panics
    /// If a closure given to [`predicate`](Self::predicate) panics.
    pub fn matches(&self, request: &Request) -> bool {
        self.matches_without(Condition::runs_code, request)
            && self.conditions.iter().all(|own| own.passes(request))
    }

    /// Whether a request can match, as far as its head says.
    pub(super) fn may_match_head(&self, request: &Request) -> bool {
        self.matches_without(Condition::needs_body, request)
    }

    /// Whether a request matches without some of the conditions.
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
            let what = format!("the server rejected it with {refusal}");
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
            let hint = self.path.hint();
            let what = format!("the path is {}, not {}{hint}", request.path, self.path);
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

    /// Whether a condition needs the body.
    pub(super) fn needs_body(&self) -> bool {
        self.conditions.iter().any(Condition::needs_body)
    }

    /// The condition on the body, if there is one.
    pub(super) fn body_condition(&self) -> Option<&Condition> {
        self.conditions.iter().find(|own| own.names_body())
    }

    /// Whether this pattern matches every request that `other` matches, as far as that is easy to see.
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
