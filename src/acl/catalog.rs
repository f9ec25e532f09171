//! What rules need to know of the commands: their names, their categories, and which are parts of which.

use super::Categories;
use std::collections::HashMap;

/// One command or subcommand.
#[derive(Clone, Debug)]
struct Entry {
    name: &'static str,
    categories: Categories,
    container: Option<usize>,
    subcommands: Vec<usize>,
}

/// All commands and subcommands, by the numbers that the server gives them.
///
/// Rules name commands by the names they were born with: `rename-command` changes none of them.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    by_name: HashMap<&'static str, usize>,
}

impl Catalog {
    /// Adds the next command: its full name in lower case (`config|get`), its categories, and the number
    /// of the command it is a part of, which was added before.
    pub fn add(&mut self, name: &'static str, categories: Categories, container: Option<usize>) {
        let index = self.entries.len();
        self.by_name.insert(name, index);
        if let Some(container) = container {
            self.entries[container].subcommands.push(index);
        }
        self.entries.push(Entry { name, categories, container, subcommands: Vec::new() });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The command of a full name, in any case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(name.as_str()).copied()
    }

    /// A command's full name.
    #[must_use]
    pub fn name(&self, index: usize) -> &'static str {
        self.entries[index].name
    }

    /// Whether a command is a part of another.
    #[must_use]
    pub fn is_subcommand(&self, index: usize) -> bool {
        self.entries[index].container.is_some()
    }

    /// The parts of a command.
    #[must_use]
    pub fn subcommands(&self, index: usize) -> &[usize] {
        &self.entries[index].subcommands
    }

    /// The commands of a category, subcommands included.
    pub fn of_category(&self, category: Categories) -> impl Iterator<Item = usize> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(move |(_, entry)| entry.categories.contains(category))
            .map(|(index, _)| index)
    }
}
