//! ACL CAT, GENPASS and WHOAMI, which everybody may use.

use super::{FLAGS, wrong_arguments};
use crate::acl::Categories;
use crate::command::error::printed;
use crate::command::spec::{Arg, ArgType, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// ACL CAT [category]
pub(super) static CAT: Command = Command { spec: CAT_SPEC, handler: Some(cat), subcommands: &[] };

const CAT_SPEC: Spec = Spec {
    name: "cat",
    summary: "Lists the categories, or the commands of one.",
    complexity: "O(N), N being the number of commands.",
    since: "6.0.0",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[Arg::new("category", ArgType::String).optional()],
    ..Spec::EMPTY
};

/// ACL GENPASS [bits]
pub(super) static GENPASS: Command =
    Command { spec: GENPASS_SPEC, handler: Some(generate), subcommands: &[] };

const GENPASS_SPEC: Spec = Spec {
    name: "genpass",
    summary: "Makes a password that cannot be guessed.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[Arg::new("bits", ArgType::Integer).optional()],
    ..Spec::EMPTY
};

/// ACL WHOAMI
pub(super) static WHOAMI: Command =
    Command { spec: WHOAMI_SPEC, handler: Some(who_am_i), subcommands: &[] };

const WHOAMI_SPEC: Spec = Spec {
    name: "whoami",
    summary: "Returns the name of the connection's user.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    ..Spec::EMPTY
};

/// Bits of a password if nobody says how many.
const PASSWORD_BITS: i64 = 256;
/// Most bits of a password.
const PASSWORD_BITS_MAX: i64 = 4096;

const BAD_BITS: Error = Error::fixed(
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number \
     up to 4096",
);

fn cat(ctx: &mut Context<'_>) -> Outcome {
    let out = &mut ctx.session.output;
    match (ctx.args.len(), ctx.args.get(2)) {
        (_, None) => {
            out.array(Categories::all().names().count());
            Categories::all().names().for_each(|name| out.text(name));
        }
        (3, Some(name)) => {
            let category = Categories::of_name(name).ok_or_else(|| {
                Error::new([b"ERR Unknown category '", printed(name), b"'"].concat())
            })?;
            let catalog = ctx.server.users.catalog();
            out.array(catalog.of_category(category).count());
            catalog.of_category(category).for_each(|index| out.text(catalog.name(index)));
        }
        _ => return Err(wrong_arguments(ctx.args.at(1))),
    }
    Ok(())
}

fn generate(ctx: &mut Context<'_>) -> Outcome {
    let bits = match ctx.args.len() {
        2 => PASSWORD_BITS,
        3 => ctx.integer(2)?,
        _ => return Err(wrong_arguments(ctx.args.at(1))),
    };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return Err(BAD_BITS);
    }
    let digits = usize::try_from(bits).unwrap_or_default().div_ceil(4);
    let mut random = vec![0; digits.div_ceil(2)];
    if let Err(error) = ctx.server.host.fill_random(&mut random) {
        tracing::warn!("No randomness for ACL GENPASS: {error}");
        return Err(Error::fixed("ERR The system has no randomness to give"));
    }
    let mut password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    ctx.session.output.text(&password);
    Ok(())
}

fn who_am_i(ctx: &mut Context<'_>) -> Outcome {
    let session = &mut *ctx.session;
    session.output.bulk(session.user.name());
    Ok(())
}
