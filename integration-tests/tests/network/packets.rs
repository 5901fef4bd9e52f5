//! Packets that match a filter.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use anyhow::Result;
use integration_tests::harness::call::{Calls, Made, b, n, r, x};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use libc::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use serde_json::{Value, json};

use crate::address::{port, size, sockaddr};

fn signals(pair: &mut Pair, rule: &str, made: &Made) -> Result<Vec<Signal>> {
    pair.settle()?;
    let of_process = |signal: &&Signal| signal.at("process.pid") == made.pid();
    Ok(pair.signals.of_rule(rule).filter(of_process).cloned().collect())
}

#[test]
fn filters_choose_packets_and_tell_whose_they_are() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let receiver = UdpSocket::bind("127.53.0.12:0")?;
    let listener = TcpListener::bind("127.53.0.12:0")?;
    let (udp, tcp) = (receiver.local_addr()?, listener.local_addr()?);
    let datagrams = format!("udp and dst port {}", udp.port());
    let hellos = format!("tcp and dst port {} and tcp[((tcp[12] & 0xf0) >> 2)] = 22", tcp.port());
    let pings = "icmp and icmp[0] = 8 and dst host 127.53.0.12";
    let echoes = "icmp and icmp[0] = 0 and src host 127.53.0.12";
    let filter = |filter: &str| format!("packet.filter == \"{filter}\"");
    let setup = Setup::new()
        .rule("datagrams", &format!("{} && packet.destination.is_public == false", filter(&datagrams)))
        .rule("hellos", &format!("{} && packet.tls.version == TLS_1_3", filter(&hellos)))
        .rule("pings", &filter(pings))
        .rule("echoes", &filter(echoes));
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;

    let send = [r(0), x(b"hello"), n(5), n(0), sockaddr(udp), n(16)];
    let calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, send)
        .then(libc::SYS_getsockname, [r(0), b(28), x(&28_u32.to_ne_bytes())]);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = signals(&mut pair, "datagrams", &made)?;
    assert_eq!(found.len(), 1, "{found:#?}\n{}", pair.logs());
    let differences = found[0].differences(&[
        ("evt.name", json!("packet")),
        ("evt.category", json!("Network Activity")),
        ("packet.l3_protocol", json!("ETH_P_IP")),
        ("packet.l4_protocol", json!("IP_PROTO_UDP")),
        ("packet.size", json!(33)),
        ("packet.network_direction", json!("EGRESS")),
        ("packet.destination", json!({"ip": "127.53.0.12", "port": udp.port()})),
        ("packet.source", json!({"ip": "127.0.0.1", "port": port(&made.buffer(2, 1)?)})),
        ("packet.device.ifname", json!("lo")),
    ]);
    assert_eq!(differences, "");

    let mut hello = vec![22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 7, 0, 43, 0, 3, 2, 3, 4]);
    let calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(0), sockaddr(tcp), n(16)])
        .then(libc::SYS_write, [r(0), x(&hello), n(i64::try_from(hello.len())?)]);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = signals(&mut pair, "hellos", &made)?;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].at("packet.tls"), &json!({"version": "TLS_1_3"}));

    // An echo request, which the kernel answers by itself: that is nobody's packet.
    let echo = [8, 0, 0xf7, 0xfe, 0, 1, 0, 0];
    let send = [r(0), x(&echo), n(8), n(0), sockaddr("127.53.0.12:0".parse()?), n(16)];
    let calls =
        Calls::new().then(libc::SYS_socket, [n(AF_INET), n(SOCK_RAW), n(1)]).then(libc::SYS_sendto, send);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = signals(&mut pair, "pings", &made)?;
    assert!(!found.is_empty(), "{}", pair.logs());
    assert_eq!(found[0].at("packet.type"), &json!("ICMP_ECHO_REQUEST"));
    let is_sent = |signal: &&Signal| signal.at("packet.network_direction") == &json!("EGRESS");
    let answers: Vec<_> = pair.signals.of_rule("echoes").filter(is_sent).collect();
    assert!(!answers.is_empty(), "{}", pair.logs());
    for signal in answers {
        assert_eq!(signal.at("process.pid"), &Value::Null, "{signal:#?}");
        // Nobody is not root.
        assert_eq!(signal.at("process.uid"), &json!(u32::MAX), "{signal:#?}");
    }
    Ok(())
}

/// Datagrams that one rule or another is about are told, all others stay in the kernel.
#[test]
fn the_kernel_drops_what_no_filter_is_about() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (wanted, other) = (UdpSocket::bind("127.53.0.16:0")?, UdpSocket::bind("127.53.0.17:0")?);
    let six = UdpSocket::bind("[::1]:0")?;
    let (wanted, other, six) = (wanted.local_addr()?, other.local_addr()?, six.local_addr()?);
    let filters = [
        ("by_port", format!("udp dst port {}", wanted.port())),
        ("by_range", format!("udp dst portrange {}-{} and ip", wanted.port() - 1, wanted.port())),
        ("by_host", format!("dst host {} and src net 127.0.0.0/8", wanted.ip())),
        ("by_both", format!("udp and host {} and not tcp", wanted.ip())),
        ("by_version", format!("ip6 and udp dst port {}", six.port())),
        ("by_host6", format!("ip6 host ::1 and udp dst port {}", six.port())),
        ("never", "tcp[tcpflags] & tcp-urg != 0".to_owned()),
        ("nothing", format!("udp src port {} and dst port {}", wanted.port(), other.port())),
    ];
    let mut setup = Setup::new();
    for (name, filter) in &filters {
        setup = setup.rule(name, &format!("packet.filter == \"{filter}\" && process.file.name == \"call\""));
    }
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let dropped = |pair: &Pair| -> Result<(u64, u64)> {
        let status = pair.status()?;
        let number = |of: &str| status["probe"][of]["packet"].as_u64().unwrap_or(0);
        Ok((number("filtered"), number("filters")))
    };
    let (before, conditions) = dropped(&pair)?;
    assert_eq!(conditions, 8, "{:#}", pair.status()?);
    let send =
        |socket: usize, to: SocketAddr| [r(socket), x(b"hello"), n(5), n(0), sockaddr(to), n(size(to))];
    let mut calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_socket, [n(AF_INET6), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, send(0, wanted))
        .then(libc::SYS_sendto, send(1, six));
    for _ in 0..10 {
        calls = calls.then(libc::SYS_sendto, send(0, other));
    }
    let made = calls.make(&trigger)?.succeeded()?;
    for (name, _) in &filters {
        let expected = usize::from(!["never", "nothing"].contains(name));
        let found = signals(&mut pair, name, &made)?;
        assert_eq!(found.len(), expected, "{name}: {found:#?}");
    }
    // Each of the others leaves once and comes in once.
    let (after, _) = dropped(&pair)?;
    assert!(after >= before + 20, "{before} to {after}");
    Ok(())
}
