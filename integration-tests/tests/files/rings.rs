//! What is asked for through io_uring, which no system call shows: seen where programs are inside the kernel, and by the
//! tracepoints of requests.

use std::fs;

use anyhow::{Context, Result};
use integration_tests::harness::{Setup, Signal, can_run};
use serde_json::{Value, json};

use crate::watch::Watch;

/// The tracepoint of requests, where there are no programs at functions.
const REQUESTS: &str = "tp_btf/io_uring_submit_req";

const EVENTS: [&str; 9] =
    ["open", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "setxattr", "splice"];

fn before_5_12() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) < (Some(5), Some(12))
}

/// The signal of a rule whose file has a name.
fn of<'a>(watch: &'a Watch, rule: &'a str, name: &str) -> Option<&'a Signal> {
    let mut signals = watch.pair.signals.of_rule(rule);
    signals.find(|signal| signal.at("process.executable.name") == "ring" && signal.at("file.name") == name)
}

#[test]
fn operations_of_rings_are_events_of_their_process() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = EVENTS.iter().fold(Setup::new(), |setup, event| {
        let rule = format!(
            "{event}.retval >= -13 && process.file.name == \"ring\" && {event}.file.name =~ \"ring-*\""
        );
        setup.rule(event, &rule).rule(&format!("{event}_async"), &format!("{rule} && event.async"))
    });
    let Some(mut watch) = Watch::with(&[], setup)? else { return Ok(()) };
    let status = watch.pair.status()?.to_string();
    let at_functions = watch.pair.is_at("do_sys_openat2")?;
    if !at_functions && !status.contains(REQUESTS) {
        println!("skipped: nothing of this kernel shows requests of rings");
        return Ok(());
    }
    let place = watch.place()?;
    let trigger = watch.pair.trigger("ring")?;
    fs::create_dir(place.join("ring-closed"))?;
    let truth = trigger.run([place.to_str().context("a path")?])?;
    watch.pair.settle()?;

    let expected = [
        ("open", "open", "ring-file"),
        ("setxattr", "setxattr", "ring-file"),
        ("splice", "splice", "ring-file"),
        ("mkdir", "mkdir", "ring-made"),
        ("symlink", "symlink", "ring-symbolic"),
        ("link", "link", "ring-file"),
        ("rename", "rename", "ring-file"),
        ("unlink", "unlink", "ring-renamed"),
        ("rmdir", "rmdir", "ring-made"),
    ];
    let mut seen = 0;
    for (operation, rule, name) in expected {
        // A kernel may not have the operation.
        if truth[operation].as_i64().is_none_or(|result| result < 0) {
            assert!(of(&watch, rule, name).is_none(), "{operation} did not happen: {truth}");
            println!("{operation}: this kernel has no such operation");
            continue;
        }
        // The tracepoints of rings tell of names alone.
        if !at_functions && ["setxattr", "splice"].contains(&operation) {
            continue;
        }
        // It needs a thread of its own, which was one of the kernel then.
        if operation == "splice" && before_5_12() {
            continue;
        }
        let signal = of(&watch, rule, name).with_context(|| {
            format!(
                "{operation}: no signal; {truth}; {:#}\n{}",
                watch.pair.status().unwrap_or_default(),
                watch.pair.logs()
            )
        })?;
        let path = signal.at("file.path");
        let differences =
            signal.differences(&[("process.pid", truth["pid"].clone()), ("evt.outcome", json!("Success"))]);
        assert_eq!(differences, "");
        assert_eq!(path, &json!(place.join(name)), "{operation}: {:#}", signal.0);
        assert!(
            of(&watch, &format!("{rule}_async"), name).is_some(),
            "{operation} is said to be asynchronous"
        );
        if rule == "rename" {
            assert_eq!(signal.at("file.destination.path"), &json!(place.join("ring-renamed")));
        }
        if rule == "link" {
            assert_eq!(signal.at("file.destination.path"), &json!(place.join("ring-hard")));
        }
        seen += 1;
    }
    assert!(seen > 0, "{truth}");
    if at_functions && truth["setxattr"] == 0 {
        let mut set: Vec<_> = watch.pair.signals.of_rule("setxattr_async").collect();
        set.sort_by_key(|signal| signal.at("file.destination.attribute_name").to_string());
        let names = set.iter().map(|signal| signal.at("file.destination.attribute_name"));
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["trusted.ring", "trusted.ring-f"],
            "by path and by descriptor"
        );
        for signal in set {
            assert_eq!(signal.at("file.path"), &json!(place.join("ring-file")));
        }
    }
    if truth["fallocate"] == 0 && !before_5_12() {
        let opens = watch.pair.signals.of_rule("open").filter(|signal| signal.at("file.name") == "ring-file");
        assert_eq!(opens.count(), 2, "it is opened, and then given room");
    }
    let mode: Option<&Value> =
        of(&watch, "mkdir", "ring-made").map(|signal| signal.at("file.destination.mode"));
    assert!(mode.is_none_or(|mode| *mode == json!(0o750)), "{mode:?}");
    Ok(())
}

/// Ways to ask that leave little to be seen: no descriptor, a name that is written over, a result that is not told or has no
/// room.
#[test]
fn requests_that_hide_are_events_all_the_same() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rules = ["open", "mkdir", "unlink"].into_iter().fold(Setup::new(), |setup, event| {
        setup.rule(
            event,
            &format!("{event}.file.name =~ \"hidden-*\" && process.file.name == \"ring-hidden\""),
        )
    });
    let Some(mut watch) = Watch::with(&[], rules)? else { return Ok(()) };
    let status = watch.pair.status()?.to_string();
    if !watch.pair.is_at("do_sys_openat2")? && !status.contains(REQUESTS) {
        println!("skipped: nothing of this kernel shows requests of rings");
        return Ok(());
    }
    let place = watch.place()?;
    for name in ["slot", "any-slot", "silent", "silent-open", "overflow"] {
        fs::write(place.join(format!("hidden-{name}")), "")?;
    }
    std::os::unix::fs::symlink("hidden-slot", place.join("hidden-slot-link"))?;
    let trigger = watch.pair.trigger("ring-hidden")?;
    let truth = trigger.run([place.to_str().context("a path")?])?;
    watch.pair.settle()?;

    let expected = [
        ("open", "hidden-slot", "slot"),
        ("open", "hidden-any-slot", "any_slot"),
        ("mkdir", "hidden-before", "rewritten"),
        ("unlink", "hidden-silent", "silent"),
        ("open", "hidden-silent-open", "silent"),
        ("unlink", "hidden-overflow", "overflow"),
    ];
    for (event, name, result) in expected {
        if truth[result].as_i64().is_none_or(|result| result < 0) {
            println!("{name}: this kernel has no such request: {truth}");
            continue;
        }
        let path = json!(place.join(name));
        let mut signals = watch.pair.signals.of_rule(event).filter(|signal| *signal.at("file.path") == path);
        let signal =
            signals.next().with_context(|| format!("{name}: no signal; {truth}\n{}", watch.pair.logs()))?;
        let facts = [
            ("process.pid", truth["pid"].clone()),
            ("evt.outcome", json!("Success")),
            ("evt.async", json!(true)),
        ];
        assert_eq!(signal.differences(&facts), "", "{name}");
        assert!(signals.next().is_none(), "{name} is told once");
    }
    let all = watch.pair.signals.of_rule("mkdir").count();
    let made = usize::from(truth["rewritten"] == json!(0));
    assert_eq!(all, made, "the name as it was asked for, and no other");
    Ok(())
}
