//! [`Again`]: bytes of a body that were read and are to be read once more. Without the feature `testing` it is empty.

/// Bytes of the body that come before those of the client.
#[derive(Debug, Default)]
pub(super) struct Again {
    #[cfg(feature = "testing")]
    bytes: Vec<u8>,
    #[cfg(feature = "testing")]
    taken: usize,
}

#[cfg(feature = "testing")]
impl super::RequestBody<'_> {
    /// Puts back the bytes that were read from the start of the body. The observer has seen them already.
    pub(crate) fn put_back(&mut self, bytes: Vec<u8>) {
        self.body.again = Again { bytes, taken: 0 };
    }
}

#[cfg(feature = "testing")]
impl Again {
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.bytes.len());
    }
}

#[cfg(not(feature = "testing"))]
#[expect(clippy::unused_self)]
impl Again {
    pub(super) fn unread(&self) -> &[u8] {
        &[]
    }

    pub(super) fn consume(&mut self, _: usize) {}
}
