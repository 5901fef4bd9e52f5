//! `security-agent status`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use proto::v1::{KindCount, StatusReply, observation::State};
use serde_json::{Value as Json, json};
use settings::AgentSettings;

use super::{ConfigArgs, runtime};
use crate::control::{self, Command};
use crate::degraded;
use crate::report::terminal::printable;
use crate::stream::client;
use crate::stream::losses::{Counts, LossReason, kind_name};

/// Rules that are named in a line for people.
const RULES_SHOWN: usize = 5;

/// Options of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print one JSON object: `agent` and `probe`, or an `error` in the place of each.
    #[arg(short = 'j', long)]
    json: bool,
}

/// The exit code is 0 if the agent answers, whatever it says.
pub(super) fn run(args: &StatusArgs, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let settings = config.load_quietly()?;
    let (json, text) = both(&settings)?;
    let is_running = json["agent"]["error"].is_null();
    if args.json {
        println!("{json}");
    } else {
        print!("{text}");
    }
    Ok(if is_running { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What both processes say, as JSON and for people.
pub(super) fn both(settings: &AgentSettings) -> anyhow::Result<(Json, String)> {
    let runtime = runtime()?;
    let agent = runtime.block_on(control::call(&settings.privileges.command_socket, Command::Status));
    let agent = agent.map(|(answer, _)| answer);
    let probe = runtime.block_on(client::status(&settings.link.socket));
    let agent = agent.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
    let probe =
        probe.map_or_else(|error| json!({ "error": error.to_string() }), |probe| probe_status(&probe));
    let text = for_people(&agent, &probe, &settings.link.socket);
    Ok((json!({ "agent": agent, "probe": probe }), text))
}

/// The probe's answer as JSON.
fn probe_status(status: &StatusReply) -> Json {
    let facts = status
        .facts
        .iter()
        .map(|fact| json!({ "name": fact.name, "available": fact.available, "detail": fact.detail }));
    let observations = status.observations.iter().map(|observation| {
        let state = match observation.state() {
            State::Unspecified => "unknown",
            State::Active => "active",
            State::Idle => "idle",
            State::Partial => "partial",
            State::Unavailable => "unavailable",
        };
        json!({
            "name": observation.name,
            "kinds": observation.kinds.iter().map(|kind| kind_name(*kind)).collect::<Vec<_>>(),
            "state": state,
            "programs": observation.programs,
            "reason": observation.reason,
        })
    });
    let mut losses = Counts::default();
    for loss in &status.losses {
        losses.add(LossReason::of_probe(loss), loss.kind, loss.count);
    }
    let by_kind = |counts: &[KindCount]| -> serde_json::Map<String, Json> {
        counts.iter().map(|count| (kind_name(count.kind).to_owned(), count.count.into())).collect()
    };
    let runtimes = status.container_runtimes.iter().map(|runtime| {
        json!({
            "socket": runtime.socket,
            "available": runtime.available,
            "detail": runtime.detail,
            "answered": runtime.answered,
        })
    });
    json!({
        "version": status.version,
        "uptime_seconds": status.uptime_seconds,
        "subscribed": status.subscribed,
        "resident_bytes": status.resident_bytes,
        "queued_records": status.queued_records,
        "queue_capacity": status.queue_capacity,
        "ring_bytes": status.ring_bytes,
        "facts": facts.collect::<Vec<_>>(),
        "observations": observations.collect::<Vec<_>>(),
        "losses": losses.to_json(),
        "sent": by_kind(&status.sent),
        "filtered": by_kind(&status.filtered),
        "filters": by_kind(&status.filters),
        "container_runtimes": runtimes.collect::<Vec<_>>(),
    })
}

fn for_people(agent: &Json, probe: &Json, socket: &Path) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Names of files and rules come from elsewhere.
        let _infallible = writeln!(text, "{}", printable(&line));
    };
    line("security-agent".into());
    match agent["error"].as_str() {
        Some(error) => line(format!("  not running: {error}")),
        None => agent_lines(agent, &mut line),
    }
    line(String::new());
    line(format!("system-probe at {}", socket.display()));
    match probe["error"].as_str() {
        Some(error) => line(format!("  {error}")),
        None => probe_lines(probe, &mut line),
    }
    text
}

fn agent_lines(agent: &Json, line: &mut impl FnMut(String)) {
    let pipeline = &agent["pipeline"];
    line(format!(
        "  version {}, pid {}, user {}, up {} s, {} resident",
        word(&agent["version"]),
        agent["pid"],
        agent["user_id"],
        agent["uptime_seconds"],
        mebibytes(&agent["resident_bytes"])
    ));
    line(match agent["probe"]["connected"].as_bool() {
        Some(true) => "  connected to system-probe".to_owned(),
        _ => format!("  not connected to system-probe {}", word(&agent["probe"]["last_error"])),
    });
    let degraded =
        list(&agent["probe"]["degraded"]).map(|part| (word(&part["observation"]), word(&part["reason"])));
    for (reason, observations) in degraded::by_reason(degraded) {
        line(format!("  degraded: {}: {reason}", observations.join(", ")));
    }
    line(format!("  self-test: {}", word(&agent["self_test"]["result"])));
    line(format!("  log level {}", word(&agent["log_level"])));
    let rules = &pipeline["rules"];
    line(format!(
        "  policies from {}: {} rules loaded, {} skipped, {} errors",
        word(&agent["policies_dir"]),
        rules["loaded"],
        rules["skipped"],
        rules["errors"]
    ));
    for policy in list(&pipeline["policies"]) {
        let error = policy["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
        line(format!("    {} {}{error}", word(&policy["name"]), word(&policy["version"])));
    }
    let counters = &pipeline["counters"];
    line(format!(
        "  {} events evaluated, {} matches, {} held back by rate limits",
        counters["evaluated"], counters["matches"], counters["suppressed"]
    ));
    line(format!(
        "  {} processes known, {} of arguments",
        pipeline["processes"]["living"],
        mebibytes(&pipeline["processes"]["argument_bytes"])
    ));
    for (kind, how) in pipeline["kernel_filters"].as_object().into_iter().flatten() {
        if let Some(rules) = how["prevented_by"].as_array() {
            let names: Vec<&str> = rules.iter().map(word).take(RULES_SHOWN).collect();
            let more = if rules.len() > RULES_SHOWN { ", ..." } else { "" };
            line(format!("  all {kind} events come from the kernel because of {}{more}", names.join(", ")));
        }
    }
    let containers = &pipeline["containers"];
    let problem = word(&containers["problem"]);
    line(format!(
        "  {} containers known, {} by name{}{problem}",
        containers["seen"],
        containers["named"],
        if problem.is_empty() { "" } else { "; no names: " }
    ));
    network_line(&pipeline["network"], line);
    loss_lines(&pipeline["losses"], line);
    for sink in list(&agent["sinks"]) {
        line(format!(
            "  output {}: {} written, {} dropped, {} failed",
            word(&sink["name"]),
            sink["written"],
            sink["dropped"],
            sink["failed"]
        ));
        delivery_lines(&sink["delivery"], line);
    }
}

/// What was understood of packets and what was not: what has not happened is not mentioned.
fn network_line(network: &Json, line: &mut impl FnMut(String)) {
    let counters = network.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0));
    let counters: Vec<String> = counters.map(|(name, count)| format!("{name} {count}")).collect();
    if !counters.is_empty() {
        line(format!("  network: {}", counters.join(", ")));
    }
}

fn delivery_lines(delivery: &Json, line: &mut impl FnMut(String)) {
    if delivery.is_null() {
        return;
    }
    let state = match delivery["connected"].as_bool() {
        Some(true) => "connected",
        Some(false) => "not connected",
        None => "nothing sent yet",
    };
    let error = word(&delivery["last_error"]);
    let error =
        if delivery["connected"] == true || error.is_empty() { String::new() } else { format!(": {error}") };
    line(format!("    {state}{error}"));
    line(format!(
        "    {} sent, {} refused, {} dropped, {} damaged; {} wait ({})",
        delivery["sent"],
        delivery["refused"],
        delivery["dropped"],
        delivery["damaged"],
        delivery["waiting"],
        mebibytes(&delivery["waiting_bytes"])
    ));
    if let Some(problem) = delivery["spool_problem"].as_str() {
        line(format!("    waiting signals do not outlive the agent: {problem}"));
    }
}

fn probe_lines(probe: &Json, line: &mut impl FnMut(String)) {
    line(format!(
        "  version {}, up {} s, {} resident, ring buffer {}",
        word(&probe["version"]),
        probe["uptime_seconds"],
        mebibytes(&probe["resident_bytes"]),
        mebibytes(&probe["ring_bytes"])
    ));
    line(format!("  {} of {} records queued", probe["queued_records"], probe["queue_capacity"]));
    for observation in list(&probe["observations"]) {
        let programs: Vec<&str> = list(&observation["programs"]).map(word).collect();
        line(format!(
            "  {:<12} {:<24} {} {}",
            word(&observation["state"]),
            word(&observation["name"]),
            programs.join(", "),
            word(&observation["reason"])
        ));
    }
    for runtime in list(&probe["container_runtimes"]).filter(|runtime| runtime["available"] == true) {
        line(format!(
            "  names of containers from {}, {} answers",
            word(&runtime["socket"]),
            runtime["answered"]
        ));
    }
    if !list(&probe["container_runtimes"]).any(|runtime| runtime["available"] == true) {
        let sockets = list(&probe["container_runtimes"]).map(|runtime| word(&runtime["detail"]));
        let reasons = sockets.collect::<Vec<_>>().join("; ");
        line(format!("  containers have ids and no names: {reasons}"));
    }
    for fact in list(&probe["facts"]).filter(|fact| fact["available"] == false) {
        line(format!("  this kernel has no {}: {}", word(&fact["name"]), word(&fact["detail"])));
    }
    for (kind, count) in probe["filtered"].as_object().into_iter().flatten() {
        line(format!("  {count} {kind} dropped in the kernel, as no rule can match them"));
    }
    loss_lines(&probe["losses"], line);
}

fn loss_lines(losses: &Json, line: &mut impl FnMut(String)) {
    for loss in list(losses) {
        line(format!("  lost {} {} ({})", loss["count"], word(&loss["event_type"]), word(&loss["reason"])));
    }
}

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

fn mebibytes(value: &Json) -> String {
    let bytes = value.as_u64().unwrap_or(0);
    format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20)
}

#[cfg(test)]
mod tests {
    use proto::v1::{Fact, Loss, Observation};

    use super::*;

    #[test]
    fn both_processes_are_shown() {
        let probe = StatusReply {
            version: "1.0".into(),
            facts: vec![Fact { name: "fentry".into(), available: false, detail: "EPERM".into() }],
            observations: vec![Observation {
                name: "process.exec".into(),
                kinds: vec![2],
                state: State::Active.into(),
                programs: vec!["tp_btf/sched_process_exec".into()],
                reason: String::new(),
            }],
            losses: vec![Loss { reason: 1, kind: 2, count: 3 }],
            ring_bytes: 8 << 20,
            ..StatusReply::default()
        };
        let probe = probe_status(&probe);
        assert_eq!(probe["observations"][0]["kinds"], json!(["exec"]));
        let agent = json!({ "error": "no agent answers" });
        let text = for_people(&agent, &probe, Path::new("/run/x.sock"));
        for part in [
            "not running: no agent answers",
            "ring buffer 8.0 MiB",
            "active       process.exec",
            "this kernel has no fentry: EPERM",
            "lost 3 exec (ring_full)",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn of_the_network_what_happened_is_shown() {
        let shown = |network: Json| {
            let agent = json!({ "pipeline": { "network": network } });
            for_people(&agent, &json!({ "error": "none" }), Path::new("/run/x.sock"))
        };
        let text = shown(json!({ "dns_messages": 4, "dns_malformed": 2, "truncated": 0 }));
        for part in ["  network: ", "dns_messages 4", "dns_malformed 2"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("truncated"), "{text}");
        assert!(!shown(json!({ "dns_messages": 0 })).contains("network"));
        let all = serde_json::to_value(crate::network::Counters::default()).unwrap();
        assert!(!shown(all).contains("network"), "nothing has happened yet");
    }

    #[test]
    fn what_is_degraded_for_one_reason_is_one_line() {
        let part = |name: &str| json!({ "observation": name, "reason": "not seen: rings" });
        let agent = json!({ "probe": { "degraded": [part("file.open"), part("file.link")] } });
        let text = for_people(&agent, &json!({ "error": "none" }), Path::new("/run/x.sock"));
        assert_eq!(text.matches("degraded").count(), 1, "{text}");
        assert!(text.contains("  degraded: file.open, file.link: not seen: rings\n"), "{text}");
    }
}
