//! Debugging of scripts: a socket that is waited for, and second processes.

use super::{Io, signal};
use crate::command::host::Side;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::raw::c_int;
use std::ptr;

/// How long a client may take to read, milliseconds.
const SEND_MS_MAX: c_int = 5000;
/// How long to wait before looking whether the server is to end, milliseconds.
const LOOK_MS: c_int = 500;
/// Bytes received at once.
const RECEIVED_BYTES: usize = 16 * 1024;

/// The processes in which scripts are debugged; they end with this one.
#[derive(Debug, Default)]
pub(super) struct Debuggees(Vec<libc::pid_t>);

impl Debuggees {
    /// Whether there are any.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Buries those that have ended.
    pub(super) fn reap(&mut self) {
        // SAFETY: no pointer is given; they are children of this process that nobody else waits for.
        self.0.retain(|&pid| unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) } == 0);
    }
}

impl Drop for Debuggees {
    fn drop(&mut self) {
        for &pid in &self.0 {
            // SAFETY: as above; until it is waited for, its number is nobody else's.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
        }
    }
}

/// Waits until a socket can be read from or written to.
fn wait(socket: &impl AsRawFd, events: libc::c_short, timeout_ms: c_int) -> io::Result<bool> {
    let mut asked = libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
    // SAFETY: one record, which is there.
    match unsafe { libc::poll(&raw mut asked, 1, timeout_ms) } {
        0 => Ok(false),
        count if count > 0 => Ok(true),
        _ => {
            let error = io::Error::last_os_error();
            if error.kind() == ErrorKind::Interrupted { Ok(false) } else { Err(error) }
        }
    }
}

impl Io {
    pub(super) fn send_now(&mut self, client: usize, mut bytes: &[u8]) -> io::Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(client) else {
            return Err(ErrorKind::NotConnected.into());
        };
        while !bytes.is_empty() {
            match connection.wire.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !wait(connection.wire.stream(), libc::POLLOUT, SEND_MS_MAX)? {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn receive_now(&mut self, client: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(client) else {
            return Err(ErrorKind::NotConnected.into());
        };
        into.reserve(RECEIVED_BYTES);
        loop {
            match connection.wire.read_into_spare(into, RECEIVED_BYTES) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(connection.wire.stream(), libc::POLLIN, LOOK_MS)?;
                    if signal::is_pending() {
                        self.was_signalled = true;
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn fork_with(&mut self, client: usize) -> io::Result<Side> {
        self.debuggees.reap();
        // SAFETY: as for the children that write files: the child relies on no other thread.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            signal::install_child();
            self.debuggees.0.clear();
            self.listeners.borrow_mut().clear();
            return Ok(Side::Child);
        }
        self.debuggees.0.push(pid);
        if let Some(Some(connection)) = self.connections.get_mut(client) {
            // The child has the socket too: it would be told of for ever.
            let _ = connection.wire.deregister(self.poll.registry());
        }
        Ok(Side::Parent)
    }
}

/// Ends a child. Nothing of the parent's is flushed or closed.
pub(super) fn leave() -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(0) }
}
