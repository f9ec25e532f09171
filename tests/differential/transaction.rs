//! Replies to the commands of a transaction: they come together, and each is compared as it would be
//! by itself.

use crate::grammar::Command;
use crate::reply::{Given, Reply};

/// What became of two replies that are not alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Excused,
    Wrong,
}

/// The commands that were queued since the last EXEC.
#[derive(Default)]
pub(crate) struct Transaction {
    queued: Vec<Command>,
    /// Those whose replies EXEC gives, while they are looked at.
    executed: Vec<Command>,
    is_open: bool,
}

impl Transaction {
    /// Takes note of a command and its reply.
    pub(crate) fn note(&mut self, command: &Command, reply: Option<&Reply>) {
        self.executed.clear();
        let ends = [&b"EXEC"[..], b"DISCARD", b"RESET"];
        if is(command, b"MULTI") {
            self.is_open = true;
        } else if command.words.len() == 1 && ends.iter().any(|name| is(command, name)) {
            self.is_open = false;
        }
        if matches!(reply, Some(Reply::Line(b'+', text)) if text == b"QUEUED") {
            self.queued.push(command.clone());
        } else if is(command, b"EXEC") {
            self.executed = std::mem::take(&mut self.queued);
        } else if is(command, b"MULTI") && matches!(reply, Some(Reply::Line(b'+', _))) {
            self.queued.clear();
        }
    }

    /// Whether commands may be queued now.
    pub(crate) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether two replies of EXEC agree in each of their parts, or are excused.
    pub(crate) fn agree<'r>(
        &self,
        command: &Command,
        oracle: Given<'r>,
        subject: Given<'r>,
        judge: impl Fn(&Command, &Reply, &Reply) -> Verdict,
    ) -> bool {
        let parts = (oracle.reply.elements(), subject.reply.elements());
        let (Some(left), Some(right)) = parts else { return false };
        if !is(command, b"EXEC") || [left.len(), right.len()] != [self.executed.len(); 2] {
            return false;
        }
        let replies = left.iter().zip(right);
        replies.zip(&self.executed).enumerate().all(|(index, ((left, right), queued))| {
            let next = |reply: &'r Reply| reply.elements().and_then(|parts| parts.get(index + 1));
            let oracle = Given { reply: left, next: next(oracle.reply) };
            let subject = Given { reply: right, next: next(subject.reply) };
            queued.compare.agree(oracle, subject) || judge(queued, left, right) == Verdict::Excused
        })
    }
}

fn is(command: &Command, name: &[u8]) -> bool {
    command.words.first().is_some_and(|word| word.eq_ignore_ascii_case(name))
}
