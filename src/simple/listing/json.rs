//! Listings for programs: JSON and plain text.

use super::escape::push_link;
use super::names::{Kind, Line};
use crate::local_time;
use crate::log::text::push_json;

/// Returns an array of objects, one on each line, with the keys of nginx's `autoindex_format json`, and the link. An
/// entry that is not served has no link.
pub(super) fn json<'a>(lines: impl Iterator<Item = Line<'a>>) -> Vec<u8> {
    let mut page = b"[".to_vec();
    let mut separator = b"".as_slice();
    for line in lines {
        page.extend_from_slice(separator);
        push_object(&mut page, &line);
        separator = b",\n";
    }
    page.extend_from_slice(b"]\n");
    page
}

fn push_object(page: &mut Vec<u8>, line: &Line<'_>) {
    let mut name = String::with_capacity(line.name.len() + 2);
    push_json(&mut name, &String::from_utf8_lossy(line.name), usize::MAX);
    page.extend_from_slice(b"{\"name\":");
    page.extend_from_slice(name.as_bytes());
    page.extend_from_slice(match line.kind {
        Kind::File => b",\"type\":\"file\"".as_slice(),
        Kind::Directory => b",\"type\":\"directory\"",
        Kind::Other => b",\"type\":\"other\"",
    });
    if line.is_link {
        page.extend_from_slice(b",\"link\":true");
    }
    if let Some(size) = line.details.size {
        page.extend_from_slice(b",\"size\":");
        page.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
    }
    if let Some(modified) = line.details.modified {
        page.extend_from_slice(b",\"mtime\":\"");
        local_time::push_utc_second(page, modified);
        page.push(b'"');
    }
    if line.kind != Kind::Other {
        page.extend_from_slice(b",\"href\":\"");
        push_link(page, line);
        page.push(b'"');
    }
    page.push(b'}');
}

/// Returns the link of each entry that is served, one on each line. A link contains no line end, space or quote, so
/// programs and shells can split the text at lines.
pub(super) fn text<'a>(lines: impl Iterator<Item = Line<'a>>) -> Vec<u8> {
    let mut page = Vec::new();
    for line in lines.filter(|line| line.kind != Kind::Other) {
        push_link(&mut page, &line);
        page.push(b'\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use percent_encoding::percent_decode;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::names::Details;
    use super::*;

    fn line(name: &[u8], kind: Kind, is_link: bool) -> Line<'_> {
        Line {
            name,
            kind,
            is_link,
            details: Details {
                size: (kind == Kind::File).then_some(12),
                modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_966_400)),
            },
        }
    }

    #[test]
    fn each_entry_is_an_object_and_a_line() {
        let lines = [
            line(b"a b.txt", Kind::File, false),
            line(b"d", Kind::Directory, false),
            line(b"\"q\"\n\xff:", Kind::File, true),
            line(b"pipe", Kind::Other, false),
            Line {
                details: Details::default(),
                ..line(b"x", Kind::File, false)
            },
        ];
        let page = String::from_utf8(json(lines.iter().copied())).unwrap();
        let time = "2020-01-02T12:00:00Z";
        let read: Value = serde_json::from_str(&page).unwrap();
        assert_eq!(
            read,
            json!([
                {"name": "a b.txt", "type": "file", "size": 12, "mtime": time, "href": "a%20b.txt"},
                {"name": "d", "type": "directory", "mtime": time, "href": "d/"},
                {"name": "\"q\"\n\u{fffd}:", "type": "file", "link": true, "size": 12, "mtime": time,
                    "href": "%22q%22%0A%FF%3A"},
                {"name": "pipe", "type": "other", "mtime": time},
                {"name": "x", "type": "file", "href": "x"},
            ])
        );
        assert_eq!(page.lines().count(), lines.len());
        let page = String::from_utf8(text(lines.iter().copied())).unwrap();
        assert_eq!(page, "a%20b.txt\nd/\n%22q%22%0A%FF%3A\nx\n");
        assert_eq!(
            (json(std::iter::empty()), text(std::iter::empty())),
            (b"[]\n".to_vec(), vec![])
        );
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in prop::collection::vec(1_u8.., 1..20)) {
            let entry = line(&name, Kind::File, false);
            let page = String::from_utf8(json([entry].into_iter())).unwrap();
            let read: Value = serde_json::from_str(&page).unwrap();
            prop_assert_eq!(read[0]["name"].as_str().unwrap(), String::from_utf8_lossy(&name));
            let link = read[0]["href"].as_str().unwrap();
            prop_assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\:?#".contains(&byte)));
            let back: Vec<u8> = percent_decode(link.as_bytes()).collect();
            prop_assert_eq!(&back, &name);
            prop_assert_eq!(text([entry].into_iter()), format!("{link}\n").into_bytes());
        }
    }
}
