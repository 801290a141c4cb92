//! A hash of paths, a word at a time, which takes a quarter of the steps of the standard one.
//!
//! That one withstands who sends keys to make them meet in one place of the table. Here keys are the names of
//! files that are there, and the seed, which differs from table to table, is known to nobody; or it does not
//! matter where they meet.

use std::hash::{BuildHasher, Hasher, RandomState};

/// What a table mixes into the hashes of its keys.
#[derive(Clone, Debug)]
pub(crate) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Seed(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// Half of its bits are set, in no order.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash that is being made.
#[derive(Default)]
pub(crate) struct Folded(u64);

impl Folded {
    /// Every bit of a product depends on lower ones, so its halves are laid on each other.
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(ODD);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for &word in words {
            self.fold(u64::from_le_bytes(word));
        }
        // The last word again, with the bytes that are left; only a short key has none. That its length counts is
        // up to whoever hashes it.
        match bytes.last_chunk() {
            _ if tail.is_empty() => {}
            Some(&last) => self.fold(u64::from_le_bytes(last)),
            None => self.fold(short(tail)),
        }
    }

    fn write_usize(&mut self, length: usize) {
        self.fold(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Up to eight bytes: of four and more the first half and the last.
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(&first), Some(&last)) => {
            u64::from(u32::from_le_bytes(first)) << 32 | u64::from(u32::from_le_bytes(last))
        }
        _ => (bytes.iter()).fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_that_differ_little_are_spread_over_the_table() {
        let seed = Seed::default();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for number in 0..4096 {
            keys.push(format!("/srv/www/{number}").into());
            keys.push(format!("/srv/www/{number:0>9}/index.html").into());
        }
        // Of every length, and with every byte changed.
        for length in 0..20 {
            keys.push(vec![0; length]);
            for at in 0..length {
                let mut key = vec![0; length];
                key[at] = 1;
                keys.push(key);
            }
        }
        let hashes: HashSet<u64> = keys.iter().map(|key| seed.hash_one(&key[..])).collect();
        assert_eq!(hashes.len(), keys.len());
        // A table looks at the low bits for the place, and at the highest ones in it.
        for shift in [0, 52] {
            let mut places = [0; 1 << 12];
            hashes
                .iter()
                .for_each(|hash| places[(hash >> shift) as usize & 0xfff] += 1);
            let most = places.iter().max().unwrap();
            assert!(*most < 20, "{most} of {} in one place", hashes.len());
        }
        assert_ne!(seed.hash_one("a"), Seed::default().hash_one("a"));
    }
}
