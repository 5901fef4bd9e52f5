//! Every legal way to put a question into packets.

use std::net::{SocketAddr, UdpSocket};

use anyhow::Result;
use integration_tests::harness::Setup;
use integration_tests::harness::call::{Calls, n, r, x};
use libc::{AF_INET, AF_INET6, SOCK_DGRAM};
use serde_json::json;

use crate::address::{size, sockaddr};
use crate::dns;
use crate::wire::{query, question};

/// Sends a message after some calls, of which the first made the socket.
fn send(socket: Calls, to: SocketAddr, message: &[u8]) -> Result<Calls> {
    let length = n(i64::try_from(message.len())?);
    Ok(socket.then(libc::SYS_sendto, [r(0), x(message), length, n(0), sockaddr(to), n(size(to))]))
}

fn socket(domain: i32) -> Calls {
    Calls::new().then(libc::SYS_socket, [n(domain), n(SOCK_DGRAM), n(0)])
}

#[test]
fn names_and_types_at_their_limits() -> Result<()> {
    let Some((mut pair, trigger)) = dns::start(Setup::new().rule("root", "dns.question.name == \"\""))?
    else {
        return Ok(());
    };
    let sink = UdpSocket::bind("127.53.0.21:53")?;
    let label = "l".repeat(63);
    // 253 characters, which are 255 bytes in a message.
    let longest = format!("{label}.{label}.{label}.{}", "m".repeat(61));
    assert_eq!(longest.len(), 253);
    for (name, of_type, class, shown, shown_type, shown_class) in [
        (longest.as_str(), 1, 1, longest.as_str(), "A", "CLASS_INET"),
        ("MiXeD.CaSe.TeSt", 65, 1, "MiXeD.CaSe.TeSt", "HTTPS", "CLASS_INET"),
        ("version.bind", 16, 3, "version.bind", "TXT", "CLASS_CHAOS"),
        ("any.test", 255, 255, "any.test", "ANY", "CLASS_ANY"),
        ("_sip._tcp.test", 33, 1, "_sip._tcp.test", "SRV", "CLASS_INET"),
        ("a b\\c.test", 28, 1, "a\\032b\\\\c.test", "AAAA", "CLASS_INET"),
        ("\u{1}\u{7f}.test", 28, 1, "\\001\\127.test", "AAAA", "CLASS_INET"),
        ("", 2, 1, "", "NS", "CLASS_INET"),
    ] {
        let message = query(7, &[question(name, of_type, class)]);
        let made = send(socket(AF_INET), sink.local_addr()?, &message)?.make(&trigger)?.succeeded()?;
        pair.settle()?;
        let rule = if name.is_empty() { "root" } else { "asked" };
        let of_process = |signal: &&_| process_of(signal) == made.pid();
        let found: Vec<_> = pair.signals.of_rule(rule).filter(of_process).collect();
        assert_eq!(found.len(), 1, "{name}: {found:#?}\n{}", pair.logs());
        let mut asked = json!({
            "class": shown_class, "type": shown_type, "name": shown, "size": message.len(), "count": 1,
        });
        if shown.is_empty() {
            asked["name"] = json!("");
        }
        assert_eq!(found[0].differences(&[("dns.question", asked)]), "", "{name}");
    }
    Ok(())
}

fn process_of(signal: &integration_tests::harness::Signal) -> &serde_json::Value {
    signal.at("process.pid")
}

/// With the record of EDNS behind the question, as most resolvers send it, and with other records.
#[test]
fn records_behind_the_question_do_no_harm() -> Result<()> {
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    let sink = UdpSocket::bind("127.53.0.22:53")?;
    // Name of the root, OPT, 1232 bytes, no flags, a cookie of eight bytes.
    let opt = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut with_edns = [query(1, &[question("edns.test", 1, 1)]), opt.to_vec()].concat();
    // ARCOUNT.
    with_edns[11] = 1;
    let made = send(socket(AF_INET), sink.local_addr()?, &with_edns)?.make(&trigger)?.succeeded()?;
    pair.settle()?;
    let found: Vec<_> =
        pair.signals.of_rule("asked").filter(|signal| process_of(signal) == made.pid()).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    let asked =
        json!({"class": "CLASS_INET", "type": "A", "name": "edns.test", "size": with_edns.len(), "count": 1});
    assert_eq!(found[0].differences(&[("dns.question", asked), ("dns.is_query", json!(true))]), "");
    Ok(())
}

/// What stands between the headers of IPv6 and UDP is gone over.
#[test]
fn extension_headers_are_no_way_around() -> Result<()> {
    /// `IPV6_HOPOPTS`, `IPV6_RTHDRDSTOPTS` and `IPV6_DSTOPTS` of linux/in6.h.
    const HOP_BY_HOP: i32 = 54;
    const DESTINATION: i32 = 59;
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    let sink = UdpSocket::bind("[::1]:53")?;
    // Next header and length are the kernel's to fill in; padding of so many bytes.
    let header = |words: u8| {
        let mut bytes = vec![0, words, 1, 4 + words * 8];
        bytes.resize(8 + usize::from(words) * 8, 0);
        bytes
    };
    for (number, options) in [
        vec![],
        vec![(DESTINATION, header(0))],
        vec![(HOP_BY_HOP, header(0))],
        vec![(HOP_BY_HOP, header(2)), (DESTINATION, header(4))],
    ]
    .into_iter()
    .enumerate()
    {
        let mut calls = socket(AF_INET6);
        let mut more = 0;
        for (option, bytes) in &options {
            let length = i64::try_from(bytes.len())?;
            let arguments = [r(0), n(libc::IPPROTO_IPV6), n(*option), x(bytes), n(length)];
            calls = calls.then(libc::SYS_setsockopt, arguments);
            more += bytes.len();
        }
        let name = format!("behind{number}.headers.test");
        let message = query(3, &[question(&name, 1, 1)]);
        let made = send(calls, sink.local_addr()?, &message)?.make(&trigger)?.succeeded()?;
        pair.settle()?;
        let found: Vec<_> =
            pair.signals.of_rule("asked").filter(|signal| process_of(signal) == made.pid()).collect();
        assert_eq!(found.len(), 1, "{name}: {found:#?}\n{:#}", pair.status()?);
        let differences = found[0].differences(&[
            ("dns.question.name", json!(name)),
            ("network.l3_protocol", json!("ETH_P_IPV6")),
            ("network.l4_protocol", json!("IP_PROTO_UDP")),
            ("network.destination", json!({"ip": "::1", "port": 53})),
            ("network.size", json!(40 + more + 8 + message.len())),
        ]);
        assert_eq!(differences, "", "{options:?}");
    }
    Ok(())
}
