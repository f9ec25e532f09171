//! Network namespaces of our own: one for each server, and a link between any two of them.
//!
//! This process is in a namespace of its own already (`--apart`) and reaches every server by a link that is
//! never cut. All of it vanishes with the processes that hold the namespaces.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};

use crate::daemon::Failure;

/// Servers, and so namespaces.
pub(crate) const SERVERS: usize = 3;

/// In which directions a link is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    Both,
    /// What this server sends gets lost.
    From(usize),
}

/// The namespaces.
pub(crate) struct Net {
    holders: Vec<Child>,
    /// What is cut: two servers, the lower one first, and how.
    cuts: Vec<(usize, usize, Cut)>,
}

/// The command that starts another one in a network namespace of its own, if this machine has such.
pub(crate) fn namespace() -> Option<&'static [&'static str]> {
    const ROOT: &[&str] = &["unshare", "--net"];
    const USER: &[&str] = &["unshare", "--user", "--map-root-user", "--net"];
    const TRIAL: &str = "ip link add name here type veth peer name there netns $$ && ip link set here up \
                         && nsenter --target $$ --net ip route add blackhole 10.79.0.1/32 && setpriv --version";
    let works = |prefix: &&&[&str]| {
        let output = Command::new(prefix[0]).args(&prefix[1..]).args(["sh", "-c", TRIAL]).output();
        output.is_ok_and(|output| output.status.success())
    };
    [ROOT, USER].iter().find(works).copied()
}

impl Net {
    pub(crate) fn build() -> Result<Net, Failure> {
        let mut net = Net { holders: Vec::new(), cuts: Vec::new() };
        for server in 0..SERVERS {
            let holder = Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "unshare", "--net", "sh", "-c"])
                .arg("echo; exec sleep infinity")
                .stdout(Stdio::piped())
                .stdin(Stdio::null())
                .spawn()
                .map_err(Failure::io("holding a namespace"))?;
            net.holders.push(holder);
            let holder = &mut net.holders[server];
            // It says a line when it is in its namespace.
            let mut byte = [0];
            let pipe = holder.stdout.as_mut().expect("it is piped");
            std::io::Read::read_exact(pipe, &mut byte).map_err(Failure::io("holding one"))?;
            let pid = holder.id();
            let name = format!("server{server}");
            run(&format!("ip link add name {name} type veth peer name client netns {pid}"))?;
            run(&format!("ip addr add 10.77.{server}.1/24 dev {name}"))?;
            run(&format!("ip link set {name} up"))?;
            net.run_in(server, &format!("ip addr add 10.77.{server}.2/24 dev client"))?;
            net.run_in(server, "ip link set client up")?;
        }
        for a in 0..SERVERS {
            for b in a + 1..SERVERS {
                let pid = net.holders[b].id();
                net.run_in(
                    a,
                    &format!("ip link add name to{b} type veth peer name to{a} netns {pid}"),
                )?;
                for (one, other) in [(a, b), (b, a)] {
                    let address = net.address(one, other);
                    net.run_in(one, &format!("ip addr add {address}/24 dev to{other}"))?;
                    net.run_in(one, &format!("ip link set to{other} up"))?;
                }
            }
        }
        Ok(net)
    }

    /// The address under which this process reaches a server.
    pub(crate) fn public(server: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, octet(server), 2))
    }

    /// The address of a server on its link to another one.
    pub(crate) fn address(&self, server: usize, from: usize) -> IpAddr {
        let link = server.min(from) * SERVERS + server.max(from);
        IpAddr::V4(Ipv4Addr::new(10, 78, octet(link), octet(1 + server)))
    }

    /// The beginning of a command line that is executed in a server's namespace, and dies with this process.
    pub(crate) fn prefix(&self, server: usize) -> Vec<String> {
        let pid = self.holders[server].id().to_string();
        ["setpriv", "--pdeathsig", "KILL", "nsenter", "--target", &pid, "--net"]
            .map(str::to_owned)
            .to_vec()
    }

    fn run_in(&self, server: usize, line: &str) -> Result<(), Failure> {
        let pid = self.holders[server].id();
        run(&format!("nsenter --target {pid} --net {line}"))
    }

    /// Cuts the link of two servers, if it is whole.
    pub(crate) fn cut(&mut self, one: usize, other: usize, cut: Cut) -> Result<(), Failure> {
        let (a, b) = (one.min(other), one.max(other));
        if self.cuts.iter().any(|known| (known.0, known.1) == (a, b)) {
            return Ok(());
        }
        match cut {
            Cut::Both => self.run_in(a, &format!("ip link set to{b} down"))?,
            Cut::From(sender) => {
                let receiver = if sender == a { b } else { a };
                let address = self.address(receiver, sender);
                self.run_in(sender, &format!("ip route add blackhole {address}/32"))?;
            }
        }
        self.cuts.push((a, b, cut));
        Ok(())
    }

    /// Makes the link of two servers whole.
    pub(crate) fn heal(&mut self, one: usize, other: usize) -> Result<(), Failure> {
        let pair = (one.min(other), one.max(other));
        let Some(at) = self.cuts.iter().position(|known| (known.0, known.1) == pair) else {
            return Ok(());
        };
        let (a, b, cut) = self.cuts.remove(at);
        match cut {
            Cut::Both => self.run_in(a, &format!("ip link set to{b} up")),
            Cut::From(sender) => {
                let receiver = if sender == a { b } else { a };
                let address = self.address(receiver, sender);
                self.run_in(sender, &format!("ip route del blackhole {address}/32"))
            }
        }
    }

    /// Cuts a server off from the others.
    pub(crate) fn isolate(&mut self, server: usize) -> Result<(), Failure> {
        for other in (0..SERVERS).filter(|&other| other != server) {
            self.heal(server, other)?; // a link that is cut in one direction
            self.cut(server, other, Cut::Both)?;
        }
        Ok(())
    }

    pub(crate) fn heal_all(&mut self) -> Result<(), Failure> {
        while let Some(&(a, b, _)) = self.cuts.first() {
            self.heal(a, b)?;
        }
        Ok(())
    }
}

impl fmt::Display for Net {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cuts.as_slice() {
            [] => out.write_str("no link is cut"),
            cuts => write!(out, "cut: {cuts:?}"),
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for (server, holder) in self.holders.iter_mut().enumerate() {
            // The kernel takes its time to remove a namespace, and the names are needed again.
            drop(run(&format!("ip link del server{server}")));
            // One that has ended already holds nothing.
            drop(holder.kill());
            drop(holder.wait());
        }
    }
}

fn octet(number: usize) -> u8 {
    u8::try_from(number).expect("there are few servers")
}

fn run(line: &str) -> Result<(), Failure> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program)
        .args(words)
        .output()
        .map_err(Failure::io(format!("running {program}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Other(format!("{line}: {}", text.trim())))
}
