#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// Decodes `input` as far as possible. Returns the data, whether the body ended, and the number of consumed bytes.
fn decode(input: &[u8], limits: ChunkLimits) -> Result<(Vec<u8>, bool, usize), Refusal> {
    let (mut decoder, mut data, mut consumed) = (Decoder::new(limits), Vec::new(), 0);
    loop {
        let (framing, piece) = decoder.next(&input[consumed..])?;
        consumed += framing;
        match piece {
            Piece::More => return Ok((data, false, consumed)),
            Piece::End => return Ok((data, true, consumed)),
            Piece::Data(length) => {
                data.extend_from_slice(&input[consumed..][..length]);
                decoder.take(length);
                consumed += length;
            }
        }
    }
}

#[test]
fn valid_bodies() {
    for (body, data) in [
        // RFC 9112, 7.1
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0000000000000005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        // 7.1.1
        ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"),
        ("5;a = \"b; \tc\u{e9}\" ; d\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;\r\nhello\r\n0\r\n\r\n", "hello"),
        // 7.1.2
        ("0\r\nA: b\r\n\r\n", ""),
        (
            "5\r\nhello\r\n0\r\nA: b\r\nContent-Length:\t6\r\n\r\n",
            "hello",
        ),
    ] {
        let followed = format!("{body}GET / HTTP/1.1\r\n");
        let decoded = decode(followed.as_bytes(), ChunkLimits::default());
        assert_eq!(decoded, Ok((data.into(), true, body.len())), "{body:?}");
    }
}

#[test]
fn invalid_bodies() {
    for body in [
        // 1*HEXDIG, and nothing else before CR LF or ";"
        "\r\n",
        "\n",
        ";a\r\n",
        " 5\r\nhello\r\n",
        "\t5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5\t\r\nhello\r\n",
        "5 ;a\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5_0\r\nhello\r\n",
        "g\r\n",
        "5h\r\n",
        "5,\r\n",
        "\"5\"\r\n",
        "5\0\r\n",
        "\u{ff15}\r\n",
        "00000000000000005\r\n",
        "10000000000000000\r\n",
        // CR LF exactly, after the size line
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5\r\rhello",
        "5\r \nhello",
        "5;a\nhello\r\n",
        "5;a\rb\r\nhello\r\n",
        "0\n\r\n",
        "0\r\r\n",
        // and after the data
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello\r\r\n0\r\n\r\n",
        "5\r\nhello\n\n0\r\n\r\n",
        "5\r\nhello\r!0\r\n\r\n",
        "5\r\nhello!\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello \r\n0\r\n\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        // Controls in an extension
        "5;a\0\r\nhello\r\n",
        "5;a=\"\n\"\r\nhello\r\n",
        "5;\x0b\r\nhello\r\n",
        "5;\x7f\r\nhello\r\n",
        // Trailers that are not field lines
        "0\r\n\n",
        "0\r\n\rA",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\r\n\n",
        "0\r\nA: b\r\n\r\r",
        "0\r\nA\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA: \0\r\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: b\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        let decoded = decode(body.as_bytes(), ChunkLimits::default());
        assert_eq!(
            decoded.map_err(|refusal| refusal.code),
            Err(400),
            "{body:?}"
        );
    }
}

#[test]
fn incomplete_bodies_need_more() {
    let body = "5;a\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..body.len() {
        let decoded = decode(&body.as_bytes()[..end], ChunkLimits::default()).unwrap();
        let data_seen = end.clamp(5, 10) - 5;
        assert_eq!(
            decoded,
            (b"hello"[..data_seen].to_vec(), false, end),
            "{end}"
        );
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let standard = ChunkLimits::default();
    let line = |length: usize| format!("1;{}\r\n", "x".repeat(length - 4));
    let digits = |count: usize| format!("{}1\r\n", "0".repeat(count - 1));
    let extensions = |length: usize| {
        let full = format!("1;{}\r\nx\r\n", "x".repeat(1019));
        format!(
            "{}1;{}\r\n",
            full.repeat(length / 1020),
            "x".repeat(length % 1020 - 1)
        )
    };
    let trailers = |length: usize| format!("0\r\nA:{}\r\n", "x".repeat(length - 4));
    let fields = |count: usize| format!("0\r\n{}", "A: b\r\n".repeat(count));
    for (fits, does_not, message) in [
        (line(1024), line(1025), "Chunk size line too long"),
        (digits(16), digits(17), "Bad chunk size"),
        (
            extensions(16_384),
            extensions(16_385),
            "Too many chunk extensions",
        ),
        (trailers(16_384), trailers(16_385), "Trailers too long"),
        (fields(100), fields(101), "Too many trailers"),
    ] {
        assert!(decode(fits.as_bytes(), standard).is_ok(), "{message}");
        let refusal = decode(does_not.as_bytes(), standard).unwrap_err();
        assert_eq!((refusal.code, &*refusal.message), (400, message));
    }
}

#[test]
fn a_size_is_never_cut_to_64_bits() {
    let mut decoder = Decoder::new(ChunkLimits::default());
    assert_eq!(decoder.next(b"ffffffffffffffff\r\n"), Ok((18, Piece::More)));
    assert_eq!(decoder.pending(), u64::MAX);
    // With more digits allowed, the value itself is checked.
    let many_digits = ChunkLimits {
        digits: 99,
        ..ChunkLimits::default()
    };
    assert!(decode(b"00000000000000000005\r\n", many_digits).is_ok());
    assert_eq!(
        decode(b"10000000000000000\r\n", many_digits)
            .unwrap_err()
            .code,
        400
    );
}

#[test]
fn data_can_be_taken_in_parts() {
    let mut decoder = Decoder::new(ChunkLimits::default());
    assert_eq!(decoder.pending(), 0);
    assert_eq!(decoder.next(b"5\r\nhe"), Ok((3, Piece::Data(2))));
    assert_eq!(decoder.pending(), 5);
    decoder.take(2);
    assert_eq!(decoder.next(b""), Ok((0, Piece::More)));
    // Taken without having been shown, as by a read into the caller's own buffer
    decoder.take(2);
    assert_eq!(decoder.pending(), 1);
    assert_eq!(decoder.next(b"o\r\n0\r\n\r\n"), Ok((0, Piece::Data(1))));
    decoder.take(1);
    assert_eq!(decoder.pending(), 0);
    // No data is left, so nothing is taken
    decoder.take(1);
    assert_eq!(decoder.next(b"\r\n0\r\n\r\nGET"), Ok((7, Piece::End)));
}

#[test]
fn the_end_is_for_ever() {
    let mut decoder = Decoder::new(ChunkLimits::default());
    assert_eq!(decoder.next(b"0\r\n\r\n0\r\n\r\n"), Ok((5, Piece::End)));
    assert_eq!(decoder.next(b"0\r\n\r\n"), Ok((0, Piece::End)));
    assert_eq!(decoder.next(b""), Ok((0, Piece::End)));
}

#[test]
fn a_refusal_is_for_ever() {
    let mut decoder = Decoder::new(ChunkLimits::default());
    let refusal = decoder.next(b"x").unwrap_err();
    assert_eq!(decoder.next(b"5\r\nhello"), Err(refusal.clone()));
    decoder.take(1);
    assert_eq!(decoder.next(b""), Err(refusal));
}
