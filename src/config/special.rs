//! The kinds of values that one directive has and no other.

use std::iter;

use crate::base::num::parse_i64;
use crate::base::{quote, units};

use super::kind::{Arity, Kind, Line, Need, Source, loose_integer, only, size};
use super::reason::Reason;
use super::values::{
    BindAddress, ClientMemory, Events, OomScores, OutputLimit, OutputLimits, PrimaryAddress,
    SavePoint, ShutdownFlags, Text,
};

/// `bind`: a list of addresses.
pub(super) struct Bind;

/// More addresses than this are refused.
const BIND_ADDRESSES_MAX: usize = 16;

impl Kind for Bind {
    type Value = Vec<BindAddress>;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(&self, args: &[&[u8]], _: &Self::Value, _: Source<'_>) -> Result<Self::Value, Reason> {
        if args.len() > BIND_ADDRESSES_MAX {
            return Err(Reason::Rule("Too many bind addresses specified."));
        }
        let addresses: Vec<_> = args.iter().map(|arg| BindAddress::parse(arg)).collect();
        // What no host name or address can look like would also not survive CONFIG REWRITE.
        if addresses.iter().any(|address| quote::needs_quotes(&address.host)) {
            return Err(Reason::Rule("Failed to bind to specified addresses."));
        }
        Ok(addresses)
    }

    fn print(&self, value: &Self::Value, out: &mut Vec<u8>) {
        join(value, out, BindAddress::print);
    }

    fn lines(&self, name: &str, value: &Self::Value, default: &Self::Value, out: &mut Vec<Line>) {
        if value == default {
            return;
        }
        let mut printed = Vec::new();
        self.print(value, &mut printed);
        if printed.is_empty() {
            printed.extend_from_slice(b"\"\"");
        }
        out.push(Line::new(name, &printed, value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some("addresses, each with - in front if the server can do without it".to_owned())
    }
}

/// Prints `items` with spaces between.
fn join<T>(items: &[T], out: &mut Vec<u8>, print: impl Fn(&T, &mut Vec<u8>)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        print(item, out);
    }
}

/// `save`: pairs of seconds and changes. The lines of a file add up; `""` discards all before it.
pub(super) struct SavePoints;

impl Kind for SavePoints {
    type Value = Vec<SavePoint>;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(
        &self,
        args: &[&[u8]],
        current: &Self::Value,
        source: Source<'_>,
    ) -> Result<Self::Value, Reason> {
        const INVALID: Reason = Reason::Rule("Invalid save parameters");
        if args.is_empty() {
            return Ok(Vec::new());
        }
        let (pairs, rest) = args.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(INVALID);
        }
        let mut points = match source {
            Source::ConfigSet | Source::FirstLine(_) => Vec::new(),
            Source::LaterLine(_) => current.clone(),
        };
        for [seconds, changes] in pairs {
            let seconds = loose_integer(seconds).and_then(|n| u64::try_from(n).ok());
            let changes = loose_integer(changes).and_then(|n| u32::try_from(n).ok());
            match (seconds, changes) {
                (Some(seconds @ 1..), Some(changes)) => points.push(SavePoint { seconds, changes }),
                (Some(0) | None, _) | (_, None) => return Err(INVALID),
            }
        }
        Ok(points)
    }

    fn print(&self, value: &Self::Value, out: &mut Vec<u8>) {
        join(value, out, |point, out| {
            out.extend_from_slice(format!("{} {}", point.seconds, point.changes).as_bytes());
        });
    }

    // Always written: a file without a line about it means the default, whatever that will be.
    fn lines(&self, name: &str, value: &Self::Value, _: &Self::Value, out: &mut Vec<Line>) {
        let text = |values: &str| format!("{name} {values}").into_bytes();
        if value.is_empty() {
            out.push(Line { text: text("\"\""), need: Need::Always });
        }
        out.extend(value.iter().map(|point| Line {
            text: text(&format!("{} {}", point.seconds, point.changes)),
            need: Need::Always,
        }));
    }

    fn accepts(&self) -> Option<String> {
        Some("seconds and changes, any number of times, or \"\"".to_owned())
    }
}

/// `client-output-buffer-limit`: groups of class, hard limit, soft limit and seconds. Classes that
/// are not mentioned keep their limits.
pub(super) struct ClassLimits;

impl Kind for ClassLimits {
    type Value = OutputLimits;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(
        &self,
        args: &[&[u8]],
        current: &OutputLimits,
        _: Source<'_>,
    ) -> Result<OutputLimits, Reason> {
        let (groups, rest) = args.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Reason::Rule("Wrong number of arguments in buffer limit configuration."));
        }
        let mut limits = *current;
        for [class, hard, soft, seconds] in groups {
            let limit = match &*class.to_ascii_lowercase() {
                b"normal" => &mut limits.normal,
                b"replica" | b"slave" => &mut limits.replica,
                b"pubsub" => &mut limits.pubsub,
                _ => {
                    return Err(Reason::Rule(
                        "Invalid client class specified in buffer limit configuration.",
                    ));
                }
            };
            *limit = output_limit(hard, soft, seconds).ok_or(Reason::Rule(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ))?;
        }
        Ok(limits)
    }

    fn print(&self, value: &OutputLimits, out: &mut Vec<u8>) {
        join(&classes(value), out, |(class, limit), out| {
            // CONFIG GET has kept the old name of this class.
            let class = if *class == "replica" { "slave" } else { class };
            let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
            let printed = format!("{class} {hard_bytes} {soft_bytes} {soft_seconds}");
            out.extend_from_slice(printed.as_bytes());
        });
    }

    fn lines(&self, name: &str, value: &OutputLimits, default: &OutputLimits, out: &mut Vec<Line>) {
        for ((class, limit), (_, default)) in iter::zip(classes(value), classes(default)) {
            let mut printed = format!("{class} ").into_bytes();
            printed.extend(size(limit.hard_bytes));
            printed.push(b' ');
            printed.extend(size(limit.soft_bytes));
            printed.extend_from_slice(format!(" {}", limit.soft_seconds).as_bytes());
            out.push(Line::new(name, &printed, &limit, &default));
        }
    }

    fn accepts(&self) -> Option<String> {
        Some("normal | replica | pubsub, hard limit, soft limit, seconds".to_owned())
    }
}

fn classes(limits: &OutputLimits) -> [(&'static str, OutputLimit); 3] {
    [("normal", limits.normal), ("replica", limits.replica), ("pubsub", limits.pubsub)]
}

fn output_limit(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<OutputLimit> {
    Some(OutputLimit {
        hard_bytes: units::parse_size(hard)?,
        soft_bytes: units::parse_size(soft)?,
        soft_seconds: u32::try_from(loose_integer(seconds)?).ok()?,
    })
}

/// `oom-score-adj-values`: three scores.
pub(super) struct Scores;

impl Kind for Scores {
    type Value = OomScores;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(&self, args: &[&[u8]], _: &OomScores, _: Source<'_>) -> Result<OomScores, Reason> {
        let &[primary, replica, child] = args else { return Err(Reason::WrongArguments) };
        let score = |text: &[u8]| {
            loose_integer(text)
                .and_then(|score| i32::try_from(score).ok())
                .filter(|score| (-2000..=2000).contains(score))
                .ok_or(Reason::Rule(
                    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
                ))
        };
        Ok(OomScores { primary: score(primary)?, replica: score(replica)?, child: score(child)? })
    }

    fn print(&self, value: &OomScores, out: &mut Vec<u8>) {
        let OomScores { primary, replica, child } = value;
        out.extend_from_slice(format!("{primary} {replica} {child}").as_bytes());
    }

    fn accepts(&self) -> Option<String> {
        Some("three numbers from -2000 to 2000".to_owned())
    }
}

/// `notify-keyspace-events`: a set of letters.
pub(super) struct EventLetters;

impl EventLetters {
    /// The classes `A` stands for and `n`, in the order they are printed.
    const CLASSES: [(u8, Events); 11] = [
        (b'g', Events::GENERIC),
        (b'$', Events::STRING),
        (b'l', Events::LIST),
        (b's', Events::SET),
        (b'h', Events::HASH),
        (b'z', Events::ZSET),
        (b'x', Events::EXPIRED),
        (b'e', Events::EVICTED),
        (b't', Events::STREAM),
        (b'd', Events::MODULE),
        (b'n', Events::NEW),
    ];
    const REST: [(u8, Events); 3] =
        [(b'K', Events::KEYSPACE), (b'E', Events::KEYEVENT), (b'm', Events::KEY_MISS)];

    fn of(letter: u8) -> Option<Events> {
        if letter == b'A' {
            return Some(Events::ALL);
        }
        let mut known = Self::CLASSES.iter().chain(&Self::REST);
        known.find(|(name, _)| *name == letter).map(|(_, events)| *events)
    }
}

impl Kind for EventLetters {
    type Value = Events;

    fn parse(&self, args: &[&[u8]], _: &Events, _: Source<'_>) -> Result<Events, Reason> {
        only(args)?.iter().try_fold(Events::empty(), |events, &letter| {
            EventLetters::of(letter)
                .map(|more| events | more)
                .ok_or(Reason::Rule("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))
        })
    }

    fn print(&self, value: &Events, out: &mut Vec<u8>) {
        let mut rest = *value;
        if rest.contains(Events::ALL) {
            out.push(b'A');
            rest -= Events::ALL;
        }
        let set = |(_, events): &&(u8, Events)| rest.contains(*events);
        out.extend(Self::CLASSES.iter().chain(&Self::REST).filter(set).map(|(letter, _)| letter));
    }

    fn lines(&self, name: &str, value: &Events, default: &Events, out: &mut Vec<Line>) {
        let mut printed = Vec::new();
        self.print(value, &mut printed);
        out.push(Line::new(name, &quote::quoted(&printed), value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some("letters out of AKEg$lshzxetdmn".to_owned())
    }
}

/// `latency-tracking-info-percentiles`: a list of percentages.
pub(super) struct Percentiles;

impl Kind for Percentiles {
    type Value = Vec<f64>;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(&self, args: &[&[u8]], _: &Vec<f64>, _: Source<'_>) -> Result<Vec<f64>, Reason> {
        let percentile = |arg: &&[u8]| {
            let number = std::str::from_utf8(arg).ok().and_then(|text| text.parse::<f64>().ok());
            match number {
                Some(number) if (0.0..=100.0).contains(&number) => Ok(number),
                Some(number) if !number.is_nan() => Err(Reason::Rule(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
                )),
                Some(_) | None => {
                    Err(Reason::Rule("Invalid latency-tracking-info-percentiles parameters"))
                }
            }
        };
        args.iter().map(percentile).collect()
    }

    fn print(&self, value: &Vec<f64>, out: &mut Vec<u8>) {
        join(value, out, |number, out| {
            // Six decimals at most. The sign of a negative zero means nothing here.
            let digits = format!("{:.6}", number.abs());
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            out.extend_from_slice(digits.as_bytes());
        });
    }

    fn lines(&self, name: &str, value: &Vec<f64>, default: &Vec<f64>, out: &mut Vec<Line>) {
        let mut printed = Vec::new();
        self.print(value, &mut printed);
        if printed.is_empty() {
            printed.extend_from_slice(b"\"\"");
        }
        out.push(Line::new(name, &printed, value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some("numbers from 0 to 100".to_owned())
    }
}

/// `replicaof`: host and port, or `no one`.
pub(super) struct Primary;

impl Kind for Primary {
    type Value = Option<PrimaryAddress>;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(&self, args: &[&[u8]], _: &Self::Value, _: Source<'_>) -> Result<Self::Value, Reason> {
        let &[host, port] = args else { return Err(Reason::WrongArguments) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            return Ok(None);
        }
        let port = loose_integer(port)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or(Reason::Rule("Invalid master port"))?;
        Ok(Some(PrimaryAddress { host: Text::from(host), port }))
    }

    fn print(&self, value: &Self::Value, out: &mut Vec<u8>) {
        if let Some(primary) = value {
            out.extend_from_slice(&primary.host);
            out.extend_from_slice(format!(" {}", primary.port).as_bytes());
        }
    }

    fn lines(&self, name: &str, value: &Self::Value, default: &Self::Value, out: &mut Vec<Line>) {
        let Some(PrimaryAddress { host, port }) = value else { return };
        let mut printed =
            if quote::needs_quotes(host) { quote::quoted(host) } else { host.to_vec() };
        printed.extend_from_slice(format!(" {port}").as_bytes());
        out.push(Line::new(name, &printed, value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some("host and port".to_owned())
    }
}

/// `shutdown-on-sigint` and `shutdown-on-sigterm`: a set of words.
pub(super) struct ShutdownWords;

impl ShutdownWords {
    const WORDS: [(&'static str, ShutdownFlags); 5] = [
        ("default", ShutdownFlags::empty()),
        ("save", ShutdownFlags::SAVE),
        ("nosave", ShutdownFlags::NOSAVE),
        ("now", ShutdownFlags::NOW),
        ("force", ShutdownFlags::FORCE),
    ];
}

impl Kind for ShutdownWords {
    type Value = ShutdownFlags;

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn parse(
        &self,
        args: &[&[u8]],
        _: &ShutdownFlags,
        _: Source<'_>,
    ) -> Result<ShutdownFlags, Reason> {
        let unknown = || Reason::NotOneOf(Self::WORDS.iter().map(|(word, _)| *word).collect());
        let flag = |arg: &&[u8]| {
            let mut words = Self::WORDS.iter();
            words.find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(arg)).map(|(_, flag)| *flag)
        };
        if args.is_empty() {
            return Err(unknown());
        }
        let flags = args.iter().try_fold(ShutdownFlags::empty(), |flags, arg| {
            flag(arg).map(|more| flags | more).ok_or_else(unknown)
        })?;
        if flags.contains(ShutdownFlags::SAVE | ShutdownFlags::NOSAVE) {
            return Err(Reason::Rule(
                "shutdown options SAVE and NOSAVE can't be used simultaneously",
            ));
        }
        Ok(flags)
    }

    fn print(&self, value: &ShutdownFlags, out: &mut Vec<u8>) {
        let set: Vec<&str> = Self::WORDS
            .iter()
            .filter(|(_, flag)| !flag.is_empty() && value.contains(*flag))
            .map(|(word, _)| *word)
            .collect();
        let printed = if set.is_empty() { "default".to_owned() } else { set.join(" ") };
        out.extend_from_slice(printed.as_bytes());
    }

    fn accepts(&self) -> Option<String> {
        Some("default, or any of save, nosave, now, force".to_owned())
    }
}

/// `maxmemory-clients`: bytes, or a percentage of `maxmemory`.
pub(super) struct MemoryOrPercent;

impl Kind for MemoryOrPercent {
    type Value = ClientMemory;

    fn parse(
        &self,
        args: &[&[u8]],
        _: &ClientMemory,
        _: Source<'_>,
    ) -> Result<ClientMemory, Reason> {
        let arg = only(args)?;
        if let Some(digits) = arg.strip_suffix(b"%") {
            let percent = parse_i64(digits).filter(|&percent| percent >= 0);
            return match percent.ok_or(Reason::NotMemoryOrPercent)? {
                0 => Ok(ClientMemory::Bytes(0)),
                percent => u8::try_from(percent)
                    .ok()
                    .filter(|&percent| percent <= 100)
                    .map(ClientMemory::Percent)
                    .ok_or(Reason::PercentTooLarge),
            };
        }
        units::parse_size(arg)
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .map(ClientMemory::Bytes)
            .ok_or(Reason::NotMemoryOrPercent)
    }

    fn print(&self, value: &ClientMemory, out: &mut Vec<u8>) {
        let printed = match value {
            ClientMemory::Bytes(bytes) => bytes.to_string(),
            ClientMemory::Percent(percent) => format!("{percent}%"),
        };
        out.extend_from_slice(printed.as_bytes());
    }

    fn lines(&self, name: &str, value: &ClientMemory, default: &ClientMemory, out: &mut Vec<Line>) {
        let mut printed = Vec::new();
        match value {
            ClientMemory::Bytes(bytes) => units::write_size(&mut printed, *bytes),
            ClientMemory::Percent(_) => self.print(value, &mut printed),
        }
        out.push(Line::new(name, &printed, value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some("bytes, or a percentage of maxmemory".to_owned())
    }
}

/// `dir`: a directory; a relative one is relative to the directory before it.
pub(super) struct Directory;

impl Kind for Directory {
    type Value = Text;

    fn parse(&self, args: &[&[u8]], current: &Text, _: Source<'_>) -> Result<Text, Reason> {
        let arg = only(args)?;
        if arg.is_empty() {
            return Err(Reason::Rule("No such file or directory"));
        }
        let path = current.as_path().join(Text::from(arg).as_path());
        match path.strip_prefix(".") {
            Ok(rest) if !rest.as_os_str().is_empty() => Ok(Text::from(rest)),
            Ok(_) => Ok(Text::from(".")),
            Err(_) => Ok(Text::from(&*path)),
        }
    }

    fn print(&self, value: &Text, out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }

    // Always written: what started in one directory should not restart in another.
    fn lines(&self, name: &str, value: &Text, _: &Text, out: &mut Vec<Line>) {
        let text = [name.as_bytes(), b" ", &quote::quoted(value)].concat();
        out.push(Line { text, need: Need::Always });
    }

    fn accepts(&self) -> Option<String> {
        Some("a directory".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CONFIG GET prints after CONFIG SET, or the error.
    fn check<K: Kind>(kind: &K, current: &K::Value, value: &str, expected: &str) {
        let args: Vec<&[u8]> = match kind.arity() {
            Arity::One => vec![value.as_bytes()],
            Arity::Many if value.is_empty() => Vec::new(),
            Arity::Many => value.as_bytes().split(|&byte| byte == b' ').collect(),
        };
        let printed = match kind.parse(&args, current, Source::ConfigSet) {
            Ok(value) => {
                let mut printed = Vec::new();
                kind.print(&value, &mut printed);
                String::from_utf8(printed).unwrap()
            }
            Err(reason) => reason.to_string(),
        };
        assert_eq!(printed, expected, "{value}");
    }

    #[test]
    fn letters_of_events_come_in_one_order() {
        for (letters, expected) in [
            ("KEA", "AKE"),
            ("lKg", "glK"),
            ("Kd", "dK"),
            ("mn", "nm"),
            ("KEg$lshzxetd", "AKE"),
            ("", ""),
            ("K q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ] {
            check(&EventLetters, &Events::empty(), letters, expected);
        }
        // Redis forgets the n here, and CONFIG REWRITE would lose it.
        check(&EventLetters, &Events::empty(), "AKEmn", "AnKEm");
    }

    #[test]
    fn percentiles_have_six_decimals_at_most() {
        let outside = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        let malformed = "Invalid latency-tracking-info-percentiles parameters";
        for (value, expected) in [
            ("50 99.9 100", "50 99.9 100"),
            ("50.1234567891 1e1 0.0 -0", "50.123457 10 0 0"),
            ("", ""),
            ("101", outside),
            ("-1", outside),
            ("inf", outside),
            ("nan", malformed),
            ("0x10", malformed),
            ("50  99", malformed),
        ] {
            check(&Percentiles, &Vec::new(), value, expected);
        }
    }

    #[test]
    fn shutdown_words_are_a_set() {
        let unknown = "argument(s) must be one of the following: default, save, nosave, now, force";
        for (value, expected) in [
            ("now SAVE", "save now"),
            ("default", "default"),
            ("default force", "force"),
            ("", unknown),
            ("save foo", unknown),
            ("save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
        ] {
            check(&ShutdownWords, &ShutdownFlags::empty(), value, expected);
        }
    }

    #[test]
    fn client_memory_is_bytes_or_a_percentage() {
        let malformed = "argument must be a memory or percent value";
        for (value, expected) in [
            ("1gb", "1073741824"),
            ("5%", "5%"),
            ("0%", "0"),
            ("", "0"),
            ("100%", "100%"),
            ("101%", "percentage argument must be less or equal to 100"),
            ("-5%", malformed),
            ("%", malformed),
            ("100%%", malformed),
            ("-5", malformed),
            ("18446744073709551615", malformed),
        ] {
            check(&MemoryOrPercent, &ClientMemory::Bytes(0), value, expected);
        }
    }

    #[test]
    fn limits_of_other_classes_stay() {
        let limit = OutputLimit { hard_bytes: 1, soft_bytes: 2, soft_seconds: 3 };
        let limits = OutputLimits { normal: limit, replica: limit, pubsub: limit };
        let wrong_number = "Wrong number of arguments in buffer limit configuration.";
        let wrong_value =
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        for (value, expected) in [
            ("replica 1gb 2k 0 PUBSUB 0 0 0", "normal 1 2 3 slave 1073741824 2000 0 pubsub 0 0 0"),
            ("", "normal 1 2 3 slave 1 2 3 pubsub 1 2 3"),
            ("normal 1 2", wrong_number),
            ("normal 1 2 3 slave", wrong_number),
            ("normal 1 2 -1", wrong_value),
            ("normal 1 2z 1", wrong_value),
            ("foo 1 2 3", "Invalid client class specified in buffer limit configuration."),
        ] {
            check(&ClassLimits, &limits, value, expected);
        }
    }

    #[test]
    fn addresses_must_look_like_some() {
        for (value, expected) in [
            ("* -::*", "* -::*"),
            ("", ""),
            ("127.0.0.1  ::1", "Failed to bind to specified addresses."),
            ("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7", "Too many bind addresses specified."),
        ] {
            check(&Bind, &Vec::new(), value, expected);
        }
    }

    #[test]
    fn a_primary_is_a_host_and_a_port() {
        for (value, expected) in [
            ("::1 6379", "::1 6379"),
            ("No One", ""),
            ("a", "wrong number of arguments"),
            ("a -1", "Invalid master port"),
            ("a 65536", "Invalid master port"),
        ] {
            check(&Primary, &None, value, expected);
        }
    }

    #[test]
    fn directories_are_joined() {
        let from = |text: &str| Text::from(text);
        for (current, value, expected) in [
            (".", "x", "x"),
            (".", "./", "."),
            ("/a", "b", "/a/b"),
            ("/a", "/b", "/b"),
            (".", "", "No such file or directory"),
        ] {
            check(&Directory, &from(current), value, expected);
        }
    }
}
