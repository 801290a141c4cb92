//! The fuzz targets over the inputs that are kept in `fuzz/corpus/`. The published package does not have these.

use std::fs;
use std::path::{Path, PathBuf};

/// What the targets check; a library of its own for the fuzzer.
#[allow(unreachable_pub)]
mod checks;

fn fuzz(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(part)
}

/// Replays a corpus, and says which file it was that failed.
fn replay(target: &str, check: impl Fn(&[u8])) {
    if !fuzz("Cargo.toml").exists() {
        eprintln!("skipped: the corpus {target}, as there is no fuzz/");
        return;
    }
    let mut files: Vec<PathBuf> = fs::read_dir(fuzz("corpus").join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} inputs", files.len());
    for file in files {
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}

#[test]
fn a_head_has_one_reading() {
    replay("head", checks::head::check);
}

#[test]
fn a_chunked_body_has_one_reading() {
    replay("chunked", checks::chunked::check);
}

#[test]
fn no_path_leaves_its_place() {
    replay("path", checks::path::check);
}

#[test]
fn what_is_sent_of_a_file_was_asked_for() {
    replay("ranges", checks::ranges::check);
}

#[cfg(feature = "self-signed")]
#[test]
fn no_record_panics() {
    replay("tls", checks::tls::check);
}

#[test]
fn what_a_proxy_says_of_a_client_has_one_reading() {
    replay("proxy", checks::proxy::check);
    replay("forwarded", checks::proxy::check_forwarded);
}

#[test]
fn nothing_is_found_in_a_request_that_was_not_sent() {
    replay("request", checks::request::check);
}

#[test]
fn conditions_are_evaluated_in_their_order() {
    replay("conditions", checks::conditions::check);
}

#[test]
fn what_is_sent_is_what_the_client_takes() {
    replay("accept", checks::accept::check);
    replay("accept_encoding", checks::accept::check_encoding);
}

#[test]
fn every_request_is_answered_once() {
    let tree = fuzz("tree");
    replay("exchange", |data| checks::exchange::check(&tree, data));
}
