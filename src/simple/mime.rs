//! Media types by the end of a file's name.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What `extensions_map` holds unless a handler says otherwise: Python's four compressed formats.
/// The compression is the type of such a file, whatever is inside: `x.tar.gz` is gzip.
pub(crate) const EXTENSIONS: [(&str, &str); 4] = [
    (".gz", "application/gzip"),
    (".z", "application/octet-stream"),
    (".bz2", "application/x-bzip2"),
    (".xz", "application/x-xz"),
];

/// The media type for the last suffix of `name`, or `None` when nothing is known.
///
/// `extensions_map` has the first word: its keys start with a dot, and a suffix is looked up as it
/// stands, then in lower case. After it come the types known to the crate, in any case.
pub(crate) fn guess<'a>(
    name: &Path,
    extensions_map: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let suffix = suffix(name)?;
    if let Some(media_type) = extensions_map.get(suffix) {
        return Some(media_type);
    }
    if suffix.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = suffix.to_ascii_lowercase();
        let own = extensions_map.get(&lower).map(String::as_str);
        return own.or_else(|| known(&lower));
    }
    known(suffix)
}

/// The type that the crate knows for a suffix in lower case.
fn known(suffix: &str) -> Option<&'static str> {
    [COMMON, OVERLAY]
        .into_iter()
        .find_map(|table| {
            let at = table.binary_search_by_key(&suffix, |&(known, _)| known);
            at.ok().and_then(|at| table.get(at))
        })
        .map(|&(_, media_type)| media_type)
        .or_else(|| mime_guess::from_ext(suffix.strip_prefix('.')?).first_raw())
}

/// The last dot of the file's name and what follows it. Dots at the start of a name hide the file
/// and begin no suffix: `.bashrc` has none.
fn suffix(name: &Path) -> Option<&str> {
    let name = match name
        .as_os_str()
        .as_bytes()
        .rsplit(|&byte| byte == b'/')
        .next()
    {
        // Such an end needs a closer look.
        None | Some(b"" | b".") => name.file_name()?.as_bytes(),
        Some(name) => name,
    };
    let start = name.iter().position(|&byte| byte != b'.')?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    if dot < start {
        return None;
    }
    std::str::from_utf8(name.get(dot..)?).ok()
}

/// What most files of most sites are. `mime_guess` knows them too, but takes three times as long (some 70 ns
/// more) to say so, and a file that is in memory has little else to wait for.
const COMMON: &[(&str, &str)] = &[
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

/// Types that go before `mime_guess`, where that crate has an old name, one for another format, or
/// one on which a browser or player acts differently than on Python's. Fonts, YAML and TOML have
/// their registered names, as in newer Pythons.
const OVERLAY: &[(&str, &str)] = &[
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
    use std::ffi::OsStr;

    use super::*;

    fn defaults() -> BTreeMap<String, String> {
        EXTENSIONS
            .iter()
            .map(|&(suffix, media_type)| (suffix.to_owned(), media_type.to_owned()))
            .collect()
    }

    #[test]
    fn names_have_the_types_that_users_expect() {
        let map = defaults();
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
            assert_eq!(guess(Path::new(name), &map), Some(media_type), "{name}");
        }
    }

    #[test]
    fn compressed_files_have_the_type_of_the_compression() {
        let map = defaults();
        for (name, media_type) in [
            ("x.tar.gz", "application/gzip"),
            ("x.html.GZ", "application/gzip"),
            ("x.Z", "application/octet-stream"),
            ("x.tar.bz2", "application/x-bzip2"),
            ("x.xz", "application/x-xz"),
            ("x.tgz", "application/x-tar"),
            ("x.zip", "application/zip"),
        ] {
            assert_eq!(guess(Path::new(name), &map), Some(media_type), "{name}");
        }
    }

    #[test]
    fn without_a_known_suffix_there_is_no_type() {
        let map = defaults();
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
            assert_eq!(guess(Path::new(name), &map), None, "{name}");
        }
        assert_eq!(
            guess(Path::new(OsStr::from_bytes(b"a.\xffhtml")), &map),
            None
        );
        assert_eq!(
            guess(Path::new(OsStr::from_bytes(b"\xff.html")), &map),
            Some("text/html")
        );
        assert_eq!(guess(Path::new(".a.html"), &map), Some("text/html"));
    }

    #[test]
    fn the_map_goes_first_and_its_exact_suffix_before_the_lower_case_one() {
        let map = [
            (".html", "text/x-low"),
            (".HTML", "text/x-high"),
            (".py", "text/plain"),
            (".", "text/x-dot"),
        ];
        let map = map
            .into_iter()
            .map(|(suffix, media_type)| (suffix.to_owned(), media_type.to_owned()))
            .collect();
        for (name, media_type) in [
            ("a.html", "text/x-low"),
            ("a.HTML", "text/x-high"),
            ("a.Html", "text/x-low"),
            ("a.PY", "text/plain"),
            ("a.", "text/x-dot"),
            ("a.gz", "application/gzip"),
        ] {
            assert_eq!(guess(Path::new(name), &map), Some(media_type), "{name}");
        }
    }

    #[test]
    fn the_overlay_is_needed_and_common_types_are_those_of_the_crate() {
        for table in [COMMON, OVERLAY] {
            assert!(table.is_sorted(), "a suffix could not be found");
            for &(suffix, media_type) in table {
                assert_eq!(suffix, suffix.to_ascii_lowercase());
                assert_eq!(known(suffix), Some(media_type));
                let other = mime_guess::from_ext(suffix.strip_prefix('.').unwrap()).first_raw();
                assert_eq!(other == Some(media_type), table == COMMON, "{suffix}");
            }
        }
    }
}
