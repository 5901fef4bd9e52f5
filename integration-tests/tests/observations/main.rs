//! One event of each observation, under one pair: how guests show in minutes what a kernel lets us see. What is said of each
//! event is the business of the other tests; here it has to come, of the right process and about the right object.
//!
//! Prints `observed: NAME` or `missing: NAME` for each; the table of kernels is made of these lines.

mod actions;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::Value;

use actions::{Seen, Unseen};

/// Rules for everything that the actions cause: name and condition. The results make the signals tell them.
fn rules() -> Vec<(&'static str, String)> {
    let by_calls = [
        "open",
        "mkdir",
        "rmdir",
        "unlink",
        "rename",
        "link",
        "symlink",
        "chdir",
        "chmod",
        "chown",
        "utimes",
        "setxattr",
        "removexattr",
        "mount",
        "umount",
        "splice",
        "bind",
        "connect",
        "accept",
        "setsockopt",
        "unshare",
        "memfd_create",
        "load_module",
        "unload_module",
    ];
    let mut rules: Vec<_> = by_calls
        .map(|event| (event, format!("{event}.retval >= -600 && process.file.name == \"call\"")))
        .into();
    let by_trigger =
        ["ptrace", "signal", "setrlimit", "process_vm_writev", "bpf", "mmap", "mprotect", "prctl", "setns"];
    let by_trigger = by_trigger.into_iter().chain(["userfaultfd", "io_uring_setup"]);
    rules.extend(
        by_trigger.map(|event| (event, format!("{event}.retval >= -600 && process.file.name == \"kernel\""))),
    );
    rules.extend([
        ("exec", "exec.file.name == \"call\"".to_owned()),
        ("exit", "exit.code == 0 && exit.file.name == \"call\"".to_owned()),
        ("setuid", "setuid.uid == 65534 && process.file.name == \"call\"".to_owned()),
        ("setgid", "setgid.gid == 65534 && process.file.name == \"call\"".to_owned()),
        ("capset", "capset.cap_effective & CAP_CHOWN == 0 && process.file.name == \"call\"".to_owned()),
        (
            "capabilities",
            "capabilities.used & CAP_SYS_CHROOT > 0 && process.file.name == \"call\"".to_owned(),
        ),
        ("sysctl", "sysctl.action == SYSCTL_WRITE && sysctl.value == \"second\"".to_owned()),
        ("cgroup_write", "cgroup_write.file.name == \"cgroup.procs\"".to_owned()),
        ("moved", "prctl.option == PR_SET_NAME && cgroup.id =~ \"*cws-each-*\"".to_owned()),
        ("dns", format!("dns.question.name == \"{}\"", actions::NAME)),
        ("imds", "imds.type == \"request\" && process.file.name == \"call\"".to_owned()),
        ("packet", format!("packet.filter == \"udp and dst port {}\"", actions::PORT)),
        ("flows", format!("network_flow_monitor.flows.destination.port == {}", actions::PORT)),
    ]);
    rules
}

/// The observations that this kernel has, and that there is anything to watch with.
fn watched(pair: &Pair) -> Result<BTreeSet<String>> {
    let status = pair.status()?;
    let observations = status["probe"]["observations"].as_array().context("observations")?;
    let is_watched = |seen: &&Value| {
        let state = seen["state"].to_string().to_lowercase();
        !state.contains("unavailable") && !seen["reason"].to_string().contains("nothing to watch")
    };
    Ok(observations
        .iter()
        .filter(is_watched)
        .filter_map(|seen| Some(seen["name"].as_str()?.to_owned()))
        .collect())
}

/// Programs that the kernel did not take: on those that the tests are run on there are none.
fn refused(pair: &Pair) -> Result<Vec<String>> {
    let status = pair.status()?;
    let observations = status["probe"]["observations"].as_array().context("observations")?;
    let reasons = observations.iter().filter_map(|seen| seen["reason"].as_str());
    Ok(reasons.filter(|reason| reason.contains("load failed")).map(str::to_owned).collect())
}

#[test]
fn each_shows_what_it_watches() -> Result<()> {
    if can_run() { all(Setup::new()) } else { Ok(()) }
}

/// On a kernel that is younger: what old kernels have of it is the programs.
#[test]
fn each_shows_it_with_the_programs_for_old_kernels() -> Result<()> {
    if can_run() { all(Setup::new().plan("old")) } else { Ok(()) }
}

/// The same as before 4.17, without raw tracepoints.
#[test]
fn each_shows_it_with_the_programs_for_the_oldest_kernels() -> Result<()> {
    if can_run() { all(Setup::new().plan("oldest")) } else { Ok(()) }
}

fn all(setup: Setup) -> Result<()> {
    let setup = setup
        .agent_line("event_monitoring_config.capabilities_monitoring.enabled: true")
        .agent_line("event_monitoring_config.network.flow_monitor.enabled: true")
        .probe_line("event_monitoring_config.capabilities_monitoring.period: 1h")
        .probe_line("event_monitoring_config.network.flow_monitor.period: 100ms")
        .probe_line(&format!("runtime_security_config.imds_ipv4: {}", actions::SERVICE));
    let setup = rules().iter().fold(setup, |setup, (name, condition)| setup.rule(name, condition));
    let mut pair = Pair::start(&setup)?;
    let watched = watched(&pair)?;
    let refused = refused(&pair)?;
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    let (expected, unseen) = actions::all(&pair)?;
    pair.settle()?;

    let mut missing = Vec::new();
    for Seen { observation, rule, pid, member, value } in &expected {
        if !watched.contains(*observation) {
            continue;
        }
        let is_it = |signal: &integration_tests::harness::Signal| {
            signal.at("process.pid") == pid && (member.is_empty() || signal.at(member) == value)
        };
        if pair.expect(rule, is_it).is_ok() {
            println!("observed: {observation}");
        } else {
            let others: Vec<_> = pair.signals.of_rule(rule).map(|signal| signal.0.to_string()).collect();
            println!("missing: {observation}");
            missing.push(format!(
                "{observation}: no {rule} of {pid} with {member} {value}\n{}",
                others.join("\n")
            ));
        }
    }
    for Unseen { observation, why } in &unseen {
        println!("not tried: {observation}: {why}");
    }
    let tried: BTreeSet<_> = expected.iter().map(|seen| seen.observation).collect();
    let not_tried = unseen.iter().map(|unseen| unseen.observation);
    let known: BTreeSet<_> = tried.into_iter().chain(not_tried).chain(["kernel.selinux"]).collect();
    let forgotten: Vec<_> = watched.iter().filter(|name| !known.contains(name.as_str())).collect();
    ensure!(forgotten.is_empty(), "no event is caused for {forgotten:?}");
    ensure!(missing.is_empty(), "{}\n{:#}\n{}", missing.join("\n"), pair.status()?, pair.logs());
    Ok(())
}
