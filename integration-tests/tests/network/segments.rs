//! Several datagrams in one piece: sent with one call (`UDP_SEGMENT`), and received with one (`UDP_GRO`).

use std::net::{SocketAddr, UdpSocket};

use anyhow::Result;
use integration_tests::harness::Setup;
use integration_tests::harness::call::{Calls, b, n, p, r, x};
use libc::{AF_INET, AF_INET6, SOCK_DGRAM, SOL_UDP, UDP_GRO, UDP_SEGMENT};
use serde_json::json;

use crate::address::{size, sockaddr};
use crate::dns;
use crate::wire::{query, question};

/// Sets an option of UDP on the socket that the call with this number made.
fn option(calls: Calls, socket: usize, option: i32, value: i32) -> Calls {
    let arguments = [r(socket), n(SOL_UDP), n(option), x(&value.to_ne_bytes()), n(4)];
    calls.then(libc::SYS_setsockopt, arguments)
}

/// One call that sends datagrams of `segment` bytes.
fn send(to: SocketAddr, datagrams: &[u8], segment: usize) -> Result<Calls> {
    let domain = if to.is_ipv4() { AF_INET } else { AF_INET6 };
    let socket = Calls::new().then(libc::SYS_socket, [n(domain), n(SOCK_DGRAM), n(0)]);
    let length = n(i64::try_from(datagrams.len())?);
    let arguments = [r(0), x(datagrams), length, n(0), sockaddr(to), n(size(to))];
    Ok(option(socket, 0, UDP_SEGMENT, i32::try_from(segment)?).then(libc::SYS_sendto, arguments))
}

#[test]
fn every_question_of_one_send_is_an_event() -> Result<()> {
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    for at in ["127.53.0.30:53", "[::1]:53"] {
        let sink = UdpSocket::bind(at)?;
        // The last one is shorter.
        let names = ["good.gso.test", "evil.gso.test", "more.gso.test", "z.gso.test"];
        let messages: Vec<_> =
            (1..).zip(names).map(|(id, name)| query(id, &[question(name, 1, 1)])).collect();
        let calls = send(sink.local_addr()?, &messages.concat(), messages[0].len())?;
        let made = calls.make(&trigger)?.succeeded()?;
        let found = dns::signals(&mut pair, &made)?;
        let told: Vec<_> = found.iter().map(|signal| signal.at("dns").clone()).collect();
        let expected = (1..).zip(names).zip(&messages).map(|((id, name), message)| {
            let question =
                json!({"class": "CLASS_INET", "type": "A", "name": name, "size": message.len(), "count": 1});
            json!({"id": id, "is_query": true, "question": question})
        });
        assert_eq!(told, expected.collect::<Vec<_>>(), "{}", pair.logs());
        // With the option, and a single datagram: it is just that.
        let calls = send(sink.local_addr()?, &messages[0], 1000)?;
        let made = calls.make(&trigger)?.succeeded()?;
        let found = dns::signals(&mut pair, &made)?;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].at("dns.question.size"), &json!(messages[0].len()));
    }
    Ok(())
}

/// The kernel copies 16 KiB of what is sent in one piece.
#[test]
fn what_is_behind_the_copy_is_counted() -> Result<()> {
    const SEGMENT: usize = 1000;
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    let sink = UdpSocket::bind("127.53.0.31:53")?;
    let truncated = |pair: &integration_tests::harness::Pair| -> Result<u64> {
        Ok(pair.status()?["agent"]["pipeline"]["network"]["truncated"].as_u64().unwrap_or(0))
    };
    let before = truncated(&pair)?;
    let mut datagrams = Vec::new();
    for id in 0..40 {
        let mut message = query(id, &[question("many.gso.test", 1, 1)]);
        message.resize(SEGMENT, 0);
        datagrams.extend(message);
    }
    let made = send(sink.local_addr()?, &datagrams, SEGMENT)?.make(&trigger)?.succeeded()?;
    // 16 of them are there, and the question of another one.
    assert_eq!(dns::signals(&mut pair, &made)?.len(), 17, "{}", pair.logs());
    assert_eq!(truncated(&pair)? - before, 24);
    Ok(())
}

#[test]
fn every_answer_of_one_receive_is_an_event() -> Result<()> {
    let Some((mut pair, trigger)) = dns::start(Setup::new())? else { return Ok(()) };
    let server: SocketAddr = "127.53.0.32:53".parse()?;
    let asked = query(1, &[question("gro0.gso.test", 1, 1)]);
    let length = asked.len();
    let answers = (0..3).map(|number| {
        let mut answer = query(number + 1, &[question(&format!("gro{number}.gso.test"), 1, 1)]);
        answer[2] |= 0x80;
        answer
    });
    let answers: Vec<u8> = answers.flatten().collect();
    let (one, all) = (n(i64::try_from(length)?), n(i64::try_from(answers.len())?));
    // Asks itself: call 0 makes the socket of the client, call 2 that of the server.
    let calls = Calls::new().then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)]);
    let calls = option(calls, 0, UDP_GRO, 1).then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)]);
    let calls = option(calls, 2, UDP_SEGMENT, i32::try_from(length)?)
        .then(libc::SYS_bind, [r(2), sockaddr(server), n(16)])
        .then(libc::SYS_sendto, [r(0), x(&asked), one, n(0), sockaddr(server), n(16)])
        .then(libc::SYS_recvfrom, [r(2), b(512), n(512), n(0), b(16), x(&16_u32.to_ne_bytes())])
        .then(libc::SYS_sendto, [r(2), x(&answers), all, n(0), p(6, 4), n(16)])
        .then(libc::SYS_recvfrom, [r(0), b(512), n(512), n(0), n(0), n(0)]);
    let made = calls.make(&trigger)?.succeeded()?;
    assert_eq!(made.last(), i64::try_from(answers.len())?, "the kernel has taken it apart");
    let found = dns::signals(&mut pair, &made)?;
    let told: Vec<_> = found
        .iter()
        .map(|signal| (signal.at("dns.question.name").clone(), signal.at("dns.is_query").clone()))
        .collect();
    let expected = [("gro0", true), ("gro0", false), ("gro1", false), ("gro2", false)];
    let expected = expected.map(|(name, is_query)| (json!(format!("{name}.gso.test")), json!(is_query)));
    assert_eq!(told, expected, "{}", pair.logs());
    assert!(found.iter().all(|signal| signal.at("dns.question.size") == &json!(length)), "{found:#?}");
    Ok(())
}
