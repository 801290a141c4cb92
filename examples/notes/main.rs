//! The program of docs/tutorial.md: notes as JSON, a form, a login, and graceful shutdown.
//!
//!     NOTES_PASSWORD=secret cargo run --features json,auth,testing --example notes
//!     curl -u anna:secret -d 'text=buy milk' http://127.0.0.1:8000/notes
//!     curl http://127.0.0.1:8000/notes
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod login;
mod serve;
mod site;

use login::Login;
use serde::{Deserialize, Serialize};
use servette::{Exchange, OrStatus, RequestHandler, Result, SimpleHandler, Status};
use site::Site;
use std::sync::Mutex;

#[derive(Clone, Deserialize, Serialize)]
struct Note {
    text: String,
}

#[derive(Default)]
struct Notes {
    list: Mutex<Vec<Note>>,
}

impl Notes {
    fn all(&self) -> Vec<Note> {
        self.list.lock().unwrap().clone()
    }

    fn add(&self, note: Note) -> usize {
        let mut list = self.list.lock().unwrap();
        list.push(note);
        list.len() - 1
    }

    fn read(x: &mut Exchange<'_>) -> Result<Note> {
        let content_type = x.headers.get("Content-Type").unwrap_or_default();
        // Without parameters, such as `; charset=utf-8`.
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return x.read_json(1000);
        }
        let form = x.read_form(1000)?; // 415 if it is not a form
        let text = form.value("text").or_status(Status::BAD_REQUEST)?.into();
        Ok(Note { text })
    }
}

fn not_allowed(x: &mut Exchange<'_>, methods: &str) -> Result<()> {
    x.send_header("Allow", methods);
    x.send_error(Status::METHOD_NOT_ALLOWED)
}

impl RequestHandler for Notes {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let target = x.target()?;
        match (x.command, &*target.segments()) {
            ("GET" | "HEAD", ["notes"]) => x.send_json(Status::OK, &self.all()),
            ("GET" | "HEAD", ["notes", id]) => {
                let id: usize = id.parse().or_status(Status::NOT_FOUND)?;
                let note = self.all().get(id).cloned().or_status(Status::NOT_FOUND)?;
                x.send_json(Status::OK, &note)
            }
            ("POST", ["notes"]) => {
                let id = self.add(Notes::read(x)?);
                x.send_redirect(Status::SEE_OTHER, &format!("/notes/{id}"))
            }
            (_, ["notes"]) => not_allowed(x, "GET, HEAD, POST"),
            (_, ["notes", _]) => not_allowed(x, "GET, HEAD"),
            _ => x.send_error(Status::NOT_FOUND),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn error_content_type(&self) -> &str {
        "application/json"
    }

    fn error_message_format(&self) -> &str {
        "{\"error\": %(message)j, \"explain\": %(explain)j}\n"
    }
}

fn main() -> Result<()> {
    let files = SimpleHandler::new("public");
    let site = Site {
        notes: Notes::default(),
        files,
    };
    let password = std::env::var("NOTES_PASSWORD").expect("NOTES_PASSWORD is not set");
    let login = Login {
        password,
        inner: site,
    };
    serve::serve(login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use servette::testing::{TestServer, respond};
    use std::time::Duration;

    #[test]
    fn an_unknown_note_is_404() {
        let transcript = respond(&Notes::default(), "GET /notes/7 HTTP/1.0\r\n\r\n");
        let response = transcript.response();
        assert_eq!(response.status, 404);
        assert!(response.text().contains("Not Found"));
    }

    #[test]
    fn a_note_that_was_added_is_listed() {
        let server = TestServer::start(Notes::default());
        let url = server.url("/notes");
        ureq::post(&url).send_form([("text", "buy milk")]).unwrap();
        let mut list = ureq::get(&url).call().unwrap();
        let list = list.body_mut().read_to_string().unwrap();
        assert_eq!(list, r#"[{"text":"buy milk"}]"#);
    }

    #[test]
    fn changes_need_the_password() {
        let login = Login {
            password: "secret".into(),
            inner: Notes::default(),
        };
        let server = TestServer::start(login);
        let result = ureq::post(server.url("/notes")).send_form([("text", "milk")]);
        assert!(matches!(result, Err(ureq::Error::StatusCode(401))));
        let requests = server.wait_for(1, Duration::from_secs(10));
        assert_eq!(requests[0].text(), "text=milk");
    }
}
