//! Libraries of functions in a log. While it is replayed, only their sources are followed: what is there at
//! the end is compiled once, by `Server::load_libraries`.

use super::replay::ReplayError;
use crate::base::quote;
use crate::persist::rdb::{self, Verify};
use crate::resp::Args;
use bytes::Bytes;

/// The sources of libraries, by what the log says of them.
#[derive(Debug, Default)]
pub(super) struct Libraries {
    sources: Vec<Bytes>,
}

impl Libraries {
    /// Libraries that are there already.
    pub(super) const fn of(sources: Vec<Bytes>) -> Self {
        Self { sources }
    }

    /// Gives them back.
    pub(super) fn into_sources(self) -> Vec<Bytes> {
        self.sources
    }

    /// Executes a command if it is FUNCTION; whether it was.
    ///
    /// # Errors
    /// It is one that cannot be followed without compiling a library: loading must stop, or the library
    /// would be lost.
    pub(super) fn execute(&mut self, args: Args<'_>) -> Result<bool, ReplayError> {
        let is = |index: usize, word: &str| {
            args.len() > index && args.at(index).eq_ignore_ascii_case(word.as_bytes())
        };
        if !is(0, "function") {
            return Ok(false);
        }
        match args.len() {
            3 if is(1, "load") => self.load(args.at(2), Existing::Refuse)?,
            4 if is(1, "load") && is(2, "replace") => self.load(args.at(3), Existing::Replace)?,
            3 if is(1, "delete") => self.delete(args.at(2))?,
            2 if is(1, "flush") => self.sources.clear(),
            3 if is(1, "flush") && (is(2, "async") || is(2, "sync")) => self.sources.clear(),
            3 | 4 if is(1, "restore") => {
                let existing = if is(3, "replace") { Existing::Replace } else { Existing::Refuse };
                if is(3, "flush") {
                    self.sources.clear();
                }
                let sources = rdb::restore_libraries(args.at(2), Verify::Checksum);
                for source in sources.map_err(|_| failed("Bad payload"))? {
                    self.load(&source, existing)?;
                }
            }
            _ => {
                let subcommand = args.from(1).next().unwrap_or_default();
                return Err(failed(&format!(
                    "FUNCTION {} cannot be followed without the functions",
                    String::from_utf8_lossy(subcommand).escape_default()
                )));
            }
        }
        Ok(true)
    }

    fn load(&mut self, source: &[u8], existing: Existing) -> Result<(), ReplayError> {
        let name = name_of(source).ok_or_else(|| failed("Missing library metadata"))?;
        let place = self.place_of(&name);
        match (place, existing) {
            (None, _) => self.sources.push(Bytes::copy_from_slice(source)),
            (Some(place), Existing::Replace) => {
                self.sources[place] = Bytes::copy_from_slice(source);
            }
            (Some(_), Existing::Refuse) => return Err(failed("A library is there twice")),
        }
        Ok(())
    }

    fn delete(&mut self, name: &[u8]) -> Result<(), ReplayError> {
        let place = self.place_of(name).ok_or_else(|| failed("Library not found"))?;
        self.sources.remove(place);
        Ok(())
    }

    fn place_of(&self, name: &[u8]) -> Option<usize> {
        self.sources.iter().position(|source| name_of(source).as_deref() == Some(name))
    }
}

/// What becomes of a library of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

fn failed(error: &str) -> ReplayError {
    ReplayError::Failed { name: "function".to_owned(), error: error.to_owned() }
}

/// The name that the first line of a source gives: `#!lua name=NAME`.
fn name_of(source: &[u8]) -> Option<Vec<u8>> {
    let line = source.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let words = quote::split_args(line).ok()?;
    let names = words.iter().skip(1).filter_map(|word| word.strip_prefix(b"name="));
    names.map(<[u8]>::to_vec).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    /// The names of the libraries that commands leave, or the error of one.
    fn run(commands: &[&[&str]]) -> String {
        let mut libraries = Libraries::default();
        for words in commands {
            let args: OwnedArgs = words.iter().map(|word| word.as_bytes()).collect();
            match libraries.execute(args.as_args()) {
                Ok(true) => {}
                Ok(false) => return "another command".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
        let names = libraries.sources.iter().map(|source| name_of(source).expect("it was loaded"));
        let names: Vec<String> = names.map(|name| String::from_utf8(name).expect("text")).collect();
        names.join(" ")
    }

    const A: &str = "#!lua name=a\nfirst";
    const B: &str = "#!lua name=b flags=x\nfirst";

    #[test]
    fn libraries_are_kept_replaced_and_deleted() {
        assert_eq!(run(&[&["function", "load", A], &["FUNCTION", "LOAD", B]]), "a b");
        assert_eq!(run(&[&["FUNCTION", "LOAD", A], &["FUNCTION", "LOAD", "REPLACE", A]]), "a");
        let delete = &["FUNCTION", "DELETE", "a"];
        assert_eq!(run(&[&["FUNCTION", "LOAD", A], &["FUNCTION", "LOAD", B], delete]), "b");
        assert_eq!(run(&[&["FUNCTION", "LOAD", A], &["FUNCTION", "FLUSH", "ASYNC"]]), "");
        assert_eq!(run(&[&["SET", "k", "v"]]), "another command");
    }

    #[test]
    fn what_would_lose_a_library_is_refused() {
        let error = |commands: &[&[&str]]| run(commands).contains("function");
        assert!(error(&[&["FUNCTION", "LOAD", A], &["FUNCTION", "LOAD", A]]));
        assert!(error(&[&["FUNCTION", "LOAD", "no metadata"]]));
        assert!(error(&[&["FUNCTION", "DELETE", "a"]]));
        assert!(error(&[&["FUNCTION", "RESTORE", "payload"]]));
        assert!(error(&[&["FUNCTION"]]));
    }
}
