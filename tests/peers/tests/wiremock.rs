use std::time::Duration;

use peers_test::{Error, Shop};
use serde_json::json;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn shop(server: &MockServer) -> Shop {
    Shop::new(&server.uri(), Duration::from_millis(500))
}

#[tokio::test]
async fn an_article_is_asked_for_with_the_token() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/articles/7"))
        .and(header("Authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": "eggs"})))
        .mount(&server)
        .await;
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[tokio::test]
async fn an_unknown_article_is_not_found() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/articles/7"))
        .respond_with(ResponseTemplate::new(404))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(shop(&server).article(7), Err(Error::NotFound));
}

#[tokio::test]
async fn words_are_encoded() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/articles"))
        .and(query_param("q", "eggs & spam"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!(["eggs & spam"])))
        .mount(&server)
        .await;
    assert_eq!(
        shop(&server).search("eggs & spam").unwrap()[0],
        "eggs & spam"
    );
}

#[tokio::test]
async fn an_order_is_json() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/orders"))
        .and(body_partial_json(json!({"article": 7, "count": 6})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"id": 1})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(shop(&server).order(7, 6), Ok(1));
}

#[tokio::test]
async fn a_busy_shop_is_asked_again() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/articles/7"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/articles/7"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": "eggs"})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[tokio::test]
async fn after_three_times_it_gives_up() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/articles/7"))
        .respond_with(ResponseTemplate::new(503))
        .expect(3)
        .mount(&server)
        .await;
    assert_eq!(shop(&server).article(7), Err(Error::Unavailable));
}

#[tokio::test]
async fn a_slow_shop_is_a_timeout() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(5)))
        .mount(&server)
        .await;
    assert_eq!(shop(&server).article(7), Err(Error::Timeout));
}
