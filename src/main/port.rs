//! PORT of the command line: a number, or with `+` the first that is free from there on.

use std::io;
use std::str::FromStr;

use servette::{Error, Result};

/// The number of ports that `8000+` tries.
const TRIES: u16 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    first: u16,
    last: u16,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (number, more) = match text.strip_suffix('+') {
            Some(number) => (number, TRIES - 1),
            None => (text, 0),
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let first = number.parse().ok().filter(|_| is_number);
        let first: u16 =
            first.ok_or("expected a port from 0 to 65535, or a port and + such as 8000+")?;
        Ok(Port {
            first,
            last: first.saturating_add(more),
        })
    }
}

impl Port {
    /// Binds to the first of the ports that nobody listens on.
    pub(super) fn bind<S>(self, mut bind: impl FnMut(u16) -> Result<S>) -> Result<S> {
        for port in self.first..=self.last {
            match bind(port).map_err(io::Error::from) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < self.last => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port > self.first => {
                    break;
                }
                other => return other.map_err(Error::from),
            }
        }
        let Port { first, last } = self;
        let text = format!("all ports from {first} to {last} are in use");
        Err(io::Error::new(io::ErrorKind::AddrInUse, text).into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn port(text: &str) -> Option<Port> {
        text.parse().ok()
    }

    #[test]
    fn a_port_is_a_number_and_perhaps_a_plus() {
        let of = |first, last| Some(Port { first, last });
        assert_eq!(port("8000"), of(8000, 8000));
        assert_eq!(port("8000+"), of(8000, 8099));
        assert_eq!(port("0"), of(0, 0));
        assert_eq!(port("65500+"), of(65500, 65535));
        for text in [
            "",
            "+",
            "8000++",
            "+8000",
            "65536",
            "-1",
            "8000 ",
            "http",
            "8000-8010",
        ] {
            assert_eq!(port(text), None, "{text}");
        }
    }

    #[test]
    fn ports_are_tried_as_long_as_others_listen_there() {
        let refused =
            |kind: io::ErrorKind| move |_| Err::<u16, Error>(io::Error::from(kind).into());
        let from_8002 = |port| match port {
            8002 => Ok(port),
            _ => Err(io::Error::from(io::ErrorKind::AddrInUse).into()),
        };
        assert_eq!(port("8000+").unwrap().bind(from_8002).unwrap(), 8002);
        let text = |port: Port, kind| port.bind(refused(kind)).unwrap_err().to_string();
        let all = text(port("8000+").unwrap(), io::ErrorKind::AddrInUse);
        assert_eq!(all, "all ports from 8000 to 8099 are in use");
        assert!(!text(port("8000").unwrap(), io::ErrorKind::AddrInUse).contains("all ports"));
        let mut tried = 0;
        let denied = port("80+").unwrap().bind(|_| {
            tried += 1;
            Err::<(), Error>(io::Error::from(io::ErrorKind::PermissionDenied).into())
        });
        assert!(denied.is_err() && tried == 1);
    }
}
