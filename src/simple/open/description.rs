//! [`Description`]: the metadata of a file.

use std::time::{Duration, SystemTime};

use super::FileType;
use crate::simple::validators::{Time, Version};

/// The size of the largest memory page on any machine.
const LARGEST_PAGE: u64 = 64 << 10;

/// The metadata of a file. It changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) file_type: FileType,
    /// The type and the permissions; 0 if there are none.
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) has_blocks: bool,
    pub(super) modified: Time,
    /// The last change of any kind; if that is unknown, the later one of creation and modification.
    pub(super) changed: Time,
}

impl Description {
    pub(crate) fn file_type(&self) -> FileType {
        self.file_type
    }

    pub(crate) fn is_file(&self) -> bool {
        self.file_type == FileType::RegularFile
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns what distinguishes the file from others, and from itself before and after a change.
    pub(in crate::simple) fn version(&self) -> Version {
        Version {
            inode: self.inode,
            size: self.size,
            modified: self.modified,
            changed: self.changed,
        }
    }

    /// Returns whether the file is empty or takes no space, so that its size may be wrong: in `/proc` it is 0, in
    /// `/sys` a page. (The size of a larger file without blocks, a sparse one, is right.)
    pub(crate) fn is_doubtful(&self) -> bool {
        !self.has_blocks && self.size <= LARGEST_PAGE
    }

    /// Returns the second of the last change of the content; 1970 if it can't be represented.
    pub(crate) fn modified(&self) -> SystemTime {
        let (seconds, _) = self.modified;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let moment = match seconds < 0 {
            true => SystemTime::UNIX_EPOCH.checked_sub(distance),
            false => SystemTime::UNIX_EPOCH.checked_add(distance),
        };
        moment.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Returns whether the last change of any kind is longer ago than this.
    pub(crate) fn is_older(&self, than: Duration, now: SystemTime) -> bool {
        let changed = self.changed.0.max(self.modified.0);
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now.as_secs() as i64 - changed > than.as_secs() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_change_may_lie_before_1970() {
        let mut description = Description {
            device: 1,
            inode: 1,
            file_type: FileType::RegularFile,
            mode: 0,
            size: 1,
            has_blocks: true,
            modified: (0, 0),
            changed: (0, 0),
        };
        for (seconds, nanos, from_1970) in
            [(0, 0, 0.0), (1, 500_000_000, 1.0), (-2, 500_000_000, -2.0)]
        {
            description.modified = (seconds, nanos);
            let modified = description.modified();
            let since = match modified.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => since.as_secs_f64(),
                Err(before) => -before.duration().as_secs_f64(),
            };
            assert_eq!(since, from_1970);
        }
        description.modified = (i64::MIN, 0);
        assert!(description.modified() <= SystemTime::UNIX_EPOCH);
    }
}
