#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let tree = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tree"));
    checks::exchange::check(tree, data);
});
