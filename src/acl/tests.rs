//! Rules and what they make.

use super::*;

/// A few commands: `get` 0, `set` 1, `select` 2, `config` 3 with `config|get` 4 and `config|set` 5.
fn users() -> Users {
    let mut catalog = Catalog::default();
    catalog.add("get", Categories::READ | Categories::STRING, None);
    catalog.add("set", Categories::WRITE | Categories::STRING, None);
    catalog.add("select", Categories::CONNECTION, None);
    catalog.add("config", Categories::SLOW, None);
    catalog.add("config|get", Categories::ADMIN, Some(3));
    catalog.add("config|set", Categories::ADMIN, Some(3));
    Users::new(std::sync::Arc::new(catalog))
}

/// What is told of a new user with these rules, or why there is none.
fn told(rules: &str) -> String {
    let users = users();
    let rules = match merge_selectors(rules.split_terminator(';').map(str::as_bytes)) {
        Ok(rules) => rules,
        Err(word) => return format!("unmatched {}", String::from_utf8_lossy(word)),
    };
    match users.changed(b"u", NewChannels::None, &rules) {
        Ok(user) => {
            let mut out = Vec::new();
            user.describe(&mut out);
            String::from_utf8(out).expect("text")
        }
        Err((rule, error)) => format!("{}: {error:?}", String::from_utf8_lossy(rule)),
    }
}

#[track_caller]
fn check(rules: &str, expected: &str) {
    let rules = rules.replace(' ', ";");
    assert_eq!(told(&rules), expected, "{rules}");
}

/// The commands that rules allow, as their numbers.
fn allowed(rules: &str) -> Vec<usize> {
    let users = users();
    let rules: Vec<Vec<u8>> = rules.split(' ').map(|rule| rule.as_bytes().to_vec()).collect();
    let user = users.changed(b"u", NewChannels::None, &rules).expect("rules that make sense");
    (0..6).filter(|&index| user.root().commands.contains(index)).collect()
}

const NOBODY: &str = "off sanitize-payload resetchannels -@all";

#[test]
fn a_new_user_may_nothing() {
    check("", NOBODY);
    check("on nopass ~* &* +@all reset", NOBODY);
    check("allkeys allchannels allcommands", "off sanitize-payload ~* &* +@all");
    check("ALLKEYS ~* NOCOMMANDS ON", "on sanitize-payload ~* resetchannels -@all");
}

#[test]
fn commands_are_told_by_the_rules_that_count() {
    let commands = |rules: &str, expected: &str| {
        check(rules, &format!("off sanitize-payload resetchannels {expected}"));
    };
    commands("+get -get", "-@all -get");
    commands("+get +@read +GET", "-@all +@read +get");
    commands("+config|get +config", "-@all +config");
    commands("+config -config|get", "-@all +config -config|get");
    commands("+@all -config|get +config|get", "+@all +config|get");
    commands("+get -@all", "-@all");
    commands("+select|0 +select|One +select|0", "-@all +select|one +select|0");
    commands("+select|0 +select", "-@all +select");
}

#[test]
fn rules_allow_commands() {
    assert_eq!(allowed("+@all"), [0, 1, 2, 3, 4, 5]);
    assert_eq!(allowed("+@string -set"), [0]);
    assert_eq!(allowed("+config"), [3, 4, 5]);
    assert_eq!(allowed("+config -config|set"), [3, 4]);
    assert_eq!(allowed("+config|get"), [4]);
    assert_eq!(allowed("+@slow"), [3, 4, 5], "a container brings its parts");
    assert_eq!(allowed("+select|0"), [0; 0]);
    assert_eq!(allowed("+@all -@admin"), [0, 1, 2, 3]);
}

#[test]
fn first_arguments_are_allowed_until_the_command_is_named() {
    let users = users();
    let may = |rules: &str| {
        let rules: Vec<Vec<u8>> = rules.split(' ').map(|rule| rule.as_bytes().to_vec()).collect();
        let user = users.changed(b"u", NewChannels::None, &rules).expect("rules");
        ["0", "1", "X"].map(|arg| user.root().commands.contains_with(2, arg.as_bytes()))
    };
    assert_eq!(may("+select|0 +select|x"), [true, false, true]);
    assert_eq!(may("+select|0 -select"), [false; 3]);
    assert_eq!(may("+select|0 -@all"), [false; 3]);
    assert_eq!(may("+select|0 -@connection"), [false; 3]);
}

#[test]
fn rules_that_make_no_sense() {
    for (rule, error) in [
        ("nosuch", RuleError::Syntax),
        ("+nosuch", RuleError::UnknownCommand),
        ("+@nosuch", RuleError::UnknownCommand),
        ("+", RuleError::UnknownCommand),
        ("+@", RuleError::UnknownCommand),
        ("+config|nosuch", RuleError::UnknownCommand),
        ("-select|0", RuleError::UnknownCommand),
        ("+config|get|x", RuleError::FirstArgOfSubcommand),
        ("+select|", RuleError::Syntax),
        ("%", RuleError::Syntax),
        ("%~a", RuleError::Syntax),
        ("%RR~a", RuleError::Syntax),
        ("%X~a", RuleError::Syntax),
        ("~a\nb", RuleError::Syntax),
        ("&a\0b", RuleError::Syntax),
        ("#abc", RuleError::NotAHash),
        ("!abc", RuleError::NotAHash),
        ("<x", RuleError::NoSuchPassword),
        ("()x)", RuleError::Syntax),
        ("(on)", RuleError::Syntax),
        ("(>x)", RuleError::Syntax),
        ("(\"a)", RuleError::Syntax),
        (")", RuleError::Syntax),
        ("db=", RuleError::Syntax),
        ("db=1,", RuleError::Syntax),
        ("db=-1", RuleError::DatabaseOutOfRange),
    ] {
        assert_eq!(told(rule), format!("{rule}: {error:?}"), "{rule}");
    }
    assert_eq!(told("~*;~a"), "~a: KeyAfterAll");
    assert_eq!(told("&*;&a"), "&a: ChannelAfterAll");
    assert_eq!(told("(+get;~a"), "unmatched (+get");
    assert_eq!(told("("), "unmatched (");
    assert_eq!(told("()x"), "unmatched ()x");
}

#[test]
fn keys_channels_and_databases() {
    let rest =
        |rules: &str, expected: &str| check(rules, &format!("off sanitize-payload {expected}"));
    rest("~a %R~b %W~c %RW~d %wr~e %R~a", "~a %R~b %W~c ~d ~e resetchannels -@all");
    rest("%R~f %W~f", "~f resetchannels -@all");
    rest("~a resetkeys ~b", "~b resetchannels -@all");
    rest("&a &b &a", "resetchannels &a &b -@all");
    rest("&* resetchannels &a", "resetchannels &a -@all");
    rest("db=2,1,+2", "resetchannels db=1,2 -@all");
    rest("db=1 db=3", "resetchannels db=3 -@all");
    rest("db=1 resetdbs", "resetchannels resetdbs -@all");
    rest("db=1 AllDbs", "resetchannels -@all");
}

#[test]
fn selectors_may_be_given_in_pieces() {
    check(
        "(+get ~a) ( ~b +set ) () (&* ~* +@all db=1)",
        "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) \
         (~b resetchannels -@all +set) (resetchannels -@all) (~* &* db=1 +@all)",
    );
    check("(+get) clearselectors", NOBODY);
}

#[test]
fn passwords_are_a_set() {
    let a = Password::of(b"a").hex();
    let user = |rules: &str, expected: &str| {
        let words: Vec<&str> = rules.split(' ').collect();
        let expected = expected.replace('A', &format!("#{a}"));
        assert_eq!(told(&words.join(";").replace("HASH", &a)), expected, "{rules}");
    };
    user(">a #HASH >a", "off sanitize-payload A resetchannels -@all");
    user("nopass >a", "off sanitize-payload A resetchannels -@all");
    user(">a nopass", "off nopass sanitize-payload resetchannels -@all");
    user(">a <a", NOBODY);
    user(">a !HASH", NOBODY);
    user("nopass resetpass", NOBODY);
}

#[test]
fn who_may_log_in() {
    let users = users();
    let lets_in = |rules: &[&str], password: &str| {
        let rules: Vec<Vec<u8>> = rules.iter().map(|rule| rule.as_bytes().to_vec()).collect();
        let user = users.changed(b"u", NewChannels::None, &rules).expect("rules");
        user.lets_in(password.as_bytes())
    };
    assert!(lets_in(&["on", ">a", ">b"], "b") && lets_in(&["on", "nopass"], "anything"));
    assert!(!lets_in(&["on", ">a"], "c") && !lets_in(&["on"], "") && !lets_in(&["on", ">a"], ""));
    assert!(!lets_in(&[">a"], "a") && !lets_in(&["nopass"], "a"));
}

#[test]
fn what_is_told_of_users_makes_the_same_users() {
    let mut users = users();
    for (name, rules) in [
        ("a", "on >x ~a* %R~\"q &c +@read -get +select|0"),
        ("b", "nopass (+get %W~' db=3) (~\\\\x &* +config|get)"),
        ("default", "reset on >secret +@all resetdbs"),
    ] {
        let words = rules.split(' ').map(str::as_bytes);
        let rules = merge_selectors(words).expect("parentheses");
        // In a selector quotes have a meaning; elsewhere they are bytes of a pattern.
        let rules: Vec<Vec<u8>> = (rules.into_iter())
            .map(|rule| if rule.starts_with(b"(") { quoted_selector(&rule) } else { rule })
            .collect();
        let user = users.changed(name.as_bytes(), NewChannels::None, &rules).expect(name);
        users.put(user);
    }
    let text = users.lines().collect::<Vec<_>>().join(&b'\n');
    let read = users.of_file("f", &text, NewChannels::All).expect("our own text");
    assert!(read.lines().eq(users.lines()), "{}", String::from_utf8_lossy(&text));
}

fn quoted_selector(rule: &[u8]) -> Vec<u8> {
    let mut out = b"(".to_vec();
    super::user::put_quoted(&rule[1..rule.len() - 1], &mut out);
    out.push(b')');
    out
}

#[test]
fn a_bad_file_is_told_line_by_line() {
    let complaint = |text: &str| match users().of_file("/f", text.as_bytes(), NewChannels::None) {
        Ok(users) => users.iter().len().to_string(),
        Err(error) => {
            let tail = "WARNING: ACL errors detected, no change to the previously active ACL rules \
                        was performed";
            error.to_string().strip_suffix(tail).expect("the tail").to_owned()
        }
    };
    assert_eq!(complaint(""), "1");
    assert_eq!(complaint("user a on\n\n  user b  off \r\nuser default off"), "3");
    let should = "should start with user keyword followed by the username. ";
    assert_eq!(complaint("# x"), format!("/f:1 {should}"));
    assert_eq!(complaint("user\nusers a"), format!("/f:1 {should}/f:2 {should}"));
    assert_eq!(
        complaint("user a foo\nuser b +nosuch"),
        "/f:1: Syntax error. /f:2: Error in applying operation '+nosuch': Unknown command or \
         category name in ACL. "
    );
    assert_eq!(complaint("user a\nuser a"), "WARNING: Duplicate user 'a' found on line 2. ");
    assert_eq!(
        complaint("user a\n\nuser b (+get"),
        "/f:3: Unmatched parenthesis in selector definition. "
    );
}

#[test]
fn refusals_of_one_kind_are_one_entry() {
    let mut log = Log::default();
    let mut note = |object: &str, now_ms| {
        let refusal = Refusal {
            reason: Reason::Key,
            context: Context::Toplevel,
            object: object.as_bytes(),
            username: b"u",
        };
        log.note(refusal, Box::default(), now_ms, 12);
    };
    note("a", 0);
    note("b", 1000);
    note("a", 60_000);
    note("b", 61_001);
    let seen: Vec<_> = log
        .iter()
        .map(|entry| (entry.id, entry.count, &*entry.object, entry.created_ms, entry.updated_ms))
        .collect();
    assert_eq!(
        seen,
        [(2, 1, &b"b"[..], 61_001, 61_001), (0, 2, b"a", 0, 60_000), (1, 1, b"b", 1000, 1000)]
    );
    let mut log = Log::default();
    for n in 0..20 {
        let object = n.to_string().into_bytes();
        let (reason, context) = (Reason::Command, Context::Multi);
        let refusal = Refusal { reason, context, object: &object, username: b"u" };
        log.note(refusal, Box::default(), 0, 5);
    }
    assert_eq!(log.iter().len(), 5);
    assert_eq!(log.iter().next().map(|entry| entry.id), Some(19));
}

#[test]
fn rules_of_any_bytes_do_no_harm() {
    const PARTS: &[&str] = &[
        "on", "off", "+", "-", "@all", "@read", "get", "config", "|", "select", "~", "%", "R", "W",
        "&", "*", "(", ")", " ", ">", "<", "#", "!", "db=", "1", ",", "\"", "'", "\\", "\0", "\n",
        "reset", "\u{ff}",
    ];
    let users = users();
    let mut rng = crate::base::rng::Rng::seeded(5);
    let mut good = 0;
    for _ in 0..30_000 {
        let mut word = || -> Vec<u8> {
            let count = rng.below_usize(5);
            (0..count).flat_map(|_| PARTS[rng.below_usize(PARTS.len())].bytes()).collect()
        };
        let words = [word(), word(), word()];
        let Ok(rules) = merge_selectors(words.iter().map(Vec::as_slice)) else { continue };
        if let Ok(user) = users.changed(b"u", NewChannels::All, &rules) {
            good += 1;
            let mut line = b"user u ".to_vec();
            user.describe(&mut line);
            let read = users.of_file("f", &line, NewChannels::None);
            let mut again = b"user u ".to_vec();
            read.expect("our own text").get(b"u").expect("it").describe(&mut again);
            assert_eq!(line, again, "{}", String::from_utf8_lossy(&line));
        }
    }
    assert!(good > 500, "{good}");
}
