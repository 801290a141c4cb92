//! A to-do list: JSON and forms, cookies, `Accept`, basic auth, CORS, errors as JSON, server-sent events, uploads,
//! downloads, gzip, a log file, a Unix socket, and graceful shutdown on SIGTERM. `mkdir uploads`, then
//! `cargo run --features json,auth --example todo -- 8000 uploads`, then `curl 127.0.0.1:8000/todos`
#![allow(clippy::unwrap_used, clippy::expect_used)]
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use servette::base::Outcome;
use servette::{Chunk, Exchange, Layer, OrStatus, RequestHandler, ResponseStream, Result};
use servette::{SimpleHandler, Status, Target, ThreadingHttpServer, events};
use std::{collections::BTreeMap, fs::File, io::Write, path::PathBuf, sync::Mutex, time::Duration};

#[derive(Deserialize, Serialize)]
struct Todo {
    title: String,
}
#[derive(Default)]
struct App {
    todos: Mutex<BTreeMap<u32, Todo>>,
    watchers: Mutex<Vec<ResponseStream>>,
    folder: PathBuf,
    files: SimpleHandler,
}

impl RequestHandler for App {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let target = x.target()?;
        match (x.command, &*target.segments()) {
            ("GET" | "HEAD", []) => self.start_page(x),
            ("GET" | "HEAD", ["todos"]) => self.list(x, &target),
            ("POST", ["todos"]) => self.create(x),
            ("GET" | "HEAD", ["todos", id]) => {
                let id = id.parse().or_status(Status::NOT_FOUND)?;
                let todos = self.todos.lock().unwrap();
                x.send_json(Status::OK, todos.get(&id).or_status(Status::NOT_FOUND)?)
            }
            ("DELETE", ["todos", id]) => {
                let id = id.parse().or_status(Status::NOT_FOUND)?;
                self.todos.lock().unwrap().remove(&id);
                x.send_content(Status::NO_CONTENT, "", "")
            }
            ("GET", ["events"]) => {
                let stream = events::begin(x)?;
                self.watchers.lock().unwrap().push(stream);
                Ok(())
            }
            ("PUT", ["files", name]) => self.upload(x, name),
            ("GET" | "HEAD", ["files", ..]) => {
                let mut x = x.strip_prefix("/files").or_status(Status::NOT_FOUND)?;
                x.delegate_to(&self.files)
            }
            (_, ["todos" | "files" | "events", ..]) => {
                x.send_header("Allow", "GET, HEAD, POST, PUT, DELETE");
                x.send_error(Status::METHOD_NOT_ALLOWED)
            }
            _ => x.send_error(Status::NOT_FOUND),
        }
    }
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
    fn error_message_format(&self) -> &str {
        r#"{"code": %(code)d, "error": %(message)j, "explain": %(explain)j}"#
    }
    fn error_content_type(&self) -> &str {
        "application/json"
    }
}

impl App {
    fn start_page(&self, x: &mut Exchange<'_>) -> Result<()> {
        let visits: u32 = x.cookie("visits").unwrap_or("0").parse().unwrap_or(0);
        let cookie = format!("visits={}; HttpOnly; SameSite=Lax", visits.wrapping_add(1));
        x.send_header("Set-Cookie", &cookie);
        x.send_content(Status::OK, "text/html", format!("<p>Visits: {visits}"))
    }
    fn list(&self, x: &mut Exchange<'_>, target: &Target<'_>) -> Result<()> {
        let q = target.query_value("q").unwrap_or_default();
        let offers = ["application/json", "text/plain"];
        let kind = x.accepts(offers).or_status(Status::NOT_ACCEPTABLE)?;
        let todos = self.todos.lock().unwrap();
        let found = todos.iter().filter(|(_, todo)| todo.title.contains(&*q));
        let body: String = match kind {
            "text/plain" => found.flat_map(|(_, todo)| [&todo.title, "\n"]).collect(),
            _ => serde_json::to_string(&found.collect::<BTreeMap<_, _>>()).unwrap(),
        };
        drop(todos); // no lock is held while a client reads
        x.send_header("Vary", "Accept, Accept-Encoding");
        let codings = x.headers.get("Accept-Encoding").unwrap_or_default();
        if body.len() < 500 || !codings.split(',').any(|coding| coding.trim() == "gzip") {
            return x.send_content(Status::OK, kind, body);
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(body.as_bytes())?;
        x.send_header("Content-Encoding", "gzip");
        x.send_content(Status::OK, kind, packed.finish()?)
    }
    fn create(&self, x: &mut Exchange<'_>) -> Result<()> {
        let todo: Todo = match x.headers.get("Content-Type") {
            Some("application/json") => x.read_json(10_000)?,
            _ => {
                let form = x.read_form(10_000)?;
                let title = form.value("title").or_status(Status::BAD_REQUEST)?.into();
                Todo { title }
            }
        };
        let news = Chunk::from(events::Event::new(&todo.title));
        let mut watchers = self.watchers.lock().unwrap();
        watchers.retain(|watcher| watcher.send(&news).is_ok());
        let mut todos = self.todos.lock().unwrap();
        let id = todos.keys().next_back().map_or(1, |last| last + 1);
        todos.insert(id, todo);
        x.send_redirect(Status::SEE_OTHER, &format!("/todos/{id}"))
    }
    fn upload(&self, x: &mut Exchange<'_>, name: &str) -> Result<()> {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return x.send_error(Status::BAD_REQUEST);
        }
        let part = self.folder.join(format!("{name}.part"));
        x.rfile.copy_up_to(10 << 20, &mut File::create(&part)?)?;
        std::fs::rename(part, self.folder.join(name))?;
        x.send_content(Status::CREATED, "", "")
    }
}

struct Guard<H>(H, File); // CORS, a password for changes, a log file
impl<H: RequestHandler> Layer for Guard<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_header("Access-Control-Allow-Origin", "*");
        if x.command == "OPTIONS" {
            x.send_header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
            x.send_header("Access-Control-Allow-Headers", "Authorization");
            return x.send_content(Status::NO_CONTENT, "", "");
        }
        let is_known = x.basic_auth().is_some_and(|who| who.is("anna", "secret"));
        if !is_known && !matches!(x.command, "GET" | "HEAD") {
            x.send_header("WWW-Authenticate", "Basic realm=\"todo\"");
            return x.send_error(Status::UNAUTHORIZED);
        }
        self.0.do_method(x)
    }
    fn log_request(&self, _: &Exchange<'_>, _: u16, _: Option<u64>) {}
    fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
        x.log_message(format_args!("\"{}\" {outcome}", x.requestline));
    }
    fn log_line(&self, _: &Exchange<'_>, line: &str) {
        let _ = (&self.1).write_all(line.as_bytes());
    }
}

fn main() -> Result<()> {
    let [port, folder] = [1, 2].map(|at| std::env::args().nth(at).expect("PORT FOLDER"));
    let files = SimpleHandler::new(&folder);
    let app = App {
        files: files.extra_response_header("Content-Disposition", "attachment"),
        folder: folder.into(),
        ..App::default()
    };
    let log = File::options().append(true).create(true).open("todo.log")?;
    let builder = ThreadingHttpServer::builder(Guard(app, log));
    #[cfg(unix)] // on Windows there are no Unix sockets
    let builder = builder.also_bind_unix("todo.socket");
    let server = builder.bind(format!("127.0.0.1:{port}"))?;
    let stop = server.shutdown_handle();
    ctrlc::set_handler(move || {
        stop.shutdown(Duration::from_secs(1)); // at SIGTERM, or Ctrl-C
        std::process::exit(0) // even if a handler still runs
    })
    .map_err(std::io::Error::other)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
