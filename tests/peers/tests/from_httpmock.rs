//! The tests with httpmock in docs/from-wiremock.md, where each stands as it is here.

use std::sync::atomic::{AtomicUsize, Ordering};

use httpmock::Method::{GET, POST};
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use peers_test::fetch;
use serde_json::{Value, json};

#[test]
fn a_user_has_a_name() {
    let server = MockServer::start();
    let user = server.mock(|when, then| {
        when.method(GET)
            .path("/users/7")
            .header("Authorization", "Bearer secret");
        then.status(200).json_body(json!({"name": "Ada"}));
    });

    let request = ureq::get(server.url("/users/7"));
    let mut response = request
        .header("Authorization", "Bearer secret")
        .call()
        .unwrap();
    let body: Value = response.body_mut().read_json().unwrap();
    assert_eq!(body["name"], "Ada");
    user.assert();
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = MockServer::start();
    let calls = AtomicUsize::new(0);
    let data = server.mock(|when, then| {
        when.path("/data");
        then.respond_with(move |_: &HttpMockRequest| {
            let busy = calls.fetch_add(1, Ordering::SeqCst) < 2;
            let response = HttpMockResponse::builder();
            match busy {
                true => response.status(503).build(),
                false => response.status(200).body("ok").build(),
            }
        });
    });

    assert_eq!(fetch(&server.url("/data")).unwrap(), "ok");
    data.assert_calls(3);
}

#[test]
fn the_answer_depends_on_the_request() {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.method(POST);
        then.respond_with(|request: &HttpMockRequest| {
            let body = request.body_string();
            HttpMockResponse::builder().status(200).body(body).build()
        });
    });

    let mut response = ureq::post(server.base_url()).send("spam").unwrap();
    assert_eq!(response.body_mut().read_to_string().unwrap(), "spam");
}

/// What the page says about names and defaults.
#[test]
fn what_the_page_says() {
    let server = MockServer::start();
    let failure = ureq::get(server.base_url()).call().unwrap_err();
    assert!(matches!(failure, ureq::Error::StatusCode(404)));

    let mut users = server.mock(|when, then| {
        when.path_matches("^/users/[0-9]+$");
        then.status(204);
    });
    let response = ureq::get(server.url("/users/42")).call();
    assert_eq!(response.unwrap().status(), 204);
    assert_eq!(users.calls(), 1);
    users.delete();
    assert!(ureq::get(server.url("/users/42")).call().is_err());

    // The first mock that matches answers.
    for status in [201, 202] {
        server.mock(|when, then| {
            when.path("/twice");
            then.status(status);
        });
    }
    let response = ureq::get(server.url("/twice")).call();
    assert_eq!(response.unwrap().status(), 201);

    // Only the nine methods that it knows.
    let method = std::panic::catch_unwind(|| httpmock::Method::from("PROPFIND"));
    assert!(method.is_err());

    // Dropping the server checks nothing.
    server.mock(|when, then| {
        when.path("/never");
        then.status(200);
    });
    drop(server);
}

/// The other names in the table of the page.
#[test]
fn the_names_of_the_table() {
    let server = MockServer::start();
    let mock = server.mock(|when, then| {
        when.method(POST)
            .query_param("q", "x")
            .header_exists("X-Key")
            .header_missing("X-Other")
            .body(r#"{"a":1,"b":2}"#)
            .body_includes("b")
            .json_body(json!({"b": 2, "a": 1}))
            .json_body_includes(r#"{"a": 1}"#)
            .is_true(|request| request.uri().path() == "/x");
        then.status(200)
            .header("X-Key", "abc")
            .body_from_file("Cargo.toml")
            .delay(std::time::Duration::from_millis(1));
    });
    let request = ureq::post(server.url("/x?q=x")).header("X-Key", "abc");
    let response = request.send(r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(response.headers()["X-Key"], "abc");
    mock.assert_calls(1);
    server.reset();
    let none = server.mock(|when, then| {
        when.path("/none");
        then.status(200);
    });
    none.assert_calls(0);
    assert!(server.address().port() > 0);
}

#[test]
fn the_port_stays_open() {
    let server = MockServer::start();
    let address = *server.address();
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_ok());
}
