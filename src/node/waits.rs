//! Clients whose waiting ends: because their time has run out, or since they got what they wanted.

use super::Node;
use crate::command::blocking::Ending;
use crate::command::server::Now;

impl Node {
    /// Replies to the clients whose time has run out.
    pub(super) fn end_waits(&mut self, now: Now) {
        while let Some(id) = self.server.waits.due(now.mono_ns) {
            let index = self.server.sessions.index_of(id).expect("who leaves does not wait");
            let mut session = self.server.sessions.take(index).expect("it executes nothing");
            self.server.unblock(&mut session, Ending::Timeout);
            self.server.sessions.put(session);
        }
    }

    /// Goes on with what clients sent while they waited that now have their replies. Those that this
    /// gives their replies in turn come in the same turn as well.
    pub(super) fn resume_served(&mut self, now: Now) {
        while !self.server.resumable.is_empty() {
            for index in std::mem::take(&mut self.server.resumable) {
                self.desk().resume(now, index);
            }
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
            let node = Node::new(Bench::new().server);
            let mut sample = Self { now: node.server.now, client: 0, node };
            sample.client = sample.connect();
            sample
        }

        fn connect(&mut self) -> usize {
            let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
            self.node.connected(end.clone(), end, 9)
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
    fn another_client_can_end_the_waiting() {
        for (how, reply) in [
            ("", ":0 "),
            (" TIMEOUT", ":0 "),
            (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK "),
        ] {
            let mut sample = Sample::new();
            let waiting = sample.client;
            assert_eq!(sample.send("CLIENT ID\r\nCLIENT UNBLOCK 2\r\n"), ":2 :0 ");
            assert_eq!(sample.send("WAIT 1 0\r\nPING\r\n"), "");
            sample.client = sample.connect();
            assert_eq!(sample.send(&format!("CLIENT UNBLOCK 2{how}\r\n")), ":1 ");
            assert_eq!(sample.send("CLIENT UNBLOCK 2\r\nCLIENT UNBLOCK 9\r\n"), ":0 :0 ");
            sample.client = waiting;
            // What it sends now comes after what it has sent.
            assert_eq!(sample.send("ECHO a\r\n"), reply);
            assert_eq!(sample.pass(0), "+PONG $1 a ");
            assert!(sample.node.server.waits.is_empty());
        }
    }

    #[test]
    fn a_command_that_waits_is_counted_when_it_has_its_reply() {
        let mut sample = Sample::new();
        let calls = |sample: &Sample| sample.node.server.stats.commands;
        sample.send("WAIT 1 50\r\n");
        assert_eq!(calls(&sample), 0);
        sample.pass(50);
        assert_eq!(calls(&sample), 1);
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
