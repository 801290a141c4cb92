//! Request targets as text: the path below the root that a target names, and the redirect for a directory without its
//! slash.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::path::{MAIN_SEPARATOR, Path, PathBuf, is_separator};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::sys;

/// The path of a request target, relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relative {
    /// Plain names only: never absolute, without `.` and `..`. Empty for the root itself.
    pub(crate) path: PathBuf,
    /// Whether the decoded path ends with a slash, so the client means a directory.
    pub(crate) trailing_slash: bool,
}

/// The path has a NUL byte, so no file can have this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPath;

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path contains a NUL byte")
    }
}

impl std::error::Error for BadPath {}

/// Returns the path, below some root, that a request target names.
///
/// The order of the steps keeps the result below the root: the path is decoded once, then split, then dots are
/// resolved. So `%2f` separates and `%2e%2e` climbs like the plain characters, and what is still encoded after that
/// is a name like any other. Climbing stops at the root. Names are bytes: `%FF` is the byte FF.
pub(crate) fn relative(target: &str) -> Result<Relative, BadPath> {
    let decoded = decoded_path(target);
    let mut path = Vec::with_capacity(decoded.len());
    push_names(&mut path, &decoded)?;
    Ok(Relative {
        path: sys::path(path, 0).ok_or(BadPath)?,
        trailing_slash: decoded.ends_with(b"/"),
    })
}

/// Returns the same path, joined to `root`.
pub(crate) fn below(root: &Path, target: &str) -> Result<PathBuf, BadPath> {
    let mut path = take_spare();
    path.extend_from_slice(root.as_os_str().as_encoded_bytes());
    if path
        .last()
        .is_some_and(|&last| !is_separator(char::from(last)))
    {
        path.push(MAIN_SEPARATOR as u8);
    }
    let floor = path.len();
    match plain_names(target.as_bytes()) {
        Some(names) => path.extend_from_slice(names),
        None => push_names(&mut path, &decoded_path(target))?,
    }
    sys::path(path, floor).ok_or(BadPath)
}

/// Returns the names of a target that needs no decoding, and in which no name starts with a dot, as most do.
fn plain_names(target: &[u8]) -> Option<&[u8]> {
    let mut after_slash = false;
    for &byte in target {
        let is_plain = match byte {
            b'%' | b'?' | b'#' | b'\0' => false,
            b'/' | b'.' => !after_slash,
            _ => true,
        };
        if !is_plain {
            return None;
        }
        after_slash = byte == b'/';
    }
    let names = target.strip_prefix(b"/")?;
    Some(names.strip_suffix(b"/").unwrap_or(names))
}

/// Returns whether the target means a directory.
pub(crate) fn has_trailing_slash(target: &str) -> bool {
    let path = path_of(target).as_bytes();
    matches!(path, [.., b'/'] | [.., b'%', b'2', b'f' | b'F'])
}

/// Adds the names of a decoded path, with slashes between them. `..` removes added names only.
fn push_names(path: &mut Vec<u8>, decoded: &[u8]) -> Result<(), BadPath> {
    if decoded.contains(&0) {
        return Err(BadPath);
    }
    let floor = path.len();
    for segment in decoded.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                let names = path.get(floor..).unwrap_or_default();
                let last = names.iter().rposition(|&byte| byte == b'/');
                path.truncate(floor + last.unwrap_or(0));
            }
            name => {
                if path.len() > floor {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
            }
        }
    }
    Ok(())
}

thread_local! {
    /// The memory of a path that is no longer needed, for the next request.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
/// Maximum size of this memory.
const MOST_SPARE: usize = 4 << 10;

fn take_spare() -> Vec<u8> {
    // A thread that is being torn down has none.
    SPARE.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the memory of a path for the next path that this thread makes.
pub(crate) fn give_back(path: PathBuf) {
    let mut bytes = path.into_os_string().into_encoded_bytes();
    bytes.clear();
    if bytes.capacity() <= MOST_SPARE {
        let _ = SPARE.try_with(|spare| spare.set(bytes));
    }
}

/// Removes what was added after the path had this length in bytes.
pub(crate) fn truncate(path: &mut PathBuf, length: usize) {
    let mut bytes = std::mem::take(path).into_os_string().into_encoded_bytes();
    bytes.truncate(length);
    // What is left of a path is one.
    *path = sys::path(bytes, length).unwrap_or_default();
}

/// Returns the decoded path of a request target, without query and fragment.
pub(crate) fn decoded_path(target: &str) -> Cow<'_, [u8]> {
    percent_decode_str(path_of(target)).into()
}

/// Returns the `Location` that adds the missing slash to the target of a directory.
///
/// Encoding, dots, query and fragment stay as the client wrote them. The result starts with exactly one slash,
/// because browsers take `//host` and `/\host` for another host. It is visible ASCII, because browsers drop tabs and
/// line ends before they look for such a start.
pub(crate) fn redirect_location(target: &str) -> String {
    let Parts {
        path,
        query,
        fragment,
    } = Parts::of(target);
    let mut location = String::with_capacity(target.len() + 2);
    location.push('/');
    let path = path.trim_start_matches(['/', '\\']);
    location.extend(utf8_percent_encode(path, UNSAFE));
    if !location.ends_with('/') {
        location.push('/');
    }
    for (mark, part) in [('?', query), ('#', fragment)] {
        if !part.is_empty() {
            location.push(mark);
            location.extend(utf8_percent_encode(part, UNSAFE));
        }
    }
    location
}

/// Characters to encode in a `Location`, besides everything that is not ASCII. `%` is none, because the target is
/// encoded already.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'\\');

/// A request target, cut as in Python: at the first `#`, and what is before that at the first `?`. A missing part is
/// empty.
struct Parts<'a> {
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    fn of(target: &'a str) -> Self {
        let target = after_authority(target).unwrap_or(target);
        let (rest, fragment) = target.split_once('#').unwrap_or((target, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Parts {
            path,
            query,
            fragment,
        }
    }
}

/// Returns the path alone: everything before the first `?` or `#`.
pub(crate) fn path_of(target: &str) -> &str {
    let target = after_authority(target).unwrap_or(target);
    let mut bytes = target.as_bytes().iter();
    let end = bytes.position(|byte| matches!(byte, b'?' | b'#'));
    end.and_then(|end| target.get(..end)).unwrap_or(target)
}

/// Returns what follows scheme and authority, if the target is in absolute-form. An empty path there means `/`.
fn after_authority(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return None;
    }
    match rest.find(['/', '?', '#']) {
        Some(end) => rest.get(end..),
        None => Some("/"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn bytes(path: &Path) -> &[u8] {
        path.as_os_str().as_encoded_bytes()
    }

    /// The path of such names on this system: on Windows another separator is between them, and many mean something else.
    fn of_names(names: &[u8]) -> Option<PathBuf> {
        sys::path(names.to_vec(), 0)
    }

    #[test]
    fn targets_become_names_below_the_root() {
        let table: &[(&str, &[u8], bool)] = &[
            ("/", b"", true),
            ("", b"", false),
            ("/a/b.txt", b"a/b.txt", false),
            ("/a/b/", b"a/b", true),
            ("//a///b", b"a/b", false),
            ("/./a/./b/.", b"a/b", false),
            ("/a/../b", b"b", false),
            ("/a/b/../../c/", b"c", true),
            ("/../../etc/passwd", b"etc/passwd", false),
            ("/a/../../../b", b"b", false),
            ("/..", b"", false),
            ("/...", b"...", false),
            ("/%2e%2e/%2E%2e/etc", b"etc", false),
            ("/a%2f..%2f..%2fb", b"b", false),
            ("/dir%2f", b"dir", true),
            ("/dir%2F", b"dir", true),
            ("/%252e%252e/a", b"%2e%2e/a", false),
            ("/%25%32%65", b"%2e", false),
            ("/a?b/../c", b"a", false),
            ("/a#b?c", b"a", false),
            ("/a/?x=/#/", b"a", true),
            ("/a%3fb%23c", b"a?b#c", false),
            ("/%FF%fe.bin", b"\xff\xfe.bin", false),
            ("/%c0%ae%c0%ae/x", b"\xc0\xae\xc0\xae/x", false),
            ("/100%", b"100%", false),
            ("/%zz%4", b"%zz%4", false),
            ("/a\\..\\b", b"a\\..\\b", false),
            ("/c:/x", b"c:/x", false),
            ("/a+b%20c", b"a+b c", false),
            ("http://host/a/../b?q", b"b", false),
            ("HTTP://host:80", b"", true),
            ("http://host?q", b"", false),
            ("/http://host/a", b"http:/host/a", false),
        ];
        for &(target, path, trailing_slash) in table {
            let Some(path) = of_names(path) else {
                assert_eq!(std::env::consts::OS, "windows");
                assert_eq!(relative(target), Err(BadPath), "{target}");
                assert_eq!(below(Path::new("/srv"), target), Err(BadPath), "{target}");
                continue;
            };
            let found = relative(target).unwrap();
            assert_eq!(bytes(&found.path), bytes(&path), "{target}");
            assert_eq!(found.trailing_slash, trailing_slash, "{target}");
            let joined = Path::new("/srv").join(found.path);
            let path = below(Path::new("/srv"), target).map(PathBuf::into_os_string);
            assert_eq!(path, Ok(joined.into_os_string()), "{target}");
        }
    }

    #[test]
    fn a_nul_byte_is_refused_even_if_dots_would_drop_it() {
        for target in ["/%00", "/a%00b", "/%00/..", "/a/\0"] {
            assert_eq!(relative(target), Err(BadPath), "{target}");
        }
        assert!(relative("/%2500").is_ok());
        assert!(relative("/a?%00").is_ok());
    }

    #[test]
    fn redirects_add_a_slash_and_stay_on_the_host() {
        let table = [
            ("/dir", "/dir/"),
            ("/dir?a=b&c", "/dir/?a=b&c"),
            ("/dir?", "/dir/"),
            ("/dir#top", "/dir/#top"),
            ("/dir?#top", "/dir/#top"),
            ("/dir#", "/dir/"),
            ("/dir?a?b#c?d", "/dir/?a?b#c?d"),
            ("/d%69r/%2e%2e/x", "/d%69r/%2e%2e/x/"),
            ("/a/../dir", "/a/../dir/"),
            ("//host/..", "/host/../"),
            ("///host/%2f..", "/host/%2f../"),
            ("/\\host/..", "/host/../"),
            ("/\\/\\host", "/host/"),
            ("\\\\host", "/host/"),
            ("/a\\b", "/a%5Cb/"),
            ("/dir?a\\b", "/dir/?a%5Cb"),
            ("/\t/host", "/%09/host/"),
            ("/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x/"),
            ("/\u{e9}", "/%C3%A9/"),
            ("/", "/"),
            ("", "/"),
            ("//", "/"),
            ("?q", "/?q"),
            ("http://host/dir", "/dir/"),
            ("http://host//evil/..", "/evil/../"),
            ("https://host", "/"),
            ("http:\\\\evil", "/http:%5C%5Cevil/"),
            ("javascript:alert(1)", "/javascript:alert(1)/"),
        ];
        for (target, location) in table {
            assert_eq!(redirect_location(target), location, "{target}");
        }
    }

    #[test]
    fn the_memory_of_a_path_is_used_again_and_nothing_of_what_was_in_it() {
        let path = below(Path::new("/srv/www"), "/a/long/name").unwrap();
        let memory = bytes(&path).as_ptr();
        give_back(path);
        let path = below(Path::new("/srv"), "/b").unwrap();
        assert_eq!(path, Path::new("/srv").join("b"));
        assert_eq!(bytes(&path).as_ptr(), memory);
        give_back(PathBuf::from("x".repeat(MOST_SPARE + 1)));
        assert_eq!(take_spare().capacity(), 0);
    }

    /// Mostly the pieces that have broken servers, mixed with anything.
    fn target() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "/", "//", "\\", "..", ".", "%2f", "%2F", "%2e", "%5c", "%00", "%25", "%ff", "%",
                "?", "#", "a", "é", "\t", "\r\n", "\0", "http://", "host", ":", "\u{7f}",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_target_leaves_the_root(target in target()) {
            if let Ok(Relative { path, .. }) = relative(&target) {
                let bytes = bytes(&path);
                prop_assert!(!bytes.contains(&0));
                prop_assert!(!path.is_absolute());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                // `components` overlooks dots and empty names in the middle; the bytes don't
                let mut names = bytes.split(|&byte| is_separator(char::from(byte)));
                let plain = names.all(|name| !matches!(name, b"" | b"." | b".."));
                prop_assert!(bytes.is_empty() || plain);
            }
        }

        #[test]
        fn joined_to_a_root_it_is_the_same_path(target in target()) {
            for root in ["/", "", ".", "/srv/www", "www/", "a/.."] {
                let joined = relative(&target).map(|found| Path::new(root).join(found.path));
                let joined = joined.map(PathBuf::into_os_string);
                prop_assert_eq!(below(Path::new(root), &target).map(PathBuf::into_os_string), joined);
            }
            prop_assert_eq!(path_of(&target), Parts::of(&target).path);
            prop_assert_eq!(has_trailing_slash(&target), decoded_path(&target).ends_with(b"/"));
        }

        #[test]
        fn names_that_are_taken_as_they_stand_are_those_of_the_long_way(target in "/?[a/.]{0,9}[%?#\0]?[a/.]?") {
            if let Some(names) = plain_names(target.as_bytes()) {
                let mut path = Vec::new();
                push_names(&mut path, &decoded_path(&target)).unwrap();
                prop_assert_eq!(names, path);
            }
        }

        #[test]
        fn no_redirect_names_another_host(target in target()) {
            let location = redirect_location(&target);
            prop_assert!(location.starts_with('/'));
            prop_assert!(!location.starts_with("//") && !location.starts_with("/\\"));
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'));
        }

        #[test]
        fn a_redirect_leads_to_the_same_directory_with_a_slash(target in target()) {
            // only the run of slashes at the very start is changed
            let target = format!("/a{target}");
            if let Ok(before) = relative(&target) {
                let after = relative(&redirect_location(&target)).unwrap();
                prop_assert_eq!(before.path, after.path);
                prop_assert!(after.trailing_slash);
            }
        }
    }
}
