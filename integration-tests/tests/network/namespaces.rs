//! Packets in another network namespace, over a pair of virtual interfaces.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use anyhow::{Result, ensure};
use integration_tests::harness::call::{Calls, n, r, s, x};
use integration_tests::harness::{Setup, Signal};
use serde_json::json;

use crate::address::sockaddr;
use crate::dns;
use crate::server::Server;
use crate::wire::{query, question};

/// A network namespace. Gone when dropped, with its interfaces.
pub(crate) struct Namespace {
    name: String,
}

pub(crate) fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    ensure!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

impl Namespace {
    /// One that has nothing but a loopback interface, which is up.
    pub(crate) fn alone() -> Result<Self> {
        let name = format!("cws-test-{}", std::process::id());
        ip(&format!("netns add {name}"))?;
        let made = Self { name };
        made.ip("link set lo up")?;
        Ok(made)
    }

    /// One that is connected to that of the test.
    pub(crate) fn new() -> Result<Self> {
        let made = Self::alone()?;
        let name = &made.name;
        ip(&format!("link add cwst0 type veth peer name cwst1 netns {name}"))?;
        ip("addr add 10.199.53.1/24 dev cwst0")?;
        ip("link set cwst0 up")?;
        made.ip("addr add 10.199.53.2/24 dev cwst1")?;
        made.ip("link set cwst1 up")?;
        Ok(made)
    }

    /// The same command within.
    pub(crate) fn ip(&self, arguments: &str) -> Result<()> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// Two calls that bring a process into it.
    pub(crate) fn enter(&self) -> Calls {
        let path = format!("/run/netns/{}", self.name);
        Calls::new()
            .then(libc::SYS_openat, [n(libc::AT_FDCWD), s(path), n(libc::O_RDONLY)])
            .then(libc::SYS_setns, [r(0), n(libc::CLONE_NEWNET)])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The interfaces go with it.
        let _deleted = ip(&format!("netns del {}", self.name));
        let _deleted = ip("link del cwst0");
    }
}

#[test]
fn a_question_of_another_network_namespace_is_its_askers() -> Result<()> {
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    let namespace = Namespace::new()?;
    let server = Server::start("10.199.53.1:53")?;
    let resolver = pair.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {}\n", server.address.ip()))?;
    let switch = pair.path("nsswitch.conf");
    fs::write(&switch, "hosts: dns\n")?;
    let script = format!(
        "mount --bind {} /etc/resolv.conf && mount --bind {} /etc/nsswitch.conf && exec getent ahostsv4 www.over-veth.test",
        resolver.display(),
        switch.display()
    );
    let inode = fs::metadata(format!("/run/netns/{}", namespace.name))?.ino();
    let output = Command::new("ip").args(["netns", "exec", &namespace.name, "sh", "-c", &script]).output()?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("192.0.2.77"), "{answer} {}", String::from_utf8_lossy(&output.stderr));
    for (is_query, direction) in [(true, "EGRESS"), (false, "INGRESS")] {
        let signal = pair.expect("asked", |signal| {
            signal.at("dns.question.name") == &json!("www.over-veth.test")
                && signal.at("dns.is_query") == &json!(is_query)
        })?;
        let device = signal.at("network.device");
        assert_eq!((&device["ifname"], &device["netns"]), (&json!("cwst1"), &json!(inode)));
        let remote = if is_query { "network.destination" } else { "network.source" };
        let differences = signal.differences(&[
            ("process.executable.name", json!("getent")),
            ("network.network_direction", json!(direction)),
            (remote, json!({"ip": "10.199.53.1", "port": 53})),
        ]);
        assert_eq!(differences, "");
    }
    // More than a packet of such an interface holds: it is cut into fragments, and is told as one.
    let mut message = query(5, &[question("in-fragments.over-veth.test", 1, 1)]);
    message.resize(4000, 0);
    let to = server.address;
    let calls = namespace
        .enter()
        .then(libc::SYS_socket, [n(libc::AF_INET), n(libc::SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, [r(2), x(&message), n(4000), n(0), sockaddr(to), n(16)]);
    let made = calls.make(&trigger)?.succeeded()?;
    pair.settle()?;
    let asked = |signal: &&Signal| {
        signal.at("process.pid") == made.pid() && signal.at("dns.is_query") == &json!(true)
    };
    let found: Vec<_> = pair.signals.of_rule("asked").filter(asked).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    let differences = found[0].differences(&[
        ("dns.question.name", json!("in-fragments.over-veth.test")),
        ("dns.question.size", json!(4000)),
        ("network.size", json!(4028)),
        ("network.device.ifname", json!("cwst1")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}
