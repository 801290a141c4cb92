//! Media types by file name suffix.

use std::collections::BTreeMap;
use std::path::{Path, is_separator};

/// The default of `extensions_map`: Python's four compressed formats. The type is that of the compression, whatever
/// is inside: `x.tar.gz` is gzip.
const EXTENSIONS: [(&str, &str); 4] = [
    (".gz", "application/gzip"),
    (".z", "application/octet-stream"),
    (".bz2", "application/x-bzip2"),
    (".xz", "application/x-xz"),
];

/// The suffixes that a handler has set, which are looked up before those that the crate knows.
#[derive(Clone, Debug)]
pub(super) struct Extensions {
    map: BTreeMap<String, String>,
    /// The first letters of the suffixes in the map, as a bit set. Most suffixes that are looked up start with none
    /// of them.
    initials: u64,
}

impl Default for Extensions {
    fn default() -> Self {
        let mut extensions = Extensions {
            map: BTreeMap::new(),
            initials: 0,
        };
        for (suffix, media_type) in EXTENSIONS {
            extensions.insert(suffix.into(), media_type.into());
        }
        extensions
    }
}

impl Extensions {
    pub(super) fn insert(&mut self, suffix: String, media_type: String) {
        self.initials |= initial(suffix.as_bytes());
        self.map.insert(suffix, media_type);
    }

    pub(super) fn map(&self) -> &BTreeMap<String, String> {
        &self.map
    }

    fn get(&self, suffix: &[u8]) -> Option<&str> {
        if self.initials & initial(suffix) == 0 {
            return None;
        }
        let suffix = std::str::from_utf8(suffix).ok()?;
        self.map.get(suffix).map(String::as_str)
    }
}

/// Returns the bit of the letter after the dot; other letters may share it.
fn initial(suffix: &[u8]) -> u64 {
    1 << (suffix.get(1).unwrap_or(&0) & 63)
}

/// Returns the media type for the last suffix of `name`, or `None` if it is unknown.
///
/// The types of the handler come first: a suffix with its dot is looked up unchanged, then in lower case. Then come
/// the types that the crate knows, ignoring case.
pub(super) fn guess<'a>(name: &Path, own: &'a Extensions) -> Option<&'a str> {
    let suffix = suffix(name)?;
    // What is listed is in lower case.
    if let Some(media_type) = own.get(suffix).or_else(|| listed(suffix)) {
        return Some(media_type);
    }
    if suffix.iter().any(u8::is_ascii_uppercase) {
        let lower = suffix.to_ascii_lowercase();
        return own.get(&lower).or_else(|| known(&lower));
    }
    known(suffix)
}

/// Returns the type that the crate knows for a lower-case suffix.
fn known(suffix: &[u8]) -> Option<&'static str> {
    listed(suffix).or_else(|| {
        let suffix = std::str::from_utf8(suffix).ok()?;
        mime_guess::from_ext(suffix.strip_prefix('.')?).first_raw()
    })
}

/// Returns the type in the tables of this module for a lower-case suffix.
fn listed(suffix: &[u8]) -> Option<&'static str> {
    let word = word(suffix)?;
    let find = |words: &[u64], table: &[(&str, &'static str)]| {
        let at = words.binary_search(&word).ok()?;
        table.get(at).map(|&(_, media_type)| media_type)
    };
    find(&COMMON_WORDS, &COMMON).or_else(|| find(&OVERLAY_WORDS, &OVERLAY))
}

/// Returns a suffix of up to eight bytes as a number, which is faster to compare and has the same order.
const fn word(suffix: &[u8]) -> Option<u64> {
    if suffix.len() > 8 || suffix.is_empty() {
        return None;
    }
    let mut word = 0;
    let mut rest = suffix;
    while let [byte, tail @ ..] = rest {
        word = (word << 8) | *byte as u64;
        rest = tail;
    }
    Some(word << (8 * (8 - suffix.len())))
}

#[expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a table is made by the compiler, or not at all"
)]
const fn words<const COUNT: usize>(table: &[(&str, &str); COUNT]) -> [u64; COUNT] {
    let mut words = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        words[at] = match word(table[at].0.as_bytes()) {
            Some(word) => word,
            None => panic!("a suffix that is too long"),
        };
        at += 1;
    }
    words
}

static COMMON_WORDS: [u64; COMMON.len()] = words(&COMMON);
static OVERLAY_WORDS: [u64; OVERLAY.len()] = words(&OVERLAY);

/// Returns the last dot of the file name and what follows it. Dots at the start of a name mark a hidden file and
/// begin no suffix: `.bashrc` has none.
fn suffix(name: &Path) -> Option<&[u8]> {
    let bytes = name.as_os_str().as_encoded_bytes();
    let is_mark = |byte: u8| byte == b'.' || is_separator(char::from(byte));
    let mark = bytes.iter().rposition(|&byte| is_mark(byte))?;
    match bytes.split_at_checked(mark)? {
        // Something of the name is before its last dot, and something behind it.
        ([.., before], suffix @ [b'.', _, ..]) if !is_mark(*before) => Some(suffix),
        _ => odd_suffix(name),
    }
}

/// The same for every name.
fn odd_suffix(name: &Path) -> Option<&[u8]> {
    let name = name.file_name()?.as_encoded_bytes();
    let start = name.iter().position(|&byte| byte != b'.')?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    if dot < start {
        return None;
    }
    name.get(dot..)
}

/// The types of most files. `mime_guess` knows them too, but takes three times as long (some 70 ns more), which is
/// noticeable for a cached file.
const COMMON: [(&str, &str); 20] = [
    (".css", "text/css"),
    (".gif", "image/gif"),
    (".htm", "text/html"),
    (".html", "text/html"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".js", "text/javascript"),
    (".json", "application/json"),
    (".md", "text/markdown"),
    (".mp3", "audio/mpeg"),
    (".mp4", "video/mp4"),
    (".pdf", "application/pdf"),
    (".png", "image/png"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain"),
    (".wasm", "application/wasm"),
    (".webp", "image/webp"),
    (".woff2", "font/woff2"),
    (".xml", "text/xml"),
    (".zip", "application/zip"),
];

/// Types that take precedence over `mime_guess`, which has an old name for them, the name of another format, or one
/// that browsers or players handle differently from Python's. Fonts, YAML and TOML have their registered names, as in
/// newer versions of Python.
const OVERLAY: [(&str, &str); 13] = [
    (".ico", "image/vnd.microsoft.icon"),
    (".m3u8", "application/vnd.apple.mpegurl"),
    (".m4a", "audio/mp4"),
    (".mjs", "text/javascript"),
    (".otf", "font/otf"),
    (".py", "text/x-python"),
    (".rpm", "application/x-rpm"),
    (".tgz", "application/x-tar"),
    (".toml", "application/toml"),
    (".ts", "video/mp2t"),
    (".woff", "font/woff"),
    (".yaml", "application/yaml"),
    (".yml", "application/yaml"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_the_types_that_users_expect() {
        let own = Extensions::default();
        for (name, media_type) in [
            ("index.html", "text/html"),
            ("INDEX.HTM", "text/html"),
            ("a/b.d/style.css", "text/css"),
            ("a/style.css/", "text/css"),
            ("a/style.css/.", "text/css"),
            ("app.js", "text/javascript"),
            ("app.mjs", "text/javascript"),
            ("data.json", "application/json"),
            ("app.wasm", "application/wasm"),
            ("logo.svg", "image/svg+xml"),
            ("logo.png", "image/png"),
            ("photo.JPG", "image/jpeg"),
            ("photo.webp", "image/webp"),
            ("favicon.ico", "image/vnd.microsoft.icon"),
            ("font.woff", "font/woff"),
            ("font.woff2", "font/woff2"),
            ("notes.txt", "text/plain"),
            ("README.md", "text/markdown"),
            ("table.csv", "text/csv"),
            ("feed.xml", "text/xml"),
            ("tool.py", "text/x-python"),
            ("tool.sh", "application/x-sh"),
            ("conf.yml", "application/yaml"),
            ("paper.pdf", "application/pdf"),
            ("film.mp4", "video/mp4"),
            ("song.mp3", "audio/mpeg"),
            ("page.webmanifest", "application/manifest+json"),
        ] {
            assert_eq!(guess(Path::new(name), &own), Some(media_type), "{name}");
        }
    }

    #[test]
    fn compressed_files_have_the_type_of_the_compression() {
        let own = Extensions::default();
        for (name, media_type) in [
            ("x.tar.gz", "application/gzip"),
            ("x.html.GZ", "application/gzip"),
            ("x.Z", "application/octet-stream"),
            ("x.tar.bz2", "application/x-bzip2"),
            ("x.xz", "application/x-xz"),
            ("x.tgz", "application/x-tar"),
            ("x.zip", "application/zip"),
        ] {
            assert_eq!(guess(Path::new(name), &own), Some(media_type), "{name}");
        }
    }

    #[test]
    fn without_a_known_suffix_there_is_no_type() {
        let own = Extensions::default();
        for name in [
            "",
            "/",
            "Makefile",
            ".bashrc",
            "..html",
            "...",
            "a.",
            "a.html/b",
            "x.nobody-knows",
            "a.é",
        ] {
            assert_eq!(guess(Path::new(name), &own), None, "{name}");
        }
        for (name, expected) in [
            (&b"a.\xffhtml"[..], None),
            (b"\xff.html", Some("text/html")),
        ] {
            // Where there are such names.
            if let Some(name) = crate::sys::name(name) {
                assert_eq!(guess(Path::new(name), &own), expected);
            }
        }
        assert_eq!(guess(Path::new(".a.html"), &own), Some("text/html"));
    }

    #[test]
    fn the_map_goes_first_and_its_exact_suffix_before_the_lower_case_one() {
        let mut own = Extensions::default();
        for (suffix, media_type) in [
            (".html", "text/x-low"),
            (".HTML", "text/x-high"),
            (".py", "text/plain"),
            (".", "text/x-dot"),
            (".\u{e9}\u{e8}", "text/x-accents"),
            (".a-very-long-one", "text/x-long"),
        ] {
            own.insert(suffix.into(), media_type.into());
        }
        for (name, media_type) in [
            ("a.html", "text/x-low"),
            ("a.HTML", "text/x-high"),
            ("a.Html", "text/x-low"),
            ("a.PY", "text/plain"),
            ("a.", "text/x-dot"),
            ("a.gz", "application/gzip"),
            ("a.\u{e9}\u{e8}", "text/x-accents"),
            ("a.a-very-long-one", "text/x-long"),
        ] {
            assert_eq!(guess(Path::new(name), &own), Some(media_type), "{name}");
        }
    }

    #[test]
    fn the_overlay_is_needed_and_common_types_are_those_of_the_crate() {
        for (table, words) in [(&COMMON[..], &COMMON_WORDS[..]), (&OVERLAY, &OVERLAY_WORDS)] {
            assert!(table.is_sorted(), "a suffix could not be found");
            assert!(words.is_sorted() && words.len() == table.len());
            for &(suffix, media_type) in table {
                assert_eq!(suffix, suffix.to_ascii_lowercase());
                assert_eq!(known(suffix.as_bytes()), Some(media_type));
                let other = mime_guess::from_ext(suffix.strip_prefix('.').unwrap()).first_raw();
                assert_eq!(other == Some(media_type), table == COMMON, "{suffix}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_suffix_is_the_same_by_the_short_way_and_by_the_long_one(name in "[a/.]{0,12}") {
            // On Windows two slashes begin the name of a share, which no path below a root does.
            prop_assume!(cfg!(unix) || !name.starts_with("//"));
            prop_assert_eq!(suffix(Path::new(&name)), odd_suffix(Path::new(&name)));
        }
    }
}
