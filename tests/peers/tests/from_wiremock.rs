//! The tests with wiremock in docs/from-wiremock.md, where each stands as it is here.

use std::io::{Error, ErrorKind};

use peers_test::fetch;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

#[tokio::test]
async fn a_user_has_a_name() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/users/7"))
        .and(header("Authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": "Ada"})))
        .expect(1)
        .mount(&server)
        .await;

    let request = ureq::get(format!("{}/users/7", server.uri()));
    let mut response = request
        .header("Authorization", "Bearer secret")
        .call()
        .unwrap();
    let user: Value = response.body_mut().read_json().unwrap();
    assert_eq!(user["name"], "Ada");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = MockServer::start().await;
    Mock::given(path("/data"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(path("/data"))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .expect(1)
        .mount(&server)
        .await;

    assert_eq!(fetch(&format!("{}/data", server.uri())).unwrap(), "ok");
}

#[tokio::test]
async fn the_answer_depends_on_the_request() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(|request: &Request| {
            ResponseTemplate::new(200).set_body_bytes(request.body.clone())
        })
        .mount(&server)
        .await;

    let mut response = ureq::post(server.uri()).send("spam").unwrap();
    assert_eq!(response.body_mut().read_to_string().unwrap(), "spam");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].body, b"spam");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let server = MockServer::start().await;
    Mock::given(path("/data"))
        .respond_with_err(|_: &Request| Error::from(ErrorKind::ConnectionReset))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(path("/data"))
        .respond_with(ResponseTemplate::new(200).set_body_string("ok"))
        .mount(&server)
        .await;

    assert_eq!(fetch(&format!("{}/data", server.uri())).unwrap(), "ok");
}

/// What the page says about names, defaults and faults.
#[tokio::test]
async fn what_the_page_says() {
    use std::io::{Read, Write};

    let server = MockServer::start().await;
    let failure = ureq::get(server.uri()).call().unwrap_err();
    assert!(matches!(failure, ureq::Error::StatusCode(404)));

    // An error ends the connection in order: the client sees the end of the stream, and no reset.
    Mock::given(path("/broken"))
        .respond_with_err(|_: &Request| Error::from(ErrorKind::ConnectionReset))
        .mount(&server)
        .await;
    let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    client
        .write_all(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"");

    Mock::given(path_regex("^/users/[0-9]+$"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let response = ureq::get(format!("{}/users/42", server.uri())).call();
    assert_eq!(response.unwrap().status(), 204);

    // The first mock that matches answers, and so does the second while the first has a lower priority.
    for (status, priority) in [(201, 9), (202, 3), (203, 3)] {
        Mock::given(path("/prior"))
            .respond_with(ResponseTemplate::new(status))
            .with_priority(priority)
            .mount(&server)
            .await;
    }
    let response = ureq::get(format!("{}/prior", server.uri())).call();
    assert_eq!(response.unwrap().status(), 202);

    Mock::given(method("PROPFIND"))
        .respond_with(ResponseTemplate::new(207))
        .mount(&server)
        .await;
    let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    client
        .write_all(b"PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 207 "), "{answer}");

    // HTTP/2 with prior knowledge.
    let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut frame = [0; 9];
    client.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "a SETTINGS frame");
}

/// On a server of its own: wiremock 0.6.5 removes another mock than the scoped one after mocks with priorities.
#[tokio::test]
async fn a_scoped_mock_is_gone_with_its_guard() {
    let server = MockServer::start().await;
    let scoped = Mock::given(path("/scoped"))
        .respond_with(ResponseTemplate::new(200))
        .mount_as_scoped(&server)
        .await;
    let url = format!("{}/scoped", server.uri());
    assert!(ureq::get(&url).call().is_ok());
    drop(scoped);
    assert!(ureq::get(&url).call().is_err());
}

/// The other names in the table of the page.
#[tokio::test]
async fn the_names_of_the_table() {
    use wiremock::matchers::*;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = MockServer::builder().listener(listener).start().await;
    let response = ResponseTemplate::new(200)
        .insert_header("X-Key", "abc")
        .set_body_bytes(b"ok".to_vec())
        .set_delay(std::time::Duration::from_millis(1));
    Mock::given(method("POST"))
        .and(query_param("q", "x"))
        .and(header_exists("X-Key"))
        .and(bearer_token("t"))
        .and(body_string(r#"{"a":1,"b":2}"#))
        .and(body_string_contains("b"))
        .and(body_json(json!({"b": 2, "a": 1})))
        .and(body_partial_json(json!({"a": 1})))
        .and(|request: &Request| request.url.path() == "/x")
        .respond_with(response)
        .expect(1..)
        .mount(&server)
        .await;
    let request = ureq::post(format!("{}/x?q=x", server.uri())).header("X-Key", "abc");
    let request = request.header("Authorization", "Bearer t");
    let response = request.send(r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(response.headers()["X-Key"], "abc");
    server.verify().await;
    server.reset().await;
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    let never = Mock::given(path("/never")).respond_with(ResponseTemplate::new(200));
    never.expect(0).mount(&server).await;
}

#[tokio::test]
#[should_panic(expected = "Verifications failed")]
async fn the_drop_verifies() {
    let server = MockServer::start().await;
    let mock = Mock::given(path("/")).respond_with(ResponseTemplate::new(200));
    mock.expect(1).mount(&server).await;
}

#[tokio::test]
async fn the_port_stays_open() {
    let server = MockServer::start().await;
    let address = *server.address();
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_ok());
}
