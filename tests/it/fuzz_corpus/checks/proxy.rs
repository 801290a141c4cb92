//! What proxies say of clients. Input: the first bytes of a connection; or what a client has put into a forwarded field.

use std::net::SocketAddr;

use servette::internals::{forwarded_origin, proxy_header};

/// However a header of the PROXY protocol comes, it is complete with its last byte and never before; what follows it is
/// not looked at; and only what is well-formed names a client.
pub fn check(data: &[u8]) {
    let whole = proxy_header(data);
    // A verdict is final.
    let first = (0..=data.len()).find(|&end| proxy_header(&data[..end]) != Ok(None));
    let Some(first) = first else {
        assert_eq!(whole, Ok(None));
        assert!(data.len() < 16 + 216 + 4096);
        return;
    };
    assert_eq!(proxy_header(&data[..first]), whole);
    let Ok(Some((length, source))) = whole else {
        return;
    };
    assert_eq!(length, first);
    let header = &data[..length];
    if header.starts_with(b"PROXY ") {
        assert!(header.len() <= 107 && header.ends_with(b"\r\n"));
        let text = std::str::from_utf8(header).ok();
        let words: Vec<&str> = text.unwrap_or_default().trim_end().split(' ').collect();
        match source {
            Some(source) => {
                let source: SocketAddr = source.parse().unwrap();
                assert_eq!((words.len(), words[4]), (6, &*source.port().to_string()));
                let written: std::net::IpAddr = words[2].parse().unwrap();
                assert_eq!(written.to_canonical(), source.ip());
            }
            None => assert!(header[6..].starts_with(b"UNKNOWN")),
        }
    } else {
        assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
        let announced = u16::from_be_bytes([header[14], header[15]]);
        assert_eq!(length, 16 + usize::from(announced));
        assert_eq!(source.is_some(), header[12] == 0x21 && header[13] != 0);
    }
}

/// Whatever a client sends, what the proxy adds at the end is what is believed.
pub fn check_forwarded(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let is_text = |c: &char| matches!(c, ' '..='~' | '\t');
    let forged: String = text.chars().filter(is_text).collect();
    for (name, added, expected) in [
        ("X-Forwarded-For", "192.0.2.1", "192.0.2.1:0"),
        ("X-Forwarded-For", "[2001:db8::1]:7", "[2001:db8::1]:7"),
        (
            "Forwarded",
            "for=192.0.2.1;proto=https;host=h",
            "192.0.2.1:0 https h",
        ),
        (
            "Forwarded",
            "host=\"h:1\";for=\"[2001:db8::1]:7\"",
            "[2001:db8::1]:7 h:1",
        ),
    ] {
        let one = format!("{name}: {forged}, {added}");
        assert_eq!(forwarded_origin(&[&one]), expected, "{one}");
        let (first, second) = (format!("{name}: {forged}"), format!("{name}: {added}"));
        assert_eq!(forwarded_origin(&[&first, &second]), expected, "{first}");
        // Behind a second trusted proxy, what the client sends is one of its clients at most.
        let through = match name {
            "Forwarded" => format!("{forged}, for=10.0.0.1"),
            _ => format!("{forged}, 10.0.0.1"),
        };
        assert!(!forwarded_origin(&[&format!("{name}: {through}")]).is_empty());
    }
}
