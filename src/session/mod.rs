//! One client's state, and the table of all clients. No sockets: bytes come in, [`Output`] goes out.

mod ledger;
mod table;
pub mod tracking;

pub use ledger::{Counted, Ledger};
pub use table::Sessions;

use crate::acl::User;
use crate::pubsub::{Kind, Subscriptions};
use crate::repl::Announcement;
use crate::resp::parse::Trust;
use crate::resp::{Assembly, Output, OwnedArgs, Queue};
use crate::value::Type;
use bitflags::bitflags;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

/// A client's number, never used twice in the life of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix socket, by its path.
    Unix(std::sync::Arc<str>),
}

impl Endpoint {
    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{path}:0"),
        }
    }
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// CLIENT REPLY SKIP was just executed: the next command's is left out.
    SkipNext,
    /// Not the one of the command under way.
    Skip,
    /// It has just asked to follow: the answer to that is the last one.
    FollowsNext,
    /// It follows: it is sent the stream, between which no reply may come.
    Follows,
}

/// Whether a client stays connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Closing {
    /// It stays.
    #[default]
    No,
    /// It is closed once its output is sent; its input is ignored from now on.
    AfterReplies,
    /// It is closed at the end of the turn, whatever is left to send.
    Now,
}

/// What a client waits for that has sent a command whose reply takes time. What it sends then is
/// kept until the reply is there.
#[derive(Debug)]
pub struct Blocked {
    /// When it stops waiting, by the clock that only rises, nanoseconds; `None`: never by itself.
    pub until_ns: Option<u64>,
    /// Writes the reply for a time that has run out.
    pub timed_out: fn(&mut Output),
    /// The keys it waits for, if it does.
    pub keys: Option<Box<AwaitedKeys>>,
    /// The copies of what it has changed that it waits for, if it does.
    pub copies: Option<AwaitedCopies>,
}

/// What kind of copies a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyKind {
    /// With replicas.
    InMemory,
    /// On the disks of this server and of replicas.
    OnDisk,
}

/// Copies of what a client has changed, for which it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedCopies {
    /// What counts.
    pub kind: CopyKind,
    /// Where it ends in the append-only file.
    pub position: u64,
    /// Where it ends in the stream to replicas.
    pub offset: u64,
    /// How many copies it wants here: one or none.
    pub here: u64,
    /// How many it wants with replicas.
    pub there: u64,
}

/// What happens to a client when a key that it waits for goes, or is given another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenGone {
    /// It waits for the key to come back.
    Wait,
    /// Its command is executed again, to say what is wrong.
    TryAgain,
}

/// Keys that a client waits for, to execute its command again when one of them is there.
#[derive(Debug)]
pub struct AwaitedKeys {
    /// Their database.
    pub db: usize,
    /// The type they must have.
    pub kind: Type,
    /// Whether their going, too, is something to tell the client.
    pub when_gone: WhenGone,
    /// The command.
    pub args: OwnedArgs,
    /// Which of its arguments they are.
    pub range: Range<usize>,
    /// The client's turn among all who wait.
    pub turn: u64,
}

impl AwaitedKeys {
    /// The keys.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let args = self.args.as_args();
        self.range.clone().map(move |index| args.at(index))
    }
}

bitflags! {
    /// Settings and facts that CLIENT LIST shows as letters.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct SessionFlags: u32 {
        /// Connected through a Unix socket.
        const UNIX_SOCKET = 1 << 0;
        /// CLIENT NO-EVICT on.
        const NO_EVICT = 1 << 1;
        /// CLIENT NO-TOUCH on.
        const NO_TOUCH = 1 << 2;
        /// Executing from its own kept input (after a pause), so that it is not queued twice.
        const RESUMING = 1 << 3;
        /// Its input waits until a pause ends, or for its turn after a reply that took time.
        const PAUSED = 1 << 4;
        /// It listens to channels or patterns.
        const SUBSCRIBED = 1 << 5;
        /// It is shown what all clients execute (MONITOR).
        const MONITOR = 1 << 6;
        /// What it sends was executed elsewhere before, so that it is not judged again.
        const OBEYED = 1 << 15;
        /// In a transaction: its commands are queued.
        const MULTI = 1 << 7;
        /// It has watched keys since its last transaction.
        const WATCHING = 1 << 8;
        /// Its commands are executed as part of something that cannot wait.
        const DENY_BLOCKING = 1 << 9;
        /// A script runs for it.
        const SCRIPT = 1 << 12;
        /// It is told when keys change (CLIENT TRACKING).
        const TRACKING = 1 << 10;
        /// Of all keys that it reads, without exceptions.
        const TRACKS_READS = 1 << 11;
        /// It debugs the scripts that it runs (SCRIPT DEBUG).
        const DEBUG = 1 << 28;
        /// In this process.
        const DEBUG_SYNC = 1 << 29;
        /// There are things that its user may not do.
        const RESTRICTED = 1 << 13;
        /// It follows this server: it is sent the stream of changes.
        const REPLICA = 1 << 14;
        /// This server follows it: it sends the stream of changes.
        const PRIMARY = 1 << 16;
    }
}

/// The commands of a transaction.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands, with their places among all commands as tags.
    pub queue: Queue,
    /// The flags that one of them has, as bits.
    pub flags: u32,
    /// The flags that one of them has not, as bits.
    pub missing: u32,
    /// Whether one was refused, so that none will be executed.
    pub is_doomed: bool,
}

impl Transaction {
    /// Leaves it as new; what it has allocated is kept.
    pub fn clear(&mut self) {
        self.queue.clear();
        (self.flags, self.missing, self.is_doomed) = (0, 0, false);
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub id: ClientId,
    /// Its place in the table, which the reactor uses as its token.
    pub index: usize,
    /// The database it selected.
    pub db: usize,
    /// Replies not sent yet.
    pub output: Output,
    /// Bytes of a small incomplete command, or input kept during a pause.
    pub tail: Vec<u8>,
    /// The last turn in which it changed something that is logged.
    pub changed_in_turn: u64,
    /// Where the stream to replicas was after what it changed last.
    pub changed_at_offset: u64,
    /// What it has said about itself, if it may come to follow.
    pub announced: Option<Box<Announcement>>,
    /// A large command in the making.
    pub assembly: Option<Box<Assembly>>,
    /// A large command completed during a pause.
    pub held: Option<OwnedArgs>,
    /// What it waits for, if it does.
    pub blocked: Option<Blocked>,
    /// What it listens to, if it does.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Bytes that the keys it watches take elsewhere, about.
    pub watched_bytes: usize,
    /// Bytes that the prefixes it tracks take elsewhere, about.
    pub prefix_bytes: usize,
    /// Its transaction, if it is in one.
    pub transaction: Option<Box<Transaction>>,
    /// Whether it has authenticated, or needed not to when it connected.
    pub trust: Trust,
    /// Since when it has been a stranger, if it is one, Unix seconds.
    pub stranger_since_s: i64,
    /// Who it is: the default user at first. To be changed by [`Session::become_user`].
    pub user: Arc<User>,
    /// Settings.
    pub flags: SessionFlags,
    /// Which replies it wants.
    pub reply_mode: ReplyMode,
    /// Whether it stays connected.
    pub closing: Closing,
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_version: Box<[u8]>,
    /// The client's end.
    pub peer: Endpoint,
    /// Our end.
    pub local: Endpoint,
    /// The descriptor's number, for CLIENT LIST.
    pub descriptor: i32,
    /// When it connected, Unix seconds.
    pub connected_at_s: i64,
    /// When it last sent or was sent something, Unix seconds.
    pub active_at_s: i64,
    /// Full name of its last command, for CLIENT LIST; empty before the first.
    pub last_command: &'static str,
    /// Commands executed.
    pub commands: u64,
    /// Bytes received and sent.
    pub received_bytes: u64,
    /// See `received_bytes`.
    pub sent_bytes: u64,
    /// Since when its output has been over the soft limit, Unix seconds.
    pub soft_limit_since_s: Option<i64>,
    /// What it was last found to take.
    pub counted: Counted,
    /// Whether it is already listed as having output to send.
    pub is_queued_for_write: bool,
    /// Whether it is listed among the clients whose pushes are to be written.
    pub is_queued_for_push: bool,
}

impl Session {
    /// A client that has just connected. Its `index` is set by [`Sessions::insert`].
    pub fn new(
        id: ClientId,
        peer: Endpoint,
        local: Endpoint,
        descriptor: i32,
        now_s: i64,
        user: &Arc<User>,
    ) -> Self {
        let mut flags = SessionFlags::empty();
        flags.set(SessionFlags::UNIX_SOCKET, matches!(local, Endpoint::Unix(_)));
        flags.set(SessionFlags::RESTRICTED, !user.is_unrestricted());
        Self {
            id,
            index: usize::MAX,
            db: 0,
            output: Output::default(),
            tail: Vec::new(),
            changed_in_turn: 0,
            changed_at_offset: 0,
            announced: None,
            assembly: None,
            held: None,
            blocked: None,
            subscriptions: None,
            watched_bytes: 0,
            prefix_bytes: 0,
            transaction: None,
            trust: Trust::Unauthenticated,
            stranger_since_s: now_s,
            user: Arc::clone(user),
            flags,
            reply_mode: ReplyMode::On,
            closing: Closing::No,
            name: Box::default(),
            lib_name: Box::default(),
            lib_version: Box::default(),
            peer,
            local,
            descriptor,
            connected_at_s: now_s,
            active_at_s: now_s,
            last_command: "",
            commands: 0,
            received_bytes: 0,
            sent_bytes: 0,
            soft_limit_since_s: None,
            counted: Counted::default(),
            is_queued_for_write: false,
            is_queued_for_push: false,
        }
    }

    /// Makes it another user, or the same one whose permissions have changed.
    pub fn become_user(&mut self, user: &Arc<User>) {
        self.user = Arc::clone(user);
        self.flags.set(SessionFlags::RESTRICTED, !user.is_unrestricted());
    }

    /// Whether its commands are not executed now but kept.
    #[inline]
    pub fn is_held_back(&self) -> bool {
        self.flags.contains(SessionFlags::PAUSED) || self.blocked.is_some()
    }

    /// How many names of a kind it listens to.
    pub fn subscribed(&self, kind: Kind) -> usize {
        self.subscriptions.as_ref().map_or(0, |own| own.len(kind))
    }

    /// Bytes of memory that the commands of its transaction take.
    pub fn transaction_bytes(&self) -> usize {
        let transaction = self.transaction.as_ref();
        transaction.map_or(0, |transaction| transaction.queue.memory_bytes())
    }

    /// Bytes of input held for it.
    pub fn query_bytes(&self) -> usize {
        self.tail.len() + self.assembly.as_ref().map_or(0, |assembly| assembly.memory_bytes())
    }

    /// Bytes of input received and not executed.
    pub fn waiting_input_bytes(&self) -> usize {
        self.tail.len() + self.assembly.as_ref().map_or(0, |assembly| assembly.received_bytes())
    }

    /// Bytes of memory it takes or has announced that it will: a large argument counts once its length is
    /// known.
    pub fn claimed_bytes(&self) -> usize {
        let missing = self.assembly.as_ref().map_or(0, |assembly| assembly.missing_bytes());
        self.memory_bytes().saturating_add(missing)
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        let awaited = self.blocked.as_ref().and_then(|blocked| blocked.keys.as_ref());
        let held = self.held.as_ref().map_or(0, OwnedArgs::memory_bytes)
            + awaited.map_or(0, |keys| keys.args.memory_bytes());
        let assembly = self.assembly.as_ref().map_or(0, |assembly| assembly.memory_bytes());
        size_of::<Self>()
            + self.tail.capacity()
            + assembly
            + held
            + self.subscriptions.as_ref().map_or(0, |own| own.memory_bytes())
            + self.transaction_bytes()
            + self.watched_bytes
            + self.prefix_bytes
            + self.output.memory_bytes()
            + self.name.len()
            + self.lib_name.len()
            + self.lib_version.len()
    }

    /// Asks for the connection to be closed once its replies are sent.
    pub fn close_after_replies(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::AfterReplies;
        }
    }
}
