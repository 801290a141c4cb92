//! `Accept` and `Accept-Encoding`. Input: field values, one a line.

use servette::internals::{accepted_codings, names_media_type};

/// A member of a list of names with weights; in thousandths.
type Member = (String, u16);

/// No coding is sent that the client does not take, and the one that it would rather have goes first.
pub fn check_encoding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let values: Vec<&str> = text.lines().collect();
    let (codings, identity) = accepted_codings(&values);
    assert!(codings.len() <= 3);
    let lower = text.to_ascii_lowercase();
    for (at, coding) in codings.iter().enumerate() {
        assert!(!codings[..at].contains(coding));
        assert!(lower.contains(coding) || (lower.contains('*') && *coding != "zstd"));
    }
    assert!(identity || lower.contains("identity") || lower.contains('*'));
    let Some(members) = list(&values) else { return };
    let weight = |names: &[&str]| {
        let mut found = members.iter().filter(|(name, _)| names.contains(&&**name));
        found.next().map(|(_, weight)| *weight)
    };
    let any = weight(&["*"]);
    let of = |coding: &str| match coding {
        "gzip" => weight(&["gzip", "x-gzip"]).or(any),
        "br" => weight(&["br"]).or(any),
        _ => weight(&["zstd"]),
    };
    assert_eq!(identity, weight(&["identity"]).or(any) != Some(0), "{text}");
    let least = weight(&["identity"]).unwrap_or(0);
    let mut expected: Vec<(&str, u16)> = ["br", "zstd", "gzip"]
        .into_iter()
        .filter_map(|coding| Some((coding, of(coding)?)))
        .filter(|(_, weight)| *weight > 0 && *weight >= least)
        .collect();
    expected.sort_by_key(|(_, weight)| 1000 - weight);
    let expected: Vec<&str> = expected.into_iter().map(|(coding, _)| coding).collect();
    assert_eq!(codings, expected, "{text}");
}

/// Only a client that names the type asks for it.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let values: Vec<&str> = text.lines().collect();
    let is_named = names_media_type(&values, "text/html");
    assert!(!is_named || text.to_ascii_lowercase().contains("text/html"));
    if let Some(members) = list(&values) {
        let is_it = |(name, weight): &Member| name == "text/html" && *weight > 0;
        assert_eq!(is_named, members.iter().any(is_it), "{text}");
    }
}

/// The members, in lower case, if all of the list is as the grammar has it and nothing is quoted.
fn list(values: &[&str]) -> Option<Vec<Member>> {
    let members = values.iter().flat_map(|value| value.split(','));
    let members = members.map(|member| member.trim_matches([' ', '\t']));
    members
        .filter(|member| !member.is_empty())
        .map(member)
        .collect()
}

fn member(text: &str) -> Option<Member> {
    let is_token = |text: &str| {
        let is_mark = |byte| b"!#$%&'*+-.^_`|~/".contains(&byte);
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
    };
    let (name, parameter) = match text.split_once(';') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (text, None),
    };
    let name = name.trim_end_matches([' ', '\t']).to_ascii_lowercase();
    let weight = match parameter {
        None => 1000,
        Some(parameter) => qvalue(parameter.trim_start_matches([' ', '\t']))?,
    };
    is_token(&name).then_some((name, weight))
}

fn qvalue(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let is_weight = match digits.as_bytes() {
        [b'0' | b'1'] => true,
        [b'0', b'.', rest @ ..] => rest.len() <= 3 && rest.iter().all(u8::is_ascii_digit),
        [b'1', b'.', rest @ ..] => rest.len() <= 3 && rest.iter().all(|byte| *byte == b'0'),
        _ => false,
    };
    let value: f64 = digits.trim_end_matches('.').parse().ok()?;
    is_weight.then_some((value * 1000.0).round() as u16)
}
