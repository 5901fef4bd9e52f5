//! What attackers do, and what both processes make of it: the shared set of behaviours, each run for real. They change
//! files of the system, so this does nothing but in a guest that is thrown away (`make test-attacks`).

mod behaviour;
mod expectation;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{MARK_RULE, Setup, Signal, built, can_run};

use behaviour::Behaviour;
use expectation::Expectations;
use run::Run;

/// Says that the machine may be changed: only the guest of `make test-attacks` sets it.
const DISPOSABLE: &str = "CWS_DISPOSABLE_GUEST";
/// Where the set is, if not beside the checkout.
const SET: &str = "CWS_SHARED";
/// Part of an id: only such behaviours are run.
const ONLY: &str = "CWS_ATTACKS_ONLY";

/// The directory of `attacks` and `policies`.
fn shared() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    std::env::var_os(SET).map_or(beside, PathBuf::from)
}

fn policy() -> PathBuf {
    shared().join("policies/datadog-default-1.69.3.policy")
}

/// The behaviours, if they may be run here.
fn behaviours() -> Result<Option<Vec<Behaviour>>> {
    if std::env::var_os(DISPOSABLE).is_none() {
        println!("skipped: attacks change system files; make test-attacks runs them in a guest");
        return Ok(None);
    }
    if !can_run() {
        return Ok(None);
    }
    let file = shared().join("attacks/examples.jsonl");
    if !file.is_file() {
        println!("skipped: there is no {}", file.display());
        return Ok(None);
    }
    let only = std::env::var(ONLY).unwrap_or_default();
    let behaviours = behaviour::read(&file)?.into_iter().filter(|one| one.id.contains(&only));
    Ok(Some(behaviours.collect()))
}

/// Each behaviour is reported as what it was, object by object.
#[test]
fn behaviours_are_events() -> Result<()> {
    let Some(behaviours) = behaviours()? else { return Ok(()) };
    let expectations = expectation::read()?;
    let mut setup = Setup::new();
    for (id, rule) in expectations.values().flat_map(Expectations::rules) {
        setup = setup.rule(&id, rule);
    }
    let mut run = Run::start(&setup, "events")?;
    for behaviour in &behaviours {
        let Some(expected) = expectations.get(&behaviour.id) else {
            run.fail(behaviour, "nothing is known of it (expectations.yaml)");
            continue;
        };
        let missing = behaviour.missing();
        if !missing.is_empty() {
            run.fail(behaviour, &format!("the guest has no {missing:?}"));
            continue;
        }
        let wrong = |seen: &[Signal]| {
            let nothing = seen.is_empty() && !expected.events.is_empty();
            let mut wrong = expected.wrong_events(seen);
            wrong.extend(nothing.then(|| "nothing matched".to_owned()));
            wrong
        };
        let (seen, wrong) = run.perform_in_time(behaviour, &expected.command(behaviour), wrong)?;
        run.judge(behaviour, &seen, &wrong);
        run.clean_up(behaviour)?;
    }
    run.finish()
}

/// Each behaviour fires the rules of the reference's default policy that it should, with the filters of that policy.
#[test]
fn the_default_policy_detects_behaviours() -> Result<()> {
    let Some(behaviours) = behaviours()? else { return Ok(()) };
    let expectations = expectation::read()?;
    let policy = fs::read_to_string(policy()).context("the default policy")?;
    // A silent rule does all but report.
    let directory = tempfile::tempdir()?;
    let loud = directory.path().join("default.policy");
    fs::write(&loud, policy.replace("    silent: true\n", ""))?;
    let mut run = Run::start(&Setup::new().policy_file(&loud), "default")?;
    let every = rules(&policy, |_| true)?;
    let mut aside = rules(&policy, |rule| rule["silent"].as_bool() == Some(true))?;
    // Rules about the agent, not about what happens.
    aside.extend([MARK_RULE, "heartbeat", "ruleset_loaded"].map(str::to_owned));
    let every = [every, aside.clone()].concat();
    // What makes the container does these in its control group.
    let mut aside_in_containers = aside.clone();
    let of_the_tool = ["mount_in_container", "unshare_in_container", "deploy_priv_container"];
    aside_in_containers.extend(of_the_tool.map(str::to_owned));
    for behaviour in &behaviours {
        if !behaviour.missing().is_empty() {
            // The other test fails for it.
            continue;
        }
        let derived = Expectations::of_text(&behaviour.expect_default_rule, &policy);
        let known = expectations.get(&behaviour.id);
        let expected = known.unwrap_or(&derived);
        let command = expected.command(behaviour);
        let aside = match known {
            // Of a new one it is known what should fire, not what else may.
            None => &every,
            Some(_) if behaviour::makes_container(&command) => &aside_in_containers,
            Some(_) => &aside,
        };
        let wrong = |seen: &[Signal]| expected.wrong_rules(&expected.default, aside, seen);
        let (seen, mut wrong) = run.perform_in_time(behaviour, &command, wrong)?;
        if !expected.silent_again.is_empty() {
            wrong.extend(expected.wrong_again(&run.again(&command)?));
        }
        run.judge(behaviour, &seen, &wrong);
        run.clean_up(behaviour)?;
        if !expected.container.is_empty() {
            let seen = run.perform(behaviour, &behaviour.in_container())?;
            let wrong = expected.wrong_rules(&expected.container, &aside_in_containers, &seen);
            run.judge(behaviour, &seen, &wrong);
            run.clean_up(behaviour)?;
        }
    }
    run.finish()
}

/// The rules of a policy that `wanted` accepts.
fn rules(policy: &str, wanted: impl Fn(&serde_yaml::Value) -> bool) -> Result<Vec<String>> {
    let policy: serde_yaml::Value = serde_yaml::from_str(policy)?;
    let rules = policy["rules"].as_sequence().context("rules")?.iter().filter(|rule| wanted(rule));
    Ok(rules.filter_map(|rule| rule["id"].as_str().map(str::to_owned)).collect())
}

/// What is expected can be loaded, and is what the set says, where the set is.
#[test]
fn expectations_are_rules_and_name_rules() -> Result<()> {
    let expectations = expectation::read()?;
    let directory = tempfile::tempdir()?;
    let rules: String = expectations
        .values()
        .flat_map(Expectations::rules)
        .map(|(id, rule)| format!("  - id: {id}\n    expression: {}\n", serde_json::Value::from(rule)))
        .collect();
    fs::write(directory.path().join("expected.policy"), format!("version: 1.0.0\nrules:\n{rules}"))?;
    let check = std::process::Command::new(built("security-agent")?)
        .args(["runtime", "policy", "check", "--policies-dir"])
        .arg(directory.path())
        .output()?;
    ensure!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));

    let set = shared().join("attacks/examples.jsonl");
    let (Ok(policy), true) = (fs::read_to_string(policy()), set.is_file()) else { return Ok(()) };
    let mut derived_rules = 0;
    for behaviour in behaviour::read(&set)? {
        let Some(known) = expectations.get(&behaviour.id) else { continue };
        for rule in known.named() {
            ensure!(policy.contains(&format!("- id: {rule}\n")), "{}: no rule {rule}", behaviour.id);
        }
        let derived = Expectations::of_text(&behaviour.expect_default_rule, &policy);
        derived_rules += derived.default.len();
        for rule in &derived.default {
            ensure!(
                known.default.contains(rule) || known.limit.is_some(),
                "{}: {rule} is expected by the set",
                behaviour.id
            );
        }
    }
    ensure!(derived_rules > 20, "{derived_rules} rules understood");
    Ok(())
}
