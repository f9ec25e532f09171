//! Style as a test: what `STYLE.md` asks for and a program can check.
//!
//! Every rule is a function from a [`Source`] (or the whole [`Tree`]) to complaints, and every rule
//! has a canary below: a planted violation that it must find. Where older code breaks a rule, a
//! ratchet lists by how much; the list may shrink and never grow.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;

/// Functions that are longer than [`FUNCTION_LINES_MAX`]: `path name` and lines.
const LONG_FUNCTIONS: &[(&str, usize)] =
    &[("src/base/float.rs reading_takes_what_strtod_takes", 77)];
/// Files that are longer than [`FILE_LINES_MAX`]: path and lines.
const LONG_FILES: &[(&str, usize)] = &[];
/// Numeric casts with `as` outside [`CAST_HOME`]: path and count.
const CASTS: &[(&str, usize)] = &[
    ("src/ds/entry/mod.rs", 1), // in a compile-time assertion
];

/// Parameters of type `bool`: path and count.
const BOOL_PARAMETERS: &[(&str, usize)] = &[
    ("src/os/log/line.rs", 1), // a trait of `tracing` wants it
    ("src/resp/output.rs", 1), // the boolean reply of RESP3
];

/// The one file where `as` casts numbers.
const CAST_HOME: &str = "src/base/num.rs";
/// The folders that may hold unsafe code.
const UNSAFE_HOMES: [&str; 5] =
    ["src/ds/", "src/os/", "src/module/", "src/script/lua/", "src/script/lib/"];
/// The places that may read clocks; everything else is handed the time.
const CLOCK_HOMES: [&str; 4] = ["src/os/", "src/bin/", "tests/", "benches/"];
/// How far above an unsafe block its proof may start.
const SAFETY_LINES_ABOVE: usize = 8;

/// A Rust file, and the same text with comments and literals blanked out.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }

    fn complain(&self, offset: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, self.line_of(offset))
    }
}

/// Every Rust file of the repository.
struct Tree {
    sources: Vec<Source>,
}

impl Tree {
    fn read() -> Tree {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        for folder in ["src", "tests", "benches", "fuzz"] {
            read_folder(root, Path::new(folder), &mut sources);
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { sources }
    }

    fn of(files: &[(&str, &str)]) -> Tree {
        Tree { sources: files.iter().map(|(path, text)| Source::new(path, text)).collect() }
    }

    fn find(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }
}

fn read_folder(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries {
        let name = entry.expect("a listed entry can be read").file_name();
        let path = folder.join(&name);
        if root.join(&path).is_dir() {
            if name != "target" {
                read_folder(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).expect("sources are UTF-8");
            sources.push(Source::new(&path.to_string_lossy(), &text));
        }
    }
}

// ---- Reading Rust, as far as the rules need it ----

/// Replaces comments and the insides of literals by spaces; offsets and lines stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        if end > at + 1 || bytes[at] == b'"' {
            for byte in &mut code[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("multi-byte characters are blanked whole")
}

/// The end of the comment or literal that starts at `at`, or `at + 1` if none does.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after = |pattern: &[u8], from: usize| {
        let found = rest[from..].windows(pattern.len()).position(|window| window == pattern);
        found.map_or(bytes.len(), |position| at + from + position + pattern.len())
    };
    match rest {
        [b'/', b'/', ..] => after(b"\n", 2) - 1,
        [b'/', b'*', ..] => block_comment_end(bytes, at),
        [b'"', ..] => string_end(bytes, at),
        [b'r', b'"' | b'#', ..] if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => {
            let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return at + 1; // a raw identifier
            }
            let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            after(&close, hashes + 2)
        }
        [b'\'', b'\\', ..] => after(b"'", 3),
        [b'\'', ..] => char_end(rest).map_or(at + 1, |length| at + length),
        [first, ..] if *first >= 0x80 => {
            at + rest.iter().take_while(|&&byte| byte >= 0x80).count().max(2)
        }
        _ => at + 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut depth) = (at, 0);
    while end < bytes.len() {
        match &bytes[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

/// The length of the character literal at the start of `rest`; `None` for a lifetime.
fn char_end(rest: &[u8]) -> Option<usize> {
    let width = match rest.get(1)? {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Offsets at which `word` stands as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(offset, _)| offset).filter(move |&offset| {
        let end = offset + word.len();
        (offset == 0 || !is_word(bytes[offset - 1]))
            && (end == bytes.len() || !is_word(bytes[end]) || !is_word(bytes[end - 1]))
    })
}

/// The identifier that starts at the beginning of `code`, blanks skipped.
fn identifier(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.bytes().position(|byte| !is_word(byte)).unwrap_or(code.len())]
}

/// The offset just behind the bracket that closes the one at `open`.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

/// Name, first offset and lines of every function with a body.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let code = &source.code;
    let mut found = Vec::new();
    for start in words(code, "fn") {
        let name = identifier(&code[start + 2..]);
        if name.is_empty() {
            continue; // a function pointer's type
        }
        let mut at = start;
        // Skip brackets of the signature, up to the body or the semicolon of a declaration.
        let body = loop {
            let Some(next) = code[at..].find(['(', '[', '{', ';']).map(|offset| at + offset) else {
                break None;
            };
            match code.as_bytes()[next] {
                b'{' => break Some(next),
                b';' => break None,
                _ => at = closing(code, next),
            }
        };
        if let Some(body) = body {
            let end = closing(code, body);
            found.push((name, start, source.line_of(end - 1) - source.line_of(start) + 1));
        }
    }
    found
}

// ---- The rules ----

fn long_functions(source: &Source) -> Vec<(String, usize)> {
    let long = |&(_, _, lines): &(&str, usize, usize)| lines > FUNCTION_LINES_MAX;
    functions(source)
        .into_iter()
        .filter(long)
        .map(|(name, _, lines)| (format!("{} {name}", source.path), lines))
        .collect()
}

fn long_file(source: &Source) -> Option<(String, usize)> {
    let lines = source.text.lines().count();
    (lines > FILE_LINES_MAX).then(|| (source.path.clone(), lines))
}

fn casts(source: &Source) -> Option<(String, usize)> {
    const NUMBERS: [&str; 15] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64", "char",
    ];
    if source.path == CAST_HOME || !source.path.starts_with("src/") {
        return None;
    }
    let count = words(&source.code, "as")
        .filter(|offset| NUMBERS.contains(&identifier(&source.code[offset + 2..])))
        .count();
    (count > 0).then(|| (source.path.clone(), count))
}

/// Flags as parameters: `rename(a, b, true)` says nothing where it is called.
fn bool_parameters(source: &Source) -> Option<(String, usize)> {
    let code = &source.code;
    let parameters = |start: usize| {
        let open = start + code[start..].find('(').unwrap_or_default();
        &code[open..closing(code, open)]
    };
    let is_type = |before: &str| before.trim_end().trim_end_matches('&').trim_end().ends_with(':');
    let count = functions(source)
        .into_iter()
        .map(|(_, start, _)| parameters(start))
        .flat_map(|list| words(list, "bool").filter(move |&offset| is_type(&list[..offset])))
        .count();
    (source.path.starts_with("src/") && count > 0).then(|| (source.path.clone(), count))
}

/// The folders of `src/lib.rs`, lowest layer first.
fn layers(library: &Source) -> Vec<&str> {
    words(&library.code, "mod").map(|offset| identifier(&library.code[offset + 3..])).collect()
}

fn wrong_layers(tree: &Tree) -> Vec<String> {
    let library = tree.find("src/lib.rs").expect("the library has a root");
    let layers = layers(library);
    let rank = |name: &str| layers.iter().position(|layer| *layer == name);
    let mut complaints = Vec::new();
    for source in &tree.sources {
        let Some(inside) = source.path.strip_prefix("src/") else { continue };
        let own = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
        let Some(own_rank) = rank(own) else { continue };
        for (offset, _) in source.code.match_indices("crate::") {
            for target in imported(&source.code[offset + "crate::".len()..]) {
                if rank(target).is_some_and(|target_rank| target_rank > own_rank) {
                    let what = format!("{own}/ is below {target}/ and must not know it");
                    complaints.push(source.complain(offset, &what));
                }
            }
        }
    }
    complaints
}

/// The modules named right after `crate::`: one, or those of a braced list.
fn imported(code: &str) -> Vec<&str> {
    if !code.starts_with('{') {
        return vec![identifier(code)];
    }
    let mut depth = 0;
    let mut names = Vec::new();
    let mut expecting = false;
    for (offset, byte) in code[..closing(code, 0)].bytes().enumerate() {
        match byte {
            b'{' => (depth, expecting) = (depth + 1, depth == 0),
            b'}' => depth -= 1,
            b',' => expecting = depth == 1,
            _ if expecting && is_word(byte) => {
                names.push(identifier(&code[offset..]));
                expecting = false;
            }
            _ => {}
        }
    }
    names
}

fn misplaced_unsafe(source: &Source) -> Vec<String> {
    let home = UNSAFE_HOMES.iter().any(|home| source.path.starts_with(home));
    let lines: Vec<&str> = source.text.lines().collect();
    let mut complaints = Vec::new();
    for offset in words(&source.code, "unsafe") {
        let line = source.line_of(offset);
        let above = &lines[line.saturating_sub(1 + SAFETY_LINES_ABOVE)..line];
        let block = source.code[offset + "unsafe".len()..].trim_start().starts_with('{');
        if source.path.starts_with("src/") && !home {
            complaints
                .push(source.complain(offset, "unsafe code outside ds/, os/, module/ and script/"));
        } else if block && !above.iter().any(|line| line.contains("SAFETY:")) {
            complaints.push(source.complain(offset, "an unsafe block without a SAFETY comment"));
        }
    }
    complaints
}

fn unfinished(source: &Source) -> Vec<String> {
    const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
    let marks = MARKS.iter().flat_map(|mark| words(&source.text, mark).map(move |at| (at, mark)));
    let macros = MACROS.iter().flat_map(|name| words(&source.code, name).map(move |at| (at, name)));
    marks.chain(macros).map(|(at, what)| source.complain(at, &format!("{what} is left"))).collect()
}

fn unexplained_allows(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in ["allow", "expect"] {
        for offset in words(&source.code, name) {
            let open = offset + name.len();
            let before = source.code[..offset].trim_end();
            let attribute = before.ends_with("#[") || before.ends_with("#![");
            if attribute && !source.code[open..closing(&source.code, open)].contains("reason") {
                complaints.push(source.complain(offset, "a lint is silenced without a reason"));
            }
        }
    }
    complaints
}

fn clock_readers(source: &Source) -> Vec<String> {
    if CLOCK_HOMES.iter().any(|home| source.path.starts_with(home)) {
        return Vec::new();
    }
    ["Instant::now", "SystemTime::now"]
        .iter()
        .filter(|_| source.path.starts_with("src/"))
        .flat_map(|clock| words(&source.code, clock))
        .map(|offset| source.complain(offset, "only os/ reads clocks"))
        .collect()
}

fn missing_heads(source: &Source) -> Vec<String> {
    let says = source.text.starts_with("//!") || source.path == "src/lib.rs";
    if says { Vec::new() } else { vec![source.complain(0, "no //! says what this file is")] }
}

/// Files below `src/` that no `mod` declares: they are never compiled.
fn stray_files(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in &tree.sources {
        let Some(inside) = source.path.strip_prefix("src/") else { continue };
        if inside == "lib.rs" || inside == "main.rs" || inside.starts_with("bin/") {
            continue;
        }
        let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
        let (parent, name) = module.rsplit_once('/').unwrap_or(("", module));
        let parents = if parent.is_empty() {
            vec!["src/lib.rs".to_owned()]
        } else {
            vec![format!("src/{parent}/mod.rs"), format!("src/{parent}.rs")]
        };
        let declared = parents.iter().filter_map(|path| tree.find(path)).any(|parent| {
            words(&parent.code, "mod").any(|offset| identifier(&parent.code[offset + 3..]) == name)
        });
        if !declared {
            complaints.push(source.complain(0, "no module declares this file"));
        }
    }
    complaints
}

/// Compares findings with their ratchet: more is a violation, and so is a list that lags behind.
fn ratchet(what: &str, found: &[(String, usize)], listed: &[(&str, usize)]) -> Vec<String> {
    let found: BTreeMap<&str, usize> = found.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    let listed: BTreeMap<&str, usize> = listed.iter().copied().collect();
    let mut complaints = Vec::new();
    for (place, amount) in &found {
        let allowed = listed.get(place).copied().unwrap_or(0);
        if *amount > allowed {
            complaints.push(format!("{what}: {place}: {amount}, at most {allowed} allowed"));
        }
    }
    for (place, allowed) in &listed {
        let amount = found.get(place).copied().unwrap_or(0);
        if amount < *allowed {
            complaints.push(format!("{what}: {place}: now {amount}; lower its row from {allowed}"));
        }
    }
    complaints
}

// ---- The repository obeys them ----

fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn check_each(rule: impl Fn(&Source) -> Vec<String>) {
    let tree = Tree::read();
    assert!(tree.sources.len() > 5, "the sources are not where they are looked for");
    expect_none(&tree.sources.iter().flat_map(rule).collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let found: Vec<_> = Tree::read().sources.iter().flat_map(long_functions).collect();
    expect_none(&ratchet("lines of a function", &found, LONG_FUNCTIONS));
}

#[test]
fn files_are_short() {
    let found: Vec<_> = Tree::read().sources.iter().filter_map(long_file).collect();
    expect_none(&ratchet("lines of a file", &found, LONG_FILES));
}

#[test]
fn numbers_are_cast_in_one_file() {
    let found: Vec<_> = Tree::read().sources.iter().filter_map(casts).collect();
    expect_none(&ratchet("`as` casts", &found, CASTS));
}

#[test]
fn parameters_are_no_bare_flags() {
    let found: Vec<_> = Tree::read().sources.iter().filter_map(bool_parameters).collect();
    expect_none(&ratchet("bool parameters", &found, BOOL_PARAMETERS));
}

#[test]
fn folders_know_only_lower_layers() {
    expect_none(&wrong_layers(&Tree::read()));
}

#[test]
fn every_file_is_compiled() {
    expect_none(&stray_files(&Tree::read()));
}

#[test]
fn unsafe_code_is_at_home_and_proven() {
    check_each(misplaced_unsafe);
}

#[test]
fn nothing_is_left_undone() {
    check_each(unfinished);
}

#[test]
fn silenced_lints_say_why() {
    check_each(unexplained_allows);
}

#[test]
fn only_os_reads_clocks() {
    check_each(clock_readers);
}

#[test]
fn every_file_says_what_it_is() {
    check_each(missing_heads);
}

// ---- The canaries: every rule finds a planted violation ----

fn source(path: &str, text: &str) -> Source {
    Source::new(path, text)
}

#[test]
fn canary_long_function() {
    let body = "    work();\n".repeat(FUNCTION_LINES_MAX);
    let text = format!("fn short() {{}}\nfn long(a: [u8; 2]) -> u8 {{\n{body}}}\n");
    let found = long_functions(&source("src/a.rs", &text));
    assert_eq!(found, [("src/a.rs long".to_owned(), FUNCTION_LINES_MAX + 2)]);
}

#[test]
fn canary_long_file() {
    assert!(long_file(&source("src/a.rs", &"\n".repeat(FILE_LINES_MAX + 1))).is_some());
    assert!(long_file(&source("src/a.rs", &"\n".repeat(FILE_LINES_MAX))).is_none());
}

#[test]
fn canary_cast() {
    let text = "use a as b;\n// 1 as u8\nlet x = y as\n  u64 + z as f64;";
    assert_eq!(casts(&source("src/a.rs", text)), Some(("src/a.rs".to_owned(), 2)));
    assert_eq!(casts(&source(CAST_HOME, text)), None);
}

#[test]
fn canary_bool_parameter() {
    let text =
        "fn f(a: u8, b: bool) {}\nfn g(b: &bool) {}\nfn h(p: impl Fn(u8) -> bool) -> bool { true }";
    assert_eq!(bool_parameters(&source("src/a.rs", text)), Some(("src/a.rs".to_owned(), 2)));
}

#[test]
fn canary_layers() {
    let library = ("src/lib.rs", "pub mod base;\npub mod ds;\npub mod node;");
    let complaints = |file| wrong_layers(&Tree::of(&[library, file])).len();
    assert_eq!(complaints(("src/base/x.rs", "use crate::ds::Dict;")), 1);
    assert_eq!(complaints(("src/base/x.rs", "fn f() { crate::node::run() }")), 1);
    assert_eq!(complaints(("src/base/x.rs", "use crate::{base::{a, ds}, ds::Dict};")), 1);
    assert_eq!(complaints(("src/ds/x.rs", "use crate::base::x; // crate::node")), 0);
    assert_eq!(complaints(("src/node.rs", "use crate::{base::x, ds::y};")), 0);
}

#[test]
fn canary_unsafe() {
    let bare = "fn f() { unsafe { g() } }";
    let proven = "// SAFETY: g needs nothing.\nunsafe { g() }\n/// # Safety\nunsafe fn h() {}";
    assert_eq!(misplaced_unsafe(&source("src/ds/a.rs", bare)).len(), 1);
    assert_eq!(misplaced_unsafe(&source("src/ds/a.rs", proven)).len(), 0);
    assert_eq!(misplaced_unsafe(&source("src/resp/a.rs", proven)).len(), 2);
    assert_eq!(
        misplaced_unsafe(&source("src/resp/a.rs", "// unsafe\n#![forbid(unsafe_code)]")).len(),
        0
    );
}

#[test]
fn canary_unfinished() {
    let mark = concat!("// TO", "DO: later");
    assert_eq!(unfinished(&source("src/a.rs", mark)).len(), 1);
    assert_eq!(
        unfinished(&source("src/a.rs", concat!("to", "do!(); unimplemented", "!()"))).len(),
        2
    );
    assert_eq!(unfinished(&source("src/a.rs", "let todo = 1; // todo! in words")).len(), 0);
}

#[test]
fn canary_allow() {
    assert_eq!(unexplained_allows(&source("src/a.rs", "#[allow(dead_code)]\nfn f() {}")).len(), 1);
    assert_eq!(unexplained_allows(&source("src/a.rs", "#![expect(dead_code)]")).len(), 1);
    assert_eq!(
        unexplained_allows(&source("src/a.rs", "#[allow(dead_code, reason = \"x\")]")).len(),
        0
    );
    assert_eq!(unexplained_allows(&source("src/a.rs", "value.expect(\"there is one\")")).len(), 0);
}

#[test]
fn canary_clock() {
    let text = "let now = Instant::now();";
    assert_eq!(clock_readers(&source("src/node.rs", text)).len(), 1);
    assert_eq!(clock_readers(&source("src/os/time.rs", text)).len(), 0);
}

#[test]
fn canary_head() {
    assert_eq!(missing_heads(&source("src/a.rs", "use std::fs;")).len(), 1);
}

#[test]
fn canary_stray_file() {
    let files = [
        ("src/lib.rs", "pub mod a; // mod stray;"),
        ("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod tests {}"),
        ("src/a/b.rs", ""),
        ("src/a/c.rs", ""),
        ("src/stray.rs", ""),
        ("src/bin/x.rs", ""),
    ];
    let complaints = stray_files(&Tree::of(&files));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}

#[test]
fn canary_ratchet() {
    let found = [("a".to_owned(), 2), ("b".to_owned(), 2), ("c".to_owned(), 2)];
    assert_eq!(ratchet("x", &found, &[("a", 2), ("b", 1), ("c", 3), ("d", 1)]).len(), 3);
    assert_eq!(ratchet("x", &found, &[("a", 2), ("b", 2)]).len(), 1);
}

#[test]
fn literals_and_comments_are_blanked() {
    let cases = [
        (r#"a "b // c" d"#, "a d"),
        (r"a 'b' 'x '\'' c", "a 'x c"),
        (r##"r#"a"b"# c"##, "c"),
        ("/* a /* b */ */ c", "c"),
        (r#""\" a" b"#, "b"),
        ("a // b\nc", "a c"),
        ("fn r<'a>(r#in: &'a u8)", "fn r<'a>(r#in: &'a u8)"),
        ("é 'ß' x", "x"),
    ];
    for (text, rest) in cases {
        let code = blank(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), rest, "{text}");
        assert_eq!(code.len(), text.len(), "offsets stay: {text}");
    }
}
