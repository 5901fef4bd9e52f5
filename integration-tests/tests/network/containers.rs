//! Questions from a container of a real Docker.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::{Docker, IMAGE, Pair, Setup, can_run};
use serde_json::json;

use crate::namespaces::ip;
use crate::server::Server;

#[test]
fn a_question_of_a_container_is_told_with_it() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let Some(docker) = Docker::start(None)? else { return Ok(()) };
    let socket = docker.socket();
    let line = format!("runtime_security_config.probe.container_sockets: [\"{}\"]", socket.display());
    let setup =
        Setup::new().probe_line(&line).rule("asked", "dns.question.name == \"www.of-a-container.test\"");
    let mut pair = Pair::start(&setup)?;
    let server = Server::start("127.53.0.15:53")?;
    let ip = server.address.ip().to_string();
    // The harness leaves the interfaces of the machine alone: the container has those of the host.
    let command = ["/bin/busybox", "nslookup", "www.of-a-container.test", &ip];
    let options = ["run", "--detach", "--network=host", "--name=cws-asking", IMAGE];
    let id = docker.run(options.iter().chain(&command))?;
    docker.run(["wait", &id])?;
    let log = docker.log(&id)?;
    assert!(log.contains("192.0.2.77"), "{log}");
    for (is_query, code) in [(true, None), (false, Some(0))] {
        let signal = pair.expect("asked", |signal| {
            signal.at("dns.is_query") == &json!(is_query) && signal.at("dns.question.type") == &json!("A")
        })?;
        let differences = signal.differences(&[
            ("container.id", json!(id)),
            ("process.container.id", json!(id)),
            ("process.executable.path", json!("/bin/busybox")),
            ("process.args", json!(command[1..])),
            ("dns.response", code.map_or(json!(null), |code| json!({"code": code}))),
            (if is_query { "network.destination" } else { "network.source" }, json!({"ip": ip, "port": 53})),
        ]);
        assert_eq!(differences, "");
        let tags = signal.at("container.tags").to_string();
        assert!(tags.contains("container_name:cws-asking") && tags.contains(IMAGE), "{tags}");
    }
    Ok(())
}

/// A pair of interfaces between a container's network namespace and this one. Gone when dropped.
struct Wire;

impl Wire {
    fn to(pid: u64) -> Result<Self> {
        ip(&format!("link add cwst0 type veth peer name cwst1 netns {pid}"))?;
        let made = Self;
        ip("addr add 10.199.54.1/24 dev cwst0")?;
        ip("link set cwst0 up")?;
        for arguments in ["addr add 10.199.54.2/24 dev cwst1", "link set cwst1 up"] {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{pid}/ns/net")).arg("ip").args(arguments.split(' '));
            let output = command.output().context("nsenter")?;
            ensure!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(made)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Its other end goes with it.
        let _deleted = ip("link del cwst0");
    }
}

/// As containers usually are: with interfaces of their own.
#[test]
fn a_container_with_a_network_of_its_own_is_told_with_both() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let Some(docker) = Docker::start(None)? else { return Ok(()) };
    let line =
        format!("runtime_security_config.probe.container_sockets: [\"{}\"]", docker.socket().display());
    let setup = Setup::new().probe_line(&line).rule("asked", "dns.question.name == \"www.behind-veth.test\"");
    let mut pair = Pair::start(&setup)?;
    let id = docker.container(&["--name=cws-behind-veth"], &["/bin/busybox", "sleep", "1000"])?;
    let pid = docker.pid(&id)?;
    let namespace = fs::metadata(format!("/proc/{pid}/ns/net"))?.ino();
    ensure!(namespace != fs::metadata("/proc/self/ns/net")?.ino(), "the container is in our namespace");
    let _wire = Wire::to(pid)?;
    let _server = Server::start("10.199.54.1:53")?;
    let command = ["/bin/busybox", "nslookup", "www.behind-veth.test", "10.199.54.1"];
    let told = docker.run(["exec", &id].iter().chain(&command))?;
    assert!(told.contains("192.0.2.77"), "{told}");
    for is_query in [true, false] {
        let signal = pair.expect("asked", |signal| {
            signal.at("dns.is_query") == &json!(is_query) && signal.at("dns.question.type") == &json!("A")
        })?;
        let device = signal.at("network.device");
        assert_eq!((&device["ifname"], &device["netns"]), (&json!("cwst1"), &json!(namespace)));
        let own = if is_query { "network.source" } else { "network.destination" };
        let remote = if is_query { "network.destination" } else { "network.source" };
        let differences = signal.differences(&[
            ("container.id", json!(id)),
            ("process.container.id", json!(id)),
            ("process.args", json!(command[1..])),
            (remote, json!({"ip": "10.199.54.1", "port": 53})),
        ]);
        assert_eq!(differences, "");
        assert_eq!(&signal.at(own)["ip"], &json!("10.199.54.2"));
        let tags = signal.at("container.tags").to_string();
        assert!(tags.contains("container_name:cws-behind-veth"), "{tags}");
    }
    Ok(())
}
