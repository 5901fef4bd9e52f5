//! From which answers names of addresses are learnt.

use std::net::SocketAddr;

use anyhow::Result;
use integration_tests::harness::Setup;
use integration_tests::harness::call::{Calls, b, n, p, r, x};
use libc::{AF_INET, SOCK_DGRAM};
use serde_json::json;

use crate::address::sockaddr;
use crate::dns;
use crate::wire::{query, question};

/// The answer that a name has this address.
fn answer(id: u16, name: &str, address: [u8; 4]) -> Vec<u8> {
    let mut message = query(id, &[question(name, 1, 1)]);
    message[2] |= 0x80;
    message[7] = 1;
    [&message[..], &[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4], &address].concat()
}

/// A process with a server of its own sends itself answers to what it has asked, and to what it has not.
#[test]
fn an_answer_that_nobody_asked_for_gives_no_name() -> Result<()> {
    let setup = Setup::new().rule("connections", "connect.addr.port == 9 && process.file.name == \"call\"");
    let Some((mut pair, trigger)) = dns::start(setup)? else { return Ok(()) };
    let server: SocketAddr = "127.53.0.33:53".parse()?;
    let unasked = |pair: &integration_tests::harness::Pair| -> Result<u64> {
        Ok(pair.status()?["agent"]["pipeline"]["network"]["dns_unasked"].as_u64().unwrap_or(0))
    };
    let before = unasked(&pair)?;
    let asked = query(1, &[question("asked.names.test", 1, 1)]);
    let mut calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_bind, [r(1), sockaddr(server), n(16)])
        .then(
            libc::SYS_sendto,
            [r(0), x(&asked), n(i64::try_from(asked.len())?), n(0), sockaddr(server), n(16)],
        )
        .then(libc::SYS_recvfrom, [r(1), b(512), n(512), n(0), b(16), x(&16_u32.to_ne_bytes())]);
    for message in [
        answer(1, "other.names.test", [192, 0, 2, 91]),
        answer(2, "asked.names.test", [192, 0, 2, 92]),
        answer(1, "asked.names.test", [192, 0, 2, 93]),
        answer(1, "asked.names.test", [192, 0, 2, 94]),
    ] {
        let length = n(i64::try_from(message.len())?);
        calls = calls.then(libc::SYS_sendto, [r(1), x(&message), length, n(0), p(4, 4), n(16)]);
    }
    // Nothing is sent: what is connected is a datagram socket.
    for last in 91..=94 {
        let to: SocketAddr = format!("192.0.2.{last}:9").parse()?;
        calls = calls.then(libc::SYS_connect, [r(0), sockaddr(to), n(16)]);
    }
    let made = calls.make(&trigger)?;
    if made.last() == -101 {
        println!("skipped: this machine has no route to a peer");
        return Ok(());
    }
    pair.settle()?;
    let found = pair.signals.of_rule("connections").filter(|signal| signal.at("process.pid") == made.pid());
    let names: Vec<_> = found.map(|signal| signal.at("connect.hostnames").clone()).collect();
    assert_eq!(names, [json!([]), json!([]), json!(["asked.names.test"]), json!([])], "{}", pair.logs());
    assert_eq!(unasked(&pair)? - before, 3);
    // All of them are events, whoever has asked.
    assert_eq!(dns::signals(&mut pair, &made)?.len(), 5);
    Ok(())
}
