//! The listing of a directory: its entries, its links, and that the links work; its orders and formats.

use std::ffi::OsStr;
use std::fs;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use servette::simple::{DirectoryListing, Listing, Visibility, html_escape};
use servette::{Error, Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, Status};

use crate::webroot::{Answer, WebRoot, ask, at, get, name};

/// The (href, text) pairs of a listing.
pub(crate) fn links(page: &str) -> Vec<(String, String)> {
    let page = page.replace("<tr><td><a href=", "<li><a href=");
    let items = page.split("<li><a href=\"").skip(1);
    items
        .map(|item| {
            let (href, rest) = item.split_once("\">").unwrap();
            let (text, _) = rest.split_once("</a>").unwrap();
            (href.to_owned(), text.to_owned())
        })
        .collect()
}

/// The texts of the links of a listing.
fn texts(answer: &Answer) -> String {
    let links = links(&answer.text()).into_iter();
    links.map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

/// What a browser shows of an element without attributes.
#[cfg(unix)]
fn shown(page: &str, element: &str) -> String {
    let (_, rest) = page.split_once(&format!("<{element}>")).unwrap();
    let (content, _) = rest.split_once(&format!("</{element}>")).unwrap();
    let texts = content.split('<').map(|part| match part.split_once('>') {
        Some((_, text)) => text,
        None => part,
    });
    texts.collect()
}

/// The crumbs of a page: links and texts.
fn crumbs(page: &str) -> String {
    let (_, rest) = page.split_once("<h1>").unwrap();
    let (heading, _) = rest.split_once("</h1>").unwrap();
    let links = heading.split("<a href=\"").skip(1);
    let links = links.map(|link| {
        let (href, rest) = link.split_once('"').unwrap();
        let (_, text) = rest.split_once('>').unwrap();
        format!("{href}={}", text.split('<').next().unwrap())
    });
    links.collect::<Vec<_>>().join(" ")
}

fn accepting(handler: &impl RequestHandler, target: &str, accept: &str) -> Answer {
    ask(
        handler,
        format!("GET {target} HTTP/1.0\r\nAccept: {accept}\r\n\r\n"),
    )
}

fn read_json(answer: &Answer) -> Value {
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

#[cfg(unix)]
#[test]
fn entries_are_sorted_marked_and_quoted() {
    let root = WebRoot::new();
    root.file("b.txt", "")
        .file("A.txt", "")
        .file("a.txt", "")
        .file(".hidden", "");
    root.dir("c dir").dir("Zed").file("ü", "");
    root.link("link", "b.txt")
        .link("to-dir", "Zed")
        .link("gone", "none");
    root.link("outside", "../secret.txt")
        .link("outside-dir", "..");
    let answer = get(&root.handler(), "/");
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.field("Last-Modified"), None);
    assert_eq!(
        answer.field("Content-Length"),
        Some(&*answer.body.len().to_string())
    );
    let expected = [
        (".hidden", ".hidden"),
        ("A.txt", "A.txt"),
        ("a.txt", "a.txt"),
        ("b.txt", "b.txt"),
        ("c%20dir/", "c dir/"),
        ("gone", "gone@"),
        ("link", "link@"),
        ("outside", "outside@"),
        ("outside-dir", "outside-dir@"),
        ("to-dir/", "to-dir@"),
        ("Zed/", "Zed/"),
        ("%C3%BC", "ü"),
    ];
    let expected = expected.map(|(href, text)| (href.to_owned(), text.to_owned()));
    assert_eq!(links(&answer.text()), expected);
    let follow = root.handler_with(|files| files.follow_symlinks(true));
    assert!(
        get(&follow, "/")
            .text()
            .contains("<a href=\"outside-dir/\">outside-dir@</a>")
    );
}

#[test]
fn each_link_leads_to_its_file() {
    let root = WebRoot::new();
    let names: [&[u8]; 22] = [
        b"plain",
        b"with space",
        b"q?mark",
        b"hash#tag",
        b"per%41cent",
        b"%2e%2e",
        b"&amp;",
        b"<script>alert('x')</script>"
            .as_slice()
            .strip_suffix(b"</script>")
            .unwrap(),
        b"\"dq\" 'sq'",
        b"a:b",
        b"javascript:alert(1)",
        b"//evil".as_slice().strip_prefix(b"//").unwrap(),
        b"back\\slash",
        b"+plus;semi=eq,~",
        b"new\nline\ttab\rcr",
        b"del\x7f\x01",
        b"\xff\xfe",
        b"caf\xe9.txt",
        "snow☃.txt".as_bytes(),
        "rtl\u{202e}txt".as_bytes(),
        b"...",
        b" ",
    ];
    let names: Vec<_> = names.into_iter().filter_map(name).collect();
    assert!(names.len() > 8);
    root.dir(if cfg!(unix) { "d&<>'\"#?%" } else { "d&'#%" });
    for (i, name) in names.iter().enumerate() {
        root.file(name, format!("content {i}"));
    }
    let handler = root.handler();
    let page = get(&handler, "/").text();
    assert_eq!(page.matches("<script").count(), 1);
    let mut found: Vec<String> = Vec::new();
    for (href, text) in links(&page) {
        assert!(href.bytes().all(|byte| byte.is_ascii_graphic()), "{href}");
        assert!(
            !href.contains(['"', '\'', '<', '>', '&', ':', '\\', '#', '?']),
            "{href}"
        );
        assert!(
            !text.contains(['<', '>', '"', '\'', '\n', '\r', '\u{7f}']),
            "{text}"
        );
        let answer = get(&handler, &format!("/{href}"));
        assert_eq!(answer.status(), 200, "{href}");
        if !href.ends_with('/') {
            found.push(answer.text());
        }
    }
    found.sort();
    let mut expected: Vec<_> = (0..names.len()).map(|i| format!("content {i}")).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[cfg(unix)]
#[test]
fn the_heading_is_the_decoded_path_without_its_query() {
    let root = WebRoot::new();
    root.dir("a & <b>/c").dir(OsStr::from_bytes(b"\xff.dir"));
    for (target, shown) in [
        ("/", "/"),
        ("/?q=<x>#f", "/"),
        ("/a%20%26%20%3Cb%3E/", "/a &amp; &lt;b&gt;/"),
        ("/a%20%26%20%3cb%3e/c/?x", "/a &amp; &lt;b&gt;/c/"),
        ("/%ff.dir/", "/\u{fffd}.dir/"),
        ("/%2e/", "/./"),
    ] {
        let answer = get(&root.handler(), target);
        let page = answer.text();
        for element in ["title", "h1"] {
            let text = crate::listing::shown(&page, element);
            assert_eq!(text, format!("Directory listing for {shown}"), "{target}");
        }
    }
}

/// `big` has 20 bytes and `small` 3; `mid` is older than both.
fn three_files() -> WebRoot {
    let root = WebRoot::new();
    root.file("small", "123")
        .modified("small", at(1_600_000_000));
    root.file("big", "x".repeat(20))
        .modified("big", at(1_500_000_000));
    root.file("Mid10", "xxxxx")
        .modified("Mid10", at(1_400_000_000));
    root.file("mid9", "xxxx")
        .modified("mid9", at(1_700_000_000));
    root
}

#[test]
fn the_order_is_in_the_query() {
    let root = three_files();
    let handler = root.handler();
    for (query, order) in [
        ("", "big Mid10 mid9 small"),
        ("?sort=name", "big Mid10 mid9 small"),
        ("?order=desc", "small mid9 Mid10 big"),
        ("?sort=natural", "big mid9 Mid10 small"),
        ("?sort=natural&order=desc", "small Mid10 mid9 big"),
        ("?sort=size", "small mid9 Mid10 big"),
        ("?sort=size&order=desc", "big Mid10 mid9 small"),
        ("?sort=modified", "Mid10 big small mid9"),
        ("?sort=modified&order=desc", "mid9 small big Mid10"),
        // Python's order for whatever is not known.
        ("?C=M;O=D", "big Mid10 mid9 small"),
        ("?sort=colour&order=up&format=xml", "big Mid10 mid9 small"),
        ("?sort=%00%ff&order&format=", "big Mid10 mid9 small"),
    ] {
        let answer = get(&handler, &format!("/{query}"));
        assert_eq!((answer.status(), &*texts(&answer)), (200, order), "{query}");
        let (_, query) = query.split_once('?').unwrap_or_default();
        let text = get(&handler, &format!("/?{query}&format=text"));
        assert_eq!(text.text().replace('\n', " ").trim(), order, "{query}");
    }
}

#[test]
fn sizes_and_times_are_shown_and_directories_have_no_size() {
    let root = WebRoot::new();
    root.file("a.bin", [0; 1500])
        .modified("a.bin", at(1_623_758_400));
    root.dir("d");
    #[cfg(unix)]
    root.link("l", "a.bin").link("out", "../secret.txt");
    let page = get(&root.handler(), "/").text();
    let row = |name: &str| {
        let rows = page.lines().filter(|line| line.starts_with("<tr><td>"));
        let mut rows = rows.filter(|line| line.contains(&format!(">{name}</a>")));
        rows.next().unwrap().to_owned()
    };
    let names: &[&str] = if cfg!(unix) {
        &["a.bin", "l@"]
    } else {
        &["a.bin"]
    };
    for name in names {
        let row = row(name);
        assert!(
            row.contains("<td title=\"1500 bytes\">1.5 kB</td>"),
            "{row}"
        );
        assert!(
            row.contains("<time datetime=\"2021-06-15T12:00:00Z\">2021-06-1"),
            "{row}"
        );
    }
    assert!(row("d/").contains("</a></td><td></td><td><time datetime=\"20"));
    let files = if cfg!(unix) { "3 files" } else { "1 file" };
    assert!(page.contains(&format!(">1 directory, {files}<")));
    // Nothing is told of what is not served.
    #[cfg(unix)]
    assert!(row("out@").contains("</a></td><td></td><td></td></tr>"));
}

#[test]
fn large_directories_have_details_when_they_are_asked_for() {
    let root = WebRoot::new();
    for i in 0..2001 {
        root.file(format!("{i:04}"), "x".repeat(i % 7));
    }
    let handler = root.handler();
    let has_details = |query: &str| {
        let page = get(&handler, &format!("/{query}")).text();
        assert_eq!(links(&page).len(), 2001, "{query}");
        assert_eq!(page.contains("<time "), page.contains("<table>"));
        assert_eq!(
            page.contains("<ul class=\"long\">"),
            page.contains("details\">Show")
        );
        page.contains("<time ")
    };
    for (query, expected) in [
        ("", false),
        ("?sort=name&order=desc", false),
        ("?sort=natural", false),
        ("?details", true),
        ("?sort=size", true),
        ("?sort=modified", true),
    ] {
        assert_eq!(has_details(query), expected, "{query}");
    }
    let natural = get(&handler, "/?sort=natural&order=desc").text();
    assert!(natural.contains("\"?sort=natural&amp;order=desc&amp;details\">Show sizes and times"));
    let entries = read_json(&get(&handler, "/?format=json"));
    assert_eq!(
        (
            entries[2000]["name"].as_str(),
            entries[2000]["size"].as_u64()
        ),
        (Some("2000"), Some(5))
    );
    fs::remove_file(root.join("2000")).unwrap();
    assert!(get(&handler, "/").text().contains("<time "));
}

#[test]
fn the_format_is_that_of_accept_or_of_the_query() {
    let root = WebRoot::new();
    root.file("a b", "1")
        .modified("a b", at(1_577_966_400))
        .dir("d");
    let handler = root.handler();
    let (html, json, text) = (
        "text/html; charset=utf-8",
        "application/json",
        "text/plain; charset=utf-8",
    );
    for (target, accept, expected) in [
        ("/", "*/*", html),
        ("/", "text/html, application/json", html),
        ("/", "application/json, text/html", html),
        ("/", "image/png", html),
        (
            "/",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            html,
        ),
        ("/", "application/json", json),
        ("/", "application/*", json),
        ("/", "application/json, */*;q=0.5", json),
        ("/", "text/html;q=0.5, application/json;q=0.6", json),
        ("/", "text/plain", text),
        ("/", "text/plain, text/html;q=0", text),
        ("/?format=json", "text/html", json),
        ("/?format=text", "application/json", text),
        ("/?format=html", "application/json", html),
        ("/?format=csv", "application/json", json),
    ] {
        let answer = accepting(&handler, target, accept);
        let name = format!("{target} {accept}");
        assert_eq!(answer.field("Content-Type"), Some(expected), "{name}");
        let is_chosen = target != "/" && !target.ends_with("csv");
        let vary = (!is_chosen).then_some("Accept");
        assert_eq!(answer.field("Vary"), vary, "{name}");
        let policy = answer.field("Content-Security-Policy");
        assert_eq!(policy.is_some(), expected == html, "{name}");
        // HEAD says the same.
        let head = ask(
            &handler,
            format!("HEAD {target} HTTP/1.0\r\nAccept: {accept}\r\n\r\n"),
        );
        let length = answer.body.len().to_string();
        assert_eq!(
            (head.field("Content-Length"), &*head.body),
            (Some(&*length), &b""[..])
        );
    }
    let entries = read_json(&get(&handler, "/?format=json"));
    let time = entries[1]["mtime"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    assert_eq!(
        entries,
        json!([
            {"name": "a b", "type": "file", "size": 1, "mtime": "2020-01-02T12:00:00Z", "href": "a%20b"},
            {"name": "d", "type": "directory", "mtime": time, "href": "d/"},
        ])
    );
    assert_eq!(get(&handler, "/?format=text").text(), "a%20b\nd/\n");
}

#[cfg(unix)]
#[test]
fn programs_get_every_name_and_nothing_that_is_not_served() {
    let root = WebRoot::new();
    let names: [&[u8]; 9] = [
        b"new\nline",
        b"\xff\xfe",
        b"javascript:alert(1)",
        b"<b>\"'&",
        b"%41 +#?",
        b".dot",
        b"-rf",
        b"...",
        &[b'x'; 255],
    ];
    for name in names {
        root.file(OsStr::from_bytes(name), name);
    }
    root.link("in", "-rf")
        .link("out", "../secret.txt")
        .link("gone", "none")
        .dir("d");
    let pipe = root.join("pipe");
    crate::support::make_fifo(&pipe);
    let handler = root.handler();
    let mut expected: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).into();
    expected.push(b"-rf".to_vec());
    expected.sort();
    let contents = |links: Vec<String>| {
        let mut contents: Vec<Vec<u8>> = Vec::new();
        for link in links {
            let answer = get(&handler, &format!("/{link}"));
            assert_eq!(answer.status(), 200, "{link}");
            if !link.ends_with('/') {
                contents.push(answer.body);
            }
        }
        contents.sort();
        contents
    };
    let lines = get(&handler, "/?format=text").text();
    assert_eq!(
        contents(lines.lines().map(str::to_owned).collect()),
        expected
    );
    let entries = read_json(&get(&handler, "/?format=json"));
    let entries = entries.as_array().unwrap();
    let hrefs = entries.iter().filter_map(|entry| entry["href"].as_str());
    assert_eq!(contents(hrefs.map(str::to_owned).collect()), expected);
    for entry in entries {
        let name = entry["name"].as_str().unwrap();
        let is_other = ["out", "gone", "pipe"].contains(&name);
        assert_eq!(entry["type"] == "other", is_other, "{entry}");
        assert_eq!(entry.get("href").is_none(), is_other, "{entry}");
        assert_eq!(
            entry["link"] == true,
            ["in", "out", "gone"].contains(&name),
            "{entry}"
        );
    }
    assert_eq!(entries.len(), names.len() + 5);
}

#[test]
fn crumbs_stay_inside_of_a_mount_and_of_a_prefix() {
    struct Mounted(SimpleHandler);
    impl RequestHandler for Mounted {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.strip_prefix("/m") {
                Some(mut x) => x.delegate_to(&self.0),
                None => x.send_error(Status::NOT_FOUND),
            }
        }
        fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
    }
    let root = WebRoot::new();
    root.dir("a/b c");
    let plain = root.handler();
    let prefixed = root.handler_with(|files| files.with_prefix("/x/y"));
    let files = || SimpleHandler::new(root.path()).quiet(true);
    let mounted = Mounted(files());
    let both = Mounted(files().with_prefix("/p"));
    let rows: [(&dyn RequestHandler, &str, &str); 9] = [
        (&plain, "/", "./=/"),
        (&plain, "/a/", "../=/ ./=a/"),
        (&plain, "/a/b%20c/?q=/x/", "../../=/ ../=a/ ./=b c/"),
        (&prefixed, "/x/y/", "./=/x/y/"),
        (&prefixed, "/x/y/a/", "../=/x/y/ ./=a/"),
        (&mounted, "/m/", "./=/m/"),
        (&mounted, "/m/a/b%20c/", "../../=/m/ ../=a/ ./=b c/"),
        (&both, "/m/p/", "./=/m/p/"),
        (&both, "/m/p/a/", "../=/m/p/ ./=a/"),
    ];
    for (handler, target, expected) in rows {
        let page = get(handler, target).text();
        assert_eq!(crumbs(&page), expected, "{target}");
        let has_parent = page.contains("href=\"../\">Parent directory</a>");
        assert_eq!(has_parent, expected.contains("../"), "{target}");
    }
}

#[test]
fn listings_may_be_names_only_or_off() {
    let root = three_files();
    let names = root.handler_with(|files| files.listing(Listing::Names));
    for query in ["", "?details", "?sort=size", "?sort=modified&order=desc"] {
        let answer = get(&names, &format!("/{query}"));
        assert_eq!(texts(&answer), "big Mid10 mid9 small", "{query}");
        let page = answer.text();
        assert!(
            !page.contains("<time ") && !page.contains("sort=size") && !page.contains("?details")
        );
    }
    assert_eq!(
        texts(&get(&names, "/?sort=natural")),
        "big mid9 Mid10 small"
    );
    let entries = read_json(&get(&names, "/?format=json&sort=size"));
    assert_eq!(
        entries[0],
        json!({"name": "big", "type": "file", "href": "big"})
    );
    let off = root.handler_with(|files| files.listing(Listing::Off));
    for query in ["", "?format=json"] {
        let answer = get(&off, &format!("/{query}"));
        assert_eq!(answer.line, "HTTP/1.0 404 No permission to list directory");
        assert!(!answer.text().contains("mid9"));
    }
    assert_eq!(get(&off, "/mid9").text(), "xxxx");
}

/// By an ordinary user: what can't be listed, what can't be asked about.
#[cfg(unix)]
#[test]
fn directories_without_permission_are_404_or_have_names_only() {
    let root = WebRoot::new();
    root.file("closed/a", "")
        .file("blind/a", "")
        .file("blind/b", "");
    let allow = |name: &str, mode| {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow("closed", 0o000);
    allow("blind", 0o444);
    let is_root = fs::read_dir(root.join("closed")).is_ok();
    let handler = root.handler();
    let closed = get(&handler, "/closed/");
    let blind = get(&handler, "/blind/");
    let blind_json = get(&handler, "/blind/?format=json");
    allow("closed", 0o755);
    allow("blind", 0o755);
    assert_eq!((blind.status(), &*texts(&blind)), (200, "a b"));
    assert_eq!(read_json(&blind_json).as_array().unwrap().len(), 2);
    if !is_root {
        assert_eq!(closed.status(), 404);
        assert!(!blind.text().contains("<time "));
        assert_eq!(
            read_json(&blind_json)[0],
            json!({"name": "a", "type": "other"})
        );
    }
}

#[test]
fn an_entry_that_vanishes_while_it_is_listed_is_left_out() {
    /// Removes a file when it is asked about another one.
    struct Removing(SimpleHandler, std::path::PathBuf);
    impl Layer for Removing {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn visibility(&self, name: &OsStr) -> Visibility {
            let _ = fs::remove_file(&self.1);
            self.0.visibility(name)
        }
    }
    let root = WebRoot::new();
    root.file("a", "1").file("b", "2").file("c", "3");
    let files = SimpleHandler::new(root.path()).quiet(true);
    let handler = Removing(files, root.join("b"));
    for query in ["", "?sort=size", "?sort=modified&order=desc"] {
        root.file("b", "2");
        let answer = get(&handler, &format!("/{query}"));
        let mut found: Vec<_> = links(&answer.text())
            .into_iter()
            .map(|(href, _)| href)
            .collect();
        found.sort();
        assert_eq!(
            (answer.status(), found.concat()),
            (200, "ac".to_owned()),
            "{query}"
        );
        assert!(answer.text().contains(">2 files<"));
    }
}

/// A page of the program.
struct Own(SimpleHandler);

impl Layer for Own {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn listing_page(
        &self,
        x: &mut Exchange<'_>,
        listing: &DirectoryListing<'_>,
    ) -> Result<Vec<u8>> {
        match x.path {
            "/fails/" => Err(Error::other("no template")),
            "/framed/" => {
                let page = self.0.listing_page(x, listing)?;
                x.send_header("Content-Security-Policy", "sandbox");
                Ok([b"<!-- framed -->", &*page].concat())
            }
            _ => {
                let entries = listing.entries().map(|entry| {
                    let text = html_escape(&entry.text());
                    format!("{}={text}={:?} ", entry.href(), entry.size)
                });
                Ok(format!("own {} {}", listing.path(), entries.collect::<String>()).into_bytes())
            }
        }
    }
}

#[test]
fn a_program_can_send_a_listing_page_of_its_own() {
    let root = WebRoot::new();
    root.dir("fails")
        .dir("framed")
        .file("a/&b", "12")
        .dir("a/d")
        .file("a/.h", "");
    let files = SimpleHandler::new(root.path()).quiet(true);
    let policy = ("Content-Security-Policy", "default-src 'self'");
    let own = Own(files
        .dot_files(Visibility::Hidden)
        .extra_response_header(policy.0, policy.1));
    let answer = get(&own, "/a/?sort=name&order=desc");
    assert_eq!(answer.text(), "own /a/ d/=d/=None %26b=&amp;b=Some(2) ");
    assert_eq!(
        answer.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    // The field is that of all files, where the page is none of this crate.
    assert_eq!(answer.field(policy.0), Some(policy.1));
    assert_eq!(get(&own, "/fails/").status(), 500);
    let framed = get(&own, "/framed/");
    assert!(framed.text().starts_with("<!-- framed --><!DOCTYPE html>"));
    let policies = framed.fields.iter().filter(|(name, _)| name == policy.0);
    assert_eq!(
        policies.map(|(_, value)| &**value).collect::<Vec<_>>(),
        ["sandbox"]
    );
    // Programs get what they always get.
    assert_eq!(get(&own, "/a/?format=text").text(), "%26b\nd/\n");
    let usual = root.handler_with(|files| files.extra_response_header(policy.0, policy.1));
    let usual = get(&usual, "/");
    let policies = usual.fields.iter().filter(|(name, _)| name == policy.0);
    let policies: Vec<_> = policies.map(|(_, value)| &**value).collect();
    assert!(
        matches!(&*policies, [one] if one.starts_with("default-src 'none'; style-src 'sha256-"))
    );
}

#[test]
fn directories_tell_their_entries_with_and_without_details() {
    struct Count(SimpleHandler);
    impl Layer for Count {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn list_directory(
            &self,
            x: &mut Exchange<'_>,
            directory: &servette::simple::Directory<'_>,
        ) -> Result<Option<servette::simple::Content>> {
            let (plain, detailed) = (directory.entries()?, directory.entries_with_details()?);
            let told = plain.iter().zip(&detailed).map(|(plain, detailed)| {
                assert_eq!(
                    (plain.size, plain.modified, &plain.name),
                    (None, None, &detailed.name)
                );
                let is_old = detailed.modified == Some(at(1_500_000_000));
                format!("{} {:?} {is_old}; ", detailed.text(), detailed.size)
            });
            x.send_content(Status::OK, "text/plain", told.collect::<String>())?;
            Ok(None)
        }
    }
    let root = three_files();
    root.dir("d");
    let count = Count(SimpleHandler::new(root.path()).quiet(true));
    assert_eq!(
        get(&count, "/").text(),
        "big Some(20) true; d/ None false; Mid10 Some(5) false; mid9 Some(4) false; small Some(3) false; "
    );
}
