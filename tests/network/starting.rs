//! From the command line to the first client, and what keeps the server from getting there.

use crate::common::{Client, PATIENCE, Server, binary, free_port, wait_until};
use crate::signal;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Runs the server to its end, which must come soon.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("timeout")
        .args(["--signal", "KILL", &PATIENCE.as_secs().to_string()])
        .arg(binary())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A server that does not want it has ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn assert_fails(output: &Output, parts: &[&str]) {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
}

#[test]
fn a_wrong_line_stops_the_start_and_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("a.conf"), "port 0\nmaxclients many\n").unwrap();
    let named = ["FATAL CONFIG FILE ERROR", "a.conf", "2", ">>> 'maxclients many'"];
    assert_fails(&run(folder, &["a.conf"], ""), &named);
    assert_fails(&run(folder, &["--check-config", "a.conf"], ""), &named);
    assert_fails(&run(folder, &["--no-such-directive", "1"], ""), &["no-such-directive"]);
    assert_fails(&run(folder, &["missing.conf"], ""), &["missing.conf"]);
    assert_fails(&run(folder, &["-"], "maxmemory much\n"), &["maxmemory much"]);
}

#[test]
fn a_configuration_can_be_checked_without_starting() {
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("d")).unwrap();
    fs::write(scratch.path().join("a.conf"), "include d/*.conf\nport 0\n").unwrap();
    fs::write(scratch.path().join("d/1.conf"), "maxclients 7\n").unwrap();
    let checked = run(scratch.path(), &["--check-config", "a.conf", "--maxmemory", "1gb"], "");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("The configuration is valid."));
    fs::write(scratch.path().join("d/2.conf"), "maxclients none\n").unwrap();
    let failed = run(scratch.path(), &["--check-config", "a.conf"], "");
    assert_fails(&failed, &["2.conf", "maxclients none"]);
}

/// A server started by another command than that of the other tests; killed when dropped.
struct Started(Child);

impl Started {
    /// Runs `words`, which start a server on a port, and gives it `input`.
    fn new(folder: &Path, words: &[&str], port: u16, input: &str) -> (Started, Client) {
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "-"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let started = Started(child);
        wait_until_loaded(port);
        (started, Client::to(port))
    }
}

/// Waits for any answer but that there is no time for one yet.
fn wait_until_loaded(port: u16) {
    wait_until("the server", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    wait_until("its data", || {
        !Client::to(port).command(&["PING"]).to_string().starts_with("-LOADING")
    });
}

impl Drop for Started {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn files_includes_arguments_and_standard_input_add_up() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("a.conf"), "include b.conf\nmaxclients 11\nloglevel debug\n").unwrap();
    fs::write(folder.join("b.conf"), "maxclients 22\ndatabases 5\n").unwrap();
    let words = [binary().to_str().unwrap().to_owned(), "a.conf".to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let input = "timeout 33\nloglevel verbose\n";
    let (_server, mut client) = Started::new(folder, &words, free_port(), input);
    for (name, value) in
        [("maxclients", "11"), ("databases", "5"), ("timeout", "33"), ("loglevel", "verbose")]
    {
        client.check(&format!("CONFIG GET {name}"), &format!("[${name} ${value}]"));
    }
}

#[test]
fn the_process_title_has_the_name_that_the_server_was_called_by() {
    let scratch = tempfile::tempdir().unwrap();
    let port = free_port();
    let child = Command::new(binary())
        .arg0("/opt/cache")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .current_dir(scratch.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let server = Started(child);
    wait_until_loaded(port); // by then it has long got its title
    let title = || fs::read_to_string(format!("/proc/{}/cmdline", server.0.id())).unwrap();
    assert_eq!(title().trim_end_matches('\0'), format!("/opt/cache 127.0.0.1:{port}"));
    Client::to(port).check("CONFIG SET proc-title-template '{port}: {title}'", "+OK");
    assert_eq!(title().trim_end_matches('\0'), format!("{port}: /opt/cache"));
}

#[test]
fn maxclients_is_what_the_system_has_descriptors_for() {
    let scratch = tempfile::tempdir().unwrap();
    let binary = binary();
    let words = ["prlimit", "--nofile=100:100", binary.to_str().unwrap()];
    let port = free_port();
    let (_server, mut client) = Started::new(scratch.path(), &words, port, "");
    client.check("CONFIG GET maxclients", "[$maxclients $68]");
    client.check(
        "CONFIG SET maxclients 69",
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system \
         is not able to handle the specified number of clients, try with 68",
    );
    let mut others: Vec<Client> = (0..67).map(|_| Client::to(port)).collect();
    for other in &mut others {
        other.check("PING", "+PONG");
    }
    let refused = crate::read_to_orderly_end(&Client::to(port));
    assert_eq!(refused, b"-ERR max number of clients reached\r\n");
    let few = ["--nofile=30:30", words[2], "--port", "0", "--unixsocket", "s.sock"];
    let output = Command::new("prlimit").args(few).current_dir(scratch.path()).output().unwrap();
    assert_fails(&output, &["is not enough for the server to start"]);
}

#[test]
fn a_unix_socket_that_cannot_be_opened_stops_the_start() {
    let scratch = tempfile::tempdir().unwrap();
    let output = run(scratch.path(), &["--port", "0", "--unixsocket", "no/such/s.sock"], "");
    assert_fails(&output, &["Failed opening Unix socket: bind: No such file or directory"]);
    let long = "x".repeat(200);
    let output = run(scratch.path(), &["--port", "0", "--unixsocket", &long], "");
    assert_fails(&output, &["Failed opening Unix socket: bind:"]);
}

#[test]
fn a_pid_file_that_cannot_be_written_does_not() {
    let server = Server::with(&["--pidfile", "/no/such/folder/server.pid"]);
    server.wait_for_log("Failed to write PID file /no/such/folder/server.pid");
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let scratch = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(scratch.path(), &["--port", &port, "--bind", "127.0.0.1"], "");
    assert_fails(
        &output,
        &[
            &format!("Could not create server TCP listening socket 127.0.0.1:{port}"),
            "Address already in use",
            &format!("Failed listening on port {port} (tcp), aborting."),
        ],
    );
    let output = run(scratch.path(), &["--port", &port, "--bind", "192.0.2.1"], "");
    assert_fails(&output, &["Failed listening on port"]);
    let output = run(scratch.path(), &["--port", "0"], "");
    assert_fails(&output, &["Configured to not listen anywhere, exiting."]);
}

#[test]
fn a_daemon_detaches_and_leaves_its_number() {
    let scratch = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let pidfile = scratch.path().join("server.pid");
    let arguments = [
        "--daemonize",
        "yes",
        "--pidfile",
        "server.pid",
        "--logfile",
        "server.log",
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
    ];
    let parent = run(scratch.path(), &arguments, "");
    assert_eq!(parent.status.code(), Some(0), "{}", text(&parent.stderr));
    let log = || fs::read_to_string(scratch.path().join("server.log")).unwrap_or_default();
    wait_until("the daemon", || log().contains("Ready to accept connections"));
    let pid: u32 = fs::read_to_string(&pidfile).unwrap().trim().parse().unwrap();
    let mut client = Client::to(port.parse().unwrap());
    assert_eq!(crate::figure(&mut client, "process_id"), u64::from(pid));
    signal(pid, "TERM");
    wait_until("the daemon's end", || log().contains("ready to exit, bye bye"));
    wait_until("its process's end", || !Path::new(&format!("/proc/{pid}/stat")).exists());
    assert!(!pidfile.exists());
}

#[test]
fn systemd_is_told_when_the_server_is_ready_and_when_it_stops() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 512];
        let count = socket.recv(&mut buffer).unwrap();
        text(&buffer[..count])
    };
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut server = Server::with_environment(&["--supervised", "systemd"], &environment);
    while heard() != "READY=1\n" {}
    signal(server.pid(), "TERM");
    while heard() != "STOPPING=1\n" {}
    assert!(server.wait_for_exit().success());
}

#[test]
fn the_log_can_go_to_the_system_as_well() {
    let server = Server::with(&["--syslog-enabled", "yes", "--syslog-ident", "carnelian-test"]);
    server.check("PING", "+PONG");
}
