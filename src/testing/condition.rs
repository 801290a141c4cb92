//! [`Condition`]: what else a request must have to be meant, and [`Difference`]: what it has not.

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

/// The result of a test that was given to [`RequestPattern::predicate`](super::RequestPattern::predicate): a `bool`,
/// or a `Result` whose error says why the request does not pass.
pub trait Verdict {
    /// The reason why not; empty if none is known.
    ///
    /// # Errors
    /// If the request does not pass.
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

/// What must hold of a request beside its method and its path.
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

/// What keeps a request from being meant.
#[derive(Debug)]
pub(super) struct Difference {
    /// In words.
    pub(super) what: String,
    /// What is asked for is there, and only its value is another one.
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

    /// It is about the body, and says so.
    pub(super) fn names_body(&self) -> bool {
        match self {
            Condition::Body(_) | Condition::BodyContains(_) => true,
            #[cfg(feature = "json")]
            Condition::Json(_) => true,
            _ => false,
        }
    }

    /// It is a test that the program wrote.
    pub(super) fn runs_code(&self) -> bool {
        matches!(self, Condition::That(..))
    }

    /// Whether the program's test says yes, if it is one; a panic in it goes through.
    pub(super) fn passes(&self, request: &Request) -> bool {
        match self {
            Condition::That(_, test) => test(request).is_ok(),
            _ => true,
        }
    }

    /// Why it does not hold. Nothing panics here: a message is being made, maybe of a test that panics.
    pub(super) fn difference(&self, request: &Request) -> Option<Difference> {
        match self {
            Condition::Query(name, value) => query_difference(name, value, request),
            Condition::Header(name, value) => {
                let has = request.header_values(name).any(|own| own == value);
                (!has).then(|| match request.header(name) {
                    Some(own) => {
                        Difference::of_value(format!("the field {name} is {own:?}, not {value:?}"))
                    }
                    None => Difference::new(format!("there is no field {name}")),
                })
            }
            Condition::HasHeader(name) => request
                .header(name)
                .is_none()
                .then(|| Difference::new(format!("there is no field {name}"))),
            Condition::NoHeader(name) => request
                .header(name)
                .map(|own| Difference::new(format!("there is a field {name}: {own}"))),
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

    /// No request meets both.
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

/// How much there is of a body that is cut, and what changes that.
fn kept(request: &Request) -> String {
    let length = request.body.len();
    format!("only the first {length} bytes of the body are recorded (see `Builder::max_recorded`)")
}

#[track_caller]
#[allow(clippy::panic)]
pub(super) fn check_name(name: &str) {
    if !is_token(name.as_bytes()) {
        panic!("no request can match: {name:?} is not a field name");
    }
}

/// Values come without the whitespace around them (RFC 9110, 5.5).
#[track_caller]
#[allow(clippy::panic)]
pub(super) fn check_value(value: &str) {
    let is_control = |c: char| c.is_ascii_control() && c != '\t';
    if value.contains(is_control) || value.trim_matches([' ', '\t']) != value {
        panic!(
            "no request can match: {value:?} is not the value of a field, which has no control \
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
