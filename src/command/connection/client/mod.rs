//! CLIENT: settings of the own connection, and the other clients.

mod kill;
mod list;
pub(super) mod names;
mod pause;
mod settings;
mod tracking;
mod unblock;

use crate::command::spec::{Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::{Session, SessionFlags};

/// CLIENT
pub(super) static CLIENT: Command = Command {
    spec: CLIENT_SPEC,
    handler: None,
    subcommands: &[
        &tracking::CACHING,
        &names::GETNAME,
        &tracking::GETREDIR,
        &HELP,
        &list::ID,
        &list::INFO,
        &kill::KILL,
        &list::LIST,
        &settings::NO_EVICT,
        &settings::NO_TOUCH,
        &pause::PAUSE,
        &settings::REPLY,
        &names::SETINFO,
        &names::SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
};

const CLIENT_SPEC: Spec = Spec {
    name: "client",
    summary: "Looks at connections and controls them.",
    complexity: "That of the subcommand.",
    since: "2.4.0",
    group: Group::Connection,
    arity: -2,
    flags: Flags::SENTINEL,
    ..Spec::EMPTY
};

static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of CLIENT.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "CACHING (YES|NO)",
        "    Track the keys of the next command, or do not.",
        "GETNAME",
        "    Show the name of this connection.",
        "GETREDIR",
        "    Show which connection is told of changes in this one's stead.",
        "ID",
        "    Show the number of this connection.",
        "INFO",
        "    Describe this connection.",
        "KILL <ip:port>",
        "    Close the connection from an address.",
        "KILL <filter> <value> [<filter> <value> [...]]",
        "    Close the connections that pass all filters:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      The client's address.",
        "    * ID <client-id>",
        "      The number.",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      The server's address.",
        "    * MAXAGE <seconds>",
        "      Connected for at least so long.",
        "    * SKIPME (YES|NO)",
        "      Leave this connection out (default: yes).",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      The type.",
        "    * USER <username>",
        "      The user.",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [<client-id> ...]]",
        "    Describe all connections, or those of a type, or some.",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection when clients are evicted.",
        "NO-TOUCH (ON|OFF)",
        "    Do not count this connection's reads as uses of the keys.",
        "PAUSE <milliseconds> [WRITE|ALL]",
        "    Hold back all commands, or those that write.",
        "REPLY (ON|OFF|SKIP)",
        "    Send replies to this connection, none, or none to the next command.",
        "SETINFO (LIB-NAME|LIB-VER) <value>",
        "    Note which library the client uses.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Tell this connection when keys change that it has read.",
        "TRACKINGINFO",
        "    Show what this connection tracks.",
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    End a connection's wait as if its time had run out, or with an error.",
        "UNPAUSE",
        "    Go on with what was held back.",
    ])
}

/// The error for more words than a subcommand takes.
fn too_many_arguments(word: &[u8]) -> Error {
    let text = [
        b"ERR unknown subcommand or wrong number of arguments for '",
        word,
        b"'. Try CLIENT HELP.",
    ];
    Error::new(text.concat())
}

/// What a client is for, as LIST and KILL tell clients apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It sends commands.
    Normal,
    /// It is the primary this server follows.
    Primary,
    /// It follows this server.
    Replica,
    /// It has subscriptions.
    Pubsub,
}

impl Class {
    /// The class that a word names.
    fn of_word(word: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"normal") {
            Some(Self::Normal)
        } else if is(b"master") {
            Some(Self::Primary)
        } else if is(b"replica") || is(b"slave") {
            Some(Self::Replica)
        } else if is(b"pubsub") {
            Some(Self::Pubsub)
        } else {
            None
        }
    }

    /// The class of a client.
    fn of(session: &Session) -> Self {
        if session.flags.contains(SessionFlags::REPLICA) {
            Self::Replica
        } else if session.flags.contains(SessionFlags::PRIMARY) {
            Self::Primary
        } else if session.flags.contains(SessionFlags::SUBSCRIBED) {
            Self::Pubsub
        } else {
            Self::Normal
        }
    }
}

/// The error for a word that names no class.
fn unknown_class(word: &[u8]) -> crate::command::Error {
    let word = crate::command::error::printed(word);
    crate::command::Error::new([b"ERR Unknown client type '", word, b"'"].concat())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn subcommands_there_are_not() {
        check("CLIENT", "-ERR wrong number of arguments for 'client' command");
        check("CLIENT foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.");
        check("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command");
    }

    #[test]
    fn help_lists_the_subcommands() {
        let reply = Bench::new().raw(&["CLIENT", "HELP"]);
        let text = String::from_utf8(reply).expect("text");
        let title = "+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n";
        assert!(text.contains(title));
        for subcommand in super::CLIENT.subcommands {
            let name = subcommand.spec.name.to_ascii_uppercase();
            assert!(text.contains(&format!("\r\n+{name}")), "{name}");
        }
    }
}
