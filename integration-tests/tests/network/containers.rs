//! Questions from a container of a real Docker.

use anyhow::Result;
use integration_tests::harness::{Docker, IMAGE, Pair, Setup, can_run};
use serde_json::json;

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
