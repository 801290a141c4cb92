//! [`Condition`]: a condition of a pattern besides method and path; [`Difference`]: the reason why it does not hold.

use std::fmt;
use std::sync::Arc;

use super::diff;
#[cfg(feature = "json")]
use super::json::Json;
use super::report;
use super::request::{self, Request};
use crate::error::guarded;
use crate::http1::is_token;

type Test = dyn Fn(&Request) -> Result<(), String> + Send + Sync;

/// The result of a closure given to [`RequestPattern::predicate`](super::RequestPattern::predicate): a `bool`,
/// or a `Result` whose error is the reason why the request does not match.
///
/// ```
/// use servette::testing::{Request, Stubs, TestServer, post, status};
///
/// fn is_signed(request: &Request) -> Result<(), &'static str> {
///     match request.header("X-Signature") {
///         Some("ok") => Ok(()),
///         Some(_) => Err("the signature is wrong"),
///         None => Err("there is no signature"),
///     }
/// }
///
/// let stub = post("/hook").predicate("a signed request", is_signed).answer(status(204));
/// let server = TestServer::start(Stubs::new().on(stub));
/// let request = ureq::post(server.url("/hook")).header("X-Signature", "ok");
/// assert_eq!(request.send_empty().unwrap().status(), 204);
/// ```
pub trait Verdict {
    /// Converts to `Ok` if the request matches.
    ///
    /// # Errors
    /// The reason why it does not match; empty if there is none.
    fn into_result(self) -> Result<(), String>;
}

impl Verdict for bool {
    fn into_result(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<E: fmt::Display> Verdict for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|reason| reason.to_string())
    }
}

/// A condition of a pattern besides method and path.
#[derive(Clone)]
pub(super) enum Condition {
    Query(String, String),
    Header(String, String),
    HasHeader(String),
    NoHeader(String),
    Body(Vec<u8>),
    BodyContains(String),
    #[cfg(feature = "json")]
    Json(Json),
    That(String, Arc<Test>),
}

/// The reason why a request does not match.
#[derive(Debug)]
pub(super) struct Difference {
    /// The reason as text.
    pub(super) what: String,
    /// Whether the header, parameter or body is present, and only its value differs.
    pub(super) is_of_value: bool,
}

impl Difference {
    pub(super) fn new(what: String) -> Self {
        Difference {
            what,
            is_of_value: false,
        }
    }

    fn of_value(what: String) -> Self {
        Difference {
            what,
            is_of_value: true,
        }
    }
}

impl Condition {
    pub(super) fn needs_body(&self) -> bool {
        self.names_body() || self.runs_code()
    }

    /// Whether the condition is explicitly about the body.
    pub(super) fn names_body(&self) -> bool {
        match self {
            Condition::Body(_) | Condition::BodyContains(_) => true,
            #[cfg(feature = "json")]
            Condition::Json(_) => true,
            _ => false,
        }
    }

    /// Whether the condition is a closure of the test.
    pub(super) fn runs_code(&self) -> bool {
        matches!(self, Condition::That(..))
    }

    /// Whether the closure of the test accepts the request, if it is one. A panic in it is not caught.
    pub(super) fn passes(&self, request: &Request) -> bool {
        match self {
            Condition::That(_, test) => test(request).is_ok(),
            _ => true,
        }
    }

    /// The reason why the condition does not hold. It must not panic, because it is used in failure messages.
    pub(super) fn difference(&self, request: &Request) -> Option<Difference> {
        match self {
            Condition::Query(name, value) => query_difference(name, value, request),
            Condition::Header(name, value) => {
                let has = request.header_values(name).any(|own| own == value);
                (!has).then(|| match request.header(name) {
                    Some(own) => {
                        Difference::of_value(format!("the header {name} is {own:?}, not {value:?}"))
                    }
                    None => Difference::new(format!("there is no header {name}")),
                })
            }
            Condition::HasHeader(name) => request
                .header(name)
                .is_none()
                .then(|| Difference::new(format!("there is no header {name}"))),
            Condition::NoHeader(name) => request
                .header(name)
                .map(|own| Difference::new(format!("there is a header {name}: {own}"))),
            Condition::Body(body) => {
                let is_it = request.body == *body && !request.is_body_cut;
                (!is_it).then(|| body_difference(body, request))
            }
            Condition::BodyContains(text) => {
                (!request.text().contains(text)).then(|| contents_difference(text, request))
            }
            #[cfg(feature = "json")]
            Condition::Json(json) => {
                let why = json.difference(&request.body)?;
                Some(Difference::of_value(match request.is_body_cut {
                    true => format!("{}: {why}", kept(request)),
                    false => why,
                }))
            }
            Condition::That(what, test) => {
                let mut why = match guarded(|| Ok(test(request))) {
                    Ok(Ok(())) => return None,
                    Ok(Err(reason)) if reason.is_empty() => format!("it is not {what}"),
                    Ok(Err(reason)) => format!("it is not {what}: {reason}"),
                    Err(error) => {
                        let message = error.panic_message().unwrap_or_default();
                        format!("the test `{what}` panicked: {message}")
                    }
                };
                if request.is_body_cut {
                    why.push_str(&format!("; {}", kept(request)));
                }
                Some(Difference::of_value(why))
            }
        }
    }

    /// Whether no request can meet both conditions.
    pub(super) fn excludes(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::NoHeader(no), Condition::Header(name, _) | Condition::HasHeader(name)) => {
                no.eq_ignore_ascii_case(name)
            }
            (Condition::Body(one), Condition::Body(another)) => one != another,
            #[cfg(feature = "json")]
            (Condition::Body(body), Condition::Json(json)) => json.difference(body).is_some(),
            #[cfg(feature = "json")]
            (Condition::Json(one), Condition::Json(another)) => another.excludes(one),
            (Condition::Body(body), Condition::BodyContains(text)) => {
                !String::from_utf8_lossy(body).contains(text)
            }
            _ => false,
        }
    }
}

fn query_difference(name: &str, value: &str, request: &Request) -> Option<Difference> {
    let mut pairs = request.query_pairs();
    if pairs.any(|(own, own_value)| own == name && own_value == value) {
        return None;
    }
    Some(match request.query_value(name) {
        Some(own) => {
            let is_encoded = request::pairs(&format!("={value}")).any(|(_, value)| value == own);
            let hint = match is_encoded {
                true => " (query() takes the decoded value)",
                false => "",
            };
            Difference::of_value(format!(
                "the query has {name}={own}, not {name}={value}{hint}"
            ))
        }
        None => Difference::new(format!("the query has no {name}")),
    })
}

fn body_difference(body: &[u8], request: &Request) -> Difference {
    let wanted = report::preview(body);
    Difference::of_value(if request.is_body_cut {
        let own = report::preview(&request.body);
        format!("{}: {own}; expected {wanted}", kept(request))
    } else if request.body.is_empty() {
        format!("there is no body; expected {wanted}")
    } else {
        diff::first_difference(&request.body, body)
    })
}

fn contents_difference(text: &str, request: &Request) -> Difference {
    Difference::of_value(match request.is_body_cut {
        true => format!("{}; the rest may contain {text:?}", kept(request)),
        false => format!("the body does not contain {text:?}"),
    })
}

/// Says how much of a truncated body is recorded, and which setting changes that.
fn kept(request: &Request) -> String {
    let length = request.body.len();
    format!(
        "only the first {length} bytes of the body are recorded (see `TestServerBuilder::max_recorded`)"
    )
}

#[track_caller]
#[allow(clippy::panic)]
pub(super) fn check_name(name: &str) {
    if !is_token(name.as_bytes()) {
        panic!("no request can match: {name:?} is not a header name");
    }
}

/// Rejects a value that no request can have: whitespace around values is removed (RFC 9110, 5.5).
#[track_caller]
#[allow(clippy::panic)]
pub(super) fn check_value(value: &str) {
    let is_control = |c: char| c.is_ascii_control() && c != '\t';
    if value.contains(is_control) || value.trim_matches([' ', '\t']) != value {
        panic!(
            "no request can match: {value:?} is not the value of a header, which has no control \
             characters, and no whitespace at either end"
        );
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Query(name, value) => write!(f, "query {name}={value}"),
            Condition::Header(name, value) => write!(f, "header {name}: {value}"),
            Condition::HasHeader(name) => write!(f, "header {name}"),
            Condition::NoHeader(name) => write!(f, "no header {name}"),
            Condition::Body(body) => write!(f, "body {}", report::preview(body)),
            Condition::BodyContains(text) => write!(f, "body that contains {text:?}"),
            #[cfg(feature = "json")]
            Condition::Json(json) => json.fmt(f),
            Condition::That(what, _) => f.write_str(what),
        }
    }
}
