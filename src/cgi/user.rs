//! The user that scripts run as: never root.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// Maximum number of bytes of `/etc/passwd` that are read.
const PASSWD: u64 = 1 << 20;

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Why no script can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoIdentity {
    NoNobody,
    SetUid,
}

impl fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoIdentity::NoNobody => {
                "the server runs as root, and the user nobody, as which scripts run, does not exist"
            }
            NoIdentity::SetUid => {
                "the server is root by a set-uid bit, so it can't drop its groups for scripts"
            }
        })
    }
}

impl std::error::Error for NoIdentity {}

/// Returns the user for scripts: `nobody` if the server is root, otherwise `None`.
pub(super) fn to_become() -> Result<Option<Identity>, NoIdentity> {
    let real = rustix::process::getuid().is_root();
    let effective = rustix::process::geteuid().is_root();
    match (real, effective) {
        (false, false) => Ok(None),
        // The supplementary groups are dropped only for one who is root in earnest.
        (false, true) => Err(NoIdentity::SetUid),
        (true, _) => nobody().map(Some).ok_or(NoIdentity::NoNobody),
    }
}

fn nobody() -> Option<Identity> {
    static NOBODY: OnceLock<Option<Identity>> = OnceLock::new();
    *NOBODY.get_or_init(|| {
        let mut passwd = Vec::new();
        let file = File::open("/etc/passwd").ok()?;
        file.take(PASSWD).read_to_end(&mut passwd).ok()?;
        find(&passwd, "nobody")
    })
}

/// Finds a user in the text of `/etc/passwd`. An entry with the numbers of root is ignored.
fn find(passwd: &[u8], user: &str) -> Option<Identity> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = std::str::from_utf8(line).ok()?.split(':');
        let is_user = fields.next() == Some(user);
        let uid = fields.nth(1).filter(|_| is_user)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0 && gid != 0).then_some(Identity { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_entry_of_someone_else_than_root_counts() {
        let find = |passwd: &str| find(passwd.as_bytes(), "nobody");
        let nobody = Identity {
            uid: 65534,
            gid: 65533,
        };
        let entry = "root:x:0:0::/:/bin/sh\nnobody2:x:1:1::/:\nnobody:x:65534:65533:n:/:/x\n";
        assert_eq!(find(entry), Some(nobody));
        assert_eq!(
            find("\u{e9}:x:1:1\n+::::::\nnobody:x:65534:65533"),
            Some(nobody)
        );
        for passwd in [
            "",
            "nobody:x:0:65534::/:",
            "nobody:x:65534:0::/:",
            "nobody:x:-2:-2::/:",
            "nobody:x:65534",
            "nobody:x::5:",
            "root:x:0:0:nobody:/:",
        ] {
            assert_eq!(find(passwd), None, "{passwd}");
        }
    }
}
