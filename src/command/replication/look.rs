//! ROLE.

use crate::base::num;
use crate::command::spec::{Categories, Flags, Group};
use crate::command::{Command, Context, Outcome, Spec};

/// ROLE
pub(super) static ROLE: Command =
    Command { spec: ROLE_SPEC, handler: Some(role), subcommands: &[] };

const ROLE_SPEC: Spec = Spec {
    name: "role",
    summary: "Tells whether the server is a primary or a replica, and who is at the other end.",
    complexity: "O(N), N being the number of replicas.",
    since: "2.8.12",
    group: Group::Server,
    arity: 1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::SENTINEL),
    categories: Categories::ADMIN.union(Categories::DANGEROUS),
    ..Spec::EMPTY
};

fn role(ctx: &mut Context<'_>) -> Outcome {
    let replication = &ctx.server.replication;
    let offset = num::i64_clamped(replication.history.offset());
    if let Some(following) = replication.role.following() {
        let is_up = following.link == super::role::LinkState::Connected;
        let out = &mut ctx.session.output;
        out.array(5);
        out.text("slave");
        out.text(&following.host);
        out.integer(i64::from(following.port));
        out.text(following.link.name());
        out.integer(if is_up { offset } else { -1 });
        return Ok(());
    }
    let online: Vec<_> =
        replication.replicas.iter().filter(|replica| replica.is_online()).collect();
    let out = &mut ctx.session.output;
    out.array(3);
    out.text("master");
    out.integer(offset);
    out.array(online.len());
    for replica in online {
        let session = ctx.server.sessions.get(replica.place);
        let address = session.map_or_else(String::new, |session| {
            super::report::address(session, &replica.announced.address)
        });
        out.array(3);
        out.bulk(address.as_bytes());
        out.text(&replica.announced.port.to_string());
        out.text(&replica.acknowledged.to_string());
    }
    Ok(())
}
