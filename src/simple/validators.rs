//! The entity tag and the date of a file, which distinguish its versions (RFC 9110, 8.8).
//!
//! A tag is a promise: with the same tag, the content is the same, byte for byte. The time of the content can't keep
//! it, because `cp -p`, `rsync -t` and `tar` give another file an old time. So a tag is also made from the number of
//! the file, and from the time of its last change of any kind, which no program can set. It is made from nothing
//! else, so it is the same after a restart.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::open::Description;

/// The metadata of a file, for [`ServeFiles::entity_tag`](super::ServeFiles::entity_tag).
///
/// ```
/// use servette::simple::FileMetadata;
/// use std::fs::File;
///
/// let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
/// let metadata = FileMetadata::of(&file).unwrap();
/// assert_eq!(metadata.size(), file.metadata().unwrap().len());
/// ```
#[derive(Clone, Debug)]
pub struct FileMetadata {
    version: Version,
    /// With its quotes.
    tag: Option<Box<str>>,
}

/// What a tag is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified: Time,
    pub(super) changed: Time,
}

/// Seconds since 1970, and nanoseconds.
pub(super) type Time = (i64, i64);

/// Changes that are closer together than this may have the same time, on file systems that count nanoseconds: the
/// system reads the clock every 10 ms or more often, and some file systems round by as much again.
const FINE_GRAIN: Duration = Duration::from_millis(20);
/// The same for file systems that count in units of one or two seconds.
const COARSE_GRAIN: Duration = Duration::from_millis(2020);

impl FileMetadata {
    /// `is_dated` is false if the file system does not say when the content changes. Such a file has no tag.
    pub(super) fn new(version: Version, is_dated: bool, now: SystemTime) -> Self {
        let tag = is_dated.then(|| match version.is_settled(now) {
            true => tag_of(version.digest()),
            // The next change might not show. So this tag is one that no later request will match.
            false => tag_of(mix(version.digest() ^ nanoseconds(now))),
        });
        FileMetadata { version, tag }
    }

    /// Reads the metadata of an open file.
    ///
    /// # Errors
    /// If the file system returns none.
    pub fn of(file: &File) -> io::Result<Self> {
        let description = Description::of_open(file)?;
        let is_dated = !description.is_doubtful();
        let now = SystemTime::now();
        Ok(FileMetadata::new(description.version(), is_dated, now))
    }

    /// Returns the length in bytes.
    pub fn size(&self) -> u64 {
        self.version.size
    }

    /// Returns the time of the last change of the content. Programs can set this time.
    pub fn modified(&self) -> SystemTime {
        moment(self.version.modified)
    }

    /// Returns the time of the last change of any kind: content, names, owner, times. Programs can't set this time.
    pub fn changed(&self) -> SystemTime {
        moment(self.version.changed)
    }

    /// Returns the inode number, which identifies the file in its file system.
    pub fn inode(&self) -> u64 {
        self.version.inode
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}

impl Version {
    /// Returns whether any later change will show.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let grain = match self.changed.1 {
            0 => COARSE_GRAIN,
            _ => FINE_GRAIN,
        };
        let [changed, modified] = [self.changed, self.modified].map(moment);
        let is_long_ago = |time| now.duration_since(time).is_ok_and(|age| age >= grain);
        // A change in the future is that of a clock elsewhere; a time of content there was set by a program, and
        // the next change will set another one.
        is_long_ago(changed) && (is_long_ago(modified) || modified > now)
    }

    /// Returns a number for the version. Two versions that differ in one part never have the same number.
    fn digest(&self) -> u64 {
        let whole = |(seconds, nanos): Time| {
            let nanoseconds = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos);
            nanoseconds as u64
        };
        [
            self.inode,
            self.size,
            whole(self.modified),
            whole(self.changed),
        ]
        .into_iter()
        .fold(0, |digest, part| mix(digest ^ part))
    }
}

/// Returns sixteen digits in quotes. This is done for every file that is opened: without `format!` here and for the
/// length, making a file ready takes 1,040 instructions instead of 1,960.
pub(super) fn tag_of(digest: u64) -> Box<str> {
    let mut tag = String::with_capacity(18);
    tag.push('"');
    for place in (0..16).rev() {
        let digit = (digest >> (4 * place)) & 15;
        tag.extend(char::from_digit(digit as u32, 16));
    }
    tag.push('"');
    tag.into()
}

/// The last steps of the generator `splitmix64`: different numbers have different results, and each bit of the number
/// changes about half of the bits of the result.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

/// Returns 1970 if the time can't be represented.
fn moment((seconds, nanos): Time) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let second = match seconds < 0 {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    let nanos = Duration::from_nanos(nanos.unsigned_abs());
    second
        .and_then(|second| second.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}

/// Returns the date of a file, in whole seconds, to compare with conditions and to send. A time of 1970 or a second
/// later is not a date: files in reproducible archives and stores have it, whatever their content.
pub(super) fn date(modified: SystemTime) -> Option<SystemTime> {
    let since = modified.duration_since(UNIX_EPOCH);
    let is_made_up = since.is_ok_and(|since| since.as_secs() <= 1);
    (!is_made_up).then_some(modified)
}

/// Returns the date for a time that a program has set, in the same way.
pub(super) fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    date(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// Returns the time to send as `Last-Modified`; both are in whole seconds.
///
/// It is never later than `now`, the time of the response's `Date`. `None` for a time that an HTTP date can't
/// express.
pub(super) fn last_modified(modified: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let time = modified.min(now);
    let end = UNIX_EPOCH + Duration::from_secs(YEAR_10000);
    (UNIX_EPOCH..end).contains(&time).then_some(time)
}

/// The first second whose year has more than four digits.
const YEAR_10000: u64 = 253_402_300_800;

#[cfg(test)]
mod tests;
