//! Programs that read listings: each of them gets every file, whatever its name is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;

use crate::child::Running;
use crate::python_clients::{has, run};
use crate::webroot::WebRoot;

/// Each file has its name as its content.
fn odd_tree() -> WebRoot {
    let root = WebRoot::new();
    let names: [&[u8]; 15] = [
        b"plain.txt",
        b"with space",
        b" leading",
        b"q?mark",
        b"hash#tag",
        b"per%41cent",
        b"<b>&amp;\"'",
        b"javascript:alert(1)",
        b"back\\slash",
        b"new\nline\ttab",
        b"\xff\xfe",
        b"caf\xe9",
        b"...",
        b"-rf",
        &[b'x'; 200],
    ];
    for directory in ["tree", "tree/dir & <i>", "tree/a:b"] {
        for name in names {
            root.file(Path::new(directory).join(OsStr::from_bytes(name)), name);
        }
    }
    root.dir("tree/empty").link("tree/out", "../../secret.txt");
    root.dir("got");
    root
}

/// The contents of all files of a directory and those below, by path.
fn files(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(content) = fs::read(&path)
                && !path.is_symlink()
            {
                let relative = path.strip_prefix(directory).unwrap().to_owned();
                all.insert(relative.into_os_string(), content);
            }
        }
    }
    all
}

#[test]
fn wget_mirrors_every_file_and_goes_no_further_than_the_orders_of_one_page() {
    if !has(
        "wget",
        "wget_mirrors_every_file_and_goes_no_further_than_the_orders_of_one_page",
    ) {
        return;
    }
    let root = odd_tree();
    let (_running, port) = Running::servette(&root, &["-p", "HTTP/1.1"]);
    let url = format!("http://127.0.0.1:{port}/tree/");
    let status = Command::new("wget")
        .args(["-q", "-r", "-l", "inf", "-np", "-nH", "--cut-dirs=1"])
        .args(["--no-iri", "--restrict-file-names=nocontrol", "-P"])
        .args([root.join("got").to_str().unwrap(), &url])
        .status()
        .unwrap();
    // The link out of the directory is a 404.
    assert_eq!(status.code(), Some(8));
    let mut got = files(&root.join("got"));
    let (mut pages, mut orders) = (0, 0);
    got.retain(|path, _| {
        let is_order = path
            .as_bytes()
            .windows(11)
            .any(|part| part == b"index.html?");
        orders += usize::from(is_order);
        let is_page = path.as_bytes().ends_with(b"index.html");
        pages += usize::from(is_page);
        !is_order && !is_page
    });
    // What wget has decoded it decodes once more for the name of the file.
    let decoded = |path: OsString| match path.as_bytes().strip_suffix(b"per%41cent") {
        Some(directory) => OsString::from_vec([directory, b"perAcent"].concat()),
        None => path,
    };
    let expected = files(&root.join("tree")).into_iter();
    let expected: BTreeMap<_, _> = expected
        .map(|(path, content)| (decoded(path), content))
        .collect();
    assert!(got == expected, "{:?}\n{:?}", got.keys(), expected.keys());
    assert_eq!((pages, orders), (4, 3 * 4), "of the empty directory: none");
}

#[test]
fn a_shell_gets_every_file_by_the_lines_of_the_text_and_by_json() {
    let test = "a_shell_gets_every_file_by_the_lines_of_the_text_and_by_json";
    if !has("curl", test) || !has("jq", test) {
        return;
    }
    let root = odd_tree();
    let (_running, port) = Running::servette(&root, &["-p", "HTTP/1.1"]);
    let url = format!("http://127.0.0.1:{port}/tree/");
    let names = files(&root.join("tree"));
    let mut expected: Vec<_> = names
        .into_iter()
        .filter(|(path, _)| !path.as_bytes().contains(&b'/'))
        .map(|(_, content)| content)
        .collect();
    expected.sort();
    for list in [
        "curl -sS \"$1?format=text\"",
        "curl -sS -H 'Accept: text/plain' \"$1\"",
        "curl -sS -H 'Accept: application/json' \"$1\" | jq -r '.[] | .href // empty'",
    ] {
        let got = root.join("got");
        fs::remove_dir_all(&got).unwrap();
        fs::create_dir(&got).unwrap();
        let script = format!("{list} | grep -v '/$' | sed \"s|^|$1|\" | xargs -n 1 curl -sSf -O");
        run(Command::new("sh")
            .args(["-c", &script, "sh", &url])
            .current_dir(&got));
        let mut contents: Vec<_> = files(&got).into_values().collect();
        contents.sort();
        assert_eq!(contents, expected, "{list}");
    }
}
