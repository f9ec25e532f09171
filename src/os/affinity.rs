//! Which processors a thread may run on: `server-cpulist` and its relatives.

use std::io;

/// The C library's fixed set has no bit for more.
const PROCESSORS_MAX: usize = 1024;
const _: () = assert!(size_of::<libc::cpu_set_t>() * 8 >= PROCESSORS_MAX);

/// The text is not a list of processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCpuList;

/// A set of processors, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// Reads numbers and ranges between commas, a range with an optional step: `0-7:2,9`.
    ///
    /// # Errors
    /// If it is anything else, or names a processor above 1023.
    pub fn parse(text: &str) -> Result<CpuList, BadCpuList> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten().ok_or(BadCpuList)
        };
        let mut numbers = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, number(step)?),
                None => (part, 1),
            };
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(range)?, number(range)?),
            };
            if step == 0 || last < first || last >= PROCESSORS_MAX {
                return Err(BadCpuList);
            }
            numbers.extend((first..=last).step_by(step));
        }
        Ok(CpuList(numbers))
    }
}

/// Keeps the calling thread, and threads and processes it starts later, on the processors of
/// `list`.
///
/// # Errors
/// If the machine has, or grants, none of them.
pub fn bind_thread(list: &CpuList) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid, empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for number in &list.0 {
        // SAFETY: `parse` lets no number through that the set has no bit for.
        unsafe { libc::CPU_SET(*number, &mut set) };
    }
    // SAFETY: `set` is live, and the length is its own; 0 is the calling thread.
    let status = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    if status != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let check = |text: &str, expected: &[usize]| {
            assert_eq!(CpuList::parse(text), Ok(CpuList(expected.to_vec())), "{text}");
        };
        check("0", &[0]);
        check("0,2, 3", &[0, 2, 3]);
        check("1-3,8", &[1, 2, 3, 8]);
        check("0-7:3", &[0, 3, 6]);
        check("1023", &[1023]);
        for text in ["", ",", "1,", "-1", "3-1", "0-7:0", "a", "1024", "0-1023-2", "+1", "1:"] {
            assert_eq!(CpuList::parse(text), Err(BadCpuList), "{text}");
        }
    }

    #[test]
    fn a_thread_is_bound() {
        let bound = std::thread::spawn(|| {
            bind_thread(&CpuList(vec![0])).unwrap();
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap();
            assert!(line.ends_with("\t0"), "{line}");
        });
        bound.join().unwrap();
        bind_thread(&CpuList(vec![1023])).unwrap_err();
    }
}
