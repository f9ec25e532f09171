//! Replies to the commands of a transaction: they come together, and each is compared as it would be
//! by itself.

use crate::grammar::Command;
use crate::reply::{Compare, Given, Reply};

/// The commands that were queued since the last EXEC.
#[derive(Default)]
pub(crate) struct Transaction {
    queued: Vec<Compare>,
    /// What the reply to EXEC holds, while it is looked at.
    executed: Vec<Compare>,
}

impl Transaction {
    /// Takes note of a command and its reply.
    pub(crate) fn note(&mut self, command: &Command, reply: Option<&Reply>) {
        self.executed.clear();
        if matches!(reply, Some(Reply::Line(b'+', text)) if text == b"QUEUED") {
            self.queued.push(command.compare);
        } else if is(command, b"EXEC") {
            self.executed = std::mem::take(&mut self.queued);
        } else if is(command, b"MULTI") && matches!(reply, Some(Reply::Line(b'+', _))) {
            self.queued.clear();
        }
    }

    /// Whether two replies of EXEC agree in each of their parts.
    pub(crate) fn agree<'r>(
        &self,
        command: &Command,
        oracle: Given<'r>,
        subject: Given<'r>,
    ) -> bool {
        let parts = (oracle.reply.elements(), subject.reply.elements());
        let (Some(left), Some(right)) = parts else { return false };
        if !is(command, b"EXEC") || left.len() != right.len() {
            return false;
        }
        left.iter().zip(right).enumerate().all(|(index, (left, right))| {
            // Iterations with SCAN are queued as well, and not noted.
            let compare = match self.executed.len() == parts.0.map_or(0, <[Reply]>::len) {
                true => self.executed[index],
                false => Compare::Shape,
            };
            let next = |reply: &'r Reply| reply.elements().and_then(|parts| parts.get(index + 1));
            let oracle = Given { reply: left, next: next(oracle.reply) };
            let subject = Given { reply: right, next: next(subject.reply) };
            compare.agree(oracle, subject)
        })
    }
}

fn is(command: &Command, name: &[u8]) -> bool {
    command.words.first().is_some_and(|word| word.eq_ignore_ascii_case(name))
}
