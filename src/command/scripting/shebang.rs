//! The first line of a script or a library: `#!lua flags=no-writes`.

use crate::base::quote;
use crate::command::Error;
use crate::script::ScriptFlags;

/// What it says, and the text behind it.
#[derive(Debug)]
pub(super) struct Shebang<'a> {
    pub(super) flags: ScriptFlags,
    /// From the end of the first line on, so that lines keep their numbers.
    pub(super) body: &'a [u8],
}

/// Takes the first line of a script apart; a script without one is of the old kind.
///
/// # Errors
/// It is none that is known.
pub(super) fn parse(text: &[u8]) -> Result<Shebang<'_>, Error> {
    if !text.starts_with(b"#!") {
        return Ok(Shebang { flags: ScriptFlags::EVAL_COMPAT, body: text });
    }
    const INVALID: Error = Error::fixed("ERR Invalid script shebang");
    let end = memchr::memchr(b'\n', text).ok_or(INVALID)?;
    let words = quote::split_args(&text[..end]).map_err(|_| INVALID)?;
    let mut words = words.iter().map(Vec::as_slice);
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(complaint("Unexpected engine in script shebang: ", engine));
    }
    let mut flags = ScriptFlags::empty();
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(complaint("Unknown lua shebang option: ", word));
        };
        for name in list.split(|&byte| byte == b',').filter(|name| !name.is_empty()) {
            flags |= ScriptFlags::named(name)
                .ok_or_else(|| complaint("Unexpected flag in script shebang: ", name))?;
        }
    }
    Ok(Shebang { flags, body: &text[end..] })
}

fn complaint(text: &str, word: &[u8]) -> Error {
    Error::new([b"ERR ", text.as_bytes(), word].concat())
}
