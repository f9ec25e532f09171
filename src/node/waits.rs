//! Clients whose waiting ends because their time has run out.

use super::Node;
use crate::command::dispatch;
use crate::command::server::Now;

impl Node {
    /// Replies to the clients whose time has run out, and goes on with what they sent meanwhile.
    pub(super) fn end_waits(&mut self, now: Now) {
        while let Some(id) = self.server.waits.due(now.mono_ns) {
            let index = self.server.sessions.index_of(id).expect("who leaves does not wait");
            let mut session =
                self.server.sessions.take(index).expect("no command is being executed");
            let blocked = self.server.waits.remove(&mut session).expect("it is listed as waiting");
            self.server.lend_buffer(&mut session);
            dispatch::reply_later(&mut session, blocked.timed_out);
            let tail = std::mem::take(&mut session.tail);
            self.server.sessions.put(session);
            self.input_kept(now, index, &tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use crate::session::Endpoint;

    /// A node with one client, and the time.
    struct Sample {
        node: Node,
        client: usize,
        now: Now,
    }

    impl Sample {
        fn new() -> Self {
            let mut node = Node::new(Bench::new().server);
            let now = node.server.now;
            let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
            let client = node.connected(end.clone(), end, 9);
            Self { node, client, now }
        }

        /// What the client is sent when it sends `text`.
        fn send(&mut self, text: &str) -> String {
            let buf = [self.node.take_tail(self.client), text.into()].concat();
            self.node.input(self.now, self.client, &buf);
            self.replies()
        }

        /// What the client is sent when so much time has passed.
        fn pass(&mut self, millis: u64) -> String {
            self.now = self.now.later(millis * 1_000_000);
            self.node.tick(self.now);
            self.replies()
        }

        fn replies(&mut self) -> String {
            let session = self.node.server.sessions.get_mut(self.client).expect("it is connected");
            let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
            session.output.advance(bytes.len());
            String::from_utf8(bytes).expect("text").replace("\r\n", " ")
        }
    }

    #[test]
    fn a_client_waits_until_its_time_has_run_out() {
        let mut sample = Sample::new();
        assert_eq!(sample.send("WAIT 1 100\r\n"), "");
        assert_eq!(sample.pass(99), "");
        assert_eq!(sample.node.server.waits.len(), 1);
        assert_eq!(sample.pass(1), ":0 ");
        assert_eq!(sample.node.server.waits.len(), 0);
        assert_eq!(sample.send("PING\r\n"), "+PONG ");
    }

    #[test]
    fn the_next_tick_is_no_later_than_the_end_of_waiting() {
        let mut sample = Sample::new();
        sample.pass(1);
        assert!(sample.node.tick(sample.now) > 7);
        sample.send("WAIT 1 7\r\n");
        assert_eq!(sample.node.tick(sample.now), 7);
        sample.pass(6);
        assert_eq!(sample.node.tick(sample.now.later(999_999)), 1);
        assert_eq!(sample.pass(1), ":0 ");
    }

    #[test]
    fn commands_sent_meanwhile_are_executed_afterwards_in_order() {
        let resp = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$2\r\n50\r\n";
        for wait in ["WAIT 1 50\r\n", resp] {
            for after in
                ["PING\r\nECHO a\r\n", "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n"]
            {
                // All at once, and byte by byte.
                let mut sample = Sample::new();
                assert_eq!(sample.send(&format!("PING\r\n{wait}{after}")), "+PONG ");
                assert_eq!(sample.send("ECHO b\r\n"), "");
                assert_eq!(sample.pass(50), ":0 +PONG $1 a $1 b ");
                let mut sample = Sample::new();
                for byte in format!("{wait}{after}").chars() {
                    assert_eq!(sample.send(&byte.to_string()), "");
                }
                assert_eq!(sample.pass(50), ":0 +PONG $1 a ");
            }
        }
    }

    #[test]
    fn waiting_may_follow_waiting() {
        let mut sample = Sample::new();
        assert_eq!(sample.send("WAIT 1 50\r\nWAIT 1 50\r\nPING\r\n"), "");
        assert_eq!(sample.pass(50), ":0 ");
        assert_eq!(sample.pass(49), "");
        assert_eq!(sample.pass(1), ":0 +PONG ");
    }

    #[test]
    fn a_timeout_of_zero_has_no_end() {
        let mut sample = Sample::new();
        assert_eq!(sample.send("WAIT 1 0\r\nPING\r\n"), "");
        assert_eq!(sample.pass(1_000_000_000), "");
        assert_eq!(sample.node.server.waits.len(), 1);
        assert_eq!(sample.node.server.waits.timed_len(), 0);
    }

    #[test]
    fn who_leaves_does_not_wait() {
        for timeout in [0, 50] {
            let mut sample = Sample::new();
            sample.send(&format!("WAIT 1 {timeout}\r\n"));
            sample.node.disconnected(sample.client);
            assert!(sample.node.server.waits.is_empty());
            sample.node.tick(sample.now.later(1_000_000_000));
        }
    }

    #[test]
    fn a_reply_that_is_not_wanted_is_not_sent() {
        let mut sample = Sample::new();
        assert_eq!(sample.send("CLIENT REPLY SKIP\r\nWAIT 1 50\r\nPING\r\n"), "");
        assert_eq!(sample.pass(50), "+PONG ");
        assert_eq!(sample.send("CLIENT REPLY OFF\r\nWAIT 1 50\r\nPING\r\n"), "");
        assert_eq!(sample.pass(50), "");
        assert_eq!(sample.send("CLIENT REPLY ON\r\n"), "+OK ");
    }

    #[test]
    fn who_waits_is_not_idle() {
        let mut sample = Sample::new();
        sample.node.server.config.timeout = 1;
        sample.send("WAIT 1 5000\r\n");
        for _ in 0..4 {
            assert_eq!(sample.pass(1000), "");
        }
        assert_eq!(sample.node.server.doomed.len(), 0);
        assert_eq!(sample.pass(1000), ":0 ");
        sample.pass(3000);
        assert_eq!(sample.node.server.doomed.len(), 1);
    }
}
