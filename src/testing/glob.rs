//! [`Glob`]: patterns for paths and values.
//!
//! `*` stands for any run of characters but the slash, `**` for any run, `[a-z_]` for one of these
//! characters and `[!a-z]` for one of the others, `{json,xml}` for one of these texts (which may be
//! patterns themselves); a backslash takes the next character as it is.
//!
//! The crate `globset` comes with five others. `fast-glob` comes with one, but accepts every text as a pattern. In
//! both, `**` stands for whole path segments only.

use std::fmt;

/// A parsed glob.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Glob {
    text: String,
    /// The alternatives, with braces expanded. One of them must match.
    choices: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// `*`, or (true) `**`.
    Run(bool),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Maximum number of alternatives of a glob.
const MOST_CHOICES: usize = 1000;

impl Glob {
    /// # Errors
    /// What is wrong with the pattern, for a person.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut choices = Vec::new();
        for plain in spread(text, 0)? {
            choices.push(parts(&plain)?);
        }
        Ok(Glob {
            text: text.into(),
            choices,
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.choices.iter().any(|parts| matches(parts, &text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Glob").field(&self.text).finish()
    }
}

/// Expands braces: `a{b,c}` is `ab` and `ac`.
fn spread(text: &str, depth: usize) -> Result<Vec<String>, String> {
    let mut heads = vec![String::new()];
    let mut rest = text.chars();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                let next = rest.next().ok_or("it ends with a backslash")?;
                heads.iter_mut().for_each(|head| head.extend(['\\', next]));
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class => {
                if depth > 8 {
                    return Err("its braces are nested too deeply".into());
                }
                let (inner, after) = braces(rest.as_str())?;
                let mut spread_inner = Vec::new();
                for choice in inner {
                    spread_inner.extend(spread(choice, depth + 1)?);
                }
                if heads.len().saturating_mul(spread_inner.len()) > MOST_CHOICES {
                    return Err(format!(
                        "its braces expand to more than {MOST_CHOICES} alternatives"
                    ));
                }
                let join = |head: &String| {
                    let head = head.clone();
                    spread_inner.iter().map(move |tail| format!("{head}{tail}"))
                };
                heads = heads.iter().flat_map(join).collect();
                rest = after.chars();
                continue;
            }
            '}' if !in_class => return Err("unmatched `}`".into()),
            _ => {}
        }
        heads.iter_mut().for_each(|head| head.push(c));
    }
    Ok(heads)
}

/// The choices of the braces that were just opened, and what follows them.
fn braces(text: &str) -> Result<(Vec<&str>, &str), String> {
    let mut choices = Vec::new();
    let (mut start, mut depth, mut escaped) = (0, 0u32, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '{' => depth += 1,
            ',' if depth == 0 => {
                choices.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            '}' if depth == 0 => {
                choices.push(text.get(start..at).unwrap_or_default());
                return Ok((choices, text.get(at + 1..).unwrap_or_default()));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    Err("unclosed `{`".into())
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '\\' => Part::Literal(rest.next().ok_or("it ends with a backslash")?),
            '*' => match rest.next_if_eq(&'*') {
                Some(_) => Part::Run(true),
                None => Part::Run(false),
            },
            '[' => class(&mut rest)?,
            ']' => return Err("unmatched `]`".into()),
            c => Part::Literal(c),
        });
    }
    Ok(parts)
}

/// The class whose bracket was just opened.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Part, String> {
    let negated = rest.next_if(|&c| c == '!' || c == '^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next().ok_or("unclosed `[`")? {
            ']' if ranges.is_empty() => return Err("empty class `[]`".into()),
            ']' => return Ok(Part::Class { negated, ranges }),
            '\\' => rest.next().ok_or("unclosed `[`")?,
            c => c,
        };
        let mut last = first;
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']') {
            rest.next();
            last = rest.next().ok_or("unclosed `[`")?;
        }
        if last < first {
            return Err(format!("the range `{first}-{last}` is reversed"));
        }
        ranges.push((first, last));
    }
}

/// Compares with a table of "this much of the text is matched so far", so it never runs away.
fn matches(parts: &[Part], text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for part in parts {
        let mut next = vec![false; text.len() + 1];
        let mut running = false;
        for at in 0..=text.len() {
            let here = reached.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1);
            let consumed = before.and_then(|before| text.get(before).copied());
            let from = before.and_then(|before| reached.get(before).copied());
            let value = match part {
                Part::Run(crosses) => {
                    running &= *crosses || consumed != Some('/');
                    running |= here;
                    running
                }
                Part::Literal(c) => from == Some(true) && consumed == Some(*c),
                Part::Class { negated, ranges } => {
                    let is_in = |c| ranges.iter().any(|&(low, high)| low <= c && c <= high);
                    from == Some(true) && consumed.is_some_and(|c| c != '/' && is_in(c) != *negated)
                }
            };
            if let Some(place) = next.get_mut(at) {
                *place = value;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_classes_and_braces_match_what_they_say() {
        for (pattern, yes, no) in [
            ("/a/*", &["/a/", "/a/b"][..], &["/a", "/a/b/c"][..]),
            ("/a/**", &["/a/", "/a/b/c"], &["/a"]),
            ("/*/c", &["/b/c", "//c"], &["/b/b/c"]),
            ("/**/c", &["/b/c", "/b/b/c"], &["/c", "/b/cc"]),
            ("*a*a*", &["aa", "bacad"], &["a", "ba"]),
            ("/v[1-3]", &["/v1", "/v3"], &["/v4", "/v", "/v11"]),
            ("/v[!1-3x]", &["/v4"], &["/v1", "/vx", "/v/"]),
            ("/[a-]", &["/a", "/-"], &["/b"]),
            (
                "/x.{json,x{m,ht}l,}",
                &["/x.json", "/x.xml", "/x.xhtl", "/x."],
                &["/x.l"],
            ),
            (r"/\*\{\[", &["/*{["], &["/a{["]),
            ("/é*", &["/éa"], &["/e"]),
            ("", &[""], &["a"]),
        ] {
            let glob = Glob::new(pattern).unwrap();
            for text in yes {
                assert!(glob.matches(text), "{pattern} {text}");
            }
            for text in no {
                assert!(!glob.matches(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_understood_is_refused_with_the_reason() {
        for (pattern, why) in [
            ("/[a", "unclosed `[`"),
            ("/[]", "empty class `[]`"),
            ("/a]", "unmatched `]`"),
            ("/{a,b", "unclosed `{`"),
            ("/a}", "unmatched `}`"),
            ("/[z-a]", "the range `z-a` is reversed"),
            ("/a\\", "it ends with a backslash"),
        ] {
            assert_eq!(Glob::new(pattern).unwrap_err(), why, "{pattern}");
        }
        let many = "{0,1,2,3,4,5,6,7,8,9}".repeat(4);
        assert!(Glob::new(&many).unwrap_err().contains("more than 1000"));
        assert!(Glob::new(&("{".repeat(99) + &"}".repeat(99))).is_err());
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_in_no_time() {
        let glob = Glob::new(&"**a".repeat(30)).unwrap();
        assert!(!glob.matches(&"a".repeat(29)));
        assert!(!glob.matches(&("a".repeat(2000) + "b")));
    }
}
