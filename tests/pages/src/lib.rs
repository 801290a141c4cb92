//! What the pages say of the repository is so: their links lead somewhere, and what they name exists.

#![cfg(test)]

mod api;
mod guide;
mod links;
mod markdown;
mod named_tests;
mod names;
mod tutorial;

use std::path::{Path, PathBuf};

use crate::markdown::Page;

/// A path below the root of the repository.
fn at(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the files in a directory that end so, in order.
fn files(directory: &str, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(at(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

/// The pages of `docs/`, which are the guide.
fn guide_pages() -> Vec<Page> {
    let names = files("docs", ".md").into_iter();
    names
        .map(|name| Page::read(format!("docs/{name}")))
        .collect()
}

/// The pages of the guide, and those at the root.
fn all_pages() -> Vec<Page> {
    let at_root = files("", ".md").into_iter().map(Page::read);
    guide_pages().into_iter().chain(at_root).collect()
}

/// Fails with all that was found.
#[track_caller]
fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
