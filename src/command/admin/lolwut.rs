//! LOLWUT: a cut through a carnelian.
//!
//! A carnelian is an agate, and an agate grew in bands around the walls of a hollow. So each place is
//! drawn by its distance from a heart somewhere in the middle, bent by a few waves of random direction,
//! and the fractional part of that picks the shade.

use crate::base::num;
use crate::base::rng::Rng;
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::REDIS_VERSION;

/// LOLWUT [VERSION version] [columns [rows]]
pub(super) static LOLWUT: Command =
    Command { spec: LOLWUT_SPEC, handler: Some(lolwut), subcommands: &[] };

const LOLWUT_SPEC: Spec = Spec {
    name: "lolwut",
    summary: "Draws something and says the version.",
    since: "5.0.0",
    group: Group::Server,
    arity: -1,
    flags: Flags::READONLY.union(Flags::FAST),
    args: &[Arg::new("version", ArgType::Integer).token("VERSION").optional()],
    ..Spec::EMPTY
};

/// The version that has this piece; others have none.
const OWN_VERSION: i64 = 7;
/// Size of the picture if none is given, characters.
const COLUMNS: i64 = 66;
const ROWS: i64 = 20;
const COLUMNS_MAX: i64 = 200;
const ROWS_MAX: i64 = 200;
/// From dark to light and back, so that neighbouring shades always touch.
const SHADES: &[u8] = b" .:-=+*#%@%#*+=-:.";
/// A character is about twice as high as it is wide.
const ASPECT: f64 = 2.0;
const WAVES: usize = 4;

fn lolwut(ctx: &mut Context<'_>) -> Outcome {
    let (version, first) = if ctx.args.len() > 2 && ctx.is_word(1, "VERSION") {
        (ctx.integer(2)?, 3)
    } else {
        (OWN_VERSION, 1)
    };
    let mut text = Vec::new();
    if version == OWN_VERSION {
        if ctx.args.len() > first + 2 {
            return Err(Error::SYNTAX);
        }
        let columns = size(ctx, first, COLUMNS)?.clamp(1, COLUMNS_MAX);
        let rows = size(ctx, first + 1, ROWS)?.clamp(1, ROWS_MAX);
        draw(&mut ctx.server.rng, columns, rows, &mut text);
        text.extend_from_slice(b"\nA slice of carnelian, never cut before. ");
    }
    text.extend_from_slice(format!("Redis ver. {REDIS_VERSION}\n").as_bytes());
    ctx.session.output.verbatim("txt", &text);
    Ok(())
}

fn size(ctx: &Context<'_>, index: usize, default: i64) -> Result<i64, Error> {
    if index < ctx.args.len() { ctx.integer(index) } else { Ok(default) }
}

/// A wave that bends the bands.
struct Wave {
    x: f64,
    y: f64,
    phase: f64,
    height: f64,
}

impl Wave {
    fn random(rng: &mut Rng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.next_f64();
        let angle = between(0.0, std::f64::consts::TAU);
        let frequency = between(0.1, 0.4);
        Self {
            x: angle.cos() * frequency,
            y: angle.sin() * frequency,
            phase: between(0.0, std::f64::consts::TAU),
            height: between(0.5, 1.6),
        }
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        self.height * (self.x * x + self.y * y + self.phase).sin()
    }
}

fn draw(rng: &mut Rng, columns: i64, rows: i64, text: &mut Vec<u8>) {
    let (width, height) = (num::f64_of(columns), num::f64_of(rows) * ASPECT);
    let heart_x = width * (0.3 + 0.4 * rng.next_f64());
    let heart_y = height * (0.3 + 0.4 * rng.next_f64());
    let waves: [Wave; WAVES] = std::array::from_fn(|_| Wave::random(rng));
    let band_width = 7.0 + 5.0 * rng.next_f64();
    let shades = num::f64_of_usize(SHADES.len());
    for row in 0..rows {
        let y = num::f64_of(row) * ASPECT - heart_y;
        for column in 0..columns {
            let x = num::f64_of(column) - heart_x;
            let bent: f64 = waves.iter().map(|wave| wave.at(x, y)).sum();
            let depth = (x.hypot(y) + bent) / band_width;
            let shade = num::u64_truncated(depth.rem_euclid(1.0) * shades);
            text.push(SHADES[num::usize_of(shade) % SHADES.len()]);
        }
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};

    fn piece(words: &[&str]) -> String {
        let reply = String::from_utf8(Bench::new().raw(words)).expect("text");
        let (_, text) = reply.split_once("\r\n").expect("a bulk string");
        text.strip_suffix("\r\n").expect("its end").to_owned()
    }

    #[test]
    fn a_piece_has_the_size_asked_for_and_ends_with_the_version() {
        for (words, columns, rows) in [
            (&["LOLWUT"][..], 66, 20),
            (&["LOLWUT", "10"], 10, 20),
            (&["LOLWUT", "VERSION", "7", "10", "3"], 10, 3),
            (&["LOLWUT", "-1", "0"], 1, 1),
            (&["LOLWUT", "9999999", "9999999"], 200, 200),
        ] {
            let text = piece(words);
            assert!(text.ends_with(" Redis ver. 7.4.0\n"), "{text}");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), rows + 2);
            assert!(lines[..rows].iter().all(|line| line.len() == columns));
        }
    }

    #[test]
    fn no_two_pieces_are_alike() {
        let mut bench = Bench::new();
        assert_ne!(bench.raw(&["LOLWUT"]), bench.raw(&["LOLWUT"]));
    }

    #[test]
    fn other_versions_have_no_piece() {
        check("LOLWUT VERSION 99", "$Redis ver. 7.4.0\\n");
        check("LOLWUT version 5 66 8 12", "$Redis ver. 7.4.0\\n");
    }

    #[test]
    fn arguments_that_make_no_sense() {
        let not_an_integer = "-ERR value is not an integer or out of range";
        check("LOLWUT VERSION x", not_an_integer);
        check("LOLWUT x", not_an_integer);
        check("LOLWUT VERSION", not_an_integer);
        check("LOLWUT 1 x", not_an_integer);
        check("LOLWUT 1 2 3", "-ERR syntax error");
    }

    #[test]
    fn shades_have_no_edge() {
        let around: Vec<u8> = SHADES.iter().chain(&SHADES[..1]).copied().collect();
        let ramp = b" .:-=+*#%@";
        let place = |shade: u8| ramp.iter().position(|&other| other == shade).expect("a shade");
        assert!(around.windows(2).all(|pair| place(pair[0]).abs_diff(place(pair[1])) == 1));
    }
}
