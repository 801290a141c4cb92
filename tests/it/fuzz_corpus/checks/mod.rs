//! What must hold for every input: one module for each fuzz target. The bodies are here so that a test of
//! the crate can replay the corpora with them, without the fuzzer.

pub mod accept;
pub mod chunked;
pub mod conditions;
pub mod exchange;
pub mod head;
pub mod path;
pub mod proxy;
pub mod ranges;
pub mod request;
pub mod tls;

/// Some reads of `length` bytes: where each of them ends, the last one at `length`. The places are
/// parts of the whole in 256ths, so that they move along when an input grows.
fn read_ends(places: &[u8], length: usize) -> Vec<usize> {
    let end = |&place: &u8| usize::from(place) * (length + 1) / 256;
    let mut ends: Vec<usize> = places.iter().map(end).collect();
    ends.push(length);
    ends.sort_unstable();
    ends
}

/// A token of RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || is_mark(b))
}

/// A field value of RFC 9110, 5.5: no control but the tab, no blank at its ends.
fn is_value(text: &str) -> bool {
    let has_control = text.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f);
    !has_control && text == text.trim_matches([' ', '\t'])
}

/// The values of all fields of this name.
fn values<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_it = move |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
    fields.iter().filter(is_it).map(|field| &*field.1)
}

/// Whether a list field of this name has this option.
fn has_option(fields: &[(String, String)], name: &str, option: &str) -> bool {
    values(fields, name)
        .flat_map(|value| value.split(','))
        .any(|member| {
            member
                .trim_matches([' ', '\t'])
                .eq_ignore_ascii_case(option)
        })
}
