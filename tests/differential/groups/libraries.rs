//! The libraries of scripts: `cjson`, `cmsgpack`, `struct` and `bit`.

use crate::grammar::Arg::{Snippet, Word};
use crate::grammar::{Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "libraries", rows: ROWS };

const ROWS: &[Row] = &[row(8, "EVAL", &[Snippet, Word("0")]).intact()];
