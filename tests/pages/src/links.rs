//! Links between pages, and to files.

use crate::{all_pages, assert_none, at, guide_pages};

/// The path of what a page links to, from the root of the repository, and the anchor; `None` for other sites.
pub(crate) fn resolve(from: &str, target: &str) -> Option<(String, Option<String>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (target, None),
    };
    if path.is_empty() {
        return Some((from.to_owned(), anchor));
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let pages = all_pages();
    let mut dead = Vec::new();
    for page in &pages {
        let defined = page.definitions.iter().map(|(_, target)| (0, target));
        let linked = page.links.iter().map(|link| (link.line, &link.target));
        for (line, target) in defined.chain(linked) {
            let Some((path, anchor)) = resolve(&page.path, target) else {
                continue;
            };
            let there = pages.iter().find(|page| page.path == path);
            let is_dead = match (&anchor, there) {
                (Some(anchor), Some(there)) => !there.anchors.contains(anchor),
                (Some(_), None) => true,
                (None, _) => !at(&path).exists(),
            };
            if is_dead {
                dead.push(format!("{}:{line}: {target}", page.path));
            }
        }
    }
    assert_none(dead);
}

/// On docs.rs a page stands among other pages than on a forge: `src/guide.rs` has definitions for it.
#[test]
fn pages_of_the_guide_link_by_reference() {
    let mut inline = Vec::new();
    for page in guide_pages() {
        for link in page.links.iter().filter(|link| link.is_inline) {
            let outside = resolve(&page.path, &link.target);
            if outside.is_some_and(|(path, _)| path != page.path) {
                inline.push(format!("{}:{}: {}", page.path, link.line, link.target));
            }
        }
    }
    assert_none(inline);
}

#[test]
fn no_reference_is_undefined() {
    let mut undefined = Vec::new();
    for page in all_pages() {
        for (line, text) in page.undefined {
            undefined.push(format!("{}:{line}: {text}", page.path));
        }
    }
    assert_none(undefined);
}

#[test]
fn each_block_of_code_says_its_language() {
    let known = [
        "console", "diff", "html", "ini", "js", "json", "python", "sh", "text", "toml",
        // Rust that is tested elsewhere.
        "rs",
    ];
    let mut unknown = Vec::new();
    for page in all_pages() {
        for block in &page.blocks {
            let language = block.language.as_str();
            let mut rust = language.split(',');
            let is_rust = rust.next() == Some("rust")
                && rust.all(|word| ["no_run", "should_panic", "test_harness"].contains(&word));
            if !known.contains(&language) && !is_rust {
                unknown.push(format!("{}:{}: {language:?}", page.path, block.line));
            }
        }
    }
    assert_none(unknown);
}
