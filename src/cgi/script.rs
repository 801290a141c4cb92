//! Finds the script that a request path names, and splits the path after it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use rustix::fs::FileType;

use super::RunScripts;
use crate::simple::path;

/// Characters to encode so that a decoded path can be decoded again.
const RESERVED: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// Maximum length of a first line, as on Linux.
const FIRST_LINE: u64 = 256;

/// A request path, split after the script directory: Python's `cgi_info`.
///
/// Both parts are percent-decoded and contain no `.`, `..` and empty names. They are bytes: `%FF` is the byte FF.
///
/// ```
/// use servette::cgi::RunScripts;
/// use servette::CgiHandler;
///
/// let handler = CgiHandler::new("public");
/// let info = handler.is_cgi("/cgi-bin/report.py/2026").unwrap();
/// assert_eq!(info.directory, b"/cgi-bin");
/// assert_eq!(info.rest, b"report.py/2026");
/// assert_eq!(handler.is_cgi("/index.html"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgiInfo {
    /// The script directory, such as `/cgi-bin`; empty if it is the root.
    pub directory: Vec<u8>,
    /// The rest of the path without its leading slash, such as `script.py/more`. May be empty.
    pub rest: Vec<u8>,
}

impl CgiInfo {
    /// Splits a path after the first directory that is one of `directories`.
    pub(super) fn of(target: &str, directories: &[String]) -> Option<CgiInfo> {
        // `*`, and the authority of a CONNECT, are no paths.
        if !target.starts_with('/') {
            return None;
        }
        // A name with a NUL is no script's; as a file it is not found.
        let relative = path::relative(target).ok()?;
        let mut whole = vec![b'/'];
        whole.extend_from_slice(relative.path.as_os_str().as_bytes());
        if relative.trailing_slash && whole.len() > 1 {
            whole.push(b'/');
        }
        let slashes = whole.iter().enumerate();
        for (at, _) in slashes.filter(|&(_, &byte)| byte == b'/') {
            let (directory, rest) = whole.split_at_checked(at)?;
            if directories
                .iter()
                .any(|known| known.trim_end_matches('/').as_bytes() == directory)
            {
                return Some(CgiInfo {
                    directory: directory.to_vec(),
                    rest: rest.get(1..).unwrap_or_default().to_vec(),
                });
            }
        }
        None
    }
}

/// A script that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// `SCRIPT_NAME`: the path of the script.
    pub(super) name: Vec<u8>,
    /// `PATH_INFO`: the rest of the path with its leading slash, or empty.
    pub(super) path_info: Vec<u8>,
    /// The absolute path of the file, without links.
    pub(super) file: PathBuf,
}

/// What a path below a script directory names.
#[derive(Debug)]
pub(super) enum Lookup {
    Found(Script),
    /// Nothing, or something that may not be reached. The name is for the error page.
    Missing(Vec<u8>),
    /// Something other than a regular file.
    NotPlain(Vec<u8>),
    /// A directory with an index script; the path lacks the slash at its end.
    NeedsSlash(Vec<u8>),
}

/// Finds the script: the first name that is not a directory, or the index script of a directory.
///
/// # Errors
/// If the system is out of file descriptors or memory.
pub(super) fn find(h: &dyn RunScripts, info: &CgiInfo) -> io::Result<Lookup> {
    let mut name = info.directory.clone();
    let mut rest: &[u8] = &info.rest;
    loop {
        let end = rest.iter().position(|&byte| byte == b'/');
        let (first, path_info) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or_default();
        name.push(b'/');
        name.extend_from_slice(first);
        let file = h.translate_path(&encode(&name));
        match h.files().locate(&file) {
            Ok(found) if found.file_type == FileType::RegularFile && !first.is_empty() => {
                return Ok(Lookup::Found(Script {
                    name,
                    path_info: path_info.to_vec(),
                    file: found.path,
                }));
            }
            Ok(found) if found.file_type == FileType::Directory && end.is_some() => {
                rest = path_info.get(1..).unwrap_or_default();
            }
            Ok(found) if found.file_type == FileType::Directory => {
                return find_index(h, name);
            }
            Ok(_) => return Ok(Lookup::NotPlain(name)),
            Err(error) if is_exhausted(&error) => return Err(error),
            Err(_) => return Ok(Lookup::Missing(name)),
        }
    }
}

/// Finds the index script of a directory.
fn find_index(h: &dyn RunScripts, directory: Vec<u8>) -> io::Result<Lookup> {
    for index in h.cgi().index_scripts() {
        let mut name = directory.clone();
        if !name.ends_with(b"/") {
            name.push(b'/');
        }
        name.extend_from_slice(index.as_bytes());
        match h.files().locate(&h.translate_path(&encode(&name))) {
            Ok(found) if found.file_type == FileType::RegularFile => {
                return Ok(match directory.ends_with(b"/") {
                    true => Lookup::Found(Script {
                        name,
                        path_info: Vec::new(),
                        file: found.path,
                    }),
                    false => Lookup::NeedsSlash(directory),
                });
            }
            Err(error) if is_exhausted(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(Lookup::NotPlain(directory))
}

/// Returns the program in the first line of a script, and a note if the line ends in CR LF.
pub(super) fn interpreter(script: &Path) -> Option<(PathBuf, &'static str)> {
    let mut start = Vec::new();
    File::open(script)
        .ok()?
        .take(FIRST_LINE)
        .read_to_end(&mut start)
        .ok()?;
    let line = start.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_prefix(b"#!")?.trim_ascii_start();
    let end = line.iter().position(|byte| b" \t".contains(byte));
    let program = line.get(..end.unwrap_or(line.len()))?;
    let note = match program.ends_with(b"\r") {
        true => " (its lines end in CR LF)",
        false => "",
    };
    Some((OsStr::from_bytes(program).into(), note))
}

fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

/// Encodes a decoded path so that it can be decoded again.
pub(super) fn encode(path: &[u8]) -> Cow<'_, str> {
    percent_encode(path, RESERVED).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn info(target: &str) -> Option<(String, String)> {
        let directories = ["/cgi-bin", "/htbin", "/sub/dir/cgi-bin"].map(String::from);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let info = CgiInfo::of(target, &directories)?;
        Some((text(&info.directory), text(&info.rest)))
    }

    #[test]
    fn a_path_is_split_behind_its_directory_of_scripts_however_it_is_spelled() {
        let whole = |target| {
            let info = CgiInfo::of(target, &["/".to_owned()])?;
            assert!(info.directory.is_empty());
            Some(String::from_utf8(info.rest).unwrap())
        };
        assert_eq!(whole("/"), Some(String::new()));
        assert_eq!(whole("/a/../b/?c/d"), Some("b/".into()));
        assert_eq!(whole("//a.sh"), Some("a.sh".into()));
        for target in ["*", "host:80", "/%00"] {
            assert_eq!(whole(target), None, "{target}");
        }
        for (target, split) in [
            ("/cgi-bin/a.sh", Some(("/cgi-bin", "a.sh"))),
            ("/cgi-bin/", Some(("/cgi-bin", ""))),
            ("/cgi-bin", None),
            ("/cgi-bin?x=/", None),
            ("/htbin/a/b/?c/d", Some(("/htbin", "a/b/"))),
            ("//cgi-bin///a", Some(("/cgi-bin", "a"))),
            ("/cgi-bin%2fa%2Fb", Some(("/cgi-bin", "a/b"))),
            ("/c%67i-bin/a", Some(("/cgi-bin", "a"))),
            ("/x/../cgi-bin/./a", Some(("/cgi-bin", "a"))),
            ("/../cgi-bin/a", Some(("/cgi-bin", "a"))),
            ("/cgi-bin/../a", None),
            ("/cgi-bin/..%2fcgi-bin/a", Some(("/cgi-bin", "a"))),
            ("/cgi-bin/a%3fb", Some(("/cgi-bin", "a?b"))),
            ("/cgi-bin/a%253f", Some(("/cgi-bin", "a%3f"))),
            ("/cgi-bin-2/a", None),
            ("/CGI-BIN/a", None),
            ("/sub/dir/cgi-bin/a/b", Some(("/sub/dir/cgi-bin", "a/b"))),
            ("/dir/cgi-bin/a", None),
            ("/cgi-bin/a%00", None),
            ("*", None),
            ("/", None),
        ] {
            let split = split.map(|(a, b): (&str, &str)| (a.to_owned(), b.to_owned()));
            assert_eq!(info(target), split, "{target}");
        }
    }

    proptest! {
        #[test]
        fn no_part_is_a_dot_or_absolute(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "/", "cgi-bin", "..", ".", "%2f", "%2e", "a", "%00", "?", "#", "%", "\\",
            ]), 0..12),
        ) {
            if let Some((directory, rest)) = info(&format!("/{}", pieces.concat())) {
                prop_assert_eq!(directory, "/cgi-bin");
                prop_assert!(!rest.starts_with('/') && !rest.contains("//"));
                prop_assert!(!rest.split('/').any(|part| matches!(part, "." | "..")));
            }
        }

        #[test]
        fn an_encoded_path_decodes_to_itself(path in prop::collection::vec(1..=255u8, 0..20)) {
            let target = format!("/{}", encode(&path));
            let decoded = path::decoded_path(&target);
            prop_assert_eq!(decoded.strip_prefix(b"/"), Some(&path[..]));
        }
    }
}
