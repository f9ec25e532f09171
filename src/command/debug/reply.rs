//! DEBUG PROTOCOL: one reply of each type, for tests of clients.

use crate::command::{Context, Error, Outcome};
use crate::resp::{Output, Protocol};

/// The double that Redis replies with.
#[expect(clippy::approx_constant, reason = "three digits is what clients' tests compare")]
const NEARLY_PI: f64 = 3.141;

/// Writes a reply.
type Write = fn(&mut Output);

const TYPES: &[(&str, Write)] = &[
    ("string", |out| out.text("Hello World")),
    ("integer", |out| out.integer(12_345)),
    ("double", |out| out.double(NEARLY_PI)),
    ("bignum", |out| out.big_number("1234567999999999999999999999999999999")),
    ("null", Output::null),
    ("array", |out| {
        out.array(3);
        (0..3).for_each(|n| out.integer(n));
    }),
    ("set", |out| {
        out.set(3);
        (0..3).for_each(|n| out.integer(n));
    }),
    ("map", |out| {
        out.map(3);
        for n in 0..3 {
            out.integer(n);
            out.boolean(n == 1);
        }
    }),
    ("attrib", attribute),
    ("push", |out| {
        out.push(2);
        out.text("server-cpu-usage");
        out.integer(42);
    }),
    ("verbatim", |out| out.verbatim("txt", b"This is a verbatim\nstring")),
    ("true", |out| out.boolean(true)),
    ("false", |out| out.boolean(false)),
];

fn attribute(out: &mut Output) {
    if out.protocol == Protocol::Resp3 {
        out.attribute(1);
        out.text("key-popularity");
        out.array(2);
        out.text("key:123");
        out.integer(90);
    }
    out.text("Some real reply following the attribute");
}

pub(super) fn protocol(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.args.at(2);
    let found = TYPES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    let Some((name, write)) = found else {
        return Err(Error::fixed(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ));
    };
    if *name == "push" && ctx.session.output.protocol == Protocol::Resp2 {
        return Err(Error::fixed("ERR RESP2 is not supported by this command"));
    }
    write(&mut ctx.session.output);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;

    #[test]
    fn every_type_has_its_resp2_form() {
        bench().check(
            "DEBUG PROTOCOL map; DEBUG PROTOCOL double; DEBUG PROTOCOL attrib; DEBUG PROTOCOL push",
            "[:0 :0 :1 :1 :2 :0] $3.141 $Some real reply following the attribute \
             -ERR RESP2 is not supported by this command",
        );
    }
}
