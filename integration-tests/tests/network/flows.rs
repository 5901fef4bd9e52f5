//! Traffic by flow.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::harness::call::{Calls, b, n, r, x};
use integration_tests::harness::{Pair, Setup, can_run};
use libc::{AF_INET, SOCK_DGRAM};
use serde_json::{Value, json};

use crate::address::{port, sockaddr};

const ENABLED: &str = "event_monitoring_config.network.flow_monitor.enabled: true";

/// Bytes and packets of a direction that all signals of the rule told of a process, of flows between these ports.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    ingress: (i64, i64),
    egress: (i64, i64),
}

fn seen(pair: &Pair, pid: &Value, local: u16, remote: u16) -> Seen {
    let of_process = pair.signals.of_rule("traffic").filter(|signal| signal.at("process.pid") == pid);
    let mut all = Seen::default();
    for signal in of_process {
        let flows = signal.at("network_flow_monitor.flows").as_array().cloned().unwrap_or_default();
        for flow in flows
            .iter()
            .filter(|flow| flow["source"]["port"] == local && flow["destination"]["port"] == remote)
        {
            assert_eq!(
                (&flow["l3_protocol"], &flow["l4_protocol"]),
                (&json!("ETH_P_IP"), &json!("IP_PROTO_UDP"))
            );
            let count = |direction: &str, what: &str| flow[direction][what].as_i64().unwrap_or_default();
            for (total, direction) in [(&mut all.ingress, "ingress"), (&mut all.egress, "egress")] {
                total.0 += count(direction, "data_size");
                total.1 += count(direction, "packet_count");
            }
        }
    }
    all
}

/// Waits until as much was told: a period may end between two packets.
fn wait(pair: &mut Pair, pid: &Value, ports: (u16, u16), wanted: &Seen) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        pair.settle()?;
        let found = seen(pair, pid, ports.0, ports.1);
        if found == *wanted {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{found:?} of {pid}, not {wanted:?}\n{:#?}\n{}\n{:#}",
            pair.signals.of_rule("traffic").collect::<Vec<_>>(),
            pair.logs(),
            pair.status()?
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_a_process_sends_and_receives_is_told_by_flow() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let receiver = UdpSocket::bind("127.53.0.14:0")?;
    let to = receiver.local_addr()?;
    let condition = format!(
        "network_flow_monitor.flows.source.port == {0} || network_flow_monitor.flows.destination.port == {0}",
        to.port()
    );
    let setup = Setup::new()
        .agent_line(ENABLED)
        .probe_line("event_monitoring_config.network.flow_monitor.period: 100ms")
        .rule("traffic", &condition);
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let answering = std::thread::spawn(move || -> Result<SocketAddr> {
        let mut bytes = [0; 64];
        receiver.recv_from(&mut bytes)?;
        receiver.recv_from(&mut bytes)?;
        let (_, from) = receiver.recv_from(&mut bytes)?;
        receiver.send_to(&[1; 100], from)?;
        Ok(from)
    });
    let send = |bytes: &[u8]| {
        [r(0), x(bytes), n(i64::try_from(bytes.len()).unwrap_or(0)), n(0), sockaddr(to), n(16)]
    };
    let calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, send(b"12345"))
        .then(libc::SYS_sendto, send(b"1234567890"))
        .then(libc::SYS_sendto, send(b"x"))
        .then(libc::SYS_recvfrom, [r(0), b(256), n(256), n(0), n(0), n(0)])
        .then(libc::SYS_getsockname, [r(0), b(28), x(&28_u32.to_ne_bytes())]);
    let made = calls.make(&trigger)?.succeeded()?;
    let from = port(&made.buffer(5, 1)?);
    assert_eq!(answering.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))??.port(), from);

    // With the headers of IP and UDP: 28 bytes each.
    let sender = Seen { egress: (16 + 3 * 28, 3), ingress: (128, 1) };
    wait(&mut pair, made.pid(), (from, to.port()), &sender)?;
    let me = json!(std::process::id());
    wait(&mut pair, &me, (to.port(), from), &Seen { egress: (128, 1), ingress: (16 + 3 * 28, 3) })?;
    let signal = pair.expect("traffic", |signal| signal.at("process.pid") == made.pid())?;
    let differences = signal.differences(&[
        ("evt.name", json!("network_flow_monitor")),
        ("evt.category", json!("Network Activity")),
        ("process.executable.path", json!(trigger.path())),
        ("network_flow_monitor.device.ifname", json!("lo")),
        ("network_flow_monitor.flows.0.source", json!({"ip": "127.0.0.1", "port": from})),
        ("network_flow_monitor.flows.0.destination", json!({"ip": "127.53.0.14", "port": to.port()})),
    ]);
    assert_eq!(differences, "");
    Ok(())
}

#[test]
fn where_it_is_off_its_rules_are_skipped() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new().rule("traffic", "network_flow_monitor.flows.length > 0"))?;
    pair.settle()?;
    let status = pair.status()?;
    assert_eq!(status["agent"]["pipeline"]["rules"]["skipped"], 1);
    Ok(())
}
