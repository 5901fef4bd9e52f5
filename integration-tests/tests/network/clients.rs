//! Clients of name services as people use them; glibc's is in `dns.rs`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::Setup;
use serde_json::json;

use crate::dns;
use crate::server::Server;

/// Whether there is such a program; says so if not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-v").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed (packaging/dev/setup.sh test)");
    }
    found
}

#[test]
fn dig_over_datagrams_and_over_tcp() -> Result<()> {
    if !has("dig") {
        return Ok(());
    }
    let Some((mut pair, _)) = dns::start(Setup::new())? else { return Ok(()) };
    let server = Server::start("127.53.0.18:53")?;
    let at = format!("@{}", server.address.ip());
    for (option, protocol, kind) in [
        ("+notcp", "IP_PROTO_UDP", "A"),
        ("+tcp", "IP_PROTO_TCP", "AAAA"),
        ("+nocookie", "IP_PROTO_UDP", "TXT"),
    ] {
        let name = format!("{kind}.by-dig.test");
        let output = Command::new("dig").args([&at, &name, kind, option, "+tries=1", "+time=5"]).output()?;
        ensure!(output.status.success(), "dig: {}", String::from_utf8_lossy(&output.stdout));
        for is_query in [true, false] {
            let signal = pair.expect("asked", |signal| {
                signal.at("dns.question.name") == &json!(name)
                    && signal.at("dns.is_query") == &json!(is_query)
            })?;
            let differences = signal.differences(&[
                ("process.executable.name", json!("dig")),
                ("dns.question.type", json!(kind)),
                ("dns.question.class", json!("CLASS_INET")),
                ("network.l4_protocol", json!(protocol)),
                ("network.network_direction", json!(if is_query { "EGRESS" } else { "INGRESS" })),
            ]);
            assert_eq!(differences, "");
        }
        // One question and one answer, with the same number.
        pair.settle()?;
        let of_name =
            pair.signals.of_rule("asked").filter(|signal| signal.at("dns.question.name") == &json!(name));
        let ids: Vec<_> = of_name.map(|signal| signal.at("dns.id").clone()).collect();
        ensure!(ids.len() == 2 && ids[0] == ids[1], "{kind}: {ids:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let id = text.split("id: ").nth(1).and_then(|rest| rest.lines().next()).context("dig shows no id")?;
        assert_eq!(ids[0].to_string(), id.trim_end(), "{text}");
    }
    Ok(())
}
