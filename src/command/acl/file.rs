//! ACL LOAD and SAVE, and the users a server starts with.

use super::sessions::password_rules;
use super::{ADMIN_FLAGS, new_channels};
use crate::acl::{DEFAULT_USER, User, Users};
use crate::command::spec::Group;
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::config::{Origin, Text, UserRules};

/// ACL LOAD
pub(super) static LOAD: Command =
    Command { spec: LOAD_SPEC, handler: Some(load), subcommands: &[] };

const LOAD_SPEC: Spec = Spec {
    name: "load",
    summary: "Puts the users of the ACL file in the place of those there are.",
    complexity: "O(N), N being the number of users and connections.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: ADMIN_FLAGS,
    ..Spec::EMPTY
};

/// ACL SAVE
pub(super) static SAVE: Command =
    Command { spec: SAVE_SPEC, handler: Some(save), subcommands: &[] };

const SAVE_SPEC: Spec = Spec {
    name: "save",
    summary: "Writes all users into the ACL file.",
    complexity: "O(N), N being the number of users.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: ADMIN_FLAGS,
    ..Spec::EMPTY
};

const NO_FILE: Error = Error::fixed(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
     via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
     configuration file set) in order to store users in the Redis configuration.",
);
const NOT_SAVED: Error = Error::fixed(
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
);

fn load(ctx: &mut Context<'_>) -> Outcome {
    if ctx.server.config.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    let users = ctx.server.read_users().map_err(|reason| Error::new(format!("ERR {reason}")))?;
    ctx.server.replace_users(ctx.session, users);
    ctx.ok()
}

fn save(ctx: &mut Context<'_>) -> Outcome {
    if ctx.server.config.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    let mut text = Vec::new();
    for line in ctx.server.users.lines() {
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    let path = ctx.server.config.aclfile.clone();
    ctx.server.host.replace_file(path.as_path(), &text).map_err(|error| {
        tracing::warn!("The ACL file could not be saved: {error}");
        NOT_SAVED
    })?;
    ctx.ok()
}

/// Why a server cannot start with the users it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUsers {
    /// The line at fault, if it is one of the configuration, without what may be secret.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub reason: String,
}

impl Server {
    /// The users of the ACL file.
    fn read_users(&mut self) -> Result<Users, String> {
        let path = self.config.aclfile.clone();
        let text = self
            .host
            .read_file(path.as_path())
            .map_err(|error| format!("Error loading ACLs, opening file '{path}': {error}"))?;
        let channels = new_channels(&self.config);
        self.users.of_file(&path.to_string(), &text, channels).map_err(|error| error.to_string())
    }

    /// Makes the users that the configuration declares, or those of the ACL file, before the first client.
    ///
    /// # Errors
    /// Why they cannot be.
    pub fn load_users(&mut self) -> Result<(), BadUsers> {
        const BOTH: &str = "Configuring Redis with users defined in redis.conf and at the same \
                            setting an ACL file path is invalid. This setup is very likely to lead \
                            to configuration errors and security holes, please define either an \
                            ACL file or declare users directly in your redis.conf, but not both.";
        let declared = std::mem::take(&mut self.config.user);
        let outcome = match (declared.is_empty(), self.config.aclfile.is_empty()) {
            (true, true) => Ok(()),
            (false, false) => Err(BadUsers { origin: None, reason: BOTH.to_owned() }),
            (false, true) => self.declare_users(&declared),
            (true, false) => {
                self.load_file_at_start().map_err(|reason| BadUsers { origin: None, reason })
            }
        };
        self.config.user = declared;
        outcome
    }

    /// The lines that declare the users in a configuration: none if an ACL file does, and none about the
    /// default user if `requirepass` says all there is to say.
    pub(in crate::command) fn users_to_declare(&self) -> Vec<Vec<u8>> {
        if !self.config.aclfile.is_empty() {
            return Vec::new();
        }
        let mut plain = Users::new(self.users.catalog().clone());
        let rules = password_rules(&self.config);
        let default = plain.changed(DEFAULT_USER, new_channels(&self.config), &rules);
        plain.put(default.expect("passwords are never refused"));
        let as_configured = plain.quoted_lines().next();
        let lines = self.users.quoted_lines();
        lines.filter(|line| Some(line) != as_configured.as_ref()).collect()
    }

    fn declare_users(&mut self, declared: &[UserRules]) -> Result<(), BadUsers> {
        let channels = new_channels(&self.config);
        let mut users = self.users.clone();
        let words = declared.iter().map(|user| user.words.as_slice());
        users.declare::<Text>(channels, words).map_err(|(index, error)| {
            let UserRules { words, origin } = &declared[index];
            let name = &words[0];
            // The rest of the line may be a password.
            let text = Text::from(format!("user {name} ...").as_str());
            BadUsers {
                origin: Some(Origin { text, ..origin.clone() }),
                reason: format!("Error in user declaration '{name}': {error}"),
            }
        })?;
        self.users = users;
        Ok(())
    }

    fn load_file_at_start(&mut self) -> Result<(), String> {
        let users = self
            .read_users()
            .map_err(|reason| format!("Aborting Redis startup because of ACL errors: {reason}"))?;
        let is_default = |user: &User| user.name() == DEFAULT_USER && user.takes_any_password();
        if !self.config.requirepass.is_empty() && users.iter().any(|user| is_default(user)) {
            tracing::warn!(
                "requirepass is set, but what counts is the ACL file, which lets everybody in as \
                 the default user"
            );
        }
        self.users = users;
        Ok(())
    }
}
