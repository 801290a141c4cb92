//! Clients that ask for parts of files: each of them has the whole file at the end.

use std::fs;
use std::process::Command;

use crate::child::Running;
use crate::python_clients::{has, run, says};
use crate::webroot::WebRoot;

/// Served over HTTP/1.1, and a place to put what was got.
struct Site {
    root: WebRoot,
    content: Vec<u8>,
    _running: Running,
    port: u16,
}

impl Site {
    fn new() -> Self {
        let root = WebRoot::new();
        let content: Vec<u8> = (0..3_000_000_u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) >> 40) as u8)
            .collect();
        root.file("f.bin", &content).settle("f.bin");
        let (running, port) = Running::servette(&root, &["-p", "HTTP/1.1"]);
        Site {
            root,
            content,
            _running: running,
            port,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/f.bin", self.port)
    }

    /// A file beside the root, with the first bytes of the content.
    fn begun(&self, length: usize) -> String {
        let path = self.root.join("../got.bin");
        fs::write(&path, &self.content[..length]).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn assert_whole(&self, client: &str) {
        let got = fs::read(self.root.join("../got.bin")).unwrap();
        assert!(got == self.content, "{client}: {} bytes", got.len());
    }
}

#[test]
fn curl_and_wget_go_on_where_they_stopped() {
    for (client, arguments) in [
        ("curl", ["-sS", "-C", "-", "-o"].as_slice()),
        ("wget", ["-q", "-c", "-O"].as_slice()),
    ] {
        if !has(client, "curl_and_wget_go_on_where_they_stopped") {
            continue;
        }
        let site = Site::new();
        let path = site.begun(1_000_000);
        run(Command::new(client)
            .args(arguments)
            .args([&path, &site.url()]));
        site.assert_whole(client);
        // Nothing is left to be got: wget takes the 416 for that.
        if client == "wget" {
            run(Command::new(client)
                .args(arguments)
                .args([&path, &site.url()]));
            site.assert_whole(client);
        }
    }
}

#[test]
fn curl_gets_several_ranges() {
    if !has("curl", "curl_gets_several_ranges") {
        return;
    }
    let site = Site::new();
    let path = site.begun(0);
    let head = run(Command::new("curl").args([
        "-sS",
        "-r",
        "0-1,500-509",
        "-D",
        "-",
        "-o",
        &path,
        &site.url(),
    ]));
    assert!(head.starts_with("HTTP/1.1 206 Partial Content"), "{head}");
    let body = fs::read(&path).unwrap();
    let contains = |part: &[u8]| body.windows(part.len()).any(|bytes| bytes == part);
    let first = b"Content-Range: bytes 0-1/3000000\r\n\r\n";
    assert!(contains(&[first, &site.content[..2], b"\r\n--"].concat()));
    let second = b"Content-Range: bytes 500-509/3000000\r\n\r\n";
    assert!(contains(
        &[second, &site.content[500..510], b"\r\n--"].concat()
    ));
}

#[test]
fn aria2_gets_a_file_over_four_connections() {
    if !has("aria2c", "aria2_gets_a_file_over_four_connections") {
        return;
    }
    let site = Site::new();
    let directory = site.root.join("..");
    run(Command::new("aria2c")
        .args([
            "-q",
            "-x4",
            "-s4",
            "-k",
            "1M",
            "--allow-overwrite",
            "-o",
            "got.bin",
            "-d",
        ])
        .arg(directory)
        .arg(site.url()));
    site.assert_whole("aria2c");
}

/// It asks for up to 20 ranges at a time, and gives up where it gets the whole.
#[test]
fn zsync_gets_what_differs() {
    let test = "zsync_gets_what_differs";
    if !says("zsync", "-V", test) || !says("zsyncmake", "-V", test) {
        return;
    }
    let site = Site::new();
    let mut old = site.content.clone();
    for at in (0..old.len()).step_by(60_000) {
        old[at..at + 3000].fill(0);
    }
    let path = site.begun(0);
    fs::write(&path, old).unwrap();
    let index = site.root.join("f.bin.zsync");
    run(Command::new("zsyncmake")
        .args(["-u", "f.bin", "-o"])
        .args([index, site.root.join("f.bin")]));
    let url = format!("{}.zsync", site.url());
    // It would go on for ever where it does not understand what it gets.
    run(Command::new("timeout")
        .args(["15", "zsync", "-q", "-i", &path, "-o", &path, &url])
        .current_dir(site.root.join("..")));
    site.assert_whole("zsync");
}

#[test]
fn urllib_gets_200_random_ranges() {
    if !has("python3", "urllib_gets_200_random_ranges") {
        return;
    }
    let site = Site::new();
    let script = r#"
import random, sys, urllib.request
url, content = sys.argv[1], open(sys.argv[2], "rb").read()
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
tag = urllib.request.urlopen(url).headers["ETag"]
for number in range(200):
    first = random.randrange(len(content))
    last = random.randrange(first, min(len(content) + 1000, first + random.choice([1, 100, 70000, 3000000])))
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-{last}", "If-Range": tag})
    with urllib.request.urlopen(request) as answer:
        end = min(last, len(content) - 1)
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{end}/{len(content)}"
        assert answer.read() == content[first:end + 1], (first, last)
print("done")
"#;
    let path = site.root.join("f.bin");
    let out = run(Command::new("python3")
        .args(["-c", script, &site.url()])
        .arg(path));
    assert_eq!(out, "done");
}
