//! Whether a user may run a command line: the command, each of its keys, its channels, its databases.
//!
//! Keys are found as COMMAND GETKEYS finds them (`command/keys`), so that what is checked is what is
//! touched. Commands say in their specs what they do with each.

use super::keys::{self, Arguments, Scope};
use super::server::Server;
use super::spec::{BeginSearch, FindKeys, Flags, KeyFlags, Spec};
use super::table::{CommandId, CommandTable};
use super::{Error, Outcome};
use crate::acl::{self, Access, ChannelName, DatabaseSet, Reason, Refusal, Selector, User};
use crate::base::ascii::eq_ignore_case;
use crate::base::num::{self, parse_i64};
use crate::resp::Args;
use crate::session::{Session, SessionFlags};

/// What of a command line concerns permissions, worked out once for each command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    keys: KeyPlan,
    channels: ChannelPlan,
    databases: DatabasePlan,
}

/// How a command's keys are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyPlan {
    /// It has none.
    None,
    /// One, always the same argument, with which it always does the same.
    One(usize, Access),
    /// One, always the same argument, with which it does what other arguments say.
    OneOf(usize),
    /// By its key specs.
    Specs,
}

/// Which arguments are channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelPlan {
    /// None.
    None,
    /// The first.
    First,
    /// All, and they are meant so.
    All(ChannelName),
}

/// Which databases a command uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DatabasePlan {
    /// None.
    None,
    /// The client's.
    Own,
    /// All there are.
    All,
    /// The first argument, and no other.
    First,
    /// The first and the second argument.
    FirstTwo,
    /// The client's, and the second argument.
    OwnAndSecond,
    /// The client's, and what follows the word DB.
    OwnAndOption,
}

/// What keeps a command line from being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What is not allowed.
    pub reason: Reason,
    /// Which argument that is; `None`: the command itself.
    pub at: Option<usize>,
}

/// What concerns permissions of a command.
#[must_use]
pub fn plan(spec: &Spec, full_name: &str) -> Plan {
    let is_key = |rule: &&super::spec::KeySpec| !rule.flags.contains(KeyFlags::NOT_KEY);
    let mut rules = spec.keys.iter().filter(is_key);
    let keys = match (rules.next(), rules.next()) {
        (None, _) => KeyPlan::None,
        (Some(rule), None) => match (rule.begin, rule.find) {
            (BeginSearch::Index(index), FindKeys::Range { last: 0, .. })
                if !rule.flags.contains(KeyFlags::INCOMPLETE) =>
            {
                let index = num::usize_of_i32(index);
                match rule.flags.contains(KeyFlags::VARIABLE_FLAGS) {
                    true => KeyPlan::OneOf(index),
                    false => KeyPlan::One(index, access_of(rule.flags)),
                }
            }
            _ => KeyPlan::Specs,
        },
        (Some(_), Some(_)) => KeyPlan::Specs,
    };
    let channels = match full_name {
        "publish" | "spublish" => ChannelPlan::First,
        "subscribe" | "ssubscribe" => ChannelPlan::All(ChannelName::Literal),
        "psubscribe" => ChannelPlan::All(ChannelName::Pattern),
        _ => ChannelPlan::None,
    };
    let uses_data = keys != KeyPlan::None
        || spec.flags.intersects(Flags::WRITE | Flags::READONLY)
        || spec.all_categories().contains(acl::Categories::KEYSPACE);
    let databases = match full_name {
        "select" => DatabasePlan::First,
        "swapdb" => DatabasePlan::FirstTwo,
        "move" => DatabasePlan::OwnAndSecond,
        "copy" => DatabasePlan::OwnAndOption,
        "flushall" => DatabasePlan::All,
        _ if uses_data => DatabasePlan::Own,
        _ => DatabasePlan::None,
    };
    Plan { keys, channels, databases }
}

/// What a key's flags mean for permissions.
fn access_of(flags: KeyFlags) -> Access {
    let mut access = Access::empty();
    access.set(Access::READ, flags.contains(KeyFlags::ACCESS));
    let writes = KeyFlags::INSERT | KeyFlags::DELETE | KeyFlags::UPDATE;
    access.set(Access::WRITE, flags.intersects(writes));
    access
}

/// Whether a user may run a command line while it uses a database.
///
/// # Errors
/// What is not allowed; if there are selectors, what the one that came furthest did not allow.
pub fn check<A: Arguments + ?Sized>(
    commands: &CommandTable,
    user: &User,
    db: usize,
    id: CommandId,
    args: &A,
) -> Result<(), Denied> {
    if allows_at_once(commands, user, id, args) {
        return Ok(());
    }
    let line = Line { commands, id, args, db };
    let mut furthest: Option<Denied> = None;
    for selector in user.permissions() {
        let Err(denied) = line.check(selector) else { return Ok(()) };
        if furthest.is_none_or(|other| (denied.reason, denied.at) > (other.reason, other.at)) {
            furthest = Some(denied);
        }
    }
    furthest.map_or(Ok(()), Err)
}

/// What is most often asked: whether the user's own permissions allow a command with one key. If not, they
/// may do so all the same.
#[inline]
fn allows_at_once<A: Arguments + ?Sized>(
    commands: &CommandTable,
    user: &User,
    id: CommandId,
    args: &A,
) -> bool {
    let (plan, root) = (commands.get(id).access, user.root());
    let (index, access) = match plan.keys {
        KeyPlan::One(index, access) => (index, access),
        // Who may do everything may do whatever it is.
        KeyPlan::OneOf(index) => (index, Access::all()),
        KeyPlan::None | KeyPlan::Specs => return false,
    };
    root.commands.contains(id.index())
        && index < args.count()
        && plan.channels == ChannelPlan::None
        && root.databases == DatabaseSet::All
        && root.keys.allows(args.at(index), access)
}

/// Whether one selector lets a user run the command line and read every key there may be besides.
pub fn reads_every_key<A: Arguments + ?Sized>(
    commands: &CommandTable,
    user: &User,
    db: usize,
    id: CommandId,
    args: &A,
) -> bool {
    let line = Line { commands, id, args, db };
    let mut permissions = user.permissions();
    permissions.any(|selector| {
        selector.keys.allows_every_key(Access::READ) && line.check(selector).is_ok()
    })
}

/// A command line to be judged.
struct Line<'a, A: Arguments + ?Sized> {
    commands: &'a CommandTable,
    id: CommandId,
    args: &'a A,
    db: usize,
}

impl<A: Arguments + ?Sized> Line<'_, A> {
    fn check(&self, selector: &Selector) -> Result<(), Denied> {
        let registered = self.commands.get(self.id);
        let spec = &registered.command.spec;
        let command = self.id.index();
        let may_run = selector.commands.contains(command)
            || spec.flags.contains(Flags::NO_AUTH)
            || self.args.count() > 1 && selector.commands.contains_with(command, self.args.at(1));
        if !may_run {
            return Err(Denied { reason: Reason::Command, at: None });
        }
        match registered.access.keys {
            KeyPlan::None => {}
            KeyPlan::One(index, access) => {
                if index < self.args.count() {
                    self.check_key(selector, index, access)?;
                }
            }
            KeyPlan::OneOf(_) | KeyPlan::Specs => {
                for key in keys::find(spec, self.args, Scope::Keys) {
                    self.check_key(selector, key.index, access_of(key.flags))?;
                }
            }
        }
        self.check_channels(selector, registered.access.channels)?;
        match &selector.databases {
            DatabaseSet::All => Ok(()),
            DatabaseSet::Some(_) => self.check_databases(selector, registered.access.databases),
        }
    }

    #[inline]
    fn check_key(&self, selector: &Selector, index: usize, access: Access) -> Result<(), Denied> {
        if selector.keys.allows(self.args.at(index), access) {
            Ok(())
        } else {
            Err(Denied { reason: Reason::Key, at: Some(index) })
        }
    }

    #[inline]
    fn check_channels(&self, selector: &Selector, plan: ChannelPlan) -> Result<(), Denied> {
        let (last, meant) = match plan {
            ChannelPlan::None => return Ok(()),
            ChannelPlan::First => (1, ChannelName::Literal),
            ChannelPlan::All(meant) => (usize::MAX, meant),
        };
        for index in 1..=last.min(self.args.count() - 1) {
            if !selector.channels.allows(self.args.at(index), meant) {
                return Err(Denied { reason: Reason::Channel, at: Some(index) });
            }
        }
        Ok(())
    }

    #[cold]
    fn check_databases(&self, selector: &Selector, plan: DatabasePlan) -> Result<(), Denied> {
        let denied = |at| Err(Denied { reason: Reason::Database, at });
        let own = || if selector.databases.allows(self.db) { Ok(()) } else { denied(None) };
        // What is no number is for the command to say.
        let named = |index: usize| {
            let number = (index < self.args.count()).then(|| parse_i64(self.args.at(index)));
            let number = number.flatten().and_then(|number| usize::try_from(number).ok());
            match number {
                Some(db) if !selector.databases.allows(db) => denied(Some(index)),
                Some(_) | None => Ok(()),
            }
        };
        match plan {
            DatabasePlan::None => Ok(()),
            DatabasePlan::Own => own(),
            DatabasePlan::All => denied(None),
            DatabasePlan::First => named(1),
            DatabasePlan::FirstTwo => named(1).and_then(|()| named(2)),
            DatabasePlan::OwnAndSecond => own().and_then(|()| named(2)),
            DatabasePlan::OwnAndOption => {
                own()?;
                let is_option = |&index: &usize| eq_ignore_case(self.args.at(index), b"db");
                (3..self.args.count()).filter(is_option).try_for_each(|index| named(index + 1))
            }
        }
    }
}

/// The error of a command line that is refused.
fn refused(commands: &CommandTable, id: CommandId, denied: Denied) -> Error {
    match denied.reason {
        Reason::Command | Reason::Auth | Reason::TlsCertificate => Error::new(format!(
            "NOPERM this user has no permissions to run the '{}' command",
            commands.get(id).full_name
        )),
        Reason::Key => Error::fixed(
            "NOPERM this user has no permissions to access one of the keys used as arguments",
        ),
        Reason::Channel => Error::fixed(
            "NOPERM this user has no permissions to access one of the channels used as arguments",
        ),
        Reason::Database => Error::fixed("NOPERM No permissions to access database"),
    }
}

/// The error of a queued command that meanwhile is refused.
fn refused_now(denied: Denied) -> Error {
    let reason = match denied.reason {
        Reason::Command | Reason::Auth | Reason::TlsCertificate => {
            "no permission to execute the command or subcommand"
        }
        Reason::Key => "no permission to touch the specified keys",
        Reason::Channel => "no permission to access one of the channels used as arguments",
        Reason::Database => "no permission",
    };
    Error::new(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC \
         call. This command is no longer allowed for the following reason: {reason}"
    ))
}

/// The error of a command that a script may not call for its user.
fn refused_to_script(denied: Denied) -> Error {
    Error::fixed(match denied.reason {
        Reason::Command | Reason::Auth | Reason::TlsCertificate => {
            "ERR The user executing the script can't run this command or subcommand"
        }
        Reason::Key => {
            "ERR The user executing the script can't access at least one of the keys mentioned in \
             the command arguments"
        }
        Reason::Channel => {
            "ERR The user executing the script can't publish to the channel mentioned in the command"
        }
        Reason::Database => {
            "ERR The user executing the script can't access the database that the command uses"
        }
    })
}

impl Server {
    /// Whether a client's user may run a command line; nothing is noted.
    pub(super) fn has_access(&self, session: &Session, id: CommandId, args: &Args<'_>) -> bool {
        check(&self.commands, &session.user, session.db, id, args).is_ok()
    }

    /// Whether a client's user may run a command line; what is refused is noted.
    fn allows(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
        context: acl::Context,
    ) -> Result<(), Denied> {
        let allowed = check(&self.commands, &session.user, session.db, id, args);
        if let Err(denied) = allowed {
            self.note_denied(session, id, args, denied, context);
        }
        allowed
    }

    /// As [`Server::check_access`], for a command that a script calls.
    ///
    /// # Errors
    /// What Redis tells scripts.
    pub(super) fn check_script_access(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
    ) -> Outcome {
        self.allows(session, id, args, acl::Context::Lua).map_err(refused_to_script)
    }

    /// Whether a client's user may run a command line; if not, that is noted.
    ///
    /// # Errors
    /// `NOPERM`.
    pub(super) fn check_access(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
    ) -> Outcome {
        let context = if session.flags.contains(SessionFlags::MULTI) {
            acl::Context::Multi
        } else {
            acl::Context::Toplevel
        };
        let allowed = self.allows(session, id, args, context);
        allowed.map_err(|denied| refused(&self.commands, id, denied))
    }

    /// As [`Server::check_access`], for a command of a transaction that is being executed.
    ///
    /// # Errors
    /// `NOPERM`.
    pub(super) fn check_queued_access(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
    ) -> Outcome {
        self.allows(session, id, args, acl::Context::Multi).map_err(refused_now)
    }

    /// Counts a command line that was refused and puts it into the log.
    #[cold]
    pub fn note_denied(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
        denied: Denied,
        context: acl::Context,
    ) {
        let object = match denied.at {
            Some(index) => args.at(index),
            None => self.commands.get(id).full_name.as_bytes(),
        };
        let username = session.user.name();
        self.note_refusal(session, Refusal { reason: denied.reason, context, object, username });
    }

    /// Counts a refusal and puts it into the log.
    #[cold]
    pub(super) fn note_refusal(&mut self, session: &Session, refusal: Refusal<'_>) {
        *match refusal.reason {
            Reason::Command => &mut self.stats.acl_denied_commands,
            Reason::Key => &mut self.stats.acl_denied_keys,
            Reason::Channel => &mut self.stats.acl_denied_channels,
            Reason::Auth => &mut self.stats.acl_denied_auth,
            Reason::Database => &mut self.stats.acl_denied_databases,
            Reason::TlsCertificate => &mut self.stats.acl_denied_certificates,
        } += 1;
        let client = self.client_line(session).into_bytes().into();
        let len_max = num::usize_of(self.config.acllog_max_len);
        self.acl_log.note(refusal, client, self.now.unix_ms(), len_max);
    }
}
