//! Processes and files in containers of a real Docker.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use integration_tests::harness::{Docker, IMAGE, Pair, Setup, Signal, can_run};
use serde_json::{Value, json};

/// A daemon, and a pair that asks it; `None` where that is not possible.
fn start(setup: Setup, trigger: Option<&str>) -> Result<Option<(Docker, Pair)>> {
    if !can_run() {
        return Ok(None);
    }
    let Some(docker) = Docker::start(trigger)? else { return Ok(None) };
    let socket = docker.socket();
    let line = format!("runtime_security_config.probe.container_sockets: [\"{}\"]", socket.display());
    let pair = Pair::start(&setup.probe_line(&line))?;
    Ok(Some((docker, pair)))
}

fn tags(signal: &Signal) -> Vec<&str> {
    let tags = signal.at("container.tags").as_array();
    tags.map(|tags| tags.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// What every event of a container says about it.
#[track_caller]
fn assert_container(signal: &Signal, id: &str, name: &str) {
    let cgroup = signal.at("cgroup.id").as_str().unwrap_or_default();
    assert!(cgroup.contains(id), "{:#}", signal.0);
    let expected = [
        ("container.id", json!(id)),
        ("process.container.id", json!(id)),
        ("cgroup.manager", json!("docker")),
    ];
    assert_eq!(signal.differences(&expected), "");
    let tags = tags(signal);
    for tag in [
        format!("container_id:{id}"),
        format!("container_name:{name}"),
        format!("docker_image:{IMAGE}"),
        "image_name:localhost:5000/team/cws-test".to_owned(),
        "image_tag:1.2".to_owned(),
        "short_image:cws-test".to_owned(),
    ] {
        assert!(tags.contains(&tag.as_str()), "{tag} is not among {tags:?}");
    }
    let created = signal.at("container.created_at").as_str().unwrap_or_default();
    let date = signal.at("date").as_str().unwrap_or_default();
    // Whole seconds: Docker tells no more.
    assert!(
        created.get(..19).is_some() && created.get(..19) <= date.get(..19),
        "created {created}, event {date}"
    );
}

#[test]
fn events_in_a_container_are_told_as_the_container_sees_them() -> Result<()> {
    let setup = Setup::new()
        .rule("ran", "exec.file.path == \"/bin/busybox\" && process.container.id != \"\"")
        .rule("opened", "open.file.path in [\"/etc/lower\", \"/tmp/upper\", \"/volume/shared\"] && process.container.id != \"\"")
        .rule("on_the_host", "open.file.name == \"shared\" && process.container.id == \"\"")
        .rule("by_tag", "exec.args =~ \"*by-tag*\" && process.container.tags == \"image_tag:1.2\" && process.container.created_at < 10m")
        .rule("other_tag", "exec.args =~ \"*by-tag*\" && process.container.tags == \"image_tag:1.3\"")
        .rule("ended", "exit.cause in [EXITED, SIGNALED] && exit.file.name == \"busybox\"");
    let Some((docker, mut pair)) = start(setup, None)? else { return Ok(()) };
    let volume = pair.path("volume");
    fs::create_dir(&volume)?;
    fs::write(volume.join("shared"), "shared\n")?;
    pair.settle()?;

    let mount = format!("{}:/volume", volume.display());
    let script = "cat /etc/lower; echo x > /tmp/upper; cat /volume/shared; true by-tag; exec sleep 600";
    let options = ["--name=cws-web", "--volume", &mount, "--label=com.datadoghq.tags.service=shop"];
    let id = docker.container(&options, &["/bin/sh", "-c", script])?;
    let pid = docker.pid(&id)?;

    let last = pair.expect("ran", |signal| signal.args() == ["600"])?;
    assert_container(&last, &id, "cws-web");
    assert!(tags(&last).contains(&"service:shop"), "{:#}", last.0);
    let expected = [
        ("process.pid", json!(pid)),
        ("process.uid", json!(0)),
        ("process.user", json!("root")),
        ("process.executable.path", json!("/bin/busybox")),
        ("process.executable.filesystem", json!("overlay")),
        ("process.executable.in_upper_layer", json!(false)),
        ("process.parent.container.id", json!(id)),
    ];
    assert_eq!(last.differences(&expected), "");

    for (path, upper) in
        [("/etc/lower", json!(false)), ("/tmp/upper", json!(true)), ("/volume/shared", Value::Null)]
    {
        let signal = pair.expect("opened", |signal| signal.at("file.path") == path)?;
        assert_container(&signal, &id, "cws-web");
        assert_eq!(signal.differences(&[("file.in_upper_layer", upper)]), "", "{path}");
    }
    let tagged = pair.expect("by_tag", |signal| signal.args().iter().any(|arg| arg.contains("by-tag")))?;
    assert_container(&tagged, &id, "cws-web");
    assert_eq!(pair.signals.of_rule("other_tag").count(), 0);

    // The same file by its path on the host.
    fs::read(volume.join("shared"))?;
    let outside = pair.expect("on_the_host", |signal| signal.at("process.pid") == std::process::id())?;
    assert_eq!(outside.differences(&[("container", Value::Null)]), "");
    let path = volume.join("shared").canonicalize()?;
    assert_eq!(outside.at("file.path").as_str().map(Path::new), Some(path.as_path()));

    // `docker exec`, as another user. The host has no name for it.
    docker.run(["exec", "--user=4321:8765", &id, "/bin/cat", "/etc/lower"])?;
    let executed = pair.expect("ran", |signal| signal.at("process.uid") == 4321)?;
    assert_container(&executed, &id, "cws-web");
    let expected = [("process.gid", json!(8765)), ("process.user", Value::Null), ("usr.id", Value::Null)];
    assert_eq!(executed.differences(&expected), "");

    docker.run(["stop", "--time=1", &id])?;
    let ended = pair.expect("ended", |signal| signal.at("process.pid") == pid)?;
    assert_container(&ended, &id, "cws-web");
    // The first process of a process-id namespace ignores SIGTERM unless it handles it.
    assert_eq!(ended.differences(&[("exit.cause", json!("SIGNALED")), ("exit.code", json!(9))]), "");

    let status = pair.status()?;
    let runtime = &status["probe"]["container_runtimes"][0];
    assert_eq!(runtime["available"], true, "{status:#}");
    assert!(runtime["answered"].as_u64() >= Some(1), "{status:#}");
    assert_eq!(status["agent"]["pipeline"]["containers"]["problem"], "", "{status:#}");
    Ok(())
}

#[test]
fn containers_that_live_for_a_moment_are_told_with_names() -> Result<()> {
    const COUNT: usize = 8;
    let setup = Setup::new()
        .rule("ran", "exec.file.path == \"/truth\"")
        .rule("opened", "open.file.path =~ \"/tmp/brief-*\" && open.flags & O_CREAT > 0")
        .rule("ended", "exit.file.path == \"/truth\"");
    let Some((docker, mut pair)) = start(setup, Some("brief"))? else { return Ok(()) };
    for number in 0..COUNT {
        let path = format!("/tmp/brief-{number}");
        let name = format!("cws-brief-{number}");
        docker.run(["run", "--rm", "--network=none", "--name", &name, IMAGE, "/truth", &path])?;
    }
    for number in 0..COUNT {
        let path = format!("/tmp/brief-{number}");
        let name = format!("cws-brief-{number}");
        let ran = pair.expect("ran", |signal| signal.args() == [&path])?;
        let id = ran.at("container.id").as_str().context("an id")?.to_owned();
        for signal in [
            ran,
            pair.expect("opened", |signal| signal.at("file.path") == path.as_str())?,
            pair.expect("ended", |signal| signal.args() == [&path])?,
        ] {
            assert_container(&signal, &id, &name);
        }
    }
    // Also by `docker exec`, in a container that has long been known.
    let id = docker.container(&["--name=cws-long"], &["/bin/sleep", "600"])?;
    for number in 100..100 + COUNT {
        let path = format!("/tmp/brief-{number}");
        docker.run(["exec", &id, "/truth", &path])?;
        let ran = pair.expect("ran", |signal| signal.args() == [&path])?;
        assert_container(&ran, &id, "cws-long");
        assert!(!ran.ancestors().contains(&docker.pid(&id)?), "docker exec does not descend from it");
    }
    Ok(())
}

#[test]
fn containers_that_ran_before_are_told_with_names() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let Some(docker) = Docker::start(None)? else { return Ok(()) };
    let id = docker.container(&["--name=cws-before"], &["/bin/sh", "-c", "while :; do sleep 0.2; done"])?;
    let line =
        format!("runtime_security_config.probe.container_sockets: [\"{}\"]", docker.socket().display());
    let setup = Setup::new().rule("ran", "exec.file.path == \"/bin/busybox\"").probe_line(&line);
    let mut pair = Pair::start(&setup)?;
    let pid = docker.pid(&id)?;
    let snapshot = pair.expect("ran", |signal| signal.at("process.pid") == pid)?;
    assert_container(&snapshot, &id, "cws-before");
    let live = pair.expect("ran", |signal| signal.args() == ["0.2"])?;
    assert_container(&live, &id, "cws-before");
    assert!(live.ancestors().contains(&pid), "{:#}", live.0);
    Ok(())
}

#[test]
fn without_the_socket_containers_have_ids_and_status_says_why() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let Some(docker) = Docker::start(None)? else { return Ok(()) };
    let setup = Setup::new()
        .rule("ran", "exec.file.path == \"/bin/busybox\"")
        .probe_line("runtime_security_config.probe.container_sockets: [/nonexistent/docker.sock]");
    let mut pair = Pair::start(&setup)?;
    let id = docker.container(&["--name=cws-nameless"], &["/bin/sleep", "600"])?;
    let ran = pair.expect("ran", |signal| signal.args() == ["600"])?;
    // It is as old as its first process that was seen.
    let created = ran.at("container.created_at");
    assert!(created.is_string(), "{:#}", ran.0);
    assert_eq!(ran.at("container"), &json!({ "id": id, "created_at": created }), "{:#}", ran.0);
    let status = pair.status()?;
    for reason in [
        &status["agent"]["pipeline"]["containers"]["problem"],
        &status["probe"]["container_runtimes"][0]["detail"],
    ] {
        assert!(
            reason.as_str().is_some_and(|reason| reason.contains("/nonexistent/docker.sock")),
            "{status:#}"
        );
    }
    Ok(())
}

#[test]
fn a_name_that_a_container_asks_for_is_the_containers() -> Result<()> {
    let setup = Setup::new()
        .rule("asked", "dns.question.name == \"www.in-container.test\" && dns.question.type == A");
    let Some((docker, mut pair)) = start(setup, None)? else { return Ok(()) };
    // Its loopback interface is its own; nobody answers there.
    let command = ["/bin/busybox", "nslookup", "www.in-container.test", "127.0.0.1"];
    let id = docker.container(&["--name=cws-dns"], &command)?;
    docker.run(["wait", &id])?;
    let signal = pair.expect("asked", |_| true)?;
    assert_container(&signal, &id, "cws-dns");
    let expected = [
        ("process.executable.path", json!("/bin/busybox")),
        ("network.device.ifname", json!("lo")),
        ("network.destination", json!({"ip": "127.0.0.1", "port": 53})),
    ];
    assert_eq!(signal.differences(&expected), "");
    let own = fs::read_link("/proc/self/ns/net")?.display().to_string();
    assert_ne!(own, format!("net:[{}]", signal.at("network.device.netns")));
    Ok(())
}
