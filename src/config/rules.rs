//! Rules that some strings and switches have to keep.

use crate::base::template::{self, BadTemplate};

use super::reason::Reason;

const BAD_TEMPLATE: Reason =
    Reason::Rule("template format is invalid or contains unknown variables");

/// A file name without a directory.
fn file_name(name: &[u8], path: Reason) -> Result<(), Reason> {
    if name.contains(&b'/') || name.contains(&b'\\') { Err(path) } else { Ok(()) }
}

pub(super) fn dbfilename(name: &[u8]) -> Result<(), Reason> {
    file_name(name, Reason::Rule("dbfilename can't be a path, just a filename"))
}

pub(super) fn appendfilename(name: &[u8]) -> Result<(), Reason> {
    if name.is_empty() {
        return Err(Reason::Rule("appendfilename can't be empty"));
    }
    file_name(name, Reason::Rule("appendfilename can't be a path, just a filename"))
}

pub(super) fn appenddirname(name: &[u8]) -> Result<(), Reason> {
    if name.is_empty() {
        return Err(Reason::Rule("appenddirname can't be empty"));
    }
    file_name(name, Reason::Rule("appenddirname can't be a path, just a dirname"))
}

pub(super) fn announced_hostname(name: &[u8]) -> Result<(), Reason> {
    const LENGTH_MAX: usize = 255;
    if name.len() > LENGTH_MAX {
        return Err(Reason::Rule("Hostnames must be less than 256 characters"));
    }
    if name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Ok(());
    }
    Err(Reason::Rule("Hostnames may only contain alphanumeric characters, hyphens or dots"))
}

pub(super) fn announced_nodename(name: &[u8]) -> Result<(), Reason> {
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'/' | b':' | b'_' | b'`')
            || !byte.is_ascii()
    };
    if name.iter().all(allowed) {
        return Ok(());
    }
    Err(Reason::Rule("Announced human node name contained invalid character"))
}

/// The template must name known variables and yield a title even where the optional ones, the
/// given title and the mode, are empty.
pub(super) fn proc_title_template(template: &[u8]) -> Result<(), Reason> {
    let variable = |name: &str| match name {
        "title" | "server-mode" => Some(""),
        "listen-addr" | "port" | "tls-port" | "unixsocket" | "config-file" => Some("-"),
        _ => None,
    };
    let template = std::str::from_utf8(template).map_err(|_| BAD_TEMPLATE)?;
    match template::expand(template, variable) {
        Ok(title) if !title.is_empty() => Ok(()),
        Ok(_) | Err(BadTemplate) => Err(BAD_TEMPLATE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_may_not_come_out_empty() {
        for good in ["x", "{port}", "{title}x", "{title} {listen-addr} {server-mode}", "}"] {
            assert_eq!(proc_title_template(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["", "{title}", "{server-mode}", "{title}{", "{foo}x"] {
            assert!(proc_title_template(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn file_names_are_not_paths() {
        assert!(dbfilename(b"").is_ok());
        assert!(dbfilename(b"a/b").is_err());
        assert!(appendfilename(b"").is_err());
        assert!(appenddirname(b"a").is_ok());
    }

    #[test]
    fn announced_names_are_limited_to_harmless_characters() {
        assert!(announced_hostname(b"node-1.example").is_ok());
        assert!(announced_hostname(b"a b").is_err());
        assert!(announced_hostname(&[b'a'; 256]).is_err());
        assert!(announced_nodename(b"rack1/a:b_c").is_ok());
        assert!(announced_nodename(b"a b").is_err());
    }
}
