//! The options of the command that have to do with HTTPS.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use servette::server::Builder;
use servette::{ClientAuth, Log, RequestHandler, Result, Tls};

/// How often a failure of one kind is logged.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// There are no more kinds of failures than this; clients must not make any.
const KINDS: usize = 64;

/// `--tls-cert`, and what goes with it.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTPS")]
pub(super) struct TlsArguments {
    /// Serve HTTPS; without --tls-cert, with a self-signed certificate for this run
    #[arg(long)]
    tls: bool,

    /// Serve HTTPS with the certificate chain in this PEM file, the server's own first; repeatable, for other hosts
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<PathBuf>,

    /// PEM file with the private key, if it is not in the file of --tls-cert; repeatable, one for each --tls-cert
    #[arg(long, value_name = "FILE")]
    tls_key: Vec<PathBuf>,

    /// File with the password of the private keys that are encrypted
    #[arg(long, value_name = "FILE")]
    tls_password_file: Option<PathBuf>,

    /// Require client certificates signed by an authority in this PEM file (mutual TLS)
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
}

impl TlsArguments {
    /// What is wrong with the options, in Python's words where it has them.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.tls_cert.is_empty() {
            let needs = [
                ("key", !self.tls_key.is_empty()),
                ("password-file", self.tls_password_file.is_some()),
                ("client-ca", self.tls_client_ca.is_some()),
            ];
            return match needs.iter().find(|(_, is_given)| *is_given) {
                Some((option, _)) => Err(format!("--tls-{option} requires --tls-cert to be set")),
                None => Ok(()),
            };
        }
        match self.tls_key.len() {
            0 => {}
            keys if keys == self.tls_cert.len() => {}
            _ => {
                return Err("--tls-key must be given as often as --tls-cert, or not at all".into());
            }
        }
        self.password().map(drop)
    }

    fn password(&self) -> Result<Option<String>, String> {
        let Some(file) = &self.tls_password_file else {
            return Ok(None);
        };
        match fs::read_to_string(file) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => {
                let file = file.display();
                Err(format!("Failed to read TLS password file: {file}: {error}"))
            }
        }
    }

    /// The configuration that these options ask for, for a server that is bound to these hosts.
    pub(super) fn tls(&self, hosts: &[&str]) -> Result<Option<Tls>> {
        if self.tls_cert.is_empty() {
            return match self.tls {
                true => self_signed(hosts).map(Some),
                false => Ok(None),
            };
        }
        let mut builder = Tls::builder();
        for (number, certificates) in self.tls_cert.iter().enumerate() {
            let key = self.tls_key.get(number).unwrap_or(certificates);
            builder = builder.add_files(certificates, key);
        }
        if let Some(password) = self.password().map_err(servette::Error::other)? {
            builder = builder.password(password);
        }
        if let Some(authorities) = &self.tls_client_ca {
            builder = builder.client_ca_file(authorities, ClientAuth::Required);
        }
        let tls = builder.build()?;
        reload_at_sighup(tls.clone())?;
        Ok(Some(tls))
    }
}

/// A server that speaks TLS, if it is to; what fails of it is logged, unless `quiet`.
pub(super) fn secure<H: RequestHandler, S>(
    builder: Builder<H, S>,
    tls: Option<&Tls>,
    log: &Log,
    quiet: bool,
) -> Builder<H, S> {
    let Some(tls) = tls else {
        return builder;
    };
    let builder = builder.tls(tls.clone());
    if quiet {
        return builder;
    }
    let (kinds, log) = (Kinds::default(), log.clone());
    builder.handle_tls_error(move |error, peer| {
        let text = error.to_string();
        if kinds.is_due(&text, Instant::now()) {
            log.message(peer, format_args!("{text}"));
        }
    })
}

/// When each kind of failure was logged last.
#[derive(Debug, Default)]
struct Kinds(Mutex<HashMap<String, Instant>>);

impl Kinds {
    /// Whether this is to be logged: any client can cause as many failures as it likes.
    fn is_due(&self, text: &str, now: Instant) -> bool {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS {
            kinds.retain(|_, last| now.saturating_duration_since(*last) < BETWEEN_LINES);
        }
        match kinds.get(text) {
            Some(last) if now.saturating_duration_since(*last) < BETWEEN_LINES => false,
            None if kinds.len() >= KINDS => false,
            _ => {
                kinds.insert(text.to_owned(), now);
                true
            }
        }
    }
}

/// Reads the files again at each SIGHUP.
fn reload_at_sighup(tls: Tls) -> Result<()> {
    super::system::at_hang_ups(move || match tls.reload() {
        Ok(()) => super::say("The certificates were read again.\n"),
        Err(error) => super::complain(&format!(
            "cannot reload the certificates, the old ones stay in use: {error}"
        )),
    })?;
    Ok(())
}

/// A certificate made for this run, and its fingerprint on stdout.
fn self_signed(hosts: &[&str]) -> Result<Tls> {
    let (tls, made) = Tls::self_signed(names(hosts))?;
    super::say(&format!(
        "Self-signed certificate for this run. SHA-256 fingerprint: {}\n",
        made.fingerprint()
    ));
    Ok(tls)
}

/// The names by which clients may call a server that is bound to these hosts, or to all interfaces.
fn names(hosts: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let own = super::system::host_name();
    let hosts: &[&str] = if hosts.is_empty() { &["::"] } else { hosts };
    for &host in hosts {
        match host.parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() => names.push(address.to_string()),
            Err(_) => names.push(host.to_owned()),
            Ok(_) => names.extend(own_addresses().iter().map(IpAddr::to_string)),
        }
    }
    names.push(own);
    // Others can't be in a certificate.
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    names.retain(|name| !name.is_empty() && name.chars().all(is_valid));
    names.sort();
    names.dedup();
    names
}

/// The addresses of this machine by which others find it, one of each family. Nothing is sent.
fn own_addresses() -> Vec<IpAddr> {
    // Addresses for documentation: on the way to them is the gateway of the machine, if it has one.
    let ways = [("0.0.0.0", "192.0.2.1"), ("::", "2001:db8::1")];
    let address = |(own, other): (&str, &str)| {
        let [own, other]: [IpAddr; 2] = [own.parse().ok()?, other.parse().ok()?];
        let socket = UdpSocket::bind(SocketAddr::new(own, 0)).ok()?;
        socket.connect(SocketAddr::new(other, 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    ways.into_iter().filter_map(address).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_failure_is_logged_once_in_a_while() {
        let (kinds, start) = (Kinds::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert!(kinds.is_due("a", start) && kinds.is_due("b", start));
        assert!(!kinds.is_due("a", later(9)) && kinds.is_due("a", later(10)));
        for number in 0..1000 {
            kinds.is_due(&number.to_string(), later(10));
        }
        assert!(kinds.0.lock().unwrap().len() <= KINDS);
        assert!(!kinds.is_due("new", later(11)) && kinds.is_due("new", later(20)));
    }

    #[test]
    fn a_certificate_has_the_names_that_clients_may_use() {
        let of = |host: Option<&str>| names(host.as_slice());
        for host in [
            None,
            Some("0.0.0.0"),
            Some("::"),
            Some("192.0.2.9"),
            Some("my.host"),
        ] {
            let names = of(host);
            for name in ["localhost", "127.0.0.1", "::1"] {
                assert!(names.iter().any(|other| other == name), "{names:?}");
            }
            let has_host = host.is_none_or(|host| names.iter().any(|name| name == host));
            assert_eq!(
                has_host,
                !matches!(host, Some("0.0.0.0" | "::")),
                "{names:?}"
            );
            Tls::self_signed(names).unwrap();
        }
        assert_eq!(of(Some("h\n\u{e9}")), of(Some("localhost")));
    }
}
