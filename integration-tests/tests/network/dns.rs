//! Questions and answers of name services.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;

use anyhow::{Context as _, Result};
use integration_tests::harness::call::{Calls, Made, b, n, r, x};
use integration_tests::harness::{Pair, Setup, Signal, Trigger, can_run};
use libc::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM};
use serde_json::{Value, json};

use crate::address::{port, size, sockaddr};
use crate::server::Server;
use crate::wire::{framed, query, question};

const ASKED: &str = "asked";

/// A pair that signals all messages, and a trigger to send some.
pub(crate) fn start(setup: Setup) -> Result<Option<(Pair, Trigger)>> {
    if !can_run() {
        return Ok(None);
    }
    let setup = setup.rule(ASKED, "dns.question.count >= 0 && dns.question.name != \"\"");
    let pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    Ok(Some((pair, trigger)))
}

/// The signals of the process that made these calls.
pub(crate) fn signals(pair: &mut Pair, made: &Made) -> Result<Vec<Signal>> {
    pair.settle()?;
    let of_process = |signal: &&Signal| signal.at("process.pid") == made.pid();
    Ok(pair.signals.of_rule(ASKED).filter(of_process).cloned().collect())
}

/// Sends a datagram to `server` and waits for the answer; tells its own port on the way.
fn ask(server: SocketAddr, message: &[u8]) -> Calls {
    let domain = if server.is_ipv4() { AF_INET } else { AF_INET6 };
    let length = n(i64::try_from(message.len()).unwrap_or_default());
    Calls::new()
        .then(libc::SYS_socket, [n(domain), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, [r(0), x(message), length, n(0), sockaddr(server), n(size(server))])
        .then(libc::SYS_getsockname, [r(0), b(28), x(&28_u32.to_ne_bytes())])
        .then(libc::SYS_recvfrom, [r(0), b(4096), n(4096), n(0), n(0), n(0)])
}

fn endpoint(ip: &str, port: u16) -> Value {
    json!({"ip": ip, "port": port})
}

#[test]
fn a_question_and_its_answer_in_every_field() -> Result<()> {
    let Some((mut pair, trigger)) = start(Setup::new())? else { return Ok(()) };
    for (at, ip, l3, overhead) in
        [("127.53.0.1:53", "127.0.0.1", "ETH_P_IP", 28_usize), ("[::1]:53", "::1", "ETH_P_IPV6", 48)]
    {
        let server = Server::start(at)?;
        let (message, length) = (query(0x1a2b, &[question("WwW.Example.test", 1, 1)]), 34);
        assert_eq!(message.len(), length);
        let made = ask(server.address, &message).make(&trigger)?.succeeded()?;
        let own = port(&made.buffer(2, 1)?);
        let answer = usize::try_from(made.last())?;
        let found = signals(&mut pair, &made)?;
        assert_eq!(found.len(), 2, "{found:#?}\n{}", pair.logs());
        let sent_from = if at.starts_with('[') { "::1" } else { ip };
        let to = server.address.ip().to_string();
        let network = |incoming: bool, size: usize| {
            let (own, other) = (endpoint(sent_from, own), endpoint(&to, 53));
            let (source, destination) = if incoming { (&other, &own) } else { (&own, &other) };
            json!({
                "device": {"netns": own_network_namespace(), "ifindex": 1, "ifname": "lo"},
                "l3_protocol": l3, "l4_protocol": "IP_PROTO_UDP", "source": source, "destination": destination,
                "size": size + overhead, "network_direction": if incoming { "INGRESS" } else { "EGRESS" },
            })
        };
        let asked = |size: usize| json!({"class": "CLASS_INET", "type": "A", "name": "WwW.Example.test", "size": size, "count": 1});
        let expected = [
            (json!({"id": 0x1a2b, "is_query": true, "question": asked(length)}), network(false, length)),
            (
                json!({"id": 0x1a2b, "is_query": false, "question": asked(answer), "response": {"code": 0}}),
                network(true, answer),
            ),
        ];
        for (signal, (dns, network)) in found.iter().zip(expected) {
            let differences = signal.differences(&[
                ("evt.name", json!("dns")),
                ("evt.category", json!("Network Activity")),
                ("evt.outcome", json!("Success")),
                ("process.pid", made.pid().clone()),
                ("process.executable.path", json!(trigger.path())),
                ("process.parent.pid", json!(std::process::id())),
                ("dns", dns),
                ("network", network),
            ]);
            assert_eq!(differences, "");
        }
    }
    Ok(())
}

fn own_network_namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/net").unwrap_or_default();
    let text = link.to_string_lossy().into_owned();
    text.trim_start_matches("net:[").trim_end_matches(']').parse().unwrap_or_default()
}

/// The process ends in the moment in which it has sent.
#[test]
fn whoever_only_sends_and_ends_is_known() -> Result<()> {
    let Some((mut pair, trigger)) = start(Setup::new())? else { return Ok(()) };
    let sink = UdpSocket::bind("127.53.0.2:53")?;
    let to = sink.local_addr()?;
    for turn in 0..20_u16 {
        let message = query(turn, &[question(&format!("turn{turn}.test"), 16, 1)]);
        let connected = turn % 2 == 0;
        let length = n(i64::try_from(message.len())?);
        let socket = Calls::new().then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)]);
        let calls = if connected {
            socket
                .then(libc::SYS_connect, [r(0), sockaddr(to), n(16)])
                .then(libc::SYS_write, [r(0), x(&message), length])
        } else {
            socket.then(libc::SYS_sendto, [r(0), x(&message), length, n(0), sockaddr(to), n(16)])
        };
        let made = calls.make(&trigger)?.succeeded()?;
        let found = signals(&mut pair, &made)?;
        assert_eq!(found.len(), 1, "{turn}: {found:#?}");
        assert_eq!(found[0].at("dns.question.name"), &json!(format!("turn{turn}.test")));
        assert_eq!(found[0].at("dns.question.type"), &json!("TXT"));
        assert_eq!(found[0].at("process.parent.pid"), &json!(std::process::id()));
    }
    Ok(())
}

#[test]
fn tcp_byte_by_byte_is_one_question_and_one_answer() -> Result<()> {
    let Some((mut pair, trigger)) = start(Setup::new())? else { return Ok(()) };
    let server = Server::start("127.53.0.3:53")?;
    let message = query(7, &[question("alias.by-tcp.test", 1, 1)]);
    let stream = framed(&message);
    // Each write is a segment: the option keeps the kernel from joining them.
    let one = 1_u32.to_ne_bytes();
    let mut calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_setsockopt, [r(0), n(libc::IPPROTO_TCP), n(libc::TCP_NODELAY), x(&one), n(4)])
        .then(libc::SYS_connect, [r(0), sockaddr(server.address), n(16)]);
    for byte in &stream {
        calls = calls.then(libc::SYS_write, [r(0), x(&[*byte]), n(1)]);
    }
    // The whole answer, behind its length: a header, the question, an alias and an address; MSG_WAITALL.
    let answer = 12 + (19 + 4) + (2 + 10 + 11) + (11 + 10 + 4);
    calls = calls.then(libc::SYS_recvfrom, [r(0), b(128), n(2 + answer), n(0x100), n(0), n(0)]);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = signals(&mut pair, &made)?;
    assert_eq!(found.len(), 2, "{found:#?}\n{}", pair.logs());
    let asked = |size: i64| json!({"class": "CLASS_INET", "type": "A", "name": "alias.by-tcp.test", "size": size, "count": 1});
    let expected = [
        (json!({"id": 7, "is_query": true, "question": asked(i64::try_from(message.len())?)}), "EGRESS"),
        (json!({"id": 7, "is_query": false, "question": asked(answer), "response": {"code": 0}}), "INGRESS"),
    ];
    for (signal, (dns, direction)) in found.iter().zip(expected) {
        let remote = if direction == "EGRESS" { "network.destination" } else { "network.source" };
        let differences = signal.differences(&[
            ("dns", dns),
            ("network.l4_protocol", json!("IP_PROTO_TCP")),
            ("network.network_direction", json!(direction)),
            (remote, endpoint("127.53.0.3", 53)),
        ]);
        assert_eq!(differences, "");
    }
    Ok(())
}

#[test]
fn every_question_of_a_message_is_judged() -> Result<()> {
    let Some((mut pair, trigger)) = start(Setup::new())? else { return Ok(()) };
    let sink = UdpSocket::bind("127.53.0.4:53")?;
    let two = query(1, &[question("good.test", 1, 1), question("evil.test", 255, 3)]);
    let length = n(i64::try_from(two.len())?);
    let send = [r(0), x(&two), length, n(0), sockaddr(sink.local_addr()?), n(16)];
    let calls =
        Calls::new().then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)]).then(libc::SYS_sendto, send);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = signals(&mut pair, &made)?;
    let asked: Vec<_> = found.iter().map(|signal| signal.at("dns.question").clone()).collect();
    let of = |name: &str, question_type: &str, class: &str| json!({"class": class, "type": question_type, "name": name, "size": two.len(), "count": 2});
    assert_eq!(asked, [of("good.test", "A", "CLASS_INET"), of("evil.test", "ANY", "CLASS_CHAOS")]);
    Ok(())
}

#[test]
fn getaddrinfo_is_seen_and_gives_connections_names() -> Result<()> {
    let setup = Setup::new().rule("connections", "connect.addr.hostname == \"alias.of-glibc.test\"");
    let Some((mut pair, trigger)) = start(setup)? else { return Ok(()) };
    let server = Server::start("127.53.0.5:53")?;
    let resolver = pair.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {}\noptions timeout:5\n", server.address.ip()))?;
    let switch = pair.path("nsswitch.conf");
    fs::write(&switch, "hosts: dns\n")?;
    // In a mount namespace of its own, in which these are the machine's.
    let script = format!(
        "mount --bind {} /etc/resolv.conf && mount --bind {} /etc/nsswitch.conf && exec getent ahosts alias.of-glibc.test",
        resolver.display(),
        switch.display()
    );
    let output =
        Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().context("unshare")?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("192.0.2.77"), "{answer} {}", String::from_utf8_lossy(&output.stderr));
    for (question_type, is_query) in [("A", true), ("A", false), ("AAAA", true), ("AAAA", false)] {
        let signal = pair.expect(ASKED, |signal| {
            signal.at("dns.question.name") == &json!("alias.of-glibc.test")
                && signal.at("dns.question.type") == &json!(question_type)
                && signal.at("dns.is_query") == &json!(is_query)
        })?;
        assert_eq!(signal.at("process.executable.name"), &json!("getent"));
    }
    // Nothing is sent: what is connected is a datagram socket.
    let to: SocketAddr = "192.0.2.77:9".parse()?;
    let connect = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_connect, [r(0), sockaddr(to), n(16)]);
    let made = connect.make(&trigger)?;
    if made.last() == -101 {
        println!("not looked at: names of a peer, as this machine has no route to one");
    }
    let signal = pair.expect("connections", |signal| signal.at("process.pid") == made.pid())?;
    assert_eq!(signal.at("connect.hostnames"), &json!(["alias.of-glibc.test", "real.test"]));
    assert_eq!(signal.at("connect.addr"), &json!({"family": "AF_INET", "ip": "192.0.2.77", "port": 9}));
    Ok(())
}

#[test]
fn codes_of_answers_are_told() -> Result<()> {
    let setup = Setup::new().rule("missing", "dns.response.code == NXDOMAIN");
    let Some((mut pair, trigger)) = start(setup)? else { return Ok(()) };
    let server = Server::start("127.53.0.6:53")?;
    let message = query(9, &[question("missing.test", 1, 1)]);
    let made = ask(server.address, &message).make(&trigger)?.succeeded()?;
    let signal = pair.expect("missing", |signal| signal.at("process.pid") == made.pid())?;
    assert_eq!(signal.at("dns.response"), &json!({"code": 3}));
    Ok(())
}

#[test]
fn other_ports_are_watched_if_they_are_named() -> Result<()> {
    let setup = Setup::new().probe_line("runtime_security_config.network.dns_ports: [5353, 5355]");
    let Some((mut pair, trigger)) = start(setup)? else { return Ok(()) };
    let message = query(1, &[question("printer.local", 12, 1)]);
    for (port, seen) in [(53, 0), (5353, 1), (5355, 1)] {
        let sink = UdpSocket::bind(("127.53.0.7", port))?;
        let length = n(i64::try_from(message.len())?);
        let send = [r(0), x(&message), length, n(0), sockaddr(sink.local_addr()?), n(16)];
        let calls = Calls::new()
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
            .then(libc::SYS_sendto, send);
        let made = calls.make(&trigger)?.succeeded()?;
        assert_eq!(signals(&mut pair, &made)?.len(), seen, "{port}");
    }
    Ok(())
}

#[test]
fn where_the_network_is_off_its_rules_are_skipped() -> Result<()> {
    let off = "runtime_security_config.network.enabled: false";
    let Some((mut pair, trigger)) = start(Setup::new().probe_line(off).agent_line(off))? else {
        return Ok(());
    };
    let sink = UdpSocket::bind("127.53.0.8:53")?;
    let message = query(1, &[question("off.test", 1, 1)]);
    let length = n(i64::try_from(message.len())?);
    let send = [r(0), x(&message), length, n(0), sockaddr(sink.local_addr()?), n(16)];
    let calls =
        Calls::new().then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)]).then(libc::SYS_sendto, send);
    let made = calls.make(&trigger)?.succeeded()?;
    assert_eq!(signals(&mut pair, &made)?, []);
    let status = pair.status()?;
    assert_eq!(
        status["agent"]["pipeline"]["rules"]["skipped"], 1,
        "{:#}",
        status["agent"]["pipeline"]["rules"]
    );
    Ok(())
}
