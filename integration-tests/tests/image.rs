//! The container image: run by the documented command, beside containers, on a real Docker.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use integration_tests::harness::{Docker, IMAGE, Signal, built, can_run, ordinary_program};
use rustix::process::{Pid, Signal as Unix, kill_process};
use rustix::thread::CapabilitySet;
use serde_json::{Value, json};
use tempfile::TempDir;

const AGENT_IMAGE: &str = "cws-agent:test";
/// How long anything may take to show in the log.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest image that is promised, bytes.
const IMAGE_SIZE_MAX: u64 = 60 << 20;

const POLICY: &str = r#"
rules:
  - id: on_the_host
    expression: exec.file.name == "cws-image-host"
  - id: in_a_container
    expression: exec.file.path == "/bin/busybox" && process.container.tags == "container_name:cws-neighbour"
"#;

/// The image on a daemon of its own, and a directory that the agent's container sees.
struct Fixture {
    directory: TempDir,
    docker: Docker,
}

impl Fixture {
    fn start() -> Result<Option<Self>> {
        if !can_run() {
            return Ok(None);
        }
        let Some(docker) = Docker::start(None)? else { return Ok(None) };
        let directory = tempfile::Builder::new().prefix("cws-image.").tempdir()?;
        fs::create_dir(directory.path().join("policies"))?;
        fs::write(directory.path().join("policies/test.policy"), POLICY)?;
        let programs = built("supervisor")?;
        let programs = programs.parent().context("a directory")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/docker/build.sh");
        let output = Command::new(script)
            .env("DOCKER_HOST", format!("unix://{}", docker.socket().display()))
            .env("CWS_BIN_DIR", programs)
            .env("IMAGE", AGENT_IMAGE)
            .output()
            .context("start build.sh")?;
        ensure!(output.status.success(), "build.sh: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Some(Self { directory, docker }))
    }

    /// The documented command. Without SYS_RESOURCE where we may not hand it out ourselves.
    fn documented(&self) -> Result<Vec<String>> {
        let own = rustix::thread::capabilities(None)?.permitted;
        let mut options =
            ["--cgroupns=host", "--pid=host", "--security-opt=apparmor:unconfined", "--memory=256m"]
                .map(str::to_owned)
                .to_vec();
        for (name, capability) in [
            ("SYS_ADMIN", CapabilitySet::SYS_ADMIN),
            ("SYS_RESOURCE", CapabilitySet::SYS_RESOURCE),
            ("SYS_PTRACE", CapabilitySet::SYS_PTRACE),
            ("NET_ADMIN", CapabilitySet::NET_ADMIN),
            ("NET_BROADCAST", CapabilitySet::NET_BROADCAST),
            ("NET_RAW", CapabilitySet::NET_RAW),
            ("IPC_LOCK", CapabilitySet::IPC_LOCK),
            ("CHOWN", CapabilitySet::CHOWN),
        ] {
            if own.contains(capability) {
                options.push(format!("--cap-add={name}"));
            } else {
                println!("left out: --cap-add {name}, which this machine does not have");
            }
        }
        for mount in [
            format!("{}:/var/run/docker.sock:ro", self.docker.socket().display()),
            "/proc:/host/proc:ro".to_owned(),
            "/sys/fs/cgroup:/host/sys/fs/cgroup:ro".to_owned(),
            "/etc/passwd:/etc/passwd:ro".to_owned(),
            "/etc/group:/etc/group:ro".to_owned(),
            "/:/host/root:ro".to_owned(),
            "/sys/kernel/debug:/sys/kernel/debug".to_owned(),
            "/etc/os-release:/etc/os-release".to_owned(),
            format!(
                "{}:/etc/datadog-agent/runtime-security.d:ro",
                self.directory.path().join("policies").display()
            ),
        ] {
            options.push(format!("--volume={mount}"));
        }
        for variable in [
            "DD_RUNTIME_SECURITY_CONFIG_ENABLED=true",
            "DD_RUNTIME_SECURITY_CONFIG_NETWORK_ENABLED=true",
            "HOST_ROOT=/host/root",
            "DD_TAGS=team:tests",
        ] {
            options.push(format!("--env={variable}"));
        }
        Ok(options)
    }

    fn run(&self, options: &[String]) -> Result<String> {
        let fixed = ["run", "--detach", "--network=none"].map(str::to_owned);
        self.docker.run(fixed.iter().chain(options).chain([&AGENT_IMAGE.to_owned()]))
    }

    /// What a container has written: signals on standard output, its log on standard error.
    fn log(&self, id: &str) -> Result<String> {
        self.docker.log(id)
    }

    /// Waits until `found` gives something for the log of a container.
    fn wait<T>(&self, id: &str, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log(id)?;
            if let Some(found) = found(&log) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("no {what} within {PATIENCE:?}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Starts `program` with new arguments until a signal tells of it.
    fn signal_of_host_program(&self, id: &str, program: &Path, argument: &str) -> Result<Signal> {
        self.wait(id, "signal of a host process", |log| {
            let _ran = Command::new(program).arg(argument).status();
            signals(log)
                .into_iter()
                .find(|signal| signal.rule() == "on_the_host" && signal.args() == [argument])
        })
    }
}

fn signals(log: &str) -> Vec<Signal> {
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(Signal).collect()
}

#[test]
fn the_documented_command_watches_the_host_and_names_its_containers() -> Result<()> {
    let Some(fixture) = Fixture::start()? else { return Ok(()) };
    let docker = &fixture.docker;
    let program = ordinary_program("/bin/true", "cws-image-host", fixture.directory.path())?;
    let before =
        docker.container(&["--name=cws-neighbour"], &["/bin/sh", "-c", "while :; do sleep 0.3; done"])?;

    let agent = fixture.run(&fixture.documented()?)?;
    let host = fixture.signal_of_host_program(&agent, &program, "first")?;
    let expected = [
        ("process.parent.pid", json!(std::process::id())),
        ("process.executable.path", json!(program.canonicalize()?)),
        ("process.user", json!("root")),
        ("container", Value::Null),
    ];
    assert_eq!(host.differences(&expected), "");
    let live = fixture.wait(&agent, "signal of a container", |log| {
        signals(log).into_iter().find(|signal| signal.rule() == "in_a_container" && signal.args() == ["0.3"])
    })?;
    assert_eq!(live.differences(&[("container.id", json!(before))]), "");
    let tags = live.at("container.tags").as_array().context("tags")?;
    assert!(tags.contains(&json!(format!("docker_image:{IMAGE}"))), "{tags:?}");
    // It ran before the agent did: what was found at the start is a signal too.
    let pid = docker.pid(&before)?;
    assert!(signals(&fixture.log(&agent)?).iter().any(|signal| signal.at("process.pid") == pid));

    // One process crashes: it is started again, and the other is left alone.
    let processes = docker.run(["top", &agent, "-o", "pid,comm"])?;
    let pid_of = |name: &str| -> Result<i32> {
        let line = processes.lines().find(|line| line.contains(name)).with_context(|| processes.clone())?;
        Ok(line.split_whitespace().next().context("a number")?.parse()?)
    };
    let (probe, security_agent) = (pid_of("system-probe")?, pid_of("security-agent")?);
    let uid = fs::read_to_string(format!("/proc/{security_agent}/status"))?;
    assert!(uid.contains("\nUid:\t60990\t60990\t60990\t60990\n"), "{uid}");
    assert!(
        uid.contains("\nCapPrm:\t0000000000000000\n") && uid.contains("\nCapBnd:\t0000000000000000\n"),
        "{uid}"
    );
    kill_process(Pid::from_raw(probe).context("a number")?, Unix::KILL)?;
    fixture.wait(&agent, "restart", |log| log.contains("is started again").then_some(()))?;
    fixture.signal_of_host_program(&agent, &program, "second")?;
    assert!(Path::new(&format!("/proc/{security_agent}")).exists());

    let usage = docker.run(["stats", "--no-stream", "--format", "{{.MemUsage}}", &agent])?;
    println!("memory: {usage}");
    let begin = Instant::now();
    docker.run(["stop", &agent])?;
    let elapsed = begin.elapsed();
    println!("docker stop took {elapsed:?}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}\n{}", fixture.log(&agent)?);
    let state = docker.run(["inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", &agent])?;
    assert_eq!(state, "0 false", "{}", fixture.log(&agent)?);

    if cfg!(debug_assertions) {
        println!("size of the image not checked: its programs were built without optimisation");
    } else {
        let size: u64 = docker.run(["image", "inspect", "--format", "{{.Size}}", AGENT_IMAGE])?.parse()?;
        assert!(size < IMAGE_SIZE_MAX, "{size} bytes");
    }
    Ok(())
}

#[test]
fn without_the_mounts_and_capabilities_it_says_which_and_does_what_it_can() -> Result<()> {
    let Some(fixture) = Fixture::start()? else { return Ok(()) };
    // Nothing of it: not a program can be loaded.
    let bare = fixture.run(&["--env=DD_RUNTIME_SECURITY_CONFIG_ENABLED=true".to_owned()])?;
    let log =
        fixture.wait(&bare, "message", |log| log.contains("is started again").then(|| log.to_owned()))?;
    for option in [
        "--cap-add SYS_ADMIN",
        "--cap-add SYS_PTRACE",
        "--pid host",
        "--volume /proc:/host/proc:ro",
        "--volume /sys/fs/cgroup:/host/sys/fs/cgroup:ro",
        "--volume /:/host/root:ro --env HOST_ROOT=/host/root",
        "--volume /var/run/docker.sock:/var/run/docker.sock:ro",
        "system-probe lacks CAP_BPF and CAP_PERFMON",
    ] {
        assert!(log.contains(option), "{option} is not in\n{log}");
    }
    let begin = Instant::now();
    fixture.docker.run(["stop", &bare])?;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());

    // Without the socket of Docker: events without names.
    let options = fixture
        .documented()?
        .into_iter()
        .filter(|option| !option.contains("docker.sock"))
        .collect::<Vec<_>>();
    let program = ordinary_program("/bin/true", "cws-image-host", fixture.directory.path())?;
    let nameless = fixture.run(&options)?;
    fixture.signal_of_host_program(&nameless, &program, "nameless")?;
    assert!(fixture.log(&nameless)?.contains("containers have ids and no names"));
    fixture.docker.run(["stop", &nameless])?;

    // Not enabled: it ends, and says so.
    let disabled = fixture.run(&[])?;
    fixture.docker.run(["wait", &disabled])?;
    let log = fixture.log(&disabled)?;
    assert!(log.contains("nothing to do"), "{log}");
    let state = fixture.docker.run(["inspect", "--format", "{{.State.ExitCode}}", &disabled])?;
    assert_eq!(state, "0", "{log}");
    Ok(())
}

/// The container definition of the Elastic Beanstalk example, as the ECS agent of such a host runs it.
#[test]
fn the_container_of_elastic_beanstalk_runs_as_it_is_defined() -> Result<()> {
    let Some(fixture) = Fixture::start()? else { return Ok(()) };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/beanstalk/Dockerrun.aws.json");
    let definition: Value = serde_json::from_slice(&fs::read(file)?)?;
    assert_eq!(definition["AWSEBDockerrunVersion"], 2);
    let own = rustix::thread::capabilities(None)?.permitted;
    let policies = fixture.directory.path().join("policies");
    let mut options =
        vec![format!("--volume={}:/etc/datadog-agent/runtime-security.d:ro", policies.display())];
    let container = &definition["containerDefinitions"][0];
    options.push(format!("--memory={}m", container["memory"]));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for variable in list(&container["environment"]) {
        // The key is the operator's.
        if variable["name"] != "DD_API_KEY" {
            options.push(format!("--env={}={}", text(&variable["name"]), text(&variable["value"])));
        }
    }
    for option in list(&container["dockerSecurityOptions"]) {
        options.push(format!("--security-opt={}", text(&option)));
    }
    for capability in list(&container["linuxParameters"]["capabilities"]["add"]) {
        if capability != "SYS_RESOURCE" || own.contains(CapabilitySet::SYS_RESOURCE) {
            options.push(format!("--cap-add={}", text(&capability)));
        }
    }
    let volumes = list(&definition["volumes"]);
    for mount in list(&container["mountPoints"]) {
        let volume = volumes.iter().find(|volume| volume["name"] == mount["sourceVolume"]);
        let mut source = text(&volume.context("a volume of that name")?["host"]["sourcePath"]);
        if source == "/var/run/docker.sock" {
            source = fixture.docker.socket().display().to_string();
        }
        let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
        options.push(format!("--volume={source}:{}:{mode}", text(&mount["containerPath"])));
    }
    let program = ordinary_program("/bin/true", "cws-image-host", fixture.directory.path())?;
    fixture.docker.container(&["--name=cws-neighbour"], &["/bin/sh", "-c", "while :; do sleep 0.3; done"])?;
    // Such a host gives no pid namespace of its own: processes are those of the host nonetheless.
    let agent = fixture.run(&options)?;
    let host = fixture.signal_of_host_program(&agent, &program, "beanstalk")?;
    assert_eq!(host.differences(&[("process.parent.pid", json!(std::process::id()))]), "");
    assert!(host.ancestors().contains(&u64::from(std::process::id())), "{:#}", host.0);
    fixture.wait(&agent, "signal of a container", |log| {
        signals(log).into_iter().find(|signal| signal.rule() == "in_a_container")
    })?;
    let state = fixture.docker.run(["inspect", "--format", "{{.State.OOMKilled}}", &agent])?;
    assert_eq!(state, "false");
    Ok(())
}
