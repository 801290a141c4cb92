//! The recipe for async clients in docs/testing.md, where it stands as it is here.

use servette::testing::{Stubs, TestServer, get, post, status};
use std::time::Duration;

#[tokio::test]
async fn a_client_is_awaited() {
    let server =
        TestServer::start(Stubs::new().on(get("/data").answer(status(200).body("ok")).expect(1)));
    let response = reqwest::get(server.url("/data")).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_runs_while_the_test_waits() {
    let server = TestServer::start(status(204));
    let request = reqwest::Client::new()
        .post(server.url("/hook"))
        .body("paid");
    let sender = tokio::spawn(request.send());
    // With the default flavor nothing would be sent: this blocks the only thread.
    server.wait_for(1, Duration::from_secs(5));
    server.assert_received(&post("/hook").body("paid"));
    sender.await.unwrap().unwrap();
}
