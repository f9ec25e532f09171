//! Resource limits: room for every client's descriptor, and for a core dump.

use std::io;

use tracing::{info, warn};

use super::errno;

/// Descriptors kept for all that is not a client: listeners, files, the log, replication.
pub const RESERVED_FDS: u64 = 32;

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// What is assumed of a system that does not tell its limit.
const UNKNOWN_LIMIT: u64 = 1024;

/// A limit of the process; `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// How the limit of open files and `maxclients` were made to fit.
#[derive(Debug)]
pub enum OpenFiles {
    /// The limit was high enough.
    Enough,
    /// The limit was raised.
    Raised {
        /// It was.
        from: u64,
        /// It is.
        to: u64,
    },
    /// The limit could not be raised far enough: fewer clients.
    Reduced {
        /// Clients asked for.
        requested: u64,
        /// Clients there is room for.
        maxclients: u64,
        /// The limit now.
        limit: u64,
        /// Why it is not higher.
        error: io::Error,
    },
    /// The system did not tell its limit: as many clients as every system allows.
    Unknown {
        /// Clients there is room for.
        maxclients: u64,
        /// What it said.
        error: io::Error,
    },
    /// There is no room for a single client.
    TooFew {
        /// The limit now.
        limit: u64,
        /// What the clients asked for would need.
        needed: u64,
    },
}

impl OpenFiles {
    /// How many clients to allow of the `requested`; `None`: the server cannot run.
    #[must_use]
    pub fn maxclients(&self, requested: u64) -> Option<u64> {
        match self {
            OpenFiles::Enough | OpenFiles::Raised { .. } => Some(requested),
            OpenFiles::Reduced { maxclients, .. } | OpenFiles::Unknown { maxclients, .. } => {
                Some(*maxclients)
            }
            OpenFiles::TooFew { .. } => None,
        }
    }

    /// Logs it in Redis's words.
    pub fn log(&self) {
        match self {
            OpenFiles::Enough => {}
            OpenFiles::Raised { from, to } => info!(
                "Increased maximum number of open files to {to} (it was originally set to {from})."
            ),
            OpenFiles::Reduced { requested, maxclients, limit, error } => {
                let (needed, error) = (requested.saturating_add(RESERVED_FDS), errno::text(error));
                warn!(
                    "You requested maxclients of {requested} requiring at least {needed} max file \
                     descriptors."
                );
                warn!(
                    "Server can't set maximum open files to {needed} because of OS error: {error}."
                );
                warn!(
                    "Current maximum open files is {limit}. maxclients has been reduced to \
                     {maxclients} to compensate for low ulimit. If you need higher maxclients \
                     increase 'ulimit -n'."
                );
            }
            OpenFiles::Unknown { error, .. } => warn!(
                "Unable to obtain the current NOFILE limit ({}), assuming {UNKNOWN_LIMIT} and \
                 setting the max clients configuration accordingly.",
                errno::text(error)
            ),
            OpenFiles::TooFew { limit, needed } => warn!(
                "Your current 'ulimit -n' of {limit} is not enough for the server to start. \
                 Please increase your open file limit to at least {needed}. Exiting."
            ),
        }
    }
}

/// Makes room for `maxclients` clients: raises the limit of open files as far as it has to and can.
pub fn fit_open_files(maxclients: u64) -> OpenFiles {
    fit(maxclients, || get(libc::RLIMIT_NOFILE), |limit| set(libc::RLIMIT_NOFILE, limit))
}

/// Lets a crash write as large a core file as the hard limit allows.
///
/// # Errors
/// If the system does not tell or change the limit.
pub fn raise_core_limit() -> io::Result<()> {
    let limit = get(libc::RLIMIT_CORE)?;
    set(libc::RLIMIT_CORE, Limit { soft: limit.hard, ..limit })
}

fn fit(
    maxclients: u64,
    get: impl FnOnce() -> io::Result<Limit>,
    mut set: impl FnMut(Limit) -> io::Result<()>,
) -> OpenFiles {
    let needed = maxclients.saturating_add(RESERVED_FDS);
    let before = match get() {
        Ok(limit) => limit,
        Err(error) => {
            return OpenFiles::Unknown { maxclients: UNKNOWN_LIMIT - RESERVED_FDS, error };
        }
    };
    if before.soft >= needed {
        return OpenFiles::Enough;
    }
    let error = match set(Limit { soft: needed, hard: before.hard.max(needed) }) {
        Ok(()) => return OpenFiles::Raised { from: before.soft, to: needed },
        Err(error) => error,
    };
    let all_allowed = Limit { soft: before.hard.min(needed), hard: before.hard };
    let can_raise = all_allowed.soft > before.soft && set(all_allowed).is_ok();
    let limit = if can_raise { all_allowed.soft } else { before.soft };
    match limit.checked_sub(RESERVED_FDS) {
        None | Some(0) => OpenFiles::TooFew { limit, needed },
        Some(room) => OpenFiles::Reduced { requested: maxclients, maxclients: room, limit, error },
    }
}

fn get(resource: Resource) -> io::Result<Limit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live and writable.
    let status = unsafe { libc::getrlimit(resource, &raw mut limit) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Limit { soft: limit.rlim_cur, hard: limit.rlim_max })
}

fn set(resource: Resource, limit: Limit) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard };
    // SAFETY: `limit` is live.
    let status = unsafe { libc::setrlimit(resource, &raw const limit) };
    if status != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel with a limit of `soft` and `hard` that lets nobody raise the hard one.
    fn check(soft: u64, hard: u64, maxclients: u64, expected: &str, limit_after: u64) {
        let mut current = Limit { soft, hard };
        let before = current;
        let outcome = fit(
            maxclients,
            || Ok(before),
            |limit| {
                if limit.hard > hard || limit.soft > limit.hard {
                    return Err(io::Error::from_raw_os_error(libc::EPERM));
                }
                current = limit;
                Ok(())
            },
        );
        let text = match &outcome {
            OpenFiles::Enough => "enough".to_owned(),
            OpenFiles::Raised { from, to } => format!("raised {from} {to}"),
            OpenFiles::Reduced { maxclients, limit, .. } => format!("reduced {maxclients} {limit}"),
            OpenFiles::Unknown { .. } => "unknown".to_owned(),
            OpenFiles::TooFew { limit, needed } => format!("too few {limit} {needed}"),
        };
        assert_eq!(text, expected);
        assert_eq!((current.soft, current.hard), (limit_after, hard), "{text}");
    }

    #[test]
    fn limits_fit_as_far_as_the_hard_one_allows() {
        check(20_000, 20_000, 10_000, "enough", 20_000);
        check(10_032, 10_032, 10_000, "enough", 10_032);
        check(10_031, 10_032, 10_000, "raised 10031 10032", 10_032);
        check(1024, u64::MAX, 10_000, "raised 1024 10032", 10_032);
        check(1024, 4096, 10_000, "reduced 4064 4096", 4096);
        check(5000, 5000, 10_000, "reduced 4968 5000", 5000);
        check(33, 33, 10_000, "reduced 1 33", 33);
        check(32, 32, 10_000, "too few 32 10032", 32);
        check(20, 20, 1, "too few 20 33", 20);
        check(1024, 4096, u64::MAX, "reduced 4064 4096", 4096);
        check(u64::MAX, u64::MAX, u64::MAX, "enough", u64::MAX);
    }

    #[test]
    fn an_unknown_limit_is_taken_for_1024() {
        let refused = || Err(io::Error::from_raw_os_error(libc::EPERM));
        let outcome = fit(10_000, refused, |_| refused().map(drop));
        assert_eq!(outcome.maxclients(10_000), Some(992));
    }

    #[test]
    fn the_real_limit_is_consistent() {
        let limit = get(libc::RLIMIT_NOFILE).unwrap();
        assert!(limit.soft <= limit.hard);
        assert_eq!(fit_open_files(1).maxclients(1), Some(1));
        raise_core_limit().unwrap();
        let core = get(libc::RLIMIT_CORE).unwrap();
        assert_eq!(core.soft, core.hard);
    }
}
