//! Rules that some strings and switches have to keep, and the template of the process title.

use super::reason::Reason;

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

/// The beginning is what tools look for.
pub(super) const NO_DEFRAGMENTATION: &str =
    "Active defragmentation cannot be enabled: this version of the server is without it";

/// Fills in a template such as `{title} {listen-addr}`; `{{` stands for a brace.
///
/// `None` if a brace is not closed or `variable` does not know a name.
pub fn expand_template(
    template: &[u8],
    mut variable: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(brace) = rest.iter().position(|&byte| byte == b'{') {
        out.extend_from_slice(&rest[..brace]);
        rest = &rest[brace + 1..];
        if let Some(behind) = rest.strip_prefix(b"{") {
            out.push(b'{');
            rest = behind;
            continue;
        }
        let end = rest.iter().position(|&byte| byte == b'}')?;
        out.extend(variable(std::str::from_utf8(&rest[..end]).ok()?)?);
        rest = &rest[end + 1..];
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// The template must name known variables and yield a title even where the optional ones, the
/// given title and the mode, are empty.
pub(super) fn proc_title_template(template: &[u8]) -> Result<(), Reason> {
    let title = expand_template(template, |name| match name {
        "title" | "server-mode" => Some(Vec::new()),
        "listen-addr" | "port" | "tls-port" | "unixsocket" | "config-file" => Some(vec![b'-']),
        _ => None,
    });
    match title {
        Some(title) if !title.is_empty() => Ok(()),
        Some(_) | None => {
            Err(Reason::Rule("template format is invalid or contains unknown variables"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str) -> Option<String> {
        let filled = expand_template(template.as_bytes(), |name| match name {
            "port" => Some(b"6379".to_vec()),
            _ => None,
        });
        filled.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn templates_are_filled_in() {
        assert_eq!(expand("a {port}}").as_deref(), Some("a 6379}"));
        assert_eq!(expand("a{{}b").as_deref(), Some("a{}b"));
        assert_eq!(expand("{{").as_deref(), Some("{"));
        for malformed in ["{", "a{port", "{}", "{ port}", "{PORT}", "{nope}"] {
            assert_eq!(expand(malformed), None, "{malformed}");
        }
    }

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
