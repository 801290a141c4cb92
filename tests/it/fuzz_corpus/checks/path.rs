//! Paths, redirects and listings. Input: a request target, then names in a directory, with a byte FE, which
//! UTF-8 does not have, before each of them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use servette::Limits;
use servette::internals::{listing_page, parse_head, redirect_location, relative};

/// No target leaves the root or the host, and no name leaves its place in a page.
pub fn check(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == 0xfe);
    let target = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let names: Vec<(OsString, bool, bool)> = parts
        .filter(|name| is_name(name))
        .enumerate()
        .map(|(i, name)| (OsString::from_vec(name.to_vec()), i % 2 == 1, i % 3 == 1))
        .collect();
    check_target(&target);
    check_target(&format!("/{target}"));
    if let Ok(head) = parse_head(
        format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes(),
        &Limits::default(),
    ) {
        check_target(&head.path);
    }
    check_page(&target, &names);
}

/// What can stand in a directory, and in a listing.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| b"/\0".contains(byte))
}

fn check_target(target: &str) {
    let found = relative(target);
    let decoded = decode(path_of(target).as_bytes());
    if decoded.contains(&0) {
        assert_eq!(found, None, "a NUL");
    } else {
        let (path, has_slash) = found.clone().unwrap();
        assert_eq!(path.as_os_str().as_bytes(), resolve(&decoded), "{target:?}");
        assert_eq!(has_slash, decoded.ends_with(b"/"), "{target:?}");
        check_below(&path);
    }

    let location = redirect_location(target);
    assert!(
        location.starts_with('/') && !location.starts_with("//"),
        "{location}"
    );
    assert!(
        location
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    );
    // A client that follows it asks for just this.
    let request = format!("GET {location} HTTP/1.0\r\n\r\n");
    let head = parse_head(request.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((&head.path, &head.authority), (&location, &None));
    // What stands before the path may have been slashes and backslashes; from there on it is the same.
    let path = path_of(target).trim_start_matches(['/', '\\']);
    let same = decode(path.as_bytes());
    if !same.contains(&0) {
        let (path, has_slash) = relative(&location).unwrap();
        assert_eq!(
            path.as_os_str().as_bytes(),
            resolve(&same),
            "{target:?} {location}"
        );
        assert!(has_slash);
    }
}

fn check_below(path: &Path) {
    let bytes = path.as_os_str().as_bytes();
    assert!(bytes.is_empty() || bytes.split(|&b| b == b'/').all(is_name));
    let joined = Path::new("/root").join(path);
    let mut parts = joined.components();
    assert_eq!(parts.next(), Some(Component::RootDir));
    assert_eq!(parts.next(), Some(Component::Normal("root".as_ref())));
    assert!(parts.all(|part| matches!(part, Component::Normal(_))));
}

/// The path of a target: without scheme and authority, query and fragment.
fn path_of(target: &str) -> &str {
    let scheme_end = target.find("://").filter(|&end| {
        let scheme = &target[..end];
        let is_in = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_in)
    });
    let rest = match scheme_end {
        Some(end) => {
            let rest = &target[end + 3..];
            match rest.find(['/', '?', '#']) {
                Some(end) => &rest[end..],
                None => "/",
            }
        }
        None => target,
    };
    rest.split(['?', '#']).next().unwrap()
}

/// Percent-decoding, where a broken triplet stands for itself.
fn decode(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|&b| char::from(b).to_digit(16));
        (bytes, rest) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                (bytes, &after[2..])
            }
            _ => {
                bytes.push(*first);
                (bytes, after)
            }
        };
    }
    bytes
}

/// Dots and empty names taken out, never above the root.
fn resolve(decoded: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in decoded.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    names.join(&b'/')
}

/// Take the page apart again: the tags are those of the template, each link leads to its name, and text
/// is the name that was put in.
fn check_page(target: &str, names: &[(OsString, bool, bool)]) {
    let page = listing_page(target, names);
    let shown = shown(&decode(path_of(target).as_bytes()));
    let (_, rest) = page.split_once("<title>").unwrap();
    let (title, rest) = rest.split_once("</title>").unwrap();
    let (_, rest) = rest.split_once("<h1>").unwrap();
    let (heading, rest) = rest.split_once("</h1>").unwrap();
    assert_eq!(unescape(title), format!("Directory listing for {shown}"));
    let mut crumbs = heading.split("<a href=\"");
    let mut text = crumbs.next().unwrap().to_owned();
    for crumb in crumbs {
        let (link, rest) = crumb.split_once('"').unwrap();
        assert!(link == "./" || link.replace("../", "").is_empty(), "{link}");
        let rest = rest.strip_prefix(" aria-current=\"page\"").unwrap_or(rest);
        let crumb = rest
            .strip_prefix('>')
            .unwrap()
            .strip_suffix("</a>")
            .unwrap();
        text += &unescape(crumb);
    }
    assert_eq!(text, format!("Directory listing for {shown}"));
    if names.is_empty() {
        assert!(rest.contains("<p>This directory is empty.</p>"));
        return;
    }
    let (_, rest) = rest.split_once("<ul>\n").unwrap();
    let (list, end) = rest.split_once("</ul>").unwrap();
    assert!(
        end.starts_with("\n<script>") && end.ends_with("</script>\n</main>\n</body>\n</html>\n")
    );
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), names.len(), "{list}");
    for (line, (name, is_dir, is_link)) in lines.into_iter().zip(names) {
        let link = line.strip_prefix("<li><a href=\"").unwrap();
        let (link, text) = link.split_once("\">").unwrap();
        let text = text.strip_suffix("</a></li>").unwrap();
        check_link(link, name.as_bytes(), *is_dir);
        let mark = match (is_link, is_dir) {
            (true, _) => "@",
            (_, true) => "/",
            _ => "",
        };
        assert_eq!(unescape(text), shown_name(name.as_bytes(), mark));
    }
}

fn check_link(link: &str, name: &[u8], is_dir: bool) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    let relative = match name.contains(&b':') {
        true => link.strip_prefix("./").expect("no scheme"),
        false => link,
    };
    let path = relative.strip_suffix('/').unwrap_or(relative);
    assert!(path.bytes().all(is_plain), "{link}");
    assert_eq!(relative.ends_with('/'), is_dir);
    assert_eq!(decode(path.as_bytes()), name);
}

fn shown_name(name: &[u8], mark: &str) -> String {
    format!("{}{mark}", shown(name))
}

/// Bytes as a page shows them.
fn shown(bytes: &[u8]) -> String {
    let is_control = |c: char| c.is_control();
    String::from_utf8_lossy(bytes).replace(is_control, "\u{fffd}")
}

/// The text that a browser reads; there must be nothing in it that is no text.
fn unescape(html: &str) -> String {
    assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
    let mut parts = html.split('&');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';').expect("an entity");
        text.push_str(match entity {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "#x27" => "'",
            _ => panic!("&{entity};"),
        });
        text.push_str(after);
    }
    text
}
