use super::*;
use crate::http1::HeadLimits;
use crate::http1::head::{self, Places, Scan};
use crate::limits::Limits;
use proptest::prelude::*;

const PROXIES: [&str; 2] = ["10.0.0.0/8", "unix"];

/// Client, scheme and host of a request from `peer`, in words.
fn origin_from(peer: &str, lines: &[&str]) -> String {
    let mut trusted = TrustedProxies::default();
    PROXIES.iter().for_each(|proxy| trusted.add(proxy).unwrap());
    let peer = match peer {
        "unix" => Peer::Unix,
        address => Peer::Ip(address.parse().unwrap()),
    };
    let request = format!(
        "GET / HTTP/1.1\r\nHost: own\r\n{}\r\n",
        lines.join("\r\n") + "\r\n"
    );
    let limits: HeadLimits = Limits::default().of_head();
    let (mut scan, mut places) = (Scan::default(), Places::default());
    let found = head::find(request.as_bytes(), &mut scan, &mut places, &limits)
        .unwrap()
        .unwrap();
    let mut scratch = String::new();
    let head = &request.as_bytes()[..found.extent().end];
    let head = head::parse(head, &found, &mut scratch, &mut places, &limits).unwrap();
    let Origin {
        client,
        is_https,
        host,
    } = trusted.origin(peer, &head.fields);
    let scheme = is_https.map_or("-", |is| if is { "https" } else { "http" });
    format!("{client} {scheme} {}", host.unwrap_or("-"))
}

fn origin(lines: &[&str]) -> String {
    origin_from("10.0.0.1:9", lines)
}

#[test]
fn nobody_else_is_believed() {
    let lines = [
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: h",
    ];
    assert_eq!(origin_from("10.0.0.1:9", &lines), "192.0.2.1:0 https h");
    assert_eq!(origin_from("unix", &lines), "192.0.2.1:0 https h");
    assert_eq!(origin_from("11.0.0.1:9", &lines), "11.0.0.1:9 - -");
    let line = ["Forwarded: for=192.0.2.1;proto=https;host=h"];
    assert_eq!(origin_from("unix", &line), "192.0.2.1:0 https h");
    assert_eq!(origin_from("11.0.0.1:9", &line), "11.0.0.1:9 - -");
}

#[test]
fn x_forwarded_for_is_read_from_the_right_up_to_who_is_not_trusted() {
    for (value, client) in [
        ("192.0.2.1", "192.0.2.1:0"),
        ("192.0.2.1:4321", "192.0.2.1:4321"),
        ("2001:db8::1", "[2001:db8::1]:0"),
        ("[2001:db8::1]", "[2001:db8::1]:0"),
        ("[2001:db8::1]:4321", "[2001:db8::1]:4321"),
        ("::ffff:192.0.2.1", "192.0.2.1:0"),
        ("1.1.1.1, 192.0.2.1", "192.0.2.1:0"),
        ("junk, 192.0.2.1", "192.0.2.1:0"),
        ("10.0.0.7, 192.0.2.1", "192.0.2.1:0"),
        ("192.0.2.1,10.0.0.2,\t10.0.0.3", "192.0.2.1:0"),
        ("1.1.1.1, 192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1:0"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2:0"),
        // The last one that can be read.
        ("192.0.2.1, junk, 10.0.0.3", "10.0.0.3:0"),
        ("192.0.2.1, , 10.0.0.3", "10.0.0.3:0"),
        ("192.0.2.1, unknown", "10.0.0.1:9"),
        ("192.0.2.1,", "10.0.0.1:9"),
        ("", "10.0.0.1:9"),
        ("192.0.2.1:", "10.0.0.1:9"),
        ("192.0.2.1:x", "10.0.0.1:9"),
        ("192.0.2.1:65536", "10.0.0.1:9"),
        ("192.0.2.1:+1", "10.0.0.1:9"),
        ("192.0.2.01", "10.0.0.1:9"),
        ("192.0.2.1 x", "10.0.0.1:9"),
        ("[192.0.2.1]", "10.0.0.1:9"),
        ("[::1", "10.0.0.1:9"),
        ("[::1]x", "10.0.0.1:9"),
        ("fe80::1%eth0", "10.0.0.1:9"),
        ("\"192.0.2.1\"", "10.0.0.1:9"),
    ] {
        let line = format!("X-Forwarded-For: {value}");
        assert_eq!(origin(&[&line]), format!("{client} - -"), "{value}");
    }
    let lines = [
        "X-Forwarded-For: 192.0.2.1",
        "A: b",
        "x-forwarded-for: 10.0.0.2",
    ];
    assert_eq!(origin(&lines), "192.0.2.1:0 - -");
    let lines = ["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 192.0.2.1"];
    assert_eq!(origin(&lines), "192.0.2.1:0 - -");
}

#[test]
fn scheme_and_host_are_those_of_the_same_hop() {
    for (lines, expected) in [
        // A proxy that sets one value, and one that appends.
        (
            &[
                "X-Forwarded-For: 192.0.2.1, 10.0.0.2",
                "X-Forwarded-Proto: https",
            ][..],
            "192.0.2.1:0 https -",
        ),
        (
            &[
                "X-Forwarded-For: 192.0.2.1, 10.0.0.2",
                "X-Forwarded-Proto: https, http",
            ],
            "192.0.2.1:0 https -",
        ),
        (
            &[
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-Proto: https, http",
            ],
            "192.0.2.1:0 http -",
        ),
        (
            &[
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-Host: forged, h:80",
            ],
            "192.0.2.1:0 - h:80",
        ),
        // Without an address, the nearest proxy still says how it was addressed.
        (
            &["X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: h"],
            "10.0.0.1:9 https h",
        ),
        (
            &["X-Forwarded-For: unknown", "X-Forwarded-Proto: wss"],
            "10.0.0.1:9 https -",
        ),
        (&["X-Forwarded-Proto: ws"], "10.0.0.1:9 http -"),
        // What is neither is not taken.
        (
            &["X-Forwarded-Proto: ftp", "X-Forwarded-Host: a b"],
            "10.0.0.1:9 - -",
        ),
        (
            &["X-Forwarded-Proto:", "X-Forwarded-Host:"],
            "10.0.0.1:9 - -",
        ),
        (&["X-Forwarded-Host: h/../"], "10.0.0.1:9 - -"),
    ] {
        assert_eq!(origin(lines), expected, "{lines:?}");
    }
}

#[test]
fn forwarded_is_read_from_the_right_too() {
    for (value, expected) in [
        ("for=192.0.2.1", "192.0.2.1:0 - -"),
        (
            "For=\"192.0.2.1:4321\"; PROTO=https; host=\"h:80\"; by=_x",
            "192.0.2.1:4321 https h:80",
        ),
        ("for=\"[2001:db8::1]:4321\"", "[2001:db8::1]:4321 - -"),
        ("for=\"192.0.2.1:_port\"", "192.0.2.1:0 - -"),
        (
            "for=1.1.1.1, for=192.0.2.1;proto=http",
            "192.0.2.1:0 http -",
        ),
        (
            "for=192.0.2.1;proto=https;host=a, for=10.0.0.2;proto=http;host=b",
            "192.0.2.1:0 https a",
        ),
        (
            "for=192.0.2.1;x=\"a,b;c\\\"d,\";proto=https, for=10.0.0.2",
            "192.0.2.1:0 https -",
        ),
        ("for=10.0.0.2;host=a,for=10.0.0.3;host=b", "10.0.0.2:0 - a"),
        // What the client has begun on the left takes nothing away from what the proxy has added.
        (
            "for=\"1.1.1.1, for=192.0.2.1;proto=https",
            "192.0.2.1:0 https -",
        ),
        ("for=\"1.1.1.1\\, for=\"192.0.2.1\"", "192.0.2.1:0 - -"),
        ("\", for=192.0.2.1", "192.0.2.1:0 - -"),
        // The last one that can be read.
        (
            "for=192.0.2.1, for=unknown;proto=https, for=10.0.0.3;host=b",
            "10.0.0.3:0 - b",
        ),
        (
            "for=192.0.2.1, for=_hidden;proto=https",
            "10.0.0.1:9 https -",
        ),
        ("proto=https;host=h", "10.0.0.1:9 https h"),
        ("for=192.0.2.1;for=192.0.2.1", "10.0.0.1:9 - -"),
        ("for=192.0.2.1;proto=http;proto=https", "10.0.0.1:9 - -"),
        ("for=\"192.0.2.1", "10.0.0.1:9 - -"),
        ("for=\"192.0.\\2.1\"", "10.0.0.1:9 - -"),
        ("for", "10.0.0.1:9 - -"),
        ("for=192.0.2.1;", "10.0.0.1:9 - -"),
        ("for=192.0.2.1,", "10.0.0.1:9 - -"),
        ("", "10.0.0.1:9 - -"),
        ("for=", "10.0.0.1:9 - -"),
        ("for =192.0.2.1", "10.0.0.1:9 - -"),
    ] {
        let line = format!("Forwarded: {value}");
        assert_eq!(origin(&[&line]), expected, "{value}");
    }
    let lines = ["Forwarded: for=192.0.2.1", "Forwarded: for=10.0.0.2"];
    assert_eq!(origin(&lines), "192.0.2.1:0 - -");
    // Where there are both, a proxy may have passed on the other one unseen.
    let lines = [
        "Forwarded: for=1.1.1.1;proto=https",
        "X-Forwarded-For: 192.0.2.1",
    ];
    assert_eq!(origin(&lines), "192.0.2.1:0 - -");
}

proptest! {
    /// Whatever the client sends, the address that the nearest proxy adds is the client's.
    #[test]
    fn nothing_on_the_left_changes_what_a_proxy_has_added(junk in "[ -~]{0,40}") {
        let line = format!("X-Forwarded-For: {junk}, 192.0.2.1");
        prop_assert_eq!(origin(&[&line]), "192.0.2.1:0 - -");
        let line = format!("Forwarded: {junk}, for=192.0.2.1;proto=https");
        prop_assert_eq!(origin(&[&line]), "192.0.2.1:0 https -");
        let line = format!("Forwarded: {junk}");
        prop_assert_eq!(origin(&[&line, "Forwarded: for=\"192.0.2.1:7\""]), "192.0.2.1:7 - -");
    }
}
