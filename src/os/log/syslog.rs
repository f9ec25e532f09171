//! The system log, beside the ordinary one.

use std::ffi::CString;
use std::sync::Mutex;

use super::Severity;

/// The kind of program the system log files our lines under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are syslog's own")]
pub enum Facility {
    User,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    fn code(self) -> libc::c_int {
        match self {
            Facility::User => libc::LOG_USER,
            Facility::Local0 => libc::LOG_LOCAL0,
            Facility::Local1 => libc::LOG_LOCAL1,
            Facility::Local2 => libc::LOG_LOCAL2,
            Facility::Local3 => libc::LOG_LOCAL3,
            Facility::Local4 => libc::LOG_LOCAL4,
            Facility::Local5 => libc::LOG_LOCAL5,
            Facility::Local6 => libc::LOG_LOCAL6,
            Facility::Local7 => libc::LOG_LOCAL7,
        }
    }
}

/// How the system log is told of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// The program's name on each line.
    pub ident: String,
    /// Where the line is filed.
    pub facility: Facility,
}

/// The name `openlog` was given: the C library keeps the pointer.
static IDENT: Mutex<Option<CString>> = Mutex::new(None);

/// Opens or reopens the connection. A NUL inside the name ends it.
pub(super) fn open(syslog: &Syslog) {
    let name = syslog.ident.split('\0').next().unwrap_or_default();
    let name = CString::new(name).expect("the text ends before its first NUL");
    let mut ident = IDENT.lock().expect("no code panics while it holds the name");
    let options = libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT;
    // SAFETY: the pointer stays valid until the next `openlog` or `closelog`: `IDENT` keeps the
    // string, whose bytes do not move with it, and lets the former one go after this call.
    unsafe { libc::openlog(name.as_ptr(), options, syslog.facility.code()) };
    *ident = Some(name);
}

/// Closes the connection.
pub(super) fn close() {
    let mut ident = IDENT.lock().expect("no code panics while it holds the name");
    // SAFETY: no preconditions; afterwards the C library holds no pointer to the name.
    unsafe { libc::closelog() };
    *ident = None;
}

/// Sends one line, which must not hold a NUL: what follows one is lost.
pub(super) fn send(severity: Severity, text: &str) {
    let priority = match severity {
        Severity::Debug => libc::LOG_DEBUG,
        Severity::Verbose => libc::LOG_INFO,
        Severity::Notice => libc::LOG_NOTICE,
        Severity::Warning => libc::LOG_WARNING,
    };
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: the format takes one string, and `text` is one for the length of the call.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
}
