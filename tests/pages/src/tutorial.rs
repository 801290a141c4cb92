//! The tutorial ends with `examples/notes`, whose tests run.

use crate::markdown::Page;
use crate::{assert_none, read};

#[test]
fn what_the_tutorial_adds_is_in_the_example() {
    let files = ["login", "main", "serve", "site"];
    let files = files.map(|name| read(&format!("examples/notes/{name}.rs")));
    let page = Page::read("docs/tutorial.md".to_owned());
    let blocks = page.blocks.iter().filter(|block| {
        // The steps before are whole programs, and the first `serve` is replaced.
        let is_replaced = block.text.contains("pub fn serve") && !block.text.contains("ctrlc");
        block.language == "rust" && !is_replaced
    });
    let blocks: Vec<_> = blocks.collect();
    assert_eq!(blocks.len(), 4, "site.rs, login.rs, the tests, serve.rs");
    let missing = blocks.iter().filter(|block| {
        let is_there = |file: &String| file.contains(block.text.trim_end());
        !files.iter().any(is_there)
    });
    assert_none(
        missing
            .map(|block| format!("docs/tutorial.md:{}", block.line))
            .collect(),
    );
}
