//! What pages name between back quotes, and in blocks of commands, exists.

use std::collections::BTreeSet;

use crate::api::Api;
use crate::markdown::Page;
use crate::{all_pages, assert_none, at, read};

/// Columns of tables that compare: names of other crates and of Python.
const OTHERS: &[&str] = &[
    "Python",
    "python -m http.server",
    "tiny_http",
    "wiremock",
    "httpmock",
];

/// Runs a check over all code in lines, and returns what it finds.
fn spans(pages: &[Page], mut check: impl FnMut(&Page, &str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for page in pages {
        for span in &page.spans {
            if OTHERS.contains(&&*span.column) {
                continue;
            }
            let fault = check(page, &span.text);
            let place = format!("{}:{}: `{}`", page.path, span.line, span.text);
            found.extend(fault.map(|fault| format!("{place}: {fault}")));
        }
    }
    found
}

/// The lines of blocks that show a console, without what was printed where prompts tell them apart.
fn commands(page: &Page) -> impl Iterator<Item = (usize, &str)> {
    let is_shell = |language: &str| ["console", "sh"].contains(&language);
    let blocks = page
        .blocks
        .iter()
        .filter(move |block| is_shell(&block.language));
    blocks.flat_map(|block| {
        let lines = block.text.lines().enumerate();
        lines.map(|(at, line)| (block.line + 1 + at, line))
    })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The table of options and variables in `docs/command.md`, which a test of the command keeps up to date.
fn options() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = read("docs/command.md");
    let (_, tables) = page.split_once("<!-- options -->").unwrap();
    let (tables, _) = tables.split_once("<!-- end of options -->").unwrap();
    let mut options: BTreeSet<_> = ["--help", "--version"].map(str::to_owned).into();
    let mut variables = BTreeSet::new();
    for row in tables.lines().filter(|line| line.starts_with("| `")) {
        options.extend(long_options(row.split(" | ").next().unwrap()));
        variables.extend(variables_in(row));
    }
    assert!(options.len() > 30 && variables.len() > 30);
    (options, variables)
}

/// `--log-format` of `--log-format=json`.
fn long_options(text: &str) -> impl Iterator<Item = String> {
    let is_end = |c: char| !c.is_ascii_lowercase() && c != '-' && !c.is_ascii_digit();
    let words = text.split(|c: char| c.is_whitespace() || "`|[(,".contains(c));
    let options = words.filter(|word| word.len() > 2 && word.starts_with("--"));
    options.map(move |word| word.split(is_end).next().unwrap_or_default().to_owned())
}

fn variables_in(text: &str) -> impl Iterator<Item = String> {
    let names = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    let names = names.filter(|name| name.starts_with("SERVETTE_"));
    names.map(str::to_owned)
}

/// Options of other programs that pages name without the program.
const FOREIGN_OPTIONS: &[&str] = &[
    // cargo
    "--features",
    "--release",
    "--no-dedupe",
    "--sanitizer",
    // Short for others, on the page about it
    "--bi",
    "--dir",
    // systemctl
    "--kill-whom",
];

#[test]
fn options_of_the_command_exist() {
    let (mut options, _) = options();
    // Those of the benchmarks' harness.
    let harness = read("benches/harness/src/options.rs");
    let quoted = harness.split('"').filter(|text| text.starts_with("--"));
    options.extend(quoted.map(str::to_owned));
    let pages = all_pages();
    let unknown = |text: &str| {
        let is_unknown =
            |name: &String| !options.contains(name) && !FOREIGN_OPTIONS.contains(&&**name);
        long_options(text).find(is_unknown)
    };
    let mut found = spans(&pages, |_, span| {
        let is_ours = span.starts_with("--") || span.starts_with("servette ");
        (is_ours && !span.contains('…')).then(|| unknown(span))?
    });
    for page in &pages {
        for (line, command) in commands(page) {
            if let Some((_, arguments)) = command.split_once("servette ")
                && command.trim_start_matches("$ ").starts_with("servette ")
            {
                let arguments = arguments.split(" #").next().unwrap_or_default();
                let fault = unknown(arguments.split(" | ").next().unwrap_or_default());
                found.extend(fault.map(|fault| format!("{}:{line}: {fault}", page.path)));
            }
        }
    }
    assert_none(found);
}

#[test]
fn variables_of_the_environment_exist() {
    let (_, variables) = options();
    let mut found = Vec::new();
    for page in all_pages() {
        for name in variables_in(&read(&page.path)) {
            if name != "SERVETTE_" && !variables.contains(&name) {
                found.push(format!("{}: {name}", page.path));
            }
        }
    }
    assert_none(found);
}

/// Features of other crates.
const FOREIGN_FEATURES: &[&str] = &[
    "derive",
    "http2",
    "ssl-openssl",
    "ssl-rustls",
    "termination",
];

#[test]
fn features_exist() {
    let manifest = read("Cargo.toml");
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let features = features.lines().filter_map(|line| line.split_once(" = "));
    let features: BTreeSet<_> = features.map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for page in all_pages() {
        // Features of other crates are the subject there.
        if INTERNAL.contains(&&*page.path) {
            continue;
        }
        let text = read(&page.path).replace('\n', " ");
        let mut named = Vec::new();
        // "feature `a`", "features `a`, `b` and `c`".
        for rest in text.split("feature").skip(1) {
            let rest = rest.trim_start_matches('s');
            let mut list = rest.strip_prefix(' ').unwrap_or_default();
            while let Some((name, after)) =
                list.strip_prefix('`').and_then(|list| list.split_once('`'))
            {
                if !name.contains(['.', ':', '(']) {
                    named.push(name);
                }
                let between = [", ", " and ", " or "];
                let next = between.iter().find_map(|word| after.strip_prefix(word));
                list = next.unwrap_or_default();
            }
        }
        for rest in text.split("--features ").skip(1) {
            let end = |c: char| !c.is_ascii_alphanumeric() && !"-_,".contains(c);
            named.extend(rest.split(end).next().unwrap_or_default().split(','));
            named.retain(|name| !name.is_empty());
        }
        for line in text.split("servette = {").skip(1) {
            let line = line.split('}').next().unwrap_or_default();
            let list = line.split_once("features = [").unwrap_or_default().1;
            let list = list.split(']').next().unwrap_or_default();
            named.extend(list.split('"').skip(1).step_by(2));
        }
        let is_known = |name: &&str| features.contains(name) || FOREIGN_FEATURES.contains(name);
        let unknown = named.into_iter().filter(|name| !is_known(name));
        found.extend(unknown.map(|name| format!("{}: {name}", page.path)));
    }
    assert_none(found);
}

#[test]
fn files_and_examples_exist() {
    let places = [
        "src/",
        "tests/",
        "docs/",
        "examples/",
        "benches/",
        "packaging/",
        "fuzz/",
        ".ci/",
        ".github/",
    ];
    let pages = all_pages();
    let missing = |word: &str| {
        let path = word.trim_end_matches(['/', '.', ',']);
        let is_path = places.iter().any(|place| word.starts_with(place))
            && !path.contains(['*', '<', '$'])
            && !path.contains("NAME");
        (is_path && !at(path).exists()).then(|| path.to_owned())
    };
    let mut found = spans(&pages, |page, span| {
        // Files of the program that the reader writes.
        let is_readers = page.path == "docs/tutorial.md" && span.starts_with("src/");
        span.split_whitespace()
            .find_map(missing)
            .filter(|_| !is_readers)
    });
    for page in &pages {
        for (line, command) in commands(page) {
            let fault = command.split_whitespace().find_map(missing);
            let example = command.split_once("--example ");
            let example = example.and_then(|(_, rest)| rest.split_whitespace().next());
            let example = example.map(|name| format!("examples/{name}.rs"));
            let fault = fault.or_else(|| example.as_deref().and_then(missing));
            found.extend(fault.map(|fault| format!("{}:{line}: {fault}", page.path)));
        }
    }
    assert_none(found);
}

/// Crates, modules and types that are not of this crate, before `::`.
const FOREIGN_PATHS: &[&str] = &[
    "std", "rustls", // tiny_http's
    "Server",
];

/// Pages about private parts.
const INTERNAL: &[&str] = &["docs/design.md", "CONTRIBUTING.md"];

/// `TestServer::requests`, `base::end_headers`, `module::test`.
#[test]
fn paths_of_the_api_exist() {
    let api = Api::read();
    let found = spans(&all_pages(), |page, span| {
        let path = span
            .split(['(', '<', ' ', '{', '!'])
            .next()
            .unwrap_or_default();
        let mut path: Vec<_> = path.split("::").collect();
        path.retain(|part| !["crate", "servette"].contains(part));
        let [parent, name] = path[path.len().saturating_sub(2)..] else {
            return None;
        };
        if !path.iter().all(|part| is_word(part)) || FOREIGN_PATHS.contains(&path[0]) {
            return None;
        }
        let (first, is_type) = (path[0], parent.starts_with(char::is_uppercase));
        let is_there = if INTERNAL.contains(&&*page.path) {
            api.is_defined(parent) && api.is_defined(name) || api.modules.contains_key(parent)
        } else if is_type {
            api.is_member(parent, name) || name == "from"
        } else {
            let mut modules = path.iter().filter_map(|part| api.modules.get(*part));
            modules.any(|names| names.contains(name))
                || api.modules.contains_key(first)
                    && (api.types.contains_key(name) || api.has(name))
        };
        (!is_there).then(|| format!("there is no {name} in {parent}"))
    });
    assert_none(found);
}

/// Types of other crates and languages.
const FOREIGN_TYPES: &[&str] = &[
    // Fields of HTTP, and what programs call by such names.
    "DynamicUser",
    "ETag",
    "LimitNOFILE",
    "ScriptAlias",
    "SharedArrayBuffer",
    "VmHWM",
    "WSAPoll",
    "X_User",
    // Rust
    "BufRead",
    // Python
    "BaseHTTPRequestHandler",
    "BaseHTTPServerTestCase",
    "CGIHTTPRequestHandler",
    "ForkingMixIn",
    "HTTPSServer",
    "HTTPServer",
    "MessageClass",
    "NoLogRequestHandler",
    "RejectingSocketlessRequestHandler",
    "RequestHandlerClass",
    "RequestHandlerLoggingTestCase",
    "SimpleHTTPRequestHandler",
    "SocketlessRequestHandler",
    "ThreadingHTTPSServer",
    "ThreadingHTTPServer",
    "ThreadingMixIn",
    "UnixStreamServer",
];

/// `TestServer`: words with two capitals at least, which are not capitals only.
#[test]
fn types_exist() {
    let api = Api::read();
    let pages: Vec<_> = all_pages();
    let found = spans(&pages, |page, span| {
        let name = span
            .split(['(', '<', ':', '{', ' '])
            .next()
            .unwrap_or_default();
        let capitals = name.chars().filter(|c| c.is_uppercase()).count();
        let is_type = is_word(name)
            && name.starts_with(char::is_uppercase)
            && (2..name.len()).contains(&capitals)
            && name.contains(char::is_lowercase)
            && page.path != "CHANGELOG.md";
        let is_known =
            api.types.contains_key(name) || FOREIGN_TYPES.contains(&name) || api.is_defined(name);
        (is_type && !is_known)
            .then(|| "no such type, and not in FOREIGN_TYPES of tests/pages".to_owned())
    });
    assert_none(found);
}

/// Functions and methods of other crates and languages.
const FOREIGN_FUNCTIONS: &[&str] = &["ascii", "cfg", "ok", "super", "upgrade"];

/// `x.send_header(..)`, `.expect(2)`, `handler_fn(..)`.
#[test]
fn functions_exist() {
    let api = Api::read();
    let pages: Vec<_> = all_pages();
    let found = spans(&pages, |page, span| {
        let (name, _) = span.split_once('(')?;
        let is_internal = INTERNAL.contains(&&*page.path);
        if name.contains("::") || is_internal || page.path == "CHANGELOG.md" {
            return None;
        }
        let name = name.rsplit(['.', ' ']).next().unwrap_or_default();
        let is_function = is_word(name) && name.starts_with(|c: char| c.is_ascii_lowercase());
        let is_known = api.has(name) || FOREIGN_FUNCTIONS.contains(&name) || api.is_defined(name);
        (is_function && !is_known)
            .then(|| "no such function, and not in FOREIGN_FUNCTIONS of tests/pages".to_owned())
    });
    assert_none(found);
}
