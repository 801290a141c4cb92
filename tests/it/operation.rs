//! The command as it is operated: sockets of a service manager, Unix sockets, health checks, an end that balancers see,
//! and behind proxies.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use rustix::process::Signal;

use crate::child::{Running, get, servette};
use crate::client::Client;
use crate::support::{PATIENCE, until};
use crate::webroot::{Answer, WebRoot, fetch};

/// A name for a socket that no other test has.
fn socket_path(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("servette-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// Starts the command as a service manager does, with up to two descriptors from 3 on. A shell moves them there.
fn activated(descriptors: &[OwnedFd], count: &str, root: &WebRoot, arguments: &[&str]) -> Started {
    let script =
        "exec 3<&0 4<&1 </dev/null >&2; LISTEN_FDS=$COUNT LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_servette"), "-d"])
        .arg(root.path())
        .args(arguments)
        .env("COUNT", count);
    let given = |number: usize| match descriptors.get(number) {
        Some(descriptor) => Stdio::from(descriptor.try_clone().unwrap()),
        None => Stdio::null(),
    };
    let child = command
        .stdin(given(0))
        .stdout(given(1))
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let lines = crate::child::lines(child.stderr.take().unwrap());
    Started { child, lines }
}

/// What it says on both outputs.
struct Started {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Started {
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn over(path: &Path, request: &str) -> Answer {
    let mut client = UnixStream::connect(path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    Answer::parse(&answer)
}

const GET: &str = "GET /a.txt HTTP/1.0\r\n\r\n";

fn root() -> WebRoot {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    root
}

#[test]
fn sockets_of_a_service_manager_are_served() {
    let root = root();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let path = socket_path("activated");
    let unix = UnixListener::bind(&path).unwrap();
    let sockets = [OwnedFd::from(tcp), OwnedFd::from(unix)];
    for arguments in [&[][..], &["9", "--bind", "192.0.2.1"], &["--cgi"]] {
        let mut server = activated(&sockets, "2", &root, arguments);
        let line = format!("Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}/) ...");
        assert_eq!(server.line(), line);
        assert_eq!(server.line(), "Serving HTTP on a Unix socket ...");
        assert_eq!(get(port, "/a.txt").text(), "hello");
        assert_eq!(over(&path, GET).text(), "hello");
        server.signal(Signal::TERM);
        assert_eq!(server.code(), Some(0));
        // Neither is gone: they are the manager's.
        let waiting = UnixStream::connect(&path).unwrap();
        let server = activated(&sockets, "1", &root, &[]);
        assert_eq!(server.line(), line);
        assert_eq!(get(port, "/a.txt").text(), "hello");
        drop(waiting);
    }
    fs::remove_file(&path).unwrap();
}

/// A script is started with nothing but its standard descriptors.
#[test]
fn scripts_do_not_inherit_sockets_of_a_service_manager() {
    let root = WebRoot::new();
    let script = "#!/bin/sh\necho Content-Type: text/plain\necho\n\
                  for fd in 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$fd; done\necho nothing more\n";
    root.file("cgi-bin/fds", script);
    let script = root.join("cgi-bin/fds");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let server = activated(&[tcp.into()], "1", &root, &["--cgi", "--cgi-same-user"]);
    server.line();
    assert_eq!(get(port, "/cgi-bin/fds").text(), "nothing more\n");
}

#[test]
fn invalid_sockets_of_a_service_manager_are_one_line_on_stderr() {
    let root = root();
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let file = || OwnedFd::from(fs::File::open(root.join("a.txt")).unwrap());
    let connected = || OwnedFd::from(UnixStream::pair().unwrap().0);
    let datagrams = || OwnedFd::from(UnixDatagram::unbound().unwrap());
    let none =
        |number| format!("descriptor {number} of LISTEN_FDS is not a listening TCP or Unix socket");
    let count = |count| format!("LISTEN_FDS is '{count}', which is not a number from 0 to 64");
    for (descriptors, number, expected) in [
        (vec![file()], "1", none(3)),
        (vec![connected()], "1", none(3)),
        (vec![datagrams()], "1", none(3)),
        (vec![listener(), file()], "2", none(4)),
        (vec![listener()], "3", none(4)),
        (vec![listener()], "64", none(4)),
        (vec![listener()], "65", count("65")),
        (vec![listener()], "4294967296", count("4294967296")),
        (vec![listener()], "-1", count("-1")),
        (vec![listener()], "one", count("one")),
    ] {
        for arguments in [&[][..], &["--cgi"]] {
            let mut server = activated(&descriptors, number, &root, arguments);
            assert_eq!(
                server.line(),
                format!("servette: error: {expected}"),
                "{number}"
            );
            assert_eq!(server.code(), Some(1));
            assert_eq!(server.lines.iter().count(), 0);
        }
    }
}

#[test]
fn sockets_for_another_process_and_none_at_all_are_not_looked_for() {
    let root = root();
    for (sockets, process) in [("1", Some("1")), ("0", None), ("", None), ("x", Some("1"))] {
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "-d"])
            .arg(root.path());
        command.env("LISTEN_FDS", sockets);
        process.map(|process| command.env("LISTEN_PID", process));
        let running = Running::start(&mut command);
        assert_eq!(get(running.banner_port(), "/a.txt").text(), "hello");
    }
}

/// Names without a file are Linux's.
#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let root = root();
    let path = socket_path("notify");
    let name = format!("servette-notify-{}", std::process::id());
    let by_path = UnixDatagram::bind(&path).unwrap();
    let by_name = {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        UnixDatagram::bind_addr(&address).unwrap()
    };
    for (socket, place) in [
        (by_path, path.display().to_string()),
        (by_name, format!("@{name}")),
    ] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let told = || {
            let mut text = [0; 64];
            let count = socket.recv(&mut text).unwrap();
            String::from_utf8(text[..count].to_vec()).unwrap()
        };
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "-d"])
            .arg(root.path());
        let mut running = Running::start(command.env("NOTIFY_SOCKET", place));
        let port = running.banner_port();
        assert_eq!(told(), "READY=1");
        assert_eq!(get(port, "/a.txt").text(), "hello");
        running.signal(Signal::TERM);
        assert_eq!(told(), "STOPPING=1");
        assert_eq!(running.end().2.code(), Some(0));
    }
    fs::remove_file(&path).unwrap();
    // One that is not there is no reason not to serve.
    for place in ["/no/such/socket", "vsock:2:1234", "relative"] {
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "-d"])
            .arg(root.path());
        let running = Running::start(command.env("NOTIFY_SOCKET", place));
        let warning = running.err();
        let expected =
            format!("servette: warning: cannot notify the service manager at '{place}': ");
        assert!(warning.starts_with(&expected), "{warning}");
        assert_eq!(get(running.banner_port(), "/a.txt").text(), "hello");
    }
}

#[test]
fn a_unix_socket_has_its_mode_and_is_gone_at_the_end() {
    let root = root();
    let path = socket_path("bound");
    let place = format!("unix:{}", path.display());
    for (option, mode) in [
        (&[][..], 0o660),
        (&["--socket-mode", "600"], 0o600),
        (&["--socket-mode", "0777"], 0o777),
    ] {
        // What a server has left behind is replaced.
        drop(UnixListener::bind(&path).unwrap());
        let mut command = servette();
        command
            .args(["--bind", &place, "-d"])
            .arg(root.path())
            .args(option);
        let mut running = Running::start(&mut command);
        assert_eq!(running.out(), format!("Serving HTTP on {place} ..."));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode);
        assert_eq!(over(&path, GET).text(), "hello");
        assert!(running.err().starts_with("unix - - ["));
        // One that listens is not.
        let mut second = servette();
        let mut second = Running::start(second.args(["--bind", &place, "-d"]).arg(root.path()));
        let (_, complaint, status) = second.end();
        assert!(
            complaint[0].contains(&format!("cannot bind {}", path.display())),
            "{complaint:?}"
        );
        assert_eq!((complaint.len(), status.code()), (1, Some(1)));
        assert_eq!(over(&path, GET).text(), "hello");
        running.signal(Signal::INT);
        assert_eq!(running.end().2.code(), Some(0));
        assert!(!path.exists());
    }
    // A file is never replaced, and one of somebody else never removed.
    fs::write(&path, "a file").unwrap();
    let mut command = servette();
    let mut running = Running::start(command.args(["--bind", &place, "-d"]).arg(root.path()));
    assert_eq!(running.end().2.code(), Some(1));
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    fs::remove_file(&path).unwrap();
    let mut command = servette();
    let mut running = Running::start(command.args(["--bind", &place, "-d"]).arg(root.path()));
    running.out();
    let own = fs::metadata(&path).unwrap().ino();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), own);
    running.signal(Signal::TERM);
    running.end();
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    drop(other);
    fs::remove_file(&path).unwrap();
    for mode in ["8", "1777", "+660", "rw", ""] {
        let mut command = servette();
        let arguments = ["--bind", &place, "--socket-mode", mode];
        let mut running = Running::start(command.args(arguments));
        assert_eq!(running.end().2.code(), Some(2), "{mode}");
    }
}

#[test]
fn each_bind_is_a_place_where_the_server_listens() {
    let root = root();
    let paths = [socket_path("first"), socket_path("second")];
    let places = paths
        .each_ref()
        .map(|path| format!("unix:{}", path.display()));
    let [first, second] = places.each_ref().map(String::as_str);
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "--bind", first, "-b", "[127.0.0.1]"])
        .args(["-b", second, "--socket-mode", "600", "-d"])
        .arg(root.path());
    let mut running = Running::start(&mut command);
    let port = |line: String| -> u16 {
        let (_, port) = line.split_once("Serving HTTP on 127.0.0.1 port ").unwrap();
        port.split(' ').next().unwrap().parse().unwrap()
    };
    let ports = [port(running.out()), {
        assert_eq!(running.out(), format!("Serving HTTP on {first} ..."));
        port(running.out())
    }];
    assert_eq!(running.out(), format!("Serving HTTP on {second} ..."));
    for port in ports {
        assert_eq!(
            Answer::parse(&fetch(("127.0.0.1", port), GET)).text(),
            "hello"
        );
    }
    for path in &paths {
        assert_eq!(over(path, GET).text(), "hello");
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    running.signal(Signal::TERM);
    assert_eq!(running.end().2.code(), Some(0));
    assert!(paths.iter().all(|path| !path.exists()));
    // A variable has a place on each line.
    let mut command = servette();
    command
        .args(["0", "-d"])
        .arg(root.path())
        .env("SERVETTE_BIND", format!("127.0.0.1\n{first}"));
    let mut running = Running::start(&mut command);
    port(running.out());
    assert_eq!(running.out(), format!("Serving HTTP on {first} ..."));
    running.signal(Signal::TERM);
    running.end();
}

#[test]
fn health_checks_are_answered_before_anything_else_and_not_logged() {
    let root = root();
    let options = [
        "--health",
        "/healthz",
        "--prefix",
        "/site",
        "--allow-host",
        "site.test",
    ];
    let (mut running, port) = Running::servette(&root, &options);
    for request in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz?a=b HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nHost: other.test\r\n\r\n",
    ] {
        let answer = Answer::parse(&fetch(("127.0.0.1", port), request));
        assert_eq!((answer.status(), &*answer.text()), (200, "ok\n"));
        assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    }
    let answer = Answer::parse(&fetch(
        ("127.0.0.1", port),
        "HEAD /healthz HTTP/1.0\r\n\r\n",
    ));
    assert_eq!(
        (answer.status(), answer.field("Content-Length")),
        (200, Some("3"))
    );
    // Nothing else is one.
    for (target, status) in [("/healthz/", 404), ("/healthzz", 404), ("/site/a.txt", 200)] {
        assert_eq!(get(port, target).status(), status, "{target}");
    }
    let answer = fetch(("127.0.0.1", port), "POST /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(Answer::parse(&answer).status(), 501);
    running.signal(Signal::TERM);
    let (_, log, _) = running.end();
    let requests = log.iter().filter(|line| line.contains('"')).count();
    assert_eq!(requests, 4, "{log:?}");
    assert!(
        !log.iter()
            .any(|line| line.contains("GET /healthz HTTP") || line.contains("HEAD")),
        "{log:?}"
    );
    for path in ["healthz", "", "/a?b", "/a b"] {
        let mut running = Running::start(servette().args(["--health", path]));
        assert_eq!(running.end().2.code(), Some(2), "{path}");
    }
}

#[test]
fn after_sigterm_balancers_see_it_and_the_server_still_listens() {
    let root = root();
    let options = [
        "-p", "HTTP/1.1", "--health", "/up", "--drain", "1", "--grace", "9",
    ];
    let (mut running, port) = Running::servette(&root, &options);
    let mut kept = Client::new(("127.0.0.1", port));
    assert!(!kept.get("/up").response().says_close());
    let mut other = Client::new(("127.0.0.1", port));
    assert!(!other.get("/a.txt").response().says_close());
    running.signal(Signal::TERM);
    until("the check says so", || get(port, "/up").status() == 503);
    let seen = kept.get("/up").response();
    assert_eq!(
        (seen.status, seen.says_close(), seen.text()),
        (503, true, "stopping\n")
    );
    kept.assert_end();
    let last = other.get("/a.txt").response();
    assert_eq!(
        (last.status, last.says_close(), last.text()),
        (200, true, "hello")
    );
    other.assert_end();
    // A new one is served, too, even where its request comes behind the end of the time.
    let mut late = Client::new(("127.0.0.1", port));
    assert_eq!(get(port, "/a.txt").text(), "hello");
    until("the port is closed", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    let answer = late.get("/a.txt").response();
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert_eq!(running.end().2.code(), Some(0));
}

#[test]
fn an_interrupt_does_not_wait_for_balancers() {
    let (mut running, _) = Running::servette(&root(), &["--drain", "1000", "--grace", "1000"]);
    running.signal(Signal::INT);
    assert_eq!(running.end().2.code(), Some(0));
    // A second signal ends the wait.
    let (mut running, port) = Running::servette(&root(), &["--drain", "1000", "--health", "/up"]);
    running.signal(Signal::TERM);
    until("the check says so", || get(port, "/up").status() == 503);
    running.signal(Signal::TERM);
    assert_eq!(running.end().2.code(), Some(130));
}

/// One server after the other takes the socket of a service manager over, while clients come.
#[test]
fn a_restart_loses_no_request() {
    const RESTARTS: usize = 3;
    let root = root();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let sockets = [OwnedFd::from(tcp)];
    let options = ["-q", "-p", "HTTP/1.1", "--drain", "1"];
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    // It outlives the clients.
    let mut server = activated(&sockets, "1", &root, &options);
    thread::scope(|scope| {
        for number in 0..4 {
            let (is_over, answered) = (&is_over, &answered);
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    let mut client = Client::new(("127.0.0.1", port));
                    // Some close after each request, some keep the connection until the server closes it.
                    for _ in 0..(number % 2) * 1000 + 1 {
                        let response = client.get("/a.txt").response();
                        assert_eq!((response.status, response.text()), (200, "hello"));
                        answered.fetch_add(1, SeqCst);
                        if response.says_close() || is_over.load(SeqCst) {
                            break;
                        }
                    }
                }
            });
        }
        for _ in 0..RESTARTS {
            server.line();
            let before = answered.load(SeqCst);
            until("requests are answered", || {
                answered.load(SeqCst) > before + 100
            });
            server.signal(Signal::TERM);
            assert_eq!(server.code(), Some(0));
            server = activated(&sockets, "1", &root, &options);
        }
        let before = answered.load(SeqCst);
        until("requests are answered", || {
            answered.load(SeqCst) > before + 100
        });
        is_over.store(true, SeqCst);
    });
}

#[test]
fn behind_a_proxy_the_log_and_scripts_name_the_client() {
    let root = root();
    let script = "#!/bin/sh\necho Content-Type: text/plain\necho\necho $REMOTE_ADDR $REMOTE_PORT $HTTPS $SERVER_NAME $SERVER_PORT\n";
    root.file("cgi-bin/who", script);
    fs::set_permissions(root.join("cgi-bin/who"), fs::Permissions::from_mode(0o755)).unwrap();
    let fields = "X-Forwarded-For: 192.0.2.9, 192.0.2.1:7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: site.test\r\n";
    let request = format!("GET /cgi-bin/who HTTP/1.0\r\nHost: own\r\n{fields}\r\n");
    let options = [
        "--cgi",
        "--cgi-server-name-from-host",
        "--trusted-proxy",
        "127.0.0.0/8",
    ];
    let (running, port) = Running::servette(&root, &options);
    let answer = Answer::parse(&fetch(("127.0.0.1", port), &request));
    assert_eq!(answer.text(), "192.0.2.1 7 on site.test 443\n");
    assert!(running.err().starts_with("192.0.2.1 - - ["));
    // Without the option nobody is believed.
    let (running, port) = Running::servette(&root, &["--cgi", "--cgi-server-name-from-host"]);
    let answer = Answer::parse(&fetch(("127.0.0.1", port), &request)).text();
    assert!(
        answer.starts_with("127.0.0.1 ") && answer.ends_with(" own 80\n"),
        "{answer}"
    );
    assert!(running.err().starts_with("127.0.0.1 - - ["));

    let options = ["--trusted-proxy", "127.0.0.1", "--proxy-protocol"];
    let (running, port) = Running::servette(&root, &options);
    let request = format!("PROXY TCP4 192.0.2.1 192.0.2.2 7 80\r\n{GET}");
    let answer = Answer::parse(&fetch(("127.0.0.1", port), request));
    assert_eq!(answer.text(), "hello");
    assert!(running.err().starts_with("192.0.2.1 - - ["));
    assert!(fetch(("127.0.0.1", port), GET).is_empty());
    let line = running.err();
    let reason = "] PROXY protocol: the connection does not begin with a PROXY header";
    assert!(
        line.starts_with("127.0.0.1 - - [") && line.ends_with(reason),
        "{line}"
    );
    let mut running = Running::start(servette().args(["0", "--proxy-protocol"]));
    let (_, complaint, status) = running.end();
    assert_eq!(
        (complaint.len(), status.code()),
        (1, Some(2)),
        "{complaint:?}"
    );
}
