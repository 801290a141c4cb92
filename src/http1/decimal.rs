//! A number as text, on the stack: the value of `Content-Length`.

use std::ops::Deref;

/// The decimal digits of a number.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub(crate) struct Decimal {
    /// Behind zeros. Longer than any number, for text of whole words is checked faster.
    digits: [u8; ROOM],
    start: usize,
}

const ROOM: usize = 32;

impl From<u64> for Decimal {
    #[inline]
    fn from(number: u64) -> Self {
        let mut digits = [b'0'; ROOM];
        let (mut start, mut rest) = (ROOM, number);
        for place in digits.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            start -= 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Decimal { digits, start }
    }
}

impl Decimal {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

impl Deref for Decimal {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        let text = std::str::from_utf8(&self.digits).unwrap_or_default();
        text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_number_is_written_whole() {
        for number in [0, 7, 10, 65_536, u64::MAX] {
            assert_eq!(&*Decimal::from(number), number.to_string());
        }
    }
}
