//! A chunked body. Input: a byte of flags, three places where reads end, then what is received.

use servette::Limits;
use servette::internals::{ChunkedDecoder, Piece};

use super::{is_token, is_value, read_ends};

/// What came of decoding: the data, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) data: Vec<u8>,
    pub(crate) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the body, after so many bytes.
    Whole(usize),
    /// With the input; more is needed.
    Part,
    Refused,
}

/// However the bytes arrive, they are read in one way, which is that of a plain second decoder; and what
/// is behind the end is left alone.
pub fn check(data: &[u8]) {
    let Some((&[flags, ref places @ ..], input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let limits = match flags & 1 {
        0 => Limits::default(),
        _ => small_limits(),
    };
    let most = match flags >> 1 {
        0 => usize::MAX,
        most => usize::from(most),
    };
    let whole = decode(input, &[input.len()], usize::MAX, &limits);
    let bytewise: Vec<usize> = (0..=input.len()).collect();
    let ends = read_ends(places, input.len());
    assert_eq!(decode(input, &ends, most, &limits), whole, "in parts");
    assert_eq!(decode(input, &bytewise, most, &limits), whole, "bytewise");

    let (decoded, _) = whole;
    assert_eq!(decoded, reference(input, &limits), "against the reference");
    if let End::Whole(end) = decoded.end {
        for after in [&b""[..], b"0", b"\r\n", b"GET / HTTP/1.1\r\n\r\n"] {
            let other = [&input[..end], after].concat();
            let again = decode(&other, &[other.len()], usize::MAX, &limits).0;
            assert_eq!(again, decoded, "with something else behind it");
        }
    }
}

/// Limits that short inputs reach.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.chunk_line = 12;
    limits.chunk_extensions = 14;
    limits.trailers = 20;
    limits.fields = 2;
    limits
}

/// Decodes what arrives in reads up to each of `ends`, taking at most `most` bytes of data at a time;
/// with the words of a refusal.
fn decode(input: &[u8], ends: &[usize], most: usize, limits: &Limits) -> (Decoded, String) {
    let (mut decoder, mut data, mut consumed) = (ChunkedDecoder::new(limits), Vec::new(), 0);
    for &end in ends {
        loop {
            let (framing, piece) = match decoder.next(&input[consumed..end]) {
                Ok(next) => next,
                Err((code, message)) => {
                    assert_eq!(code, 400);
                    // A refusal is for ever.
                    decoder.take(1);
                    assert!(decoder.next(b"0\r\n\r\n").is_err() && decoder.pending() == 0);
                    let end = End::Refused;
                    return (Decoded { data, end }, message);
                }
            };
            consumed += framing;
            assert!(consumed <= end);
            match piece {
                Piece::More => break,
                Piece::Data(length) => {
                    assert!(length > 0 && length <= end - consumed);
                    assert!(length as u64 <= decoder.pending());
                    let length = length.min(most);
                    data.extend_from_slice(&input[consumed..][..length]);
                    decoder.take(length);
                    consumed += length;
                }
                Piece::End => {
                    assert_eq!(decoder.next(&input[consumed..]), Ok((0, Piece::End)));
                    let end = End::Whole(consumed);
                    return (Decoded { data, end }, String::new());
                }
            }
        }
        assert_eq!(consumed, end, "more is asked for only if all was used");
    }
    let end = End::Part;
    (Decoded { data, end }, String::new())
}

/// The plain second decoder: it has all input at once, and goes through it line by line.
pub(crate) fn reference(input: &[u8], limits: &Limits) -> Decoded {
    let (mut data, mut at, mut extensions) = (Vec::new(), 0, 0);
    let end = loop {
        let (size, length) = match size_line(&input[at..], limits, &mut extensions) {
            Ok(line) => line,
            Err(end) => break end,
        };
        at += length;
        if size == 0 {
            break trailers(input, at, limits);
        }
        let rest = &input[at..];
        let Some((chunk, rest)) = usize::try_from(size)
            .ok()
            .and_then(|n| rest.split_at_checked(n))
        else {
            data.extend_from_slice(rest);
            break End::Part;
        };
        data.extend_from_slice(chunk);
        match rest {
            [b'\r', b'\n', ..] => at += chunk.len() + 2,
            [b'\r'] | [] => break End::Part,
            _ => break End::Refused,
        }
    };
    Decoded { data, end }
}

/// The size and the length of a line.
fn size_line(rest: &[u8], limits: &Limits, extensions: &mut usize) -> Result<(u64, usize), End> {
    let before_end = rest.iter().take_while(|&&b| b != b'\r').count();
    let line = &rest[..before_end];
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    *extensions += extension.len();
    let is_bad_byte = |&b: &u8| (b < b' ' && b != b'\t') || b == 0x7f;
    let is_bad = digits.len() > 16
        || (digits.is_empty() && !rest.is_empty())
        || !matches!(extension, [b';', ..] | [])
        || extension.iter().any(is_bad_byte)
        || *extensions > limits.chunk_extensions
        // With the line end, which is still to come.
        || rest.len().min(before_end + 1) + 1 > limits.chunk_line;
    match &rest[before_end..] {
        _ if is_bad => Err(End::Refused),
        [b'\r', b'\n', ..] => {
            let digits = str::from_utf8(digits).unwrap();
            Ok((u64::from_str_radix(digits, 16).unwrap(), before_end + 2))
        }
        [] | [b'\r'] => Err(End::Part),
        _ => Err(End::Refused),
    }
}

/// The trailers, which begin at `at`.
fn trailers(input: &[u8], at: usize, limits: &Limits) -> End {
    let (mut rest, mut is_valid, mut count) = (&input[at..], true, 0);
    loop {
        match rest {
            // Their grammar is looked at when all of them are here.
            [b'\r', b'\n', rest @ ..] if is_valid => return End::Whole(input.len() - rest.len()),
            [] | [b'\r'] => return End::Part,
            [b'\r', ..] => return End::Refused,
            _ => {}
        }
        let line = rest.split_inclusive(|&b| b == b'\n').next().unwrap();
        rest = &rest[line.len()..];
        if input.len() - at - rest.len() > limits.trailers {
            return End::Refused;
        }
        if !line.ends_with(b"\n") {
            return End::Part;
        }
        count += 1;
        let Some(line) = line
            .strip_suffix(b"\r\n")
            .filter(|_| count <= limits.fields)
        else {
            return End::Refused;
        };
        let line: String = line.iter().map(|&b| char::from(b)).collect();
        is_valid &= line.split_once(':').is_some_and(|(name, value)| {
            is_token(name) && is_value(value.trim_matches([' ', '\t']))
        });
    }
}
