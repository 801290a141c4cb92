//! Linux, macOS, the BSDs.

/// Makes a FIFO, by the command that every such system has: rustix has no call for it on Apple's.
#[cfg(test)]
pub(crate) fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success(), "{path:?}");
}
