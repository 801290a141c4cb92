//! The HTML page that shows a directory.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::fs::FileType;

use super::open::Directory;
use super::path::decoded_path;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name, in bytes as it is on disk.
    pub name: OsString,
    /// A directory, or a link to one that would be served.
    pub is_dir: bool,
    /// A symbolic link.
    pub is_link: bool,
}

/// All entries of a directory, in the order of their lower-cased names.
///
/// The file system says the kind of an entry along with its name, so only links cost a call.
pub(crate) fn entries(directory: &Directory<'_>) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in directory.read()? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let file_type = match entry.file_type() {
            FileType::Unknown => directory.file_type(name),
            known => known,
        };
        let is_link = file_type.is_symlink();
        entries.push(Entry {
            name: name.to_owned(),
            is_dir: file_type.is_dir() || (is_link && directory.leads_to_directory(name)),
            is_link,
        });
    }
    sort(&mut entries);
    Ok(entries)
}

/// The page for the directory that the request target `shown_path` names.
///
/// A link is a name in percent-encoding, relative to the page; nothing that has a meaning in a URL
/// or in HTML stays plain in it. A `:` is encoded too, and such a link begins with `./` besides, so
/// that it is no scheme even for a client that decodes before it looks.
pub(crate) fn page(shown_path: &str, entries: &[Entry]) -> String {
    let names: usize = entries.iter().map(|entry| entry.name.len()).sum();
    let mut page = String::with_capacity(1024 + entries.len() * 40 + names * 3);
    let shown_path = decoded_path(shown_path);
    page.push_str(HEAD);
    push_text(&mut page, &shown_path);
    page.push_str(BODY);
    push_text(&mut page, &shown_path);
    page.push_str(LIST);
    for Entry {
        name,
        is_dir,
        is_link,
    } in entries
    {
        let name = name.as_bytes();
        page.push_str("<li><a href=\"");
        if name.contains(&b':') {
            page.push_str("./");
        }
        page.extend(percent_encode(name, QUOTED));
        if *is_dir {
            page.push('/');
        }
        page.push_str("\">");
        push_text(&mut page, name);
        match (is_link, is_dir) {
            (true, _) => page.push('@'),
            (false, true) => page.push('/'),
            (false, false) => {}
        }
        page.push_str("</a></li>\n");
    }
    page.push_str(END);
    page
}

/// Sorts by lower-cased name, and the same in either case by the name itself, so that the order
/// never depends on that of the file system.
fn sort(entries: &mut [Entry]) {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    // one copy of each name costs less than lower case in each comparison
    entries.sort_by_cached_key(|entry| entry.name.to_string_lossy().to_lowercase());
}

/// Adds bytes as text that is safe in elements and attributes. What is not UTF-8, and control
/// characters, which HTML does not allow, become U+FFFD.
fn push_text(page: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((plain, special, after)) = split_at_special(rest) {
            page.push_str(plain);
            match special {
                '&' => page.push_str("&amp;"),
                '<' => page.push_str("&lt;"),
                '>' => page.push_str("&gt;"),
                '"' => page.push_str("&quot;"),
                '\'' => page.push_str("&#x27;"),
                _ => page.push(char::REPLACEMENT_CHARACTER),
            }
            rest = after;
        }
        page.push_str(rest);
        if !chunk.invalid().is_empty() {
            page.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control())?;
    let (plain, rest) = text.split_at_checked(at)?;
    let special = rest.chars().next()?;
    Some((plain, special, rest.get(special.len_utf8()..)?))
}

/// All but what a URL never needs to encode.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; }
h1, a { overflow-wrap: anywhere; white-space: pre-wrap; }
ul { list-style: none; padding: 0; }
a { display: block; text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
</style>
<title>Directory listing for "#;

const BODY: &str = "</title>
</head>
<body>
<h1>Directory listing for ";

const LIST: &str = "</h1>
<hr>
<ul>
";

const END: &str = "</ul>
<hr>
</body>
</html>
";

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &[u8]) -> Entry {
        Entry {
            name: OsStr::from_bytes(name).to_owned(),
            is_dir: false,
            is_link: false,
        }
    }

    /// The list items of a page with this one entry.
    fn item(entry: Entry) -> String {
        let page = page("/", &[entry]);
        let (_, list) = page.split_once(LIST).unwrap();
        list.strip_suffix(END).unwrap().to_owned()
    }

    #[test]
    fn names_are_encoded_in_links_and_escaped_in_text() {
        let table: &[(&[u8], &str)] = &[
            (b"a.txt", r#"<a href="a.txt">a.txt</a>"#),
            (b"A-b_c~d.e", r#"<a href="A-b_c~d.e">A-b_c~d.e</a>"#),
            (b"a b?#%41", r#"<a href="a%20b%3F%23%2541">a b?#%41</a>"#),
            (b"<i>", r#"<a href="%3Ci%3E">&lt;i&gt;</a>"#),
            (b"&amp;", r#"<a href="%26amp%3B">&amp;amp;</a>"#),
            (
                b"\"x\" 'y'",
                r#"<a href="%22x%22%20%27y%27">&quot;x&quot; &#x27;y&#x27;</a>"#,
            ),
            (
                b"javascript:alert(1)",
                r#"<a href="./javascript%3Aalert%281%29">javascript:alert(1)</a>"#,
            ),
            ("é€".as_bytes(), r#"<a href="%C3%A9%E2%82%AC">é€</a>"#),
            (
                b"a\xff&\xc3",
                "<a href=\"a%FF%26%C3\">a\u{fffd}&amp;\u{fffd}</a>",
            ),
            (
                b"a\r\nb\x1b\x7f",
                "<a href=\"a%0D%0Ab%1B%7F\">a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}</a>",
            ),
            (b"\\\\host", r#"<a href="%5C%5Chost">\\host</a>"#),
        ];
        for (name, link) in table {
            assert_eq!(item(file(name)), format!("<li>{link}</li>\n"), "{name:?}");
        }
    }

    #[test]
    fn directories_and_links_are_marked() {
        let entry = |is_dir, is_link| {
            item(Entry {
                is_dir,
                is_link,
                ..file(b"x")
            })
        };
        assert_eq!(entry(true, false), "<li><a href=\"x/\">x/</a></li>\n");
        assert_eq!(entry(false, true), "<li><a href=\"x\">x@</a></li>\n");
        assert_eq!(entry(true, true), "<li><a href=\"x/\">x@</a></li>\n");
    }

    #[test]
    fn the_heading_is_the_decoded_path_without_query_and_fragment() {
        let page = page("/%3Cb%3E/caf%C3%A9/%ff/?a=<script>#x", &[]);
        let heading = "Directory listing for /&lt;b&gt;/café/\u{fffd}/</";
        assert!(page.contains(&format!("<h1>{heading}h1>")), "{page}");
        assert!(page.contains(&format!("<title>{heading}title>")), "{page}");
        assert!(!page.contains("script"));
    }

    #[test]
    fn names_are_sorted_without_regard_to_case() {
        let mut entries =
            ["b", "a", "B", "_", "C", ".z", "10", "2"].map(|name| file(name.as_bytes()));
        sort(&mut entries);
        assert_eq!(
            entries.map(|entry| entry.name),
            [".z", "10", "2", "_", "a", "B", "b", "C"]
        );

        let mut entries = ["Z", "é", "É", "a", "Ä", "ä", "zz"].map(|name| file(name.as_bytes()));
        sort(&mut entries);
        assert_eq!(
            entries.map(|entry| entry.name),
            ["a", "Z", "zz", "Ä", "ä", "É", "é"]
        );
    }
}
