//! Tests that the pages name.

use crate::{all_pages, at, read};

/// `module::test` and `folder::module::test` in code quotes, as far as a file of that name is here.
#[test]
fn every_test_that_the_security_page_names_exists() {
    let page = read("docs/security.md");
    // Without its code blocks.
    let page: String = page.split("```").step_by(2).collect();
    let mut named = 0;
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((module, test)) = quoted.split_once("::") else {
            continue;
        };
        let Ok(source) = std::fs::read_to_string(at(&format!("tests/it/{module}.rs"))) else {
            let unit = at(&format!("src/{}.rs", quoted.replace("::", "/")));
            assert!(unit.exists(), "{quoted} is neither a test nor a module");
            continue;
        };
        let test = test.rsplit("::").next().unwrap();
        assert!(
            source.contains(&format!("fn {test}(")),
            "there is no test {quoted}"
        );
        named += 1;
    }
    assert!(named > 50, "{named} tests are named");
}

/// Code that needs tokio, reqwest, wiremock or httpmock can't be a doctest of this crate: it is marked `rs`.
#[test]
fn code_that_the_pages_about_testing_do_not_run_is_tested_elsewhere() {
    let tests = [
        "reqwest/src/tokio",
        "peers/tests/from_wiremock",
        "peers/tests/from_httpmock",
    ];
    let tests = tests.iter().map(|file| read(&format!("tests/{file}.rs")));
    let tests: String = tests.collect();
    for page in all_pages() {
        let blocks = page.blocks.iter().filter(|block| block.language == "rs");
        let blocks: Vec<_> = blocks.collect();
        let count = match &*page.path {
            "docs/testing.md" => 1,
            "docs/from-wiremock.md" => 7,
            _ => 0,
        };
        assert_eq!(blocks.len(), count, "{}", page.path);
        for block in blocks {
            let is_there = tests.contains(block.text.trim_end());
            assert!(is_there, "{}:{}", page.path, block.line);
        }
    }
}
