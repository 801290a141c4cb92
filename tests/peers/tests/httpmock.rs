use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use httpmock::Method::{GET, POST};
use httpmock::MockServer;
use peers_test::{Error, Shop};
use serde_json::json;

fn shop(server: &MockServer) -> Shop {
    Shop::new(&server.base_url(), Duration::from_millis(500))
}

#[test]
fn an_article_is_asked_for_with_the_token() {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.method(GET)
            .path("/articles/7")
            .header("Authorization", "Bearer secret");
        then.status(200).json_body(json!({"name": "eggs"}));
    });
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[test]
fn an_unknown_article_is_not_found() {
    let server = MockServer::start();
    let unknown = server.mock(|when, then| {
        when.method(GET).path("/articles/7");
        then.status(404);
    });
    assert_eq!(shop(&server).article(7), Err(Error::NotFound));
    unknown.assert();
}

#[test]
fn words_are_encoded() {
    let server = MockServer::start();
    server.mock(|when, then| {
        when.method(GET)
            .path("/articles")
            .query_param("q", "eggs & spam");
        then.status(200).json_body(json!(["eggs & spam"]));
    });
    assert_eq!(
        shop(&server).search("eggs & spam").unwrap()[0],
        "eggs & spam"
    );
}

#[test]
fn an_order_is_json() {
    let server = MockServer::start();
    let order = server.mock(|when, then| {
        when.method(POST)
            .path("/orders")
            .json_body_includes(r#"{"article": 7, "count": 6}"#);
        then.status(201).json_body(json!({"id": 1}));
    });
    assert_eq!(shop(&server).order(7, 6), Ok(1));
    order.assert();
}

#[test]
fn a_busy_shop_is_asked_again() {
    let server = MockServer::start();
    let asked = AtomicUsize::new(0);
    let busy = server.mock(|when, then| {
        when.method(GET)
            .path("/articles/7")
            .is_true(move |_| asked.fetch_add(1, Ordering::SeqCst) < 2);
        then.status(503);
    });
    let eggs = server.mock(|when, then| {
        when.method(GET).path("/articles/7");
        then.status(200).json_body(json!({"name": "eggs"}));
    });
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
    busy.assert_calls(2);
    eggs.assert_calls(1);
}

#[test]
fn after_three_times_it_gives_up() {
    let server = MockServer::start();
    let busy = server.mock(|when, then| {
        when.method(GET).path("/articles/7");
        then.status(503);
    });
    assert_eq!(shop(&server).article(7), Err(Error::Unavailable));
    busy.assert_calls(3);
}

#[test]
fn a_slow_shop_is_a_timeout() {
    let server = MockServer::start();
    server.mock(|_, then| {
        then.status(200).delay(Duration::from_secs(5));
    });
    assert_eq!(shop(&server).article(7), Err(Error::Timeout));
}
