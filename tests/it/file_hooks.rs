//! Handlers that override a hook of `ServeFiles`: the others see it, and pointers hand it on.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use servette::simple::{Content, Directory, DirectoryListing, FileMetadata, Visibility};
use servette::{
    Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, Status, base, respond,
    simple,
};

use crate::webroot::{WebRoot, ask, get};

struct Cors(SimpleHandler);

impl Layer for Cors {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_header("Access-Control-Allow-Origin", "*");
        base::end_headers(self, x)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn end_headers_applies_to_all_responses() {
    let root = WebRoot::new();
    root.file("a.txt", "a").dir("dir");
    let cors = Cors(SimpleHandler::new(root.path()));
    for (target, status) in [
        ("/a.txt", 200),
        ("/dir", 301),
        ("/dir/", 200),
        ("/none", 404),
    ] {
        let answer = get(&cors, target);
        let origin = answer.field("Access-Control-Allow-Origin");
        assert_eq!((answer.status(), origin), (status, Some("*")), "{target}");
    }
    // the server's own refusals too
    let refusal = ask(&cors, "GET\r\n\r\n");
    let origin = refusal.field("Access-Control-Allow-Origin");
    assert_eq!((refusal.status(), origin), (400, Some("*")));
}

struct Site {
    files: SimpleHandler,
    assets: PathBuf,
}

impl Layer for Site {
    fn inner(&self) -> &dyn RequestHandler {
        &self.files
    }

    fn translate_path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("/static/") {
            Some(rest) => self.assets.join(rest),
            None => simple::translate_path(self, path),
        }
    }

    fn guess_type(&self, path: &Path) -> Cow<'_, str> {
        match path.file_name() {
            Some(name) if name == "LICENSE" => "text/plain".into(),
            _ => simple::guess_type(self, path),
        }
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn translate_path_may_lead_elsewhere() {
    let root = WebRoot::new();
    root.file("www/LICENSE", "mit").file("www/m.wasm", "wasm");
    root.file("assets/a.txt", "asset")
        .file("assets/sub/index.html", "index")
        .file("up.txt", "up")
        .dir("assets/list");
    #[cfg(unix)]
    root.link("www/up", "../up.txt")
        .link("assets/link", "../up.txt")
        .link("assets/zero", "/dev/zero");
    let site = Site {
        files: SimpleHandler::new(root.join("www")).extension("wasm", "application/x-own"),
        assets: root.join("assets"),
    };
    assert_eq!(get(&site, "/static/a.txt").text(), "asset");
    assert_eq!(get(&site, "/static/sub/").text(), "index");
    assert_eq!(
        get(&site, "/static/sub").field("Location"),
        Some("/static/sub/")
    );
    assert!(
        get(&site, "/static/list/")
            .text()
            .contains("Directory listing for /static/list/")
    );
    // its own word: there links are followed, but still only regular files are sent
    #[cfg(unix)]
    assert_eq!(get(&site, "/static/link").text(), "up");
    assert_eq!(get(&site, "/static/zero").status(), 404);
    assert_eq!(get(&site, "/up").status(), 404);
    assert_eq!(
        get(&site, "/LICENSE").field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        get(&site, "/m.wasm").field("Content-Type"),
        Some("application/x-own")
    );
}

struct Start(SimpleHandler);

impl Layer for Start {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/" => simple::do_method(self, &mut x.with_path("/start.html")),
            _ => simple::do_method(self, x),
        }
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn another_path_can_be_served_in_place_of_the_requested() {
    let root = WebRoot::new();
    root.file("start.html", "start").file("a.txt", "a");
    let start = Start(SimpleHandler::new(root.path()));
    assert_eq!(get(&start, "/").text(), "start");
    let media_type = "text/html; charset=utf-8";
    assert_eq!(get(&start, "/").field("Content-Type"), Some(media_type));
    assert_eq!(get(&start, "/a.txt").text(), "a");
}

/// No listings, and files in capitals.
struct Shop(SimpleHandler);

impl Layer for Shop {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn list_directory(
        &self,
        x: &mut Exchange<'_>,
        directory: &Directory<'_>,
    ) -> Result<Option<Content>> {
        let count = directory.entries()?.len();
        let explain = format!("{count} entries in {}", directory.path().display());
        let status = Status::FORBIDDEN
            .with_message("No listing")
            .with_explain(&explain);
        x.send_error(status).map(|()| None)
    }

    fn copyfile(&self, x: &mut Exchange<'_>, mut source: Content) -> Result<()> {
        let mut text = String::new();
        source.read_to_string(&mut text)?;
        Ok(x.wfile.write_all(text.to_uppercase().as_bytes())?)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn listings_and_copying_can_be_replaced() {
    let root = WebRoot::new();
    root.file("dir/a.txt", "hello")
        .dir("page")
        .file("page/index.html", "hi");
    let shop = Shop(SimpleHandler::new(root.path()));
    let answer = get(&shop, "/dir/");
    assert_eq!(answer.line, "HTTP/1.0 403 No listing");
    let explain = format!("1 entries in {}", root.join("dir").display());
    assert!(answer.text().contains(&explain), "{}", answer.text());
    assert_eq!(get(&shop, "/dir/a.txt").text(), "HELLO");
    assert_eq!(get(&shop, "/page/").text(), "HI");
    assert!(
        ask(&shop, "HEAD /dir/a.txt HTTP/1.0\r\n\r\n")
            .body
            .is_empty()
    );
}

/// Writes down which of its hooks was called, and does nothing else.
#[derive(Default)]
struct Recorder(SimpleHandler, Mutex<Vec<&'static str>>);

impl Recorder {
    fn note<T>(&self, hook: &'static str, value: T) -> T {
        self.1.lock().unwrap().push(hook);
        value
    }
}

impl Layer for Recorder {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn do_get(&self, _: &mut Exchange<'_>) -> Result<()> {
        self.note("do_get", Ok(()))
    }
    fn do_head(&self, _: &mut Exchange<'_>) -> Result<()> {
        self.note("do_head", Ok(()))
    }
    fn send_head(&self, _: &mut Exchange<'_>) -> Result<Option<Content>> {
        self.note("send_head", Ok(None))
    }
    fn send_not_found(&self, _: &mut Exchange<'_>, _: &Path) -> Result<Option<Content>> {
        self.note("send_not_found", Ok(None))
    }
    fn list_directory(&self, _: &mut Exchange<'_>, _: &Directory<'_>) -> Result<Option<Content>> {
        self.note("list_directory", Ok(None))
    }
    fn listing_page(&self, _: &mut Exchange<'_>, _: &DirectoryListing<'_>) -> Result<Vec<u8>> {
        self.note("listing_page", Ok(Vec::new()))
    }
    fn translate_path(&self, _: &str) -> PathBuf {
        self.note("translate_path", PathBuf::new())
    }
    fn visibility(&self, _: &OsStr) -> Visibility {
        self.note("visibility", Visibility::Shown)
    }
    fn guess_type(&self, _: &Path) -> Cow<'_, str> {
        self.note("guess_type", "".into())
    }
    fn entity_tag<'a>(&'a self, _: &Path, _: &'a FileMetadata) -> Option<Cow<'a, str>> {
        self.note("entity_tag", None)
    }
    fn cache_control(&self, _: &Path) -> Option<Cow<'_, str>> {
        self.note("cache_control", None)
    }
    fn copyfile(&self, _: &mut Exchange<'_>, _: Content) -> Result<()> {
        self.note("copyfile", Ok(()))
    }
}

/// Calls every hook of `P` once, from where it has an exchange and a directory.
struct Probe<P>(SimpleHandler, P);

impl<P: ServeFiles> Layer for Probe<P> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn list_directory(
        &self,
        x: &mut Exchange<'_>,
        directory: &Directory<'_>,
    ) -> Result<Option<Content>> {
        let inner = &self.1;
        inner.do_get(x)?;
        inner.do_head(x)?;
        inner.send_head(x)?;
        inner.send_not_found(x, Path::new("x"))?;
        inner.list_directory(x, directory)?;
        inner.translate_path("/");
        inner.visibility(OsStr::new("x"));
        inner.guess_type(Path::new("x"));
        let file = fs::File::open(std::env::current_exe()?)?;
        inner.entity_tag(Path::new("x"), &FileMetadata::of(&file)?);
        inner.cache_control(Path::new("x"));
        inner.copyfile(x, Content::Page(Default::default()))?;
        self.0.list_directory(x, directory)
    }

    fn listing_page(
        &self,
        x: &mut Exchange<'_>,
        listing: &DirectoryListing<'_>,
    ) -> Result<Vec<u8>> {
        self.1.listing_page(x, listing)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn pointers_hand_on_every_hook() {
    let root = WebRoot::new();
    let files = || SimpleHandler::new(root.path());
    let all = [
        "do_get",
        "do_head",
        "send_head",
        "send_not_found",
        "list_directory",
        "translate_path",
        "visibility",
        "guess_type",
        "entity_tag",
        "cache_control",
        "copyfile",
        "listing_page",
    ];
    let of_trait = include_str!("../../src/simple/hooks.rs");
    let hooks = of_trait
        .lines()
        .filter(|line| line.starts_with("    fn "))
        .count();
    // And `files` and `dyn_files`, which return what the others are about.
    assert_eq!(hooks, all.len() + 2, "a hook that is not called here");

    fn ran(answer: Vec<u8>) {
        assert!(
            answer.starts_with(b"HTTP/1.0 200 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    let request = "GET / HTTP/1.0\r\n\r\n";
    let recorder = Recorder::default();
    ran(respond(&Probe(files(), &recorder), request));
    assert_eq!(*recorder.1.lock().unwrap(), all);

    let recorder = Arc::new(Recorder::default());
    ran(respond(&Probe(files(), recorder.clone()), request));
    assert_eq!(*recorder.1.lock().unwrap(), all);

    recorder.1.lock().unwrap().clear();
    let boxed: Box<dyn ServeFiles> = Box::new(recorder.clone());
    ran(respond(&Probe(files(), boxed), request));
    assert_eq!(*recorder.1.lock().unwrap(), all);
}
