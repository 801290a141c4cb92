//! What is on the page.

use std::time::{Duration, SystemTime};

use base64::Engine;

use super::super::names::{Details, Kind, Names};
use super::*;

fn file(name: &[u8]) -> Line<'_> {
    Line {
        name,
        kind: Kind::File,
        is_link: false,
        details: Details::default(),
    }
}

/// The page of `/` with these entries.
fn text(lines: &[Line<'_>], set: impl FnOnce(&mut DirectoryListing<'_>)) -> String {
    let mut names = Names::default();
    for line in lines {
        names.push(line);
    }
    if lines.iter().any(|line| line.details != Details::default()) {
        names.describe(|name, _| {
            let line = lines
                .iter()
                .find(|line| name.as_encoded_bytes() == line.name);
            line.map(|line| (line.kind, line.details))
        });
    }
    let mut listing = DirectoryListing::new("/", "/", &names);
    set(&mut listing);
    String::from_utf8(page(&listing)).unwrap()
}

/// The list items of a page with this one line.
fn item(line: Line<'_>) -> String {
    let page = text(&[line], |_| {});
    let (_, list) = page.split_once("<ul>\n").unwrap();
    list.split_once("</ul>").unwrap().0.to_owned()
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
    let entry = |kind, is_link| {
        item(Line {
            kind,
            is_link,
            ..file(b"x")
        })
    };
    let directory = entry(Kind::Directory, false);
    assert_eq!(directory, "<li><a href=\"x/\">x/</a></li>\n");
    assert_eq!(entry(Kind::File, true), "<li><a href=\"x\">x@</a></li>\n");
    let link = entry(Kind::Directory, true);
    assert_eq!(link, "<li><a href=\"x/\">x@</a></li>\n");
}

#[test]
fn rows_have_sizes_and_times() {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_623_758_400);
    let of_file = Details {
        size: Some(3_456_789),
        modified: Some(modified),
    };
    let lines = [
        Line {
            details: of_file,
            ..file(b"a.txt")
        },
        Line {
            kind: Kind::Directory,
            details: Details {
                size: None,
                ..of_file
            },
            ..file(b"d")
        },
        Line {
            kind: Kind::Other,
            is_link: true,
            ..file(b"gone")
        },
    ];
    let page = text(&lines, |listing| listing.has_details = true);
    let (_, rows) = page.split_once("<tbody>\n").unwrap();
    let (rows, _) = rows.split_once("</tbody>").unwrap();
    let mut local = Vec::new();
    local_time::push_local_minute(&mut local, modified);
    let local = String::from_utf8(local).unwrap();
    let time = format!("<td><time datetime=\"2021-06-15T12:00:00Z\">{local}</time></td>");
    let expected = [
        format!(
            "<tr><td><a href=\"a.txt\">a.txt</a></td><td title=\"3456789 bytes\">3.5 MB</td>{time}</tr>"
        ),
        format!("<tr><td><a href=\"d/\">d/</a></td><td></td>{time}</tr>"),
        "<tr><td><a href=\"gone\">gone@</a></td><td></td><td></td></tr>".to_owned(),
    ];
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    assert!(page.contains("<p role=\"status\">1 directory, 2 files</p>"));
}

/// The links of the orders, and which one is that of the page.
fn orders(page: &str) -> Vec<String> {
    let (_, part) = page
        .split_once("<thead>")
        .or_else(|| page.split_once("class=\"order\""))
        .unwrap();
    let part = part.split("</thead>").next().unwrap();
    let part = part.split("</nav>").next().unwrap();
    let links = part.split("<a href=\"").skip(1);
    links
        .map(|link| {
            let (href, rest) = link.split_once('"').unwrap();
            let (attributes, _) = rest.split_once('>').unwrap();
            let mark = if attributes.contains("aria-current") {
                "*"
            } else {
                ""
            };
            format!("{href}{mark}")
        })
        .collect()
}

#[test]
fn headings_are_links_to_orders_and_that_of_the_present_one_turns_it() {
    let ordered = |key, is_descending, is_large| {
        let page = text(&[file(b"a")], |listing| {
            listing.order = Order { key, is_descending };
            listing.has_details = true;
            listing.may_have_details = is_large;
        });
        let sorted: Vec<_> = page
            .split("<th ")
            .skip(1)
            .map(|th| {
                th.split("aria-sort=\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
            })
            .collect();
        let sorted = format!("{sorted:?}").replace("None", "-");
        let is_followed = !page.contains("nofollow");
        assert_eq!(is_followed, (key, is_descending) == (Key::Name, false));
        (orders(&page).join(" "), sorted)
    };
    let (links, sorted) = ordered(Key::Name, false, false);
    assert_eq!(
        links,
        "?sort=name&amp;order=desc* ?sort=natural ?sort=size ?sort=modified"
    );
    assert_eq!(sorted, r#"[Some("ascending"), -, -]"#);
    let (links, sorted) = ordered(Key::Natural, true, false);
    assert_eq!(links, "./ ?sort=natural* ?sort=size ?sort=modified");
    assert_eq!(sorted, r#"[Some("descending"), -, -]"#);
    let (links, sorted) = ordered(Key::Modified, false, true);
    assert_eq!(
        links,
        "?sort=name&amp;details ?sort=natural&amp;details ?sort=size&amp;details \
         ?sort=modified&amp;order=desc&amp;details*"
    );
    assert_eq!(sorted, r#"[-, -, Some("ascending")]"#);
}

#[test]
fn names_alone_have_orders_too() {
    let lines = [file(b"a")];
    let page = text(&lines, |_| {});
    assert_eq!(
        orders(&page).join(" "),
        "?sort=name&amp;order=desc* ?sort=natural"
    );
    let page = text(&lines, |listing| listing.may_have_details = true);
    assert_eq!(
        orders(&page).join(" "),
        "?sort=name&amp;order=desc* ?sort=natural ?sort=size ?sort=modified ?details"
    );
}

#[test]
fn an_empty_directory_says_so() {
    let page = text(&[], |_| {});
    assert!(page.contains("<p>This directory is empty.</p>"));
    assert!(!page.contains("<script") && !page.contains("<ul") && !page.contains("files"));
}

#[test]
fn the_policy_has_the_hashes_of_the_style_and_the_script_of_the_page() {
    let page = text(&[file(b"a")], |_| {});
    for element in ["style", "script"] {
        let start = format!("<{element}>");
        let mut parts = page.split(&start);
        let (content, _) = parts
            .nth(1)
            .unwrap()
            .split_once(&format!("</{element}>"))
            .unwrap();
        assert_eq!(parts.next(), None, "one {element}");
        let hash = ring::digest::digest(&ring::digest::SHA256, content.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(hash);
        let source = format!("{element}-src 'sha256-{hash}';");
        assert!(POLICY.contains(&source), "the policy must have {source}");
    }
}
