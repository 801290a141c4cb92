//! The fast path of usual heads compared with the general parser.

use proptest::prelude::*;

use super::super::{any, usual};
use super::*;

/// The result of parsing, as text.
fn outcome(parsed: Result<Head<'_>, Refusal>) -> Result<String, Refusal> {
    parsed.map(|head| format!("{head:?}"))
}

fn slice_of(text: &str) -> impl Strategy<Value = Vec<u8>> {
    let text = text.as_bytes().to_vec();
    (
        0..=u8::MAX,
        prop::arbitrary::any::<prop::sample::Index>(),
        0..4_u8,
    )
        .prop_map(move |(byte, at, kind)| {
            let mut text = text.clone();
            let at = at.index(text.len());
            match kind {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => {}
            }
            text
        })
}

/// Heads, some of them usual, each with one byte changed.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /other HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
        "GET /a/b?c=%20 HTTP/1.0\n\n",
        "POST //a HTTP/1.1\r\nhost: h:80\r\ncontent-length: 12\r\nExpect: 100-continue\r\n\r\n",
        "X /\\a HTTP/1.2\r\nA:b\r\nHost:\r\nTransfer-Encoding: chunked\r\nConnection: a, close\r\n\r\n",
        "CONNECT /h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    ])
    .prop_flat_map(slice_of)
}

proptest! {
    #[test]
    fn the_short_way_reads_a_head_as_the_long_way_does(
        several in prop::collection::vec(heads(), 1..5),
        fields in 0..4_usize,
    ) {
        let limits = HeadLimits { fields, ..HeadLimits::default() };
        // `places` still has the positions of the previous head.
        let mut places = Places::default();
        for bytes in several {
            let Ok(Some(extent)) = Scan::default().find(&bytes, &limits) else {
                prop_assert!(usual::find(&bytes, &mut places, &limits).is_none());
                continue;
            };
            let head = &bytes[extent.start..extent.end];
            let (mut others, mut scratch) = (Places::default(), String::new());
            let long = outcome(any(text(head, &mut scratch), &mut others, &limits));
            // Bytes after the head make no difference.
            if let Some(short) = usual::find(&bytes, &mut places, &limits) {
                prop_assert_eq!((extent.start, extent.end), (0, short.end));
                prop_assert_eq!(outcome(Ok(short.head(head, &places))), long);
            }
        }
    }
}

#[test]
fn what_clients_send_goes_the_short_way() {
    for head in [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /a?b HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
    ] {
        let mut places = Places::default();
        let found = usual::find(head.as_bytes(), &mut places, &HeadLimits::default());
        assert_eq!(found.map(|usual| usual.end), Some(head.len()), "{head}");
    }
}
