//! A resolver in Rust, which asks by TCP for what did not fit into a datagram.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use domain::base::Name;
use domain::base::iana::Rtype;
use domain::rdata::AllRecordData;
use domain::resolv::StubResolver;
use domain::resolv::stub::Answer;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use integration_tests::harness::{Setup, Signal};
use serde_json::{Value, json};

use crate::dns;
use crate::server::Server;

/// Asks one question.
fn ask(server: SocketAddr, transport: Transport, name: &str, of_type: Rtype) -> Result<Answer> {
    let mut conf = ResolvConf::new();
    conf.servers = vec![ServerConf::new(server, transport)];
    let name: Name<Vec<u8>> = name.parse()?;
    let answer =
        StubResolver::run_with_conf(
            conf,
            move |resolver| async move { resolver.query((name, of_type)).await },
        );
    answer.with_context(|| format!("{of_type} over {transport:?}"))
}

/// What the answer says, record by record.
fn told(answer: &Answer) -> Result<Vec<String>> {
    let records = answer.answer()?.limit_to::<AllRecordData<_, _>>();
    records.map(|record| Ok(record?.data().to_string())).collect()
}

#[test]
fn a_resolver_by_datagrams_and_by_tcp() -> Result<()> {
    const DATAGRAMS: &[&str] = &["IP_PROTO_UDP"];
    const STREAM: &[&str] = &["IP_PROTO_TCP"];
    // The answer by datagram is cut, and says so.
    const BOTH: &[&str] = &["IP_PROTO_UDP", "IP_PROTO_TCP"];
    let Some((mut pair, _)) = dns::start(Setup::new())? else { return Ok(()) };
    for at in ["127.53.0.19:53", "[::1]:53"] {
        let server = Server::start(at)?;
        for (transport, name, of_type, kind, answers, protocols, code) in [
            (Transport::UdpTcp, "a", Rtype::A, "A", &["192.0.2.77"][..], DATAGRAMS, 0),
            (Transport::UdpTcp, "alias", Rtype::AAAA, "AAAA", &["real.test.", "2001:db8::77"], DATAGRAMS, 0),
            (Transport::UdpTcp, "txt", Rtype::TXT, "TXT", &["\"hello=world\""], DATAGRAMS, 0),
            (Transport::UdpTcp, "mx", Rtype::MX, "MX", &["10 mail.test."], DATAGRAMS, 0),
            (Transport::UdpTcp, "_sip._tcp", Rtype::SRV, "SRV", &["1 2 8443 real.test"], DATAGRAMS, 0),
            (Transport::UdpTcp, "missing", Rtype::A, "A", &[], DATAGRAMS, 3),
            (Transport::UdpTcp, "long", Rtype::A, "A", &["192.0.2.77"], BOTH, 0),
            (Transport::Tcp, "stream", Rtype::AAAA, "AAAA", &["2001:db8::77"], STREAM, 0),
        ] {
            let name = format!("{name}.by-rust-{}.test", server.address.is_ipv4());
            let answer = ask(server.address, transport, &name, of_type)?;
            assert_eq!(told(&answer)?, answers, "{name}");
            let ids = exchange(&mut pair, &server, &name, kind, protocols, code)?;
            let id = json!(answer.header().id());
            ensure!(ids.last() == Some(&id), "{name}: the resolver says {id}, the signals {ids:?}");
        }
    }
    Ok(())
}

/// Fails unless there is one question and one answer by each of these protocols, in this order; gives their numbers.
fn exchange(
    pair: &mut integration_tests::harness::Pair,
    server: &Server,
    name: &str,
    kind: &str,
    protocols: &[&str],
    code: u64,
) -> Result<Vec<Value>> {
    pair.settle()?;
    let of_name = |signal: &&Signal| signal.at("dns.question.name") == &json!(name);
    let signals: Vec<_> = pair.signals.of_rule("asked").filter(of_name).collect();
    ensure!(signals.len() == 2 * protocols.len(), "{name}: {signals:#?}\n{}", pair.logs());
    let peer = json!({"ip": server.address.ip().to_string(), "port": 53});
    let mut ids = Vec::new();
    for (exchange, protocol) in signals.chunks(2).zip(protocols) {
        for (signal, is_query) in exchange.iter().zip([true, false]) {
            let (direction, remote) =
                if is_query { ("EGRESS", "network.destination") } else { ("INGRESS", "network.source") };
            let differences = signal.differences(&[
                ("process.pid", json!(std::process::id())),
                ("dns.is_query", json!(is_query)),
                ("dns.question.type", json!(kind)),
                ("dns.question.class", json!("CLASS_INET")),
                ("dns.question.count", json!(1)),
                ("dns.response", if is_query { Value::Null } else { json!({"code": code}) }),
                ("network.l4_protocol", json!(protocol)),
                ("network.network_direction", json!(direction)),
                (remote, peer.clone()),
            ]);
            ensure!(differences.is_empty(), "{name} over {protocol}: {differences}");
        }
        ensure!(exchange[0].at("dns.id") == exchange[1].at("dns.id"), "{name}: {exchange:#?}");
        ids.push(exchange[0].at("dns.id").clone());
    }
    Ok(ids)
}
