use std::time::Duration;

use peers_test::{Error, Shop};
use serde_json::json;
use servette::testing::{Stubs, TestServer, get, post, reset, status};

fn shop(server: &TestServer) -> Shop {
    Shop::new(&server.url("/"), Duration::from_millis(500))
}

#[test]
fn an_article_is_asked_for_with_the_token() {
    let eggs = get("/articles/7").header("Authorization", "Bearer secret");
    let server =
        TestServer::start(Stubs::new().on(eggs.answer(status(200).json(json!({"name": "eggs"})))));
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[test]
fn an_unknown_article_is_not_found() {
    let server = TestServer::start(status(404));
    assert_eq!(shop(&server).article(7), Err(Error::NotFound));
    server.assert_count(&get("/articles/7"), 1);
}

#[test]
fn words_are_encoded() {
    let found = status(200).json(json!(["eggs & spam"]));
    let server =
        TestServer::start(Stubs::new().on(get("/articles?q=eggs%20%26%20spam").answer(found)));
    assert_eq!(
        shop(&server).search("eggs & spam").unwrap()[0],
        "eggs & spam"
    );
}

#[test]
fn an_order_is_json() {
    let order = post("/orders").json_contains(json!({"article": 7, "count": 6}));
    let server = TestServer::start(
        Stubs::new().on(order.answer(status(201).json(json!({"id": 1}))).expect(1)),
    );
    assert_eq!(shop(&server).order(7, 6), Ok(1));
}

#[test]
fn a_busy_shop_is_asked_again() {
    let eggs = status(200).json(json!({"name": "eggs"}));
    let server = TestServer::start(
        Stubs::new().on(get("/articles/7")
            .answer(status(503))
            .times(2)
            .then(eggs)
            .expect(3)),
    );
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[test]
fn after_three_times_it_gives_up() {
    let server =
        TestServer::start(Stubs::new().on(get("/articles/7").answer(status(503)).expect(3)));
    assert_eq!(shop(&server).article(7), Err(Error::Unavailable));
}

#[test]
fn a_slow_shop_is_a_timeout() {
    let server = TestServer::start(status(200).delay(Duration::from_secs(5)));
    assert_eq!(shop(&server).article(7), Err(Error::Timeout));
}

#[test]
fn a_connection_that_breaks_is_tried_again() {
    let eggs = status(200).json(json!({"name": "eggs"}));
    let server =
        TestServer::start(Stubs::new().on(get("/articles/7").answer(reset()).then(eggs).expect(2)));
    assert_eq!(shop(&server).article(7).unwrap()["name"], "eggs");
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let rest = get("/catalogue")
        .header("Range", "bytes=4-")
        .answer(status(206).body("and spam"));
    let all = get("/catalogue").answer(status(200).body("eggs and spam").at(4, reset()));
    let server = TestServer::start(Stubs::new().on(rest.expect(1)).on(all));
    assert_eq!(shop(&server).catalogue().unwrap(), b"eggsand spam");
}
