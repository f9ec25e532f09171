//! Whoever started the server and watches it: systemd or upstart.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::warn;

use super::{clock, errno};

/// Who is expected; the directive `supervised`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    /// Nobody.
    No,
    /// upstart, with `expect stop`.
    Upstart,
    /// systemd, with `Type=notify`.
    Systemd,
    /// Whoever the environment speaks of.
    Auto,
}

/// Who was found.
#[derive(Debug)]
pub enum Supervisor {
    /// Nobody: `daemonize` may apply.
    Nobody,
    /// upstart.
    Upstart,
    /// systemd.
    Systemd(Notifier),
}

/// What systemd is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Clients are served from now on.
    Ready,
    /// One line for `systemctl status`.
    Status(&'a str),
    /// The server is shutting down.
    Stopping,
    /// The configuration is being read anew; [`Notice::Ready`] ends that.
    Reloading,
    /// Starting or stopping takes this much longer, in microseconds from now.
    ExtendTimeout(u64),
}

impl Notice<'_> {
    fn message(self) -> String {
        match self {
            Notice::Ready => "READY=1\n".to_owned(),
            Notice::Status(text) => format!("STATUS={}\n", text.replace('\n', " ")),
            Notice::Stopping => "STOPPING=1\n".to_owned(),
            Notice::Reloading => {
                format!("RELOADING=1\nMONOTONIC_USEC={}\n", clock::monotonic_ns() / 1000)
            }
            Notice::ExtendTimeout(us) => format!("EXTEND_TIMEOUT_USEC={us}\n"),
        }
    }
}

/// A socket to systemd.
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Notifier").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Notifier {
    /// For the socket called `name` in `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// If the name is neither, or the process has no descriptor left.
    fn new(name: &OsStr) -> io::Result<Notifier> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        Ok(Notifier { socket: UnixDatagram::unbound()?, address })
    }

    fn send(&self, notice: Notice<'_>) -> io::Result<()> {
        self.socket.send_to_addr(notice.message().as_bytes(), &self.address).map(drop)
    }
}

impl Supervisor {
    /// Looks for whom the directive expects. upstart is told at once: the process stops itself
    /// until upstart, which waits for that, lets it go on.
    #[must_use]
    pub fn find(supervised: Supervised) -> Supervisor {
        let [upstart, systemd] = ["UPSTART_JOB", "NOTIFY_SOCKET"].map(env::var_os);
        match (supervised, upstart, systemd) {
            (Supervised::No, ..) | (Supervised::Auto, None, None) => Supervisor::Nobody,
            (Supervised::Upstart | Supervised::Auto, Some(_), _) => {
                tracing::info!("supervised by upstart, will stop to signal readiness.");
                // SAFETY: no preconditions.
                unsafe { libc::raise(libc::SIGSTOP) };
                Supervisor::Upstart
            }
            (Supervised::Upstart, None, _) => {
                warn!("upstart supervision requested, but UPSTART_JOB not found!");
                Supervisor::Nobody
            }
            (Supervised::Systemd | Supervised::Auto, _, Some(name)) => systemd_at(&name),
            (Supervised::Systemd, _, None) => {
                warn!("systemd supervision error: NOTIFY_SOCKET not found!");
                Supervisor::Nobody
            }
        }
    }

    /// INFO's `process_supervised`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Supervisor::Nobody => "no",
            Supervisor::Upstart => "upstart",
            Supervisor::Systemd(_) => "systemd",
        }
    }

    /// Tells systemd; nothing to any other. A failure is logged.
    pub fn notify(&self, notice: Notice<'_>) {
        match self {
            Supervisor::Nobody | Supervisor::Upstart => {}
            Supervisor::Systemd(notifier) => {
                if let Err(error) = notifier.send(notice) {
                    warn!("systemd supervision error: sd_notify: {}", errno::text(&error));
                }
            }
        }
    }
}

fn systemd_at(name: &OsString) -> Supervisor {
    match Notifier::new(name) {
        Ok(notifier) => {
            tracing::info!(
                "supervised by systemd. Please make sure you set appropriate values for \
                 TimeoutStartSec and TimeoutStopSec in your service unit."
            );
            let supervisor = Supervisor::Systemd(notifier);
            supervisor.notify(Notice::Status("Carnelian is loading..."));
            supervisor
        }
        Err(error) => {
            warn!("systemd supervision error: NOTIFY_SOCKET: {}", errno::text(&error));
            Supervisor::Nobody
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn check(socket: &UnixDatagram, name: &str) {
        let supervisor = systemd_at(&OsString::from(name));
        assert_eq!(supervisor.name(), "systemd");
        assert_eq!(received(socket), "STATUS=Carnelian is loading...\n");
        for (notice, expected) in [
            (Notice::Ready, "READY=1\n"),
            (Notice::Status("two\nlines"), "STATUS=two lines\n"),
            (Notice::Stopping, "STOPPING=1\n"),
            (Notice::ExtendTimeout(5_000_000), "EXTEND_TIMEOUT_USEC=5000000\n"),
        ] {
            supervisor.notify(notice);
            assert_eq!(received(socket), expected);
        }
        supervisor.notify(Notice::Reloading);
        assert!(received(socket).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }

    #[test]
    fn systemd_hears_every_notice() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        check(&socket, path.to_str().unwrap());
    }

    #[test]
    fn systemd_hears_on_an_abstract_name() {
        let name = format!("carnelian-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        check(&socket, &format!("@{name}"));
    }

    #[test]
    fn without_a_supervisor_there_is_silence() {
        let supervisor = Supervisor::find(Supervised::No);
        assert_eq!(supervisor.name(), "no");
        supervisor.notify(Notice::Ready);
        assert_eq!(systemd_at(&OsString::from("vsock:2:1")).name(), "no");
    }
}
