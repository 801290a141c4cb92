//! The HTML page that shows a directory.

use std::ffi::{OsStr, OsString};
use std::io;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::names::Names;
use super::open::{Directory, FileType};
use super::path::decoded_path;
use crate::base::page_head;

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

/// An [`Entry`], lent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) is_dir: bool,
    pub(crate) is_link: bool,
}

/// The names of a directory that are to be listed, in the order of their lower case.
///
/// The file system says the kind of an entry along with its name, so only links cost a call.
pub(crate) fn names(
    directory: &Directory<'_>,
    is_listed: impl Fn(&OsStr) -> bool,
) -> io::Result<Names> {
    let mut names = Names::default();
    directory.read(|name, file_type| {
        if !is_listed(name) {
            return;
        }
        let file_type = match file_type {
            FileType::Unknown => directory.file_type(name),
            known => known,
        };
        let is_link = file_type.is_symlink();
        names.push(Line {
            name: name.as_encoded_bytes(),
            is_dir: file_type.is_dir() || (is_link && directory.leads_to_directory(name)),
            is_link,
        });
    })?;
    names.sort();
    Ok(names)
}

/// All names, each as a value of its own.
pub(crate) fn entries(directory: &Directory<'_>) -> io::Result<Vec<Entry>> {
    let names = names(directory, |_| true)?;
    let entry = |line: Line<'_>| Entry {
        name: crate::sys::name(line.name).unwrap_or_default().to_owned(),
        is_dir: line.is_dir,
        is_link: line.is_link,
    };
    Ok(names.lines().map(entry).collect())
}

/// The page for the directory that the request target `shown_path` names.
///
/// A link is a name in percent-encoding, relative to the page; nothing that has a meaning in a URL
/// or in HTML stays plain in it. A `:` is encoded too, and such a link begins with `./` besides, so
/// that it is no scheme even for a client that decodes before it looks.
pub(crate) fn page<'a>(shown_path: &str, lines: impl Iterator<Item = Line<'a>> + Clone) -> Vec<u8> {
    // Enough for names that need no escapes, and most others.
    let each = |line: Line<'_>| 2 * line.name.len() + 32;
    let mut page =
        Vec::with_capacity(2048 + 2 * shown_path.len() + lines.clone().map(each).sum::<usize>());
    let shown_path = decoded_path(shown_path);
    page.extend_from_slice(HEAD.as_bytes());
    push_text(&mut page, &shown_path);
    page.extend_from_slice(BODY.as_bytes());
    push_text(&mut page, &shown_path);
    page.extend_from_slice(LIST.as_bytes());
    for line in lines {
        push_line(&mut page, line);
    }
    page.extend_from_slice(END.as_bytes());
    page
}

fn push_line(page: &mut Vec<u8>, line: Line<'_>) {
    let name = line.name;
    let is_plain = name.iter().copied().all(is_plain);
    page.extend_from_slice(b"<li><a href=\"");
    if is_plain {
        page.extend_from_slice(name);
    } else {
        if name.contains(&b':') {
            page.extend_from_slice(b"./");
        }
        for part in percent_encode(name, QUOTED) {
            page.extend_from_slice(part.as_bytes());
        }
    }
    page.extend_from_slice(if line.is_dir { b"/\">" } else { b"\">" });
    match is_plain {
        true => page.extend_from_slice(name),
        false => push_text(page, name),
    }
    page.extend_from_slice(match (line.is_link, line.is_dir) {
        (true, _) => b"@</a></li>\n",
        (false, true) => b"/</a></li>\n",
        (false, false) => b"</a></li>\n",
    });
}

/// What means itself in a URL and in HTML.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~')
}

/// Adds bytes as text that is safe in elements and attributes. What is not UTF-8, and control
/// characters, which HTML does not allow, become U+FFFD.
fn push_text(page: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((plain, special, after)) = split_at_special(rest) {
            page.extend_from_slice(plain.as_bytes());
            page.extend_from_slice(match special {
                '&' => b"&amp;",
                '<' => b"&lt;",
                '>' => b"&gt;",
                '"' => b"&quot;",
                '\'' => b"&#x27;",
                _ => REPLACEMENT,
            });
            rest = after;
        }
        page.extend_from_slice(rest.as_bytes());
        if !chunk.invalid().is_empty() {
            page.extend_from_slice(REPLACEMENT);
        }
    }
}

fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control())?;
    let (plain, rest) = text.split_at_checked(at)?;
    let special = rest.chars().next()?;
    Some((plain, special, rest.get(special.len_utf8()..)?))
}

/// U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// All but what a URL never needs to encode.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

const HEAD: &str = concat!(page_head!(), "Directory listing for ");

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

    fn file(name: &[u8]) -> Line<'_> {
        Line {
            name,
            is_dir: false,
            is_link: false,
        }
    }

    fn text(shown_path: &str, lines: &[Line<'_>]) -> String {
        String::from_utf8(page(shown_path, lines.iter().copied())).unwrap()
    }

    /// The list items of a page with this one line.
    fn item(line: Line<'_>) -> String {
        let page = text("/", &[line]);
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
            item(Line {
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
        let page = text("/%3Cb%3E/caf%C3%A9/%ff/?a=<script>#x", &[]);
        let heading = "Directory listing for /&lt;b&gt;/café/\u{fffd}/</";
        assert!(page.contains(&format!("<h1>{heading}h1>")), "{page}");
        assert!(page.contains(&format!("<title>{heading}title>")), "{page}");
        assert!(!page.contains("script"));
    }
}
