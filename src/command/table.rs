//! From a command's name to its code, and the figures kept for each command.

use super::access::{self, Plan};
use super::keys::{self, LegacyRange};
use super::latency::Durations;
use super::{Command, FAMILIES};
use crate::acl::Catalog;
use crate::base::num;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Slots of the name table; a power of two, several times the number of commands.
const SLOTS: usize = 2048;
/// Longest name that is looked up; longer ones name nothing.
const NAME_LEN_MAX: usize = 32;

/// A command's place among all commands and subcommands of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId(u16);

impl CommandId {
    /// As an index into tables of all commands.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Figures of INFO commandstats.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Executions.
    pub calls: u64,
    /// Time of all executions, nanoseconds.
    pub nanos: u64,
    /// Refused before execution.
    pub rejected: u64,
    /// Failed during execution.
    pub failed: u64,
}

/// One command or subcommand at run time.
#[derive(Debug)]
pub struct Registered {
    /// What it is.
    pub command: &'static Command,
    /// Lower-case full name, subcommands as `config|get`; after `rename-command` still the original.
    pub full_name: &'static str,
    /// Its fixed keys.
    pub keys: LegacyRange,
    /// The argument that says how many keys follow it; 0 if none does, or some keys are fixed.
    pub counted_at: usize,
    /// What of it concerns permissions.
    pub access: Plan,
    /// See [`super::Spec::member_at`].
    pub member_at: usize,
    /// Its figures.
    pub stats: CommandStats,
    /// Durations of its executions, nanoseconds; none before the first.
    pub latency: Option<Box<Durations>>,
    /// Subcommands, by position in [`Command::subcommands`].
    pub subcommands: Vec<CommandId>,
    /// The container, for a subcommand.
    pub container: Option<CommandId>,
}

/// A name that lives as long as the program: each is kept once, however many tables there are (tests
/// and simulations run thousands of servers in one process).
fn for_ever(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&kept) = names.get(name.as_str()) {
        return kept;
    }
    let kept = String::leak(name);
    names.insert(kept);
    kept
}

/// All commands, found by name.
#[derive(Debug)]
pub struct CommandTable {
    commands: Vec<Registered>,
    /// Open addressing: names in force (after `rename-command`) and what they stand for.
    slots: Vec<Option<(Box<[u8]>, CommandId)>>,
}

impl Default for CommandTable {
    fn default() -> Self {
        let mut table = Self { commands: Vec::new(), slots: vec![None; SLOTS] };
        for command in FAMILIES.iter().copied().flatten() {
            let id = table.register(command, None);
            table.insert_name(command.spec.name.as_bytes().into(), id);
        }
        table
    }
}

impl CommandTable {
    fn register(&mut self, command: &'static Command, container: Option<CommandId>) -> CommandId {
        let id = CommandId(num::u16_of(self.commands.len(), "there are a few hundred commands"));
        let full_name = match container {
            None => command.spec.name,
            Some(container) => {
                let outer = self.commands[container.index()].full_name;
                for_ever(format!("{outer}|{}", command.spec.name))
            }
        };
        self.commands.push(Registered {
            command,
            full_name,
            keys: keys::legacy_range(&command.spec),
            counted_at: keys::counted_at(&command.spec),
            access: access::plan(&command.spec, full_name),
            member_at: command.spec.member_at,
            stats: CommandStats::default(),
            latency: None,
            subcommands: Vec::new(),
            container,
        });
        for subcommand in command.subcommands {
            let sub_id = self.register(subcommand, Some(id));
            self.commands[id.index()].subcommands.push(sub_id);
        }
        id
    }

    #[inline]
    fn slot_of(name: &[u8]) -> usize {
        // FNV-1a over the bytes with the case bit set; names are short and few.
        let mut hash: u32 = 0x811c_9dc5;
        for &byte in name {
            hash = (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193);
        }
        num::usize_of_u32(hash ^ (hash >> 15)) % SLOTS
    }

    fn insert_name(&mut self, name: Box<[u8]>, id: CommandId) {
        let mut slot = Self::slot_of(&name);
        while self.slots[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = Some((name, id));
    }

    /// The command of a name, in any case. Subcommands are found by [`CommandTable::subcommand`].
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<CommandId> {
        if name.len() > NAME_LEN_MAX {
            return None;
        }
        let mut slot = Self::slot_of(name);
        while let Some((held, id)) = &self.slots[slot] {
            if held.eq_ignore_ascii_case(name) {
                return Some(*id);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// The subcommand of a container, by its word in any case.
    pub fn subcommand(&self, container: CommandId, word: &[u8]) -> Option<CommandId> {
        let ids = &self.commands[container.index()].subcommands;
        ids.iter()
            .copied()
            .find(|&id| self.get(id).command.spec.name.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Gives a command another name, or none if `to` is empty (`rename-command`).
    ///
    /// # Errors
    /// No command is called `from`, or one is called `to`.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), &'static str> {
        let id = self.find(from).ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.find(to).is_some() {
            return Err("Target command name already exists");
        }
        let mut names: Vec<_> = self.slots.iter_mut().filter_map(Option::take).collect();
        names.retain(|(name, _)| !name.eq_ignore_ascii_case(from));
        if !to.is_empty() {
            names.push((to.into(), id));
        }
        for (name, id) in names {
            self.insert_name(name, id);
        }
        Ok(())
    }

    /// The command that has this index among all.
    pub fn id_at(&self, index: usize) -> CommandId {
        debug_assert!(index < self.commands.len());
        CommandId(num::u16_of(index, "it was an identifier's"))
    }

    /// The command with this number.
    #[inline]
    pub fn get(&self, id: CommandId) -> &Registered {
        &self.commands[id.index()]
    }

    /// Its figures.
    #[inline]
    pub fn stats_mut(&mut self, id: CommandId) -> &mut CommandStats {
        &mut self.commands[id.index()].stats
    }

    /// Adds one execution to a command's latency histogram.
    #[inline]
    pub fn record_latency(&mut self, id: CommandId, nanos: u64) {
        self.commands[id.index()].latency.get_or_insert_with(Durations::new).add(nanos);
    }

    /// Sets all figures to zero (CONFIG RESETSTAT).
    pub fn reset_stats(&mut self) {
        for command in &mut self.commands {
            command.stats = CommandStats::default();
            command.latency = None;
        }
    }

    /// What rules of users need to know of the commands.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        for command in &self.commands {
            let container = command.container.map(CommandId::index);
            catalog.add(command.full_name, command.command.spec.all_categories(), container);
        }
        catalog
    }

    /// All commands and subcommands.
    pub fn iter(&self) -> impl Iterator<Item = (CommandId, &Registered)> {
        let ids = (0..).map(CommandId);
        ids.zip(&self.commands)
    }

    /// The commands that have a name now, containers without their subcommands, with that name.
    pub fn named(&self) -> impl Iterator<Item = (&[u8], CommandId)> {
        self.slots.iter().flatten().map(|(name, id)| (&**name, *id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let table = CommandTable::default();
        let id = table.find(b"get").expect("GET exists");
        assert_eq!(table.find(b"GeT"), Some(id));
        assert_eq!(table.get(id).full_name, "get");
        assert_eq!(table.find(b"get\x00"), None);
        assert_eq!(table.find(&[b'g'; 100]), None);
    }

    #[test]
    fn renaming_moves_one_name() {
        let mut table = CommandTable::default();
        let id = table.find(b"get").expect("GET exists");
        assert!(table.rename(b"get", b"set").is_err());
        table.rename(b"get", b"fetch").expect("free");
        assert_eq!((table.find(b"get"), table.find(b"FETCH")), (None, Some(id)));
        table.rename(b"fetch", b"").expect("may be removed");
        assert_eq!(table.find(b"fetch"), None);
        assert!(table.rename(b"fetch", b"x").is_err());
    }

    #[test]
    fn tables_share_the_names_of_subcommands() {
        let name = |table: &CommandTable| {
            let id = table.find(b"config").expect("a command");
            let id = table.subcommand(id, b"get").expect("a subcommand");
            table.get(id).full_name
        };
        let names = [CommandTable::default(), CommandTable::default()].map(|table| name(&table));
        assert_eq!(names, ["config|get"; 2]);
        assert!(std::ptr::eq(names[0], names[1]));
    }
}
