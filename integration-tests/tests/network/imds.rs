//! Metadata services of clouds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use integration_tests::harness::call::{Calls, b, n, r, x};
use integration_tests::harness::{Pair, Setup, can_run};
use libc::{AF_INET, AF_INET6, SOCK_STREAM};
use serde_json::json;

use crate::address::{size, sockaddr};
use crate::namespaces::Namespace;

const SERVICE: &str = "127.53.0.11";

#[test]
fn a_request_in_two_segments_and_its_answer() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .probe_line(&format!("runtime_security_config.imds_ipv4: {SERVICE}"))
        .rule("metadata", "imds.type in [\"request\", \"response\"] && process.file.name == \"call\"")
        .rule("credentials", "imds.aws.security_credentials.type == \"AWS-HMAC\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let listener = TcpListener::bind((SERVICE, 80)).context("listen on port 80")?;
    let to = listener.local_addr()?;
    let body = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"topsecret"}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let length = answer.len();
    let service = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes())?;
        Ok(())
    });
    let one = 1_u32.to_ne_bytes();
    let (first, second) = (
        "GET /latest/meta-data/iam/security-creden",
        format!(
            "tials/role HTTP/1.1\r\nHost: {SERVICE}\r\nUser-Agent: aws-cli\r\nX-aws-ec2-metadata-token: t\r\n\r\n"
        ),
    );
    let calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_setsockopt, [r(0), n(libc::IPPROTO_TCP), n(libc::TCP_NODELAY), x(&one), n(4)])
        .then(libc::SYS_connect, [r(0), sockaddr(to), n(16)])
        .then(libc::SYS_write, [r(0), x(first.as_bytes()), n(i64::try_from(first.len())?)])
        .then(libc::SYS_write, [r(0), x(second.as_bytes()), n(i64::try_from(second.len())?)])
        .then(libc::SYS_recvfrom, [r(0), b(1024), n(i64::try_from(length)?), n(0x100), n(0), n(0)]);
    let made = calls.make(&trigger)?.succeeded()?;
    service.join().map_err(|_| anyhow::anyhow!("the service panicked"))??;
    pair.settle()?;
    let found: Vec<_> =
        pair.signals.of_rule("metadata").filter(|it| it.at("process.pid") == made.pid()).collect();
    assert_eq!(found.len(), 2, "{found:#?}\n{}", pair.logs());
    let request = json!({
        "type": "request", "cloud_provider": "aws", "url": "/latest/meta-data/iam/security-credentials/role",
        "host": SERVICE, "user_agent": "aws-cli", "aws": {"is_imds_v2": true},
    });
    let response = json!({
        "type": "response", "cloud_provider": "aws", "server": "EC2ws",
        "aws": {"is_imds_v2": false, "security_credentials": {"type": "AWS-HMAC"}},
    });
    for (signal, (imds, direction)) in found.iter().zip([(request, "EGRESS"), (response, "INGRESS")]) {
        let differences = signal.differences(&[
            ("evt.name", json!("imds")),
            ("evt.category", json!("Network Activity")),
            ("process.pid", made.pid().clone()),
            ("network.network_direction", json!(direction)),
            ("imds", imds),
        ]);
        assert_eq!(differences, "");
        assert!(!signal.0.to_string().contains("topsecret"));
    }
    assert_eq!(pair.signals.of_rule("credentials").count(), 1);
    Ok(())
}

/// What each provider demands of a request, and a request of the first version of AWS's service, which demands nothing.
#[test]
fn requests_to_the_services_of_each_provider() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    const SERVICE: &str = "127.53.0.20";
    let setup = Setup::new()
        .probe_line(&format!("runtime_security_config.imds_ipv4: {SERVICE}"))
        .rule("metadata", "imds.type == \"request\" && process.file.name == \"call\"")
        .rule(
            "first",
            "imds.cloud_provider == \"aws\" && imds.aws.is_imds_v2 == false && imds.type == \"request\"",
        );
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let listener = TcpListener::bind((SERVICE, 80)).context("listen on port 80")?;
    let to = listener.local_addr()?;
    for (provider, url, header) in [
        ("aws", "/latest/meta-data/iam/security-credentials/", ""),
        ("gcp", "/computeMetadata/v1/instance/", "Metadata-Flavor: Google\r\n"),
        ("azure", "/metadata/instance?api-version=2021-02-01", "Metadata: true\r\n"),
        ("ibm", "/instance_identity/v1/token", "Metadata-Flavor: ibm\r\n"),
        ("oracle", "/opc/v2/instance/", "Authorization: Bearer Oracle\r\n"),
    ] {
        let request = format!("GET {url} HTTP/1.1\r\nHost: {SERVICE}\r\nUser-Agent: agent/1\r\n{header}\r\n");
        let calls = Calls::new()
            .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
            .then(libc::SYS_connect, [r(0), sockaddr(to), n(16)])
            .then(libc::SYS_write, [r(0), x(request.as_bytes()), n(i64::try_from(request.len())?)]);
        let made = calls.make(&trigger)?.succeeded()?;
        pair.settle()?;
        let found: Vec<_> =
            pair.signals.of_rule("metadata").filter(|it| it.at("process.pid") == made.pid()).collect();
        assert_eq!(found.len(), 1, "{provider}: {found:#?}\n{}", pair.logs());
        let mut imds = json!({
            "type": "request", "cloud_provider": provider, "url": url, "host": SERVICE, "user_agent": "agent/1",
        });
        if provider == "aws" {
            imds["aws"] = json!({"is_imds_v2": false});
        }
        assert_eq!(found[0].differences(&[("imds", imds)]), "", "{provider}");
    }
    assert_eq!(pair.signals.of_rule("first").count(), 1);
    Ok(())
}

/// Adds calls of a process that asks itself: it listens, connects, and sends both the request and the answer.
fn asks_itself(calls: Calls, at: SocketAddr, request: &str, answer: &str) -> Result<Calls> {
    let domain = if at.is_ipv4() { AF_INET } else { AF_INET6 };
    let first = calls.count();
    let length = |text: &str| -> Result<_> { Ok(n(i64::try_from(text.len())?)) };
    Ok(calls
        .then(libc::SYS_socket, [n(domain), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_bind, [r(first), sockaddr(at), n(size(at))])
        .then(libc::SYS_listen, [r(first), n(1)])
        .then(libc::SYS_socket, [n(domain), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(first + 3), sockaddr(at), n(size(at))])
        .then(libc::SYS_accept4, [r(first), n(0), n(0), n(0)])
        .then(libc::SYS_write, [r(first + 3), x(request.as_bytes()), length(request)?])
        .then(libc::SYS_write, [r(first + 5), x(answer.as_bytes()), length(answer)?])
        .then(libc::SYS_recvfrom, [r(first + 3), b(512), length(answer)?, n(0x100), n(0), n(0)]))
}

/// The address by which AWS's service is reached over IPv6, in a namespace of its own.
#[test]
fn the_service_of_ipv6_is_one() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("metadata", "imds.type in [\"request\", \"response\"] && process.file.name == \"call\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let namespace = Namespace::alone()?;
    for address in ["fd00:ec2::254", "fd00:ec2::253"] {
        namespace.ip(&format!("addr add {address}/128 dev lo nodad"))?;
    }
    let request = "GET /latest/meta-data/ HTTP/1.1\r\nHost: [fd00:ec2::254]\r\nUser-Agent: six\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Length: 2\r\n\r\nhi";
    for (at, is_service) in
        [("[fd00:ec2::254]:80", true), ("[fd00:ec2::253]:80", false), ("[fd00:ec2::254]:81", false)]
    {
        let at: SocketAddr = at.parse()?;
        let made = asks_itself(namespace.enter(), at, request, answer)?.make(&trigger)?.succeeded()?;
        pair.settle()?;
        let found: Vec<_> =
            pair.signals.of_rule("metadata").filter(|it| it.at("process.pid") == made.pid()).collect();
        let expected = [
            (
                "EGRESS",
                json!({
                    "type": "request", "cloud_provider": "aws", "url": "/latest/meta-data/",
                    "host": "[fd00:ec2::254]", "user_agent": "six", "aws": {"is_imds_v2": false},
                }),
            ),
            (
                "INGRESS",
                json!({
                    "type": "response", "cloud_provider": "aws", "server": "EC2ws", "aws": {"is_imds_v2": false},
                }),
            ),
        ];
        assert_eq!(found.len(), if is_service { 2 } else { 0 }, "{at}: {found:#?}\n{}", pair.logs());
        for (signal, (direction, imds)) in found.iter().zip(expected) {
            let remote = if direction == "EGRESS" { "network.destination" } else { "network.source" };
            let differences = signal.differences(&[
                ("imds", imds),
                ("network.l3_protocol", json!("ETH_P_IPV6")),
                ("network.network_direction", json!(direction)),
                (remote, json!({"ip": "fd00:ec2::254", "port": 80})),
            ]);
            assert_eq!(differences, "");
        }
    }
    Ok(())
}

/// What the service answers as well: an old version of HTTP, without a host. What is no HTTP, or has too many headers, is counted.
#[test]
fn requests_without_a_host_are_seen_and_odd_ones_counted() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    const SERVICE: &str = "127.53.0.35";
    let setup = Setup::new()
        .probe_line(&format!("runtime_security_config.imds_ipv4: {SERVICE}"))
        .rule("metadata", "imds.type == \"request\" && process.file.name == \"call\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let at: SocketAddr = format!("{SERVICE}:80").parse()?;
    let many = format!("GET /many HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65));
    for (request, url) in [
        ("GET /latest/meta-data/ HTTP/1.0\r\n\r\n", Some("/latest/meta-data/")),
        ("GET /latest/user-data HTTP/1.1\r\n\r\n", Some("/latest/user-data")),
        ("GET /nine\r\n\r\n", None),
        (many.as_str(), None),
    ] {
        let answer = "HTTP/1.0 200 OK\r\n\r\n";
        let made = asks_itself(Calls::new(), at, request, answer)?.make(&trigger)?.succeeded()?;
        pair.settle()?;
        let found: Vec<_> =
            pair.signals.of_rule("metadata").filter(|it| it.at("process.pid") == made.pid()).collect();
        assert_eq!(found.len(), usize::from(url.is_some()), "{request}: {found:#?}\n{}", pair.logs());
        let imds = url.map(|url| {
            json!({
                "type": "request", "cloud_provider": "aws", "url": url, "aws": {"is_imds_v2": false},
            })
        });
        for (signal, imds) in found.iter().zip(imds) {
            assert_eq!(signal.differences(&[("imds", imds)]), "", "{request}");
        }
    }
    let counters = &pair.status()?["agent"]["pipeline"]["network"];
    assert_eq!(counters["imds_malformed"], 2, "{counters:#}");
    Ok(())
}
