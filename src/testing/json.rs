//! [`Json`]: a JSON value that a body must equal or contain.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::report;

/// Serializes a value of a test as JSON.
#[track_caller]
#[allow(clippy::panic)] // A test that asks for what can't be should stop where it asks.
pub(super) fn written(value: impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(&value) {
        Ok(json) => json,
        Err(error) => panic!("the value can't be serialized as JSON: {error}"),
    }
}

/// A JSON value that a body must equal or contain.
#[derive(Clone, Debug)]
pub(super) struct Json {
    wanted: Value,
    is_part: bool,
}

impl Json {
    #[track_caller]
    pub(super) fn whole(wanted: impl Serialize) -> Self {
        Json::new(wanted, false)
    }

    #[track_caller]
    pub(super) fn part(wanted: impl Serialize) -> Self {
        Json::new(wanted, true)
    }

    #[track_caller]
    #[allow(clippy::panic)]
    fn new(wanted: impl Serialize, is_part: bool) -> Self {
        match serde_json::to_value(wanted) {
            Ok(wanted) => Json { wanted, is_part },
            Err(error) => panic!("the value can't be serialized as JSON: {error}"),
        }
    }

    /// The reason why this body does not match. (The parser rejects JSON nested deeper than 128 levels.)
    pub(super) fn difference(&self, body: &[u8]) -> Option<String> {
        match serde_json::from_slice(body) {
            Ok(own) => self.differs(&own),
            Err(_) if body.is_empty() => Some(format!("there is no body; expected {self}")),
            Err(error) => Some(format!("the body is not JSON: {error}")),
        }
    }

    /// Whether no body can match both.
    pub(super) fn excludes(&self, other: &Json) -> bool {
        !other.is_part && self.differs(&other.wanted).is_some()
            || !self.is_part && other.differs(&self.wanted).is_some()
    }

    fn differs(&self, own: &Value) -> Option<String> {
        let mut place = String::from("$");
        let what = self.compare(own, &self.wanted, &mut place)?;
        Some(format!("the JSON at `{place}` {what}"))
    }

    /// The first difference; `place` is then its JSON path.
    fn compare(&self, own: &Value, wanted: &Value, place: &mut String) -> Option<String> {
        match (own, wanted) {
            (Value::Object(own), Value::Object(wanted)) => self.compare_members(own, wanted, place),
            (Value::Array(own), Value::Array(wanted)) if own.len() == wanted.len() => {
                let mut pairs = own.iter().zip(wanted).enumerate();
                pairs.find_map(|(index, (own, wanted))| {
                    self.compare_at(&format!("[{index}]"), own, wanted, place)
                })
            }
            (Value::Array(own), Value::Array(wanted)) => {
                Some(format!("has {} elements, not {}", own.len(), wanted.len()))
            }
            _ if is_same(own, wanted) => None,
            _ => Some(format!("is {}, not {}", short(own), short(wanted))),
        }
    }

    fn compare_members(
        &self,
        own: &Map<String, Value>,
        wanted: &Map<String, Value>,
        place: &mut String,
    ) -> Option<String> {
        let mut members = wanted.iter();
        let difference = members.find_map(|(name, wanted)| match own.get(name) {
            Some(own) => self.compare_at(&format!(".{name}"), own, wanted, place),
            None => Some(format!("has no member {name:?}")),
        });
        difference.or_else(|| {
            let mut names = own.keys().filter(|name| !wanted.contains_key(*name));
            let more = names.next().filter(|_| !self.is_part)?;
            Some(format!("has an unexpected member {more:?}"))
        })
    }

    fn compare_at(
        &self,
        step: &str,
        own: &Value,
        wanted: &Value,
        place: &mut String,
    ) -> Option<String> {
        let length = place.len();
        place.push_str(step);
        let difference = self.compare(own, wanted, place);
        if difference.is_none() {
            place.truncate(length);
        }
        difference
    }
}

/// Whether two values are equal; numbers are compared by value, so 1 equals 1.0.
fn is_same(own: &Value, wanted: &Value) -> bool {
    match (own, wanted) {
        (Value::Number(own), Value::Number(wanted)) if own.is_f64() != wanted.is_f64() => {
            own.as_f64() == wanted.as_f64()
        }
        _ => own == wanted,
    }
}

fn short(value: &Value) -> String {
    report::cut(&value.to_string())
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_part { "that contains " } else { "" };
        write!(f, "JSON {how}{}", short(&self.wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(json: &Json, body: &str) -> Option<String> {
        json.difference(body.as_bytes())
    }

    #[test]
    fn a_whole_body_is_the_same_however_it_is_written() {
        let whole = Json::whole(json!({"a": [1, {"b": null}], "c": "é"}));
        assert_eq!(
            why(&whole, r#" { "c": "\u00e9", "a": [1.0, {"b":null}] } "#),
            None
        );
        for (body, expected) in [
            (
                r#"{"a":[2,{"b":null}],"c":"é"}"#,
                "the JSON at `$.a[0]` is 2, not 1",
            ),
            (
                r#"{"a":[1,{"b":0}],"c":"é"}"#,
                "the JSON at `$.a[1].b` is 0, not null",
            ),
            (
                r#"{"a":[1,{}],"c":"é"}"#,
                "the JSON at `$.a[1]` has no member \"b\"",
            ),
            (
                r#"{"a":[1],"c":"é"}"#,
                "the JSON at `$.a` has 1 elements, not 2",
            ),
            (
                r#"{"a":[1,{"b":null}],"c":"é","d":0}"#,
                "the JSON at `$` has an unexpected member \"d\"",
            ),
            (
                "[]",
                "the JSON at `$` is [], not {\"a\":[1,{\"b\":null}],\"c\":\"é\"}",
            ),
        ] {
            assert_eq!(why(&whole, body).as_deref(), Some(expected));
        }
        assert!(why(&whole, "{").is_some_and(|why| why.starts_with("the body is not JSON: EOF")));
        let deep = "[".repeat(100_000);
        assert!(why(&whole, &deep).is_some_and(|why| why.contains("recursion limit")));
        assert!(why(&whole, "").is_some_and(|why| why.starts_with("there is no body")));
    }

    #[test]
    fn a_part_allows_more_members_but_no_more_elements() {
        let part = Json::part(json!({"a": [{"b": 1}]}));
        assert_eq!(why(&part, r#"{"a":[{"b":1,"x":2}],"y":3}"#), None);
        let two = why(&part, r#"{"a":[{"b":1},{}]}"#);
        assert_eq!(
            two.as_deref(),
            Some("the JSON at `$.a` has 2 elements, not 1")
        );
    }

    #[test]
    fn two_that_no_body_can_be_exclude_each_other() {
        let (one, two) = (
            Json::whole(json!({"a": 1, "b": 2})),
            Json::whole(json!({"a": 1})),
        );
        let (part, other) = (Json::part(json!({"b": 2})), Json::part(json!({"c": 3})));
        assert!(one.excludes(&two) && two.excludes(&one));
        assert!(!one.excludes(&part) && !part.excludes(&one));
        assert!(one.excludes(&other) && other.excludes(&one));
        assert!(!part.excludes(&other));
    }
}
