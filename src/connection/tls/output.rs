//! [`Output`]: encrypted bytes on their way to the socket.

use rustls::unbuffered::InsufficientSizeError;

/// Bytes to send, in a buffer that keeps its length, so that it is zeroed once and not for each record.
#[derive(Debug, Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    len: usize,
}

impl Output {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    /// Appends the bytes that `write` puts into the given room, `size` bytes at first. Returns false if there is nothing to
    /// write.
    pub(super) fn append(
        &mut self,
        mut size: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<Option<usize>, InsufficientSizeError>,
    ) -> bool {
        loop {
            match write(self.room(size)) {
                Ok(written) => {
                    self.len += written.unwrap_or(0);
                    return written.is_some();
                }
                Err(more) if more.required_size > size => size = more.required_size,
                Err(_) => return false,
            }
        }
    }

    fn room(&mut self, size: usize) -> &mut [u8] {
        let end = self.len + size;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.len..).unwrap_or_default()
    }
}
