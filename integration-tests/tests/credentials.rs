//! Changes of credentials, with the values before and after.

use anyhow::Result;
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

/// A call that changes ids.
struct Call {
    /// The system call.
    name: &'static str,
    /// The event that it causes.
    event: &'static str,
    /// What the event says about the result.
    result: &'static [(&'static str, u32)],
}

const fn call(name: &'static str, event: &'static str, result: &'static [(&'static str, u32)]) -> Call {
    Call { name, event, result }
}

const CALLS: [Call; 8] = [
    call("setuid", "setuid", &[("uid", 65534), ("euid", 65534), ("fsuid", 65534)]),
    call("setreuid", "setuid", &[("uid", 65534), ("euid", 1), ("fsuid", 1)]),
    call("setresuid", "setuid", &[("uid", 65534), ("euid", 1), ("fsuid", 1)]),
    call("setfsuid", "setuid", &[("uid", 0), ("euid", 0), ("fsuid", 65534)]),
    call("setgid", "setgid", &[("gid", 65534), ("egid", 65534), ("fsgid", 65534)]),
    call("setregid", "setgid", &[("gid", 65534), ("egid", 1), ("fsgid", 1)]),
    call("setresgid", "setgid", &[("gid", 65534), ("egid", 1), ("fsgid", 1)]),
    call("setfsgid", "setgid", &[("gid", 0), ("egid", 0), ("fsgid", 65534)]),
];

#[test]
fn each_call_that_changes_an_id_is_an_event_with_the_new_values() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("setuid", "setuid.fsuid != 0 && process.file.name == \"credentials\"")
        .rule("setgid", "setgid.fsgid != 0 && process.file.name == \"credentials\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("credentials")?;
    for Call { name, event, result } in CALLS {
        let truth = trigger.run([name])?;
        let signal = pair.expect(event, |signal| signal.at("process.pid") == &truth["pid"])?;
        let mut expected: Vec<(String, Value)> = result
            .iter()
            .map(|(member, value)| (format!("process.credentials.destination.{member}"), json!(value)))
            .collect();
        expected.push(("evt.name".to_owned(), json!(event)));
        expected.push(("process.args".to_owned(), json!([name])));
        let expected: Vec<(&str, Value)> =
            expected.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
        assert_eq!(signal.differences(&expected), "", "{name}");
    }
    Ok(())
}

#[test]
fn a_change_of_capabilities_names_them() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rule = "capset.cap_effective & CAP_KILL > 0 && process.file.name == \"credentials\"";
    let mut pair = Pair::start(&Setup::new().rule("capset", rule))?;
    let truth = pair.trigger("credentials")?.run(["capset"])?;
    let signal = pair.expect("capset", |signal| signal.at("process.pid") == &truth["pid"])?;
    let names = |path: &str| {
        let list = signal.at(path).as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = list.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        names.sort();
        names
    };
    assert_eq!(names("process.credentials.destination.cap_effective"), ["CAP_KILL"]);
    assert_eq!(names("process.credentials.destination.cap_permitted"), ["CAP_CHOWN", "CAP_KILL"]);
    Ok(())
}

#[test]
fn what_follows_a_change_has_the_new_credentials() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new().rule("ended", "exit.file.name == \"credentials\""))?;
    let truth = pair.trigger("credentials")?.run(["setresuid"])?;
    let signal = pair.expect("ended", |signal| signal.at("process.pid") == &truth["pid"])?;
    let differences = signal
        .differences(&[("process.credentials.uid", json!(65534)), ("process.credentials.euid", json!(1))]);
    assert_eq!(differences, "");
    Ok(())
}
