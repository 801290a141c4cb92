//! [`Condition`]: what else a request must have to be meant, and [`Difference`]: what it has not.

use std::fmt;
use std::sync::Arc;

use super::report;
use super::request::Request;
use crate::error::guarded;
use crate::http1::is_token;

type Test = dyn Fn(&Request) -> bool + Send + Sync;

/// What must hold of a request beside its method and its path.
#[derive(Clone)]
pub(super) enum Condition {
    Query(String, String),
    Header(String, String),
    HasHeader(String),
    NoHeader(String),
    Body(Vec<u8>),
    BodyContains(String),
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
        matches!(self, Condition::Body(_) | Condition::BodyContains(_))
    }

    /// It is a test that the program wrote.
    pub(super) fn runs_code(&self) -> bool {
        matches!(self, Condition::That(..))
    }

    /// Whether the program's test says yes, if it is one; a panic in it goes through.
    pub(super) fn passes(&self, request: &Request) -> bool {
        match self {
            Condition::That(_, test) => test(request),
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
            Condition::That(what, test) => {
                let passes = guarded(|| Ok(test(request)));
                let what = match passes {
                    Ok(true) => return None,
                    Ok(false) if request.is_body_cut => {
                        format!("it is not {what}; of its body only {}", kept(request))
                    }
                    Ok(false) => format!("it is not {what}"),
                    Err(error) => {
                        let message = error.panic_message().unwrap_or_default();
                        format!("the test `{what}` panicked: {message}")
                    }
                };
                Some(Difference::of_value(what))
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
            Difference::of_value(format!("the query has {name}={own}, not {name}={value}"))
        }
        None => Difference::new(format!("the query has no {name}")),
    })
}

fn body_difference(body: &[u8], request: &Request) -> Difference {
    let (own, wanted) = (report::preview(&request.body), report::preview(body));
    Difference::of_value(match request.is_body_cut {
        true => format!(
            "of the body only {}: {own}; it should be {wanted}",
            kept(request)
        ),
        false => format!("the body is {own}, not {wanted}"),
    })
}

fn contents_difference(text: &str, request: &Request) -> Difference {
    let own = report::preview(&request.body);
    Difference::of_value(match request.is_body_cut {
        true => format!(
            "of the body only {}; whether the rest contains {text:?} can't be told: {own}",
            kept(request)
        ),
        false => format!("the body does not contain {text:?}; it is {own}"),
    })
}

/// How much there is of a body that is cut, and what changes that.
fn kept(request: &Request) -> String {
    let length = request.body.len();
    format!("the first {length} bytes are kept (see `Builder::keep`)")
}

#[track_caller]
#[allow(clippy::panic)]
pub(super) fn check_name(name: &str) {
    if !is_token(name.as_bytes()) {
        panic!("no request can match: {name:?} is not the name of a field");
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
            Condition::That(what, _) => f.write_str(what),
        }
    }
}
