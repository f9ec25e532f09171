//! Users and their commands through the interface.

use crate::acl::Password;
use crate::command::testing::{Bench, check};
use crate::config::Config;
use crate::resp::parse::Trust;
use crate::session::Closing;

const NO_COMMAND: &str = "-NOPERM this user has no permissions to run the '";
const NO_KEY: &str =
    "-NOPERM this user has no permissions to access one of the keys used as arguments";
const NO_CHANNEL: &str =
    "-NOPERM this user has no permissions to access one of the channels used as arguments";
const NO_DATABASE: &str = "-NOPERM No permissions to access database";

/// A client of a user with these rules; rules for the password are there.
fn user(rules: &str) -> Bench {
    let mut bench = Bench::new();
    bench.check(&format!("ACL SETUSER u on nopass {rules}"), "+OK");
    bench.check("AUTH u x", "+OK");
    bench
}

/// Executes a script as a user with these rules.
#[track_caller]
fn check_as(rules: &str, script: &str, expected: &str) {
    let expected = expected
        .replace("NOKEY", NO_KEY)
        .replace("NOCHANNEL", NO_CHANNEL)
        .replace("NODB", NO_DATABASE);
    user(rules).check(script, &expected);
}

fn no_command(name: &str) -> String {
    format!("{NO_COMMAND}{name}' command")
}

#[test]
fn everybody_starts_as_the_default_user() {
    check("ACL WHOAMI; ACL USERS", "$default [$default]");
    check("ACL LIST", "[$user default on nopass sanitize-payload ~* &* +@all]");
}

#[test]
fn users_are_made_changed_and_removed() {
    let hash = Password::of(b"p").hex();
    let mut bench = Bench::new();
    bench.check("ACL SETUSER a; ACL GETUSER a", "+OK [$flags [$off $sanitize-payload] $passwords [] $commands $-@all $keys $ $channels $ $selectors []]");
    bench.check(
        "ACL SETUSER a on >p ~k* %R~r &c +@read -get (+set ~z); ACL LIST",
        &format!(
            "+OK [$user a on sanitize-payload #{hash} ~k* %R~r resetchannels &c -@all +@read -get \
             (~z resetchannels -@all +set) $user default on nopass sanitize-payload ~* &* +@all]"
        ),
    );
    bench.check("ACL GETUSER nosuch; ACL DELUSER nosuch a; ACL USERS", "$_ :1 [$default]");
    bench.check("ACL DELUSER default", "-ERR The 'default' user cannot be removed");
    let bad_name = "-ERR Usernames can't contain spaces or null characters";
    bench.check(
        "ACL SETUSER 'a b'; ACL SETUSER \"a\\x00\"; ACL SETUSER \"a\\n\"",
        &[bad_name; 3].join(" "),
    );
}

#[test]
fn of_rules_with_one_that_is_wrong_none_is_applied() {
    check(
        "ACL SETUSER a on +get +nosuch; ACL GETUSER a",
        "-ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL $_",
    );
    check(
        "ACL SETUSER a (+get; ACL SETUSER a (+get (~a)",
        "-ERR Unmatched parenthesis in acl selector starting at '(+get'. -ERR Error in ACL SETUSER \
         modifier '(+get (~a)': Syntax error",
    );
}

#[test]
fn databases_are_told_of_where_they_are_restricted() {
    check(
        "ACL SETUSER a db=1 (+get); ACL GETUSER a",
        "+OK [$flags [$off $sanitize-payload] $passwords [] $commands $-@all $keys $ $channels $ \
         $databases $db=1 $selectors [[$commands $-@all +get $keys $ $channels $]]]",
    );
}

#[test]
fn commands_and_keys_are_checked() {
    check_as("+get ~a*", "GET a; SET a 1; GET b", &format!("$_ {} NOKEY", no_command("set")));
    check_as(
        "+@all ~a %R~r %W~w",
        "GET a; GET r; GET w; SET w 1; SET r 1",
        "$_ $_ NOKEY +OK NOKEY",
    );
    check_as(
        "+@all %W~w",
        "SET w 1; SET w 1 GET; APPEND w 1; EXISTS w; STRLEN w",
        "+OK NOKEY :2 :1 :2",
    );
    check_as("+@all ~a ~b", "MGET a b; MGET a c; MSET a 1 c 2; GET c", "[$_ $_] NOKEY NOKEY NOKEY");
    check_as("+config|get", "CONFIG RESETSTAT", &no_command("config|resetstat"));
    check_as(
        "+select|0",
        "SELECT 0; SELECT 1; select 0",
        &format!("+OK {} +OK", no_command("select")),
    );
    check_as("-@all", "PING; AUTH u x; RESET", &format!("{} +OK +RESET", no_command("ping")));
    check_as(
        "+@all ~d",
        "SORT l STORE d; GEORADIUS k 0 0 1 m STORE d; BITOP NOT d s; COPY d s",
        "NOKEY NOKEY NOKEY NOKEY",
    );
}

#[test]
fn scripts_may_do_what_their_user_may() {
    let mut bench = user("+eval +get +publish ~a &c");
    let script = |call: &str| format!("EVAL \"return redis.pcall({call})\" 0");
    let no = "-ERR The user executing the script can't";
    bench.check(&script("'get','a'"), "$_");
    bench.check(
        &script("'get','b'"),
        &format!("{no} access at least one of the keys mentioned in the command arguments"),
    );
    bench.check(&script("'set','a','1'"), &format!("{no} run this command or subcommand"));
    bench.check(
        &script("'publish','d','1'"),
        &format!("{no} publish to the channel mentioned in the command"),
    );
    bench.check("EVAL 'return 1' 1 b", NO_KEY);
    let last = bench.server.acl_log.iter().nth(1).expect("an entry");
    assert_eq!((last.context.name(), &*last.object), ("lua", &b"d"[..]));
    let may = |line: &str| format!("EVAL \"return redis.acl_check_cmd({line})\" 0");
    bench.check(&may("'get','a'"), ":1");
    bench.check(&may("'get','b'"), "$_");
    bench.check(&may("'publish'"), ":1");
    bench.check(&may("'set','a','1'"), "$_");
}

#[test]
fn patterns_of_sort_need_every_key() {
    let denied = "-ERR BY option of SORT denied due to insufficient ACL permissions. -ERR GET option \
                  of SORT denied due to insufficient ACL permissions.";
    let script = "RPUSH l 1; SORT l BY w*; SORT l GET #";
    check_as("+@all ~l ~w*", script, &format!(":1 {denied}"));
    check_as("(+@all ~l %W~*)", script, &format!(":1 {denied}"));
    check_as("+rpush ~l (+sort %R~*)", script, ":1 [$1] [$1]");
    check_as("+@all ~l", "SORT l BY nosort; SORT l", "[] []");
}

#[test]
fn selectors_do_not_add_up() {
    check_as(
        "(+@read ~r*) (+@write ~w*)",
        "GET r; LPUSH w 1; GET w; LPUSH r 1; COPY r w",
        "$_ :1 NOKEY NOKEY NOKEY",
    );
}

#[test]
fn channels_are_checked() {
    check_as(
        "+@all &c* &p",
        "PUBLISH c1 m; PUBLISH x m; SPUBLISH x m; SUBSCRIBE c x; PSUBSCRIBE c*x; PSUBSCRIBE c*",
        ":0 NOCHANNEL NOCHANNEL NOCHANNEL NOCHANNEL [$psubscribe $c* :1]",
    );
    check_as("+@all", "UNSUBSCRIBE x", "[$unsubscribe $x :0]");
}

#[test]
fn databases_are_checked() {
    check_as(
        "+@all ~* db=0,1",
        "SET k 1; SELECT 1; SET k 2; SELECT 2; GET k",
        "+OK +OK +OK NODB $2",
    );
    check_as("+@all ~* db=1", "GET k; PING; DBSIZE; SELECT 1; GET k", "NODB +PONG NODB +OK $_");
    check_as(
        "+@all ~* db=0,1",
        "MOVE k 2; COPY a b DB 2; COPY a b REPLACE DB 2; SWAPDB 0 2; SWAPDB 0 1; FLUSHALL; FLUSHDB",
        "NODB NODB NODB NODB +OK NODB +OK",
    );
}

#[test]
fn commands_of_transactions_are_checked_twice() {
    let mut bench = user("+@all ~a");
    bench.check(
        "MULTI; GET b; EXEC",
        &format!("+OK {NO_KEY} -EXECABORT Transaction discarded because of previous errors."),
    );
    bench.check("MULTI; ACL SETUSER u -get; SET a 1; GET a; EXEC", "+OK +QUEUED +QUEUED +QUEUED [+OK +OK -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand]");
    let last = bench.server.acl_log.iter().next().expect("an entry");
    assert_eq!(
        (last.reason.name(), last.context.name(), &*last.object),
        ("command", "multi", &b"get"[..])
    );
}

#[test]
fn one_who_removes_itself_may_nothing_more() {
    let mut bench = user("+@all ~*");
    bench.check("MULTI; ACL DELUSER u; SET k 1; EXEC", "+OK +QUEUED +QUEUED [:1 -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand]");
    assert_eq!(bench.session.closing, Closing::AfterReplies);
    bench.check(
        "GET k",
        "-NOAUTH Authentication required."
            .replace("NOAUTH Authentication required.", &no_command("get")[1..])
            .as_str(),
    );
}

#[test]
fn refusals_are_logged() {
    let mut bench = user("+get ~a");
    bench.run("SET a 1; GET b; GET b; AUTH u; AUTH nobody x");
    bench.check(
        "AUTH default x; ACL LOG 0; ACL LOG RESET x; ACL LOG -1",
        "+OK [] -ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP. []",
    );
    let seen: Vec<_> = (bench.server.acl_log.iter())
        .map(|e| {
            format!(
                "{} {} {} {}",
                e.count,
                e.reason.name(),
                e.object.escape_ascii(),
                e.username.escape_ascii()
            )
        })
        .collect();
    assert_eq!(seen, ["1 auth AUTH nobody", "2 key b u", "1 command set u"]);
    let stats = &bench.server.stats;
    assert_eq!(
        [stats.acl_denied_auth, stats.acl_denied_commands, stats.acl_denied_keys],
        [1, 1, 2]
    );
    bench.check("ACL LOG RESET; ACL LOG", "+OK []");
}

#[test]
fn dry_runs() {
    let mut bench = Bench::new();
    bench.run("ACL SETUSER u +@all -ping ~a &c");
    for (line, expected) in [
        ("GET a", "+OK"),
        ("GET b", "$This user has no permissions to access the \\'b\\' key"),
        ("PING", "$This user has no permissions to run the \\'ping\\' command"),
        ("PUBLISH d m", "$This user has no permissions to access the \\'d\\' channel"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("nosuch", "-ERR Command 'nosuch' not found"),
        ("CONFIG nosuch", "-ERR Command 'CONFIG' not found"),
        ("CONFIG", "-ERR wrong number of arguments for 'config' command"),
    ] {
        bench.check(&format!("ACL DRYRUN u {line}"), expected);
    }
    bench.check("ACL DRYRUN nobody GET a", "-ERR User 'nobody' not found");
}

#[test]
fn the_password_of_the_configuration_is_the_default_users() {
    let mut bench = Bench::with(Config { requirepass: "pw".into(), ..Config::default() });
    bench.session.trust = Trust::Unauthenticated;
    bench.check("PING; AUTH pw; PING", "-NOAUTH Authentication required. +OK +PONG");
    bench.check(
        "CONFIG SET requirepass other; AUTH pw",
        "+OK -WRONGPASS invalid username-password pair or user is disabled.",
    );
    bench.check(
        "CONFIG SET requirepass ''; AUTH default anything; ACL LIST",
        "+OK +OK [$user default on nopass sanitize-payload ~* &* +@all]",
    );
    bench.check(
        "ACL SETUSER default resetpass >x; AUTH x; CONFIG GET requirepass",
        "+OK +OK [$requirepass $]",
    );
    bench.check(
        "ACL SETUSER default off; AUTH x",
        "+OK -WRONGPASS invalid username-password pair or user is disabled.",
    );
}

#[test]
fn passwords_are_made() {
    check("ACL GENPASS 5; ACL GENPASS 8; ACL GENPASS 12", "$a5 $a5 $a5a");
    let text = "-ERR ACL GENPASS argument must be the number of bits for the output password, a \
                positive number up to 4096";
    check("ACL GENPASS 0; ACL GENPASS 4097; ACL GENPASS -236", &[text; 3].join(" "));
    let mut bench = Bench::new();
    assert_eq!(bench.raw(&["ACL", "GENPASS"]).len(), "$64\r\n\r\n".len() + 64);
}

#[test]
fn categories_are_listed() {
    let mut bench = Bench::new();
    let reply = String::from_utf8(bench.raw(&["ACL", "CAT", "transaction"])).expect("text");
    assert!(reply.contains("\r\nmulti\r\n") && !reply.contains("\r\nget\r\n"), "{reply}");
    bench.check("ACL CAT nosuch", "-ERR Unknown category 'nosuch'");
    bench.check(
        "ACL CAT a b",
        "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.",
    );
    assert!(bench.raw(&["ACL", "CAT"]).starts_with(b"*21\r\n$8\r\nkeyspace\r\n"));
}

#[test]
fn files_are_loaded_whole_or_not_at_all() {
    let without = "-ERR This Redis instance is not configured to use an ACL file. You may want to \
                   specify users via the ACL SETUSER command and then issue a CONFIG REWRITE \
                   (assuming you have a Redis configuration file set) in order to store users in \
                   the Redis configuration.";
    check("ACL LOAD; ACL SAVE", &[without; 2].join(" "));
    let mut bench = Bench::with(Config { aclfile: "/users".into(), ..Config::default() });
    bench.run("ACL SETUSER a on nopass +get ~x");
    bench.check("ACL SAVE; ACL SETUSER a off; ACL SETUSER b; ACL LOAD", "+OK +OK +OK +OK");
    let saved = "[$user a on nopass sanitize-payload ~x resetchannels -@all +get $user default on \
                 nopass sanitize-payload ~* &* +@all]";
    bench.check("ACL LIST", saved);
    bench.server.host.replace_file("/users".as_ref(), b"user c\nuser a +x\n").expect("memory");
    bench.check(
        "ACL LOAD; ACL LIST",
        &format!(
            "-ERR /users:2: Error in applying operation '+x': Unknown command or category name in \
             ACL. WARNING: ACL errors detected, no change to the previously active ACL rules was \
             performed {saved}"
        ),
    );
}

#[test]
fn users_of_the_configuration() {
    let started = |lines: &[&str]| {
        let mut config = Config::default();
        let origin = crate::config::Origin {
            place: crate::config::Place::Stdin,
            line: 7,
            text: "user x >secret".into(),
        };
        for line in lines {
            let words = line.split(' ').map(Into::into).collect();
            config.user.push(crate::config::UserRules { words, origin: origin.clone() });
        }
        let mut bench = Bench::with(config);
        match bench.server.load_users() {
            Ok(()) => {
                let lines = bench.server.users_to_declare();
                String::from_utf8(lines.join(&b'|')).expect("text")
            }
            Err(bad) => {
                let origin = bad.origin.expect("a line");
                assert_eq!(origin.line, 7);
                assert!(!origin.text.to_string().contains("secret"));
                bad.reason
            }
        }
    };
    assert_eq!(started(&[]), "");
    assert_eq!(
        started(&["a on +get ~\"", "default on nopass +@all -flushall (~a)"]),
        "user a on sanitize-payload \"~\\\"\" resetchannels -@all +get|user default on nopass \
         sanitize-payload resetchannels +@all -flushall (~a resetchannels -@all)"
    );
    assert_eq!(started(&["a foo"]), "Error in user declaration 'a': Syntax error");
    assert_eq!(
        started(&["a on", "a off"]),
        "Error in user declaration 'a': Duplicate user found. A user can only be defined once in \
         config files"
    );
}
