//! LATENCY GRAPH: columns of characters, one for each sample, with its age below.

use crate::base::num;

/// Columns beside each other; more samples go below.
const COLUMNS: usize = 80;
/// Lines of a column.
const ROWS: usize = 4;
/// The top of a column, by how far it reaches into its line.
const TOPS: [char; 3] = ['_', 'o', '#'];
/// Below the top.
const BODY: char = '|';

/// A sample: its value and what stands below it.
pub(super) struct Column {
    pub(super) value: u64,
    pub(super) label: String,
}

/// Draws columns between the least and the greatest of their values.
pub(super) fn draw(columns: &[Column]) -> String {
    let values = || columns.iter().map(|column| column.value);
    let (least, greatest) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let blocks: Vec<String> =
        columns.chunks(COLUMNS).map(|block| draw_block(block, least, greatest)).collect();
    blocks.join("\n")
}

fn draw_block(columns: &[Column], least: u64, greatest: u64) -> String {
    let mut text = String::new();
    for row in (0..ROWS).rev() {
        text.extend(columns.iter().map(|column| {
            let step = step(column.value - least, greatest - least);
            match row.cmp(&(step / TOPS.len())) {
                std::cmp::Ordering::Less => BODY,
                std::cmp::Ordering::Equal => TOPS[step % TOPS.len()],
                std::cmp::Ordering::Greater => ' ',
            }
        }));
        text.push('\n');
    }
    text.extend(columns.iter().map(|_| ' '));
    text.push('\n');
    let longest = columns.iter().map(|column| column.label.len()).max().unwrap_or(0);
    for at in 0..longest {
        text.extend(columns.iter().map(|column| column.label.chars().nth(at).unwrap_or(' ')));
        text.push('\n');
    }
    text
}

/// The height of a value above the least one, in parts of lines.
fn step(above: u64, range: u64) -> usize {
    let steps = ROWS * TOPS.len();
    let step = u128::from(above) * u128::from(num::u64_of(steps));
    let step = step.checked_div(u128::from(range)).unwrap_or(0);
    usize::try_from(step).map_or(steps - 1, |step| step.min(steps - 1))
}

/// How long ago something was, in its largest unit.
pub(super) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(values: &[(u64, i64)]) -> Vec<Column> {
        values.iter().map(|&(value, ago_s)| Column { value, label: age(ago_s) }).collect()
    }

    #[test]
    fn columns_reach_from_the_least_to_the_greatest() {
        // As Redis draws them.
        let text = draw(&columns(&[(300, 6), (100, 5), (2, 4), (5, 3), (900, 1)]));
        assert_eq!(text, "    #\n    |\n_   |\n|o__|\n     \n65431\nsssss\n");
        assert_eq!(draw(&columns(&[(2, 0)])), " \n \n \n_\n \n0\ns\n");
        assert_eq!(draw(&columns(&[(u64::MAX, 0), (0, 0)])), "# \n| \n| \n|_\n  \n00\nss\n");
    }

    #[test]
    fn labels_tell_the_age() {
        let ages =
            [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (90_000, "1d")];
        for (seconds, text) in ages {
            assert_eq!(age(seconds), text);
        }
        assert_eq!(draw(&columns(&[(1, 5), (1, 600)])), "  \n  \n  \n__\n  \n51\ns0\n m\n");
    }

    #[test]
    fn many_samples_go_below_each_other() {
        let text = draw(&columns(&[(1, 1); 81]));
        let lines: Vec<usize> = text.split('\n').map(str::len).collect();
        assert_eq!(lines, [80, 80, 80, 80, 80, 80, 80, 0, 1, 1, 1, 1, 1, 1, 1, 0]);
    }
}
