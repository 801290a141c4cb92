//! Properties of the whole module: the result does not depend on how the input is split, and no input causes a panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::chunked::{ChunkLimits, Decoder, Piece};
use super::framing::BodyLength;
use super::head::{self, Extent, Places, Scan, Version};
use super::{HeadLimits, Refusal, host, is_11, target};

const SMALL_HEAD: HeadLimits = HeadLimits {
    request_line: 12,
    field_line: 8,
    fields: 3,
    head: 30,
    empty_lines: 2,
};

const SMALL_CHUNKS: ChunkLimits = ChunkLimits {
    line: 12,
    digits: 4,
    extensions: 10,
    trailers: 14,
    trailer_fields: 2,
};

/// Generates bytes with many line ends and parts of usual requests.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => Just(b'\n'),
        3 => Just(b'\r'),
        6 => proptest::sample::select(b"GETAb :/;0123afF \t\"'[]*?#@%.,-".to_vec()),
        1 => any::<u8>(),
    ];
    let word = proptest::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "Host: h\r\n",
        "\r\n",
        "A: b\r\n",
        "5\r\nhello\r\n",
        "0\r\n",
        "http://",
        "CONNECT ",
        "[::1]:80",
        "Content-Length: ",
        "Transfer-Encoding: chunked\n",
    ]);
    let piece = prop_oneof![
        3 => byte.prop_map(|byte| vec![byte]),
        2 => word.prop_map(|word| word.as_bytes().to_vec()),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Returns the ends of successive reads of `length` bytes, including the last one.
fn cuts(length: usize, at: &[Index]) -> Vec<usize> {
    let mut ends: Vec<usize> = at.iter().map(|index| index.index(length + 1)).collect();
    ends.push(length);
    ends.sort_unstable();
    ends
}

/// Returns the result of a scan of a buffer that grows to each of `ends`.
fn scan(input: &[u8], ends: &[usize], limits: &HeadLimits) -> Result<Option<Extent>, Refusal> {
    let (mut scan, mut places) = (Scan::default(), Places::default());
    for &end in ends {
        if let Some(found) = head::find(&input[..end], &mut scan, &mut places, limits)? {
            return Ok(Some(found.extent()));
        }
    }
    Ok(None)
}

/// Decodes a body that arrives in the pieces between `ends`. Returns the data, the consumed bytes, and the end.
fn decode(
    input: &[u8],
    ends: &[usize],
    limits: ChunkLimits,
) -> (Vec<u8>, Result<Option<usize>, Refusal>) {
    let (mut decoder, mut data, mut consumed) = (Decoder::new(limits), Vec::new(), 0);
    for &end in ends {
        loop {
            let (framing, piece) = match decoder.next(&input[consumed..end]) {
                Ok(next) => next,
                Err(refusal) => return (data, Err(refusal)),
            };
            consumed += framing;
            match piece {
                Piece::More => break,
                Piece::End => return (data, Ok(Some(consumed))),
                Piece::Data(length) => {
                    assert!(length > 0 && length as u64 <= decoder.pending());
                    data.extend_from_slice(&input[consumed..end][..length]);
                    decoder.take(length);
                    consumed += length;
                }
            }
        }
        assert_eq!(consumed, end, "more is asked for only if all was used");
    }
    (data, Ok(None))
}

/// Returns the result for the head at the start of `input`, which arrives in reads that end at `ends`.
fn judge(input: &[u8], ends: &[usize], limits: &HeadLimits) -> Result<Option<Extent>, Refusal> {
    let mut scan = Scan::default();
    for &end in ends {
        let input = &input[..end];
        let found = scan.find(input, limits);
        let Ok(Some(extent)) = found else {
            scan.check_request_line(input)?;
            found?;
            continue;
        };
        let mut scratch = String::new();
        let (head, mut places) = (&input[extent.start..extent.end], Places::default());
        return head::parse_whole(head, &mut scratch, &mut places, limits).map(|_| Some(extent));
    }
    Ok(None)
}

#[test]
fn what_a_server_says_is_1_1_or_later() {
    for (version, expected) in [
        ("", false),
        ("HTTP/1.0", false),
        ("HTTP/1.", false),
        ("HTTP/1.1", true),
        ("HTTP/1.10", true),
        ("HTTP/2.0", true),
    ] {
        assert_eq!(is_11(version), expected, "{version}");
    }
}

proptest! {
    #[test]
    fn a_head_is_found_however_it_arrives(input in soup(), at in vec(any::<Index>(), 0..12)) {
        for limits in [HeadLimits::default(), SMALL_HEAD] {
            let whole = scan(&input, &[input.len()], &limits);
            let byte_by_byte: Vec<usize> = (0..=input.len()).collect();
            prop_assert_eq!(&scan(&input, &cuts(input.len(), &at), &limits), &whole);
            prop_assert_eq!(&scan(&input, &byte_by_byte, &limits), &whole);
        }
    }

    /// The limits are close together, so that one read may exceed two of them.
    #[test]
    fn a_refusal_is_the_same_however_the_head_arrives(
        input in soup(),
        at in vec(any::<Index>(), 0..12),
        (request_line, field_line, fields, head, empty_lines) in
            (0_usize..30, 0_usize..20, 0_usize..4, 0_usize..50, 0_usize..3),
    ) {
        let limits = HeadLimits { request_line, field_line, fields, head, empty_lines };
        let whole = scan(&input, &[input.len()], &limits);
        prop_assert_eq!(scan(&input, &cuts(input.len(), &at), &limits), whole);
    }

    /// The connection gets the same result too: from the search, the early check of the request line, and parsing.
    #[test]
    fn a_head_is_judged_the_same_however_it_arrives(
        input in soup(),
        at in vec(any::<Index>(), 0..12),
    ) {
        for limits in [HeadLimits::default(), SMALL_HEAD] {
            let whole = judge(&input, &[input.len()], &limits);
            prop_assert_eq!(judge(&input, &cuts(input.len(), &at), &limits), whole);
        }
    }

    #[test]
    fn a_valid_head_comes_back_as_it_was_written(
        method in "[A-Z!#$%&'*+.^_`|~a-z0-9-]{1,10}",
        path in "/([!-.0-~][!-~]{0,40})?",
        minor in 0_u8..=9,
        fields in vec(
            (
                "X-[!#$%&'*+.^_`|~A-Za-z0-9-]{1,12}",
                "([!-~\u{80}-\u{ff}]([ \t!-~\u{80}-\u{ff}]{0,30}[!-~\u{80}-\u{ff}])?)?",
            ),
            0..60,
        ),
        length in any::<u64>(),
        line_end in proptest::sample::select(vec!["\r\n", "\n"]),
        blanks in "[ \t]{0,3}",
    ) {
        prop_assume!(method != "CONNECT");
        let mut text = format!("{method} {path} HTTP/1.{minor}{line_end}");
        let framing = [
            ("Host".to_owned(), "h:80".to_owned()),
            ("Content-Length".to_owned(), length.to_string()),
        ];
        let fields: Vec<(String, String)> = framing.into_iter().chain(fields).collect();
        for (name, value) in &fields {
            text.push_str(&format!("{name}:{blanks}{value}{blanks}{line_end}"));
        }
        text.push_str(line_end);

        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let limits = HeadLimits::default();
        let found = Scan::default().find(&[&bytes[..], b"\r\nmore"].concat(), &limits);
        prop_assert_eq!(found, Ok(Some(Extent { start: 0, end: bytes.len() })));

        let (mut scratch, mut places) = (String::new(), Places::default());
        let head = head::parse_whole(&bytes, &mut scratch, &mut places, &limits).unwrap();
        prop_assert_eq!(head.command, &method);
        prop_assert_eq!(&*head.target.path, &path);
        prop_assert_eq!(head.requestline, format!("{method} {path} HTTP/1.{minor}"));
        prop_assert_eq!(head.version == Version::Http10, minor == 0);
        prop_assert_eq!(head.meta.body, BodyLength::Exact(length));
        let read: Vec<(String, String)> = head.fields.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        prop_assert_eq!(read, fields);
    }

    #[test]
    fn a_chunked_body_is_decoded_however_it_arrives(
        chunks in vec(vec(any::<u8>(), 1..30), 0..6),
        extension in "(;[a-z]{1,5}(=\"[ -!#-~]{0,9}\")?)?",
        trailers in vec("[A-Za-z-]{1,9}: [!-~]{0,9}", 0..3),
        after in vec(any::<u8>(), 0..20),
        at in vec(any::<Index>(), 0..12),
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("0{extension}\r\n").as_bytes());
        for trailer in &trailers {
            body.extend_from_slice(format!("{trailer}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        let length = body.len();
        body.extend_from_slice(&after);
        let decoded = decode(&body, &cuts(body.len(), &at), ChunkLimits::default());
        prop_assert_eq!(decoded, (chunks.concat(), Ok(Some(length))));
    }

    #[test]
    fn any_chunked_body_has_one_reading(
        input in soup(),
        start in proptest::sample::select(vec!["", "5\r\nhello\r\n", "1;a\r\nx\r\n0\r\n", "0\r\n"]),
        at in vec(any::<Index>(), 0..12),
    ) {
        let input = [start.as_bytes(), &input].concat();
        for limits in [ChunkLimits::default(), SMALL_CHUNKS] {
            let whole = decode(&input, &[input.len()], limits);
            let byte_by_byte: Vec<usize> = (0..=input.len()).collect();
            prop_assert_eq!(&decode(&input, &cuts(input.len(), &at), limits), &whole);
            prop_assert_eq!(&decode(&input, &byte_by_byte, limits), &whole);
        }
    }

    #[test]
    fn no_input_panics(input in prop_oneof![soup(), vec(any::<u8>(), 0..200)], taken: usize) {
        let mut scan = Scan::default();
        for part in [&input[..], &input[..input.len() / 2], b"", &input] {
            let _ = scan.find(part, &SMALL_HEAD);
        }

        let mut scratch = String::new();
        let text = head::text(&input, &mut scratch);
        head::first_line(text);
        host::is_valid(&input);
        for method in ["GET", "OPTIONS", "CONNECT", ""] {
            let _ = target::parse(method, text);
        }
        for limits in [HeadLimits::default(), SMALL_HEAD] {
            for prefix in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: h\r\n"] {
                let bytes = [prefix.as_bytes(), &input].concat();
                let (mut places, mut scratch) = (Places::default(), String::new());
                if let Err(refusal) = head::parse_whole(&bytes, &mut scratch, &mut places, &limits) {
                    prop_assert!(refusal.message.bytes().all(|b| matches!(b, b' '..=b'~')));
                }
            }
        }

        let mut decoder = Decoder::new(SMALL_CHUNKS);
        for part in input.chunks(3) {
            let _ = decoder.next(part);
            decoder.take(taken);
            decoder.pending();
        }
    }
}
