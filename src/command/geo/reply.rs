//! Numbers and positions in replies.

use crate::base::geo::Position;
use crate::base::num;
use crate::resp::{Output, Protocol};

/// A distance, to four decimals. As from Redis 7.2 on, what is counted in ten-thousandths is rounded, half
/// to even, not the distance itself.
pub(super) fn distance(out: &mut Output, distance: f64) {
    match num::i64_exactly((distance * 10_000.0).round_ties_even()) {
        Some(n) => out.text(&format!("{}.{:04}", n / 10_000, n % 10_000)),
        None => out.text(&format!("{distance:.4}")),
    }
}

/// Longitude and latitude.
pub(super) fn coordinates(out: &mut Output, position: Position) {
    out.array(2);
    coordinate(out, position.longitude);
    coordinate(out, position.latitude);
}

/// Degrees to 17 decimals, zeros at the end left out.
fn coordinate(out: &mut Output, degrees: f64) {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    match out.protocol {
        Protocol::Resp2 => out.text(text),
        Protocol::Resp3 => {
            out.raw(b",");
            out.raw(text.as_bytes());
            out.raw(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_rounded_in_ten_thousandths() {
        for (metres, text) in [
            (0.0, "0.0000"),
            (166_274.151_566_98, "166274.1516"),
            (0.000_05, "0.0000"), // half of one, to even; the double is a little more than that
            (1e300, &format!("{:.4}", 1e300)),
        ] {
            let mut out = Output::default();
            distance(&mut out, metres);
            let reply: Vec<u8> = out.pieces().flatten().copied().collect();
            assert_eq!(reply, format!("${}\r\n{text}\r\n", text.len()).as_bytes(), "{metres}");
        }
    }

    #[test]
    fn coordinates_are_printed_whole() {
        for (degrees, text) in [
            (100.0, "100"),
            (-0.0, "0"),
            (-1e-18, "0"),
            (0.5, "0.5"),
            (-179.999_997_317_790_99, "-179.99999731779098511"),
        ] {
            let mut out = Output::default();
            coordinate(&mut out, degrees);
            let reply: Vec<u8> = out.pieces().flatten().copied().collect();
            assert_eq!(reply, format!("${}\r\n{text}\r\n", text.len()).as_bytes());
        }
    }
}
