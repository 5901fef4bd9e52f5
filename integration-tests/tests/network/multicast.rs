//! Questions to everybody on a network.

use std::net::SocketAddr;

use anyhow::Result;
use integration_tests::harness::Setup;
use integration_tests::harness::call::{n, r, x};
use libc::{AF_INET, SOCK_DGRAM};
use serde_json::json;

use crate::address::sockaddr;
use crate::dns;
use crate::namespaces::Namespace;
use crate::wire::{query, question};

#[test]
fn a_question_of_multicast_dns_is_an_event() -> Result<()> {
    let setup = Setup::new().probe_line("runtime_security_config.network.dns_ports: [53, 5353]");
    let Some((mut pair, trigger)) = dns::start(setup)? else { return Ok(()) };
    let namespace = Namespace::new()?;
    namespace.ip("route add 224.0.0.0/4 dev cwst1")?;
    let to: SocketAddr = "224.0.0.251:5353".parse()?;
    // Number 0, and the bit that wants the answer by unicast in the class.
    let message = query(0, &[question("_ssh._tcp.local", 12, 0x8001)]);
    let length = n(i64::try_from(message.len())?);
    let calls = namespace
        .enter()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, [r(2), x(&message), length, n(0), sockaddr(to), n(16)]);
    let made = calls.make(&trigger)?.succeeded()?;
    let found = dns::signals(&mut pair, &made)?;
    assert_eq!(found.len(), 1, "{found:#?}\n{}", pair.logs());
    let differences = found[0].differences(&[
        ("dns.id", json!(0)),
        ("dns.is_query", json!(true)),
        ("dns.question.name", json!("_ssh._tcp.local")),
        ("dns.question.type", json!("PTR")),
        ("network.destination", json!({"ip": "224.0.0.251", "port": 5353})),
        ("network.device.ifname", json!("cwst1")),
        ("network.network_direction", json!("EGRESS")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}
