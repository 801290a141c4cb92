//! The pages as modules of documentation, `servette::guide`.

use std::collections::BTreeMap;

use crate::links::resolve;
use crate::{assert_none, at, guide_pages, read};

const DOCS_RS: &str = "https://docs.rs/crate/servette/latest/source";

/// The definitions that stand before each page in the documentation of the crate. This writes them:
/// `UPDATE_DOCS=1 cargo test --manifest-path tests/pages/Cargo.toml`.
#[test]
fn the_links_of_the_guide_lead_to_its_modules() {
    let mut links = BTreeMap::new();
    for page in guide_pages() {
        for (label, target) in &page.definitions {
            let Some((path, anchor)) = resolve(&page.path, target) else {
                continue;
            };
            let anchor = anchor
                .map(|anchor| format!("#{anchor}"))
                .unwrap_or_default();
            let place = format!("{}{anchor}", place(&path));
            let before = links.insert(label.clone(), place.clone());
            let same = before.is_none_or(|before| before == place);
            assert!(same, "{label} leads to two places");
        }
    }
    is_written("src/guide/links.md", &links);
}

/// Where readers of the documentation find a file.
fn place(path: &str) -> String {
    match path
        .strip_prefix("docs/")
        .and_then(|page| page.strip_suffix(".md"))
    {
        Some(page) => format!("crate::guide::{}", page.replace('-', "_")),
        None if path == "README.md" => "crate".to_owned(),
        // docs.rs shows the sources of the package, and sends images as they are; a directory there ends with a slash.
        None if is_published(path) && at(path).is_dir() => format!("{DOCS_RS}/{path}/"),
        None if is_published(path) => format!("{DOCS_RS}/{path}"),
        None => format!("{}/blob/main/{path}", repository()),
    }
}

/// Whether the package has this file: `include` in `Cargo.toml`.
fn is_published(path: &str) -> bool {
    let manifest = read("Cargo.toml");
    let (_, list) = manifest.split_once("\ninclude = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let patterns = list.split('"').skip(1).step_by(2);
    let mut places = patterns.map(|pattern| pattern.trim_start_matches('/').split('*').next());
    places.any(|place| path.starts_with(place.unwrap_or_default()))
}

fn repository() -> String {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("\nrepository = \"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn is_written(file: &str, definitions: &BTreeMap<String, String>) {
    let lines = definitions
        .iter()
        .map(|(label, place)| format!("[{label}]: {place}\n"));
    let text: String = lines.collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(at(file), text).unwrap();
    } else {
        assert!(
            read(file) == text,
            "{file} is old: run this test with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn each_page_is_a_module_of_the_guide() {
    let guide = read("src/guide.rs");
    let mut missing = Vec::new();
    for page in guide_pages() {
        let file = page.path.trim_start_matches("docs/");
        let name = file.trim_end_matches(".md").replace('-', "_");
        let (before, _) = guide
            .split_once(&format!("pub mod {name} {{}}"))
            .unwrap_or_default();
        let attributes = before.rsplit("{}").next().unwrap_or_default();
        let links = attributes.find("(\"guide/links.md\")");
        let text = attributes.find(&format!("(\"../docs/{file}\")"));
        if links.is_none() || text.is_none() || links > text {
            missing.push(format!("{name}: {file} and its links"));
        }
    }
    assert_none(missing);
}
