//! The directives that only files and the command line have, and of which every line counts.

use std::marker::PhantomData;

use super::kind::{Arity, Effect, Kind, Line, Source};
use super::reason::Reason;
use super::values::{ModuleToLoad, Origin, RenamedCommand, Text, UserRules};

const BAD: Reason = Reason::Rule("Bad directive or wrong number of arguments");

/// One line's worth of a list.
pub(super) trait Item: PartialEq + Send + Sync + Sized {
    /// The item a line holds, if it has the right number of arguments.
    fn parse(args: &[&[u8]], origin: &Origin) -> Option<Self>;

    /// What stands behind the name of the directive.
    const SYNTAX: &'static str;
}

/// A list that grows by one with each line.
pub(super) struct Each<I>(PhantomData<I>);

pub(super) const fn each<I: Item>() -> Each<I> {
    Each(PhantomData)
}

impl<I: Item> Kind for Each<I> {
    type Value = Vec<I>;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(&self, args: &[&[u8]], _: &Vec<I>, source: Source<'_>) -> Result<Vec<I>, Reason> {
        match source {
            Source::ConfigSet => Err(BAD),
            Source::FirstLine(origin) | Source::LaterLine(origin) => {
                I::parse(args, origin).map(|item| vec![item]).ok_or(BAD)
            }
        }
    }

    fn set(
        &self,
        value: &mut Vec<I>,
        args: &[&[u8]],
        source: Source<'_>,
    ) -> Result<Effect, Reason> {
        let mut more = self.parse(args, value, source)?;
        value.append(&mut more);
        Ok(Effect::Changed)
    }

    fn print(&self, _: &Vec<I>, _: &mut Vec<u8>) {}

    // A rewritten file keeps the lines it has about such a directive.
    fn lines(&self, _: &str, _: &Vec<I>, _: &Vec<I>, _: &mut Vec<Line>) {}

    fn accepts(&self) -> Option<String> {
        Some(I::SYNTAX.to_owned())
    }
}

fn texts(args: &[&[u8]]) -> Vec<Text> {
    args.iter().map(|&arg| Text::from(arg)).collect()
}

/// `include`: the paths and patterns, as given.
impl Item for Text {
    const SYNTAX: &'static str = "a file, or a pattern with * ? [";

    fn parse(args: &[&[u8]], _: &Origin) -> Option<Text> {
        match args {
            &[path] => Some(Text::from(path)),
            _ => None,
        }
    }
}

impl Item for RenamedCommand {
    const SYNTAX: &'static str = "a command and its new name, or \"\"";

    fn parse(args: &[&[u8]], origin: &Origin) -> Option<RenamedCommand> {
        match args {
            &[from, to] => Some(RenamedCommand {
                from: Text::from(from),
                to: Text::from(to),
                origin: origin.clone(),
            }),
            _ => None,
        }
    }
}

impl Item for ModuleToLoad {
    const SYNTAX: &'static str = "a shared library and its arguments";

    fn parse(args: &[&[u8]], origin: &Origin) -> Option<ModuleToLoad> {
        let (&path, arguments) = args.split_first()?;
        Some(ModuleToLoad {
            path: Text::from(path),
            arguments: texts(arguments),
            origin: origin.clone(),
        })
    }
}

impl Item for UserRules {
    const SYNTAX: &'static str = "a name and ACL rules";

    fn parse(args: &[&[u8]], origin: &Origin) -> Option<UserRules> {
        let words = texts(args);
        (!words.is_empty()).then(|| UserRules { words, origin: origin.clone() })
    }
}
