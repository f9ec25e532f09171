//! The tables that say which commands are sent, and how a command is drawn from a row.
//!
//! A family of commands is one file in `groups/` with one table; nothing else names its commands.

use crate::reply::Compare;
use crate::rng::Rng;
use crate::values;

/// The words of one command.
pub(crate) type Words = Vec<Vec<u8>>;

/// A place in a command's arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg {
    /// This word, in any case.
    Word(&'static str),
    /// A key of the small pool that all commands share.
    Key,
    /// A key whose values stay short, for commands whose cost is a product of lengths.
    ShortKey,
    /// A short value.
    ShortValue,
    /// A key that may hold up to megabytes; only `LongValue` goes with it.
    LongKey,
    /// A value of 1 KB to 1 MB.
    LongValue,
    /// A value: empty, short, binary, a number in any notation, sometimes 1 KB.
    Value,
    /// An integer, or nearly one: small or at a border of its type.
    Int,
    /// A floating-point number, or nearly one.
    Float,
    /// An index into a value, from either end.
    Index,
    /// An offset at which to write: small, or too great to be allowed.
    Offset,
    /// The offset of a bit: small, or too great to be allowed.
    BitOffset,
    /// The type of a bit field, or nearly one.
    FieldType,
    /// The offset of a bit field, counted in bits or in fields.
    FieldOffset,
    /// A key of the few that hold HyperLogLogs.
    HllKey,
    /// One of some thousand elements.
    Element,
    /// A script over the libraries that come with Lua.
    Snippet,
    /// A key of the few that hold positions.
    GeoKey,
    /// The ID of an entry of a stream that there may be.
    StreamId,
    /// A member of these, of which there are few.
    Place,
    /// A longitude or latitude, or nearly one.
    Degrees,
    /// A length for searches, from nothing to around the world.
    Metres,
    /// A number of results.
    Results,
    /// A time to live that does not end during a run.
    Seconds,
    /// The same in milliseconds.
    Millis,
    /// A time far in the future, or past.
    UnixSeconds,
    /// The same in milliseconds.
    UnixMillis,
    /// A database number.
    Db,
    /// A glob pattern.
    Pattern,
    /// A few arguments that make no sense.
    Junk,
    /// These arguments in so many of 100 cases.
    Maybe(usize, &'static [Arg]),
    /// One of these sequences.
    OneOf(&'static [&'static [Arg]]),
    /// These arguments, repeated from so many to so many times.
    Repeat(usize, usize, &'static [Arg]),
}

/// How the row's command may be spoiled to provoke errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoiling {
    /// Words are dropped, added, doubled, swapped and replaced.
    Free,
    /// As free, but no word becomes a number: it might be a time that ends during the run.
    NoNumbers,
    /// Left as it is.
    Never,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    weight: usize,
    name: &'static str,
    args: &'static [Arg],
    compare: Compare,
    spoiling: Spoiling,
    before: &'static str,
    after: &'static str,
}

/// A row that is compared exactly; `name` may hold several words, or none if the arguments begin with it.
pub(crate) const fn row(weight: usize, name: &'static str, args: &'static [Arg]) -> Row {
    Row {
        weight,
        name,
        args,
        compare: Compare::Exact,
        spoiling: Spoiling::Free,
        before: "",
        after: "",
    }
}

impl Row {
    /// The same row, compared otherwise.
    pub(crate) const fn compare(self, compare: Compare) -> Row {
        Row { compare, ..self }
    }

    /// The same row, whose arguments are times.
    pub(crate) const fn timed(self) -> Row {
        Row { spoiling: Spoiling::NoNumbers, ..self }
    }

    /// The same row, never spoiled.
    pub(crate) const fn intact(self) -> Row {
        Row { spoiling: Spoiling::Never, ..self }
    }

    /// The same row, with a command that always goes before it.
    pub(crate) const fn before(self, before: &'static str) -> Row {
        Row { before, ..self }
    }

    /// The same row, with a command that always goes after it.
    pub(crate) const fn after(self, after: &'static str) -> Row {
        Row { after, ..self }
    }
}

/// One command and how its replies are compared.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) words: Words,
    pub(crate) compare: Compare,
}

impl Command {
    /// From words separated by spaces.
    pub(crate) fn of(text: &str, compare: Compare) -> Command {
        let words = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        Command { words, compare }
    }
}

/// Commands that stay together when a failure is minimised.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sent in a row.
    Commands(Vec<Command>),
    /// A whole iteration with these words after `SCAN cursor`; compared as sets.
    Scan(Words),
}

/// A family of commands.
pub(crate) struct Group {
    /// The name that `--only` takes.
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
}

/// Draws one step from the rows of all groups.
pub(crate) fn draw(groups: &[&Group], rng: &mut Rng) -> Step {
    let rows = || groups.iter().flat_map(|group| group.rows);
    let mut left = rng.below(rows().map(|row| row.weight).sum());
    let row = rows()
        .find(|row| match left.checked_sub(row.weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
        .expect("less than the sum of the weights");
    step_of(row, rng)
}

fn step_of(row: &Row, rng: &mut Rng) -> Step {
    let named = row.name.split(' ').filter(|word| !word.is_empty());
    let mut words: Words = named.map(|word| any_case(word, rng)).collect();
    for arg in row.args {
        put(arg, &mut words, rng);
    }
    let spoiled = row.spoiling != Spoiling::Never && rng.chance(8);
    if spoiled {
        spoil(&mut words, row.spoiling, rng);
    } else if row.name == "SCAN" && words[1] == b"0" {
        return Step::Scan(words[2..].to_vec());
    }
    let mut commands = Vec::new();
    if !row.before.is_empty() {
        commands.push(Command::of(row.before, Compare::Unordered));
    }
    commands.push(Command { words, compare: row.compare });
    if !row.after.is_empty() {
        commands.push(Command::of(row.after, Compare::Unordered));
    }
    Step::Commands(commands)
}

fn put(arg: &Arg, words: &mut Words, rng: &mut Rng) {
    let word = match arg {
        Arg::Word(word) => any_case(word, rng),
        Arg::Key => values::key(rng),
        Arg::ShortKey => rng.pick(&["short:1", "short:2", "short:3"]).as_bytes().to_vec(),
        Arg::ShortValue => values::short(rng),
        Arg::LongKey => rng.pick(&["long:1", "long:2", "long:3"]).as_bytes().to_vec(),
        Arg::LongValue => values::long(rng),
        Arg::Value => values::value(rng),
        Arg::Int => values::int(rng),
        Arg::Float => values::float(rng),
        Arg::Index => values::index(rng),
        Arg::Offset => values::offset(rng),
        Arg::BitOffset => values::bit_offset(rng),
        Arg::FieldType => values::field_type(rng),
        Arg::FieldOffset => values::field_offset(rng),
        Arg::GeoKey => rng.pick(&["geo:1", "geo:2", "geo:3"]).as_bytes().to_vec(),
        Arg::Place => format!("place:{}", rng.below(40)).into_bytes(),
        Arg::Degrees => values::degrees(rng),
        Arg::Metres => values::metres(rng),
        Arg::Results => values::results(rng),
        Arg::StreamId => values::stream_id(rng),
        Arg::Snippet => crate::snippets::draw(rng),
        Arg::HllKey => rng.pick(&["hll:1", "hll:2", "hll:3", "hll:4"]).as_bytes().to_vec(),
        Arg::Element => rng.below(20_000).to_string().into_bytes(),
        Arg::Seconds => values::seconds(rng),
        Arg::Millis => values::millis(rng),
        Arg::UnixSeconds => values::unix_seconds(rng),
        Arg::UnixMillis => values::unix_millis(rng),
        Arg::Db => values::database(rng),
        Arg::Pattern => values::pattern(rng),
        Arg::Junk => values::junk(rng),
        Arg::Maybe(percent, args) => {
            if rng.chance(*percent) {
                put_all(args, words, rng);
            }
            return;
        }
        Arg::OneOf(choices) => {
            let chosen: &[Arg] = rng.pick::<&[Arg]>(choices);
            return put_all(chosen, words, rng);
        }
        Arg::Repeat(least, most, args) => {
            for _ in 0..rng.between(*least, *most) {
                put_all(args, words, rng);
            }
            return;
        }
    };
    words.push(word);
}

fn put_all(args: &[Arg], words: &mut Words, rng: &mut Rng) {
    for arg in args {
        put(arg, words, rng);
    }
}

/// Mostly as written, sometimes in lower or mixed case.
fn any_case(word: &str, rng: &mut Rng) -> Vec<u8> {
    let mut word = word.as_bytes().to_vec();
    match rng.below(10) {
        0 => word.make_ascii_lowercase(),
        1 => {
            for byte in &mut word {
                if rng.chance(50) {
                    *byte = byte.to_ascii_lowercase();
                }
            }
        }
        _ => {}
    }
    word
}

/// Makes the command wrong in one or two places; the name stays in front.
fn spoil(words: &mut Words, spoiling: Spoiling, rng: &mut Rng) {
    for _ in 0..rng.between(1, 2) {
        let length = words.len();
        let place = rng.below(length);
        let junk = match spoiling {
            Spoiling::Free => values::junk(rng),
            Spoiling::NoNumbers | Spoiling::Never => values::junk_without_numbers(rng),
        };
        match rng.below(6) {
            0 => words.push(junk),
            1 if length > 1 => _ = words.pop(),
            2 if length > 2 => _ = words.remove(1 + rng.below(length - 1)),
            3 if place > 0 => words[place] = junk,
            // A value in the place of a time could be one that ends during the run.
            4 if length > 2 && spoiling == Spoiling::Free => {
                words.swap(1 + rng.below(length - 1), 1 + rng.below(length - 1))
            }
            5 if length > 2 && place > 0 => words.insert(place, words[place].clone()),
            _ => {}
        }
    }
}
