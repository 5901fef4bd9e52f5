//! The same for every other event of files, where programs are at the functions that do the operation: these have the
//! objects, and no path is read twice.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

/// Operation of the trigger, event, what else the rule says (the trigger swaps by `symlink` and `rename` itself), and the
/// member of the report that the path of the raced name is in.
const EVENTS: [(&str, &str, &str, &str); 10] = [
    ("mkdir", "mkdir", "", "file.path"),
    ("rmdir", "rmdir", "", "file.path"),
    ("unlink", "unlink", "", "file.path"),
    ("rename", "rename", " && rename.file.destination.name != \"link\"", "file.path"),
    ("link", "link", "", "file.destination.path"),
    ("symlink", "symlink", " && symlink.file.name != \"next\"", "file.path"),
    ("chmod", "chmod", "", "file.path"),
    ("chown", "chown", "", "file.path"),
    ("utimes", "utimes", "", "file.path"),
    ("truncate", "open", " && open.flags & O_TRUNC > 0", "file.path"),
];

/// Tries of each operation and each way to disturb it, unless the environment says otherwise.
const TRIES: usize = 1_000;

/// What the probe watches an event with.
fn programs(status: &Value, event: &str) -> String {
    let name = format!("file.{event}");
    let observations = status["probe"]["observations"].as_array().into_iter().flatten();
    observations.filter(|seen| seen["name"] == json!(name)).map(|seen| seen["programs"].to_string()).collect()
}

#[test]
fn names_that_are_swapped_and_rewritten() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let tries = std::env::var("CWS_RACE_TRIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(TRIES);
    let rule =
        |event: &str, more: &str| format!("{event}.retval == 0 && process.file.name == \"race-names\"{more}");
    let setup =
        EVENTS.iter().fold(Setup::new(), |setup, (_, event, more, _)| setup.rule(event, &rule(event, more)));
    let mut pair = Pair::start(&setup)?;
    let status = pair.status()?;
    if !programs(&status, "unlink").contains("fexit/") {
        println!(
            "skipped: no programs at functions of this kernel, so that paths are read from the caller's memory"
        );
        return Ok(());
    }
    let trigger = pair.trigger("race-names")?;
    for (operation, event, _, member) in EVENTS {
        ensure!(programs(&status, event).contains("fexit/"), "{event}: {}", programs(&status, event));
        for disturbance in ["link", "text"] {
            let place = pair.path(&format!("{operation}-{disturbance}"));
            fs::create_dir(&place)?;
            let directory = place.to_str().context("a path")?;
            let truth = trigger.run([operation, disturbance, directory, &tries.to_string()])?;
            pair.settle()?;
            let used = truth["used"].as_array().context("what was used")?;
            assert_eq!(used.len(), tries);
            let by_it =
                pair.signals.of_rule(event).filter(|signal| signal.at("process.pid") == &truth["pid"]);
            let seen: Vec<&Value> = by_it.map(|signal| signal.at(member)).collect();
            // The trigger makes its two directories first, and tidies up after each try: removing is removing, too.
            let (before, each) = match operation {
                "mkdir" => (2, 1),
                "rmdir" | "unlink" => (0, 2),
                _ => (0, 1),
            };
            assert_eq!(seen.len(), before + tries * each, "{operation} by {disturbance}");
            for (number, which) in used.iter().enumerate() {
                let which = which.as_str().context("a letter")?;
                let wanted = json!(place.join(which).join(number.to_string()));
                assert_eq!(
                    seen[before + number * each],
                    &wanted,
                    "{operation} by {disturbance}: try {number}"
                );
            }
            let both: BTreeSet<_> = used.iter().map(Value::to_string).collect();
            assert_eq!(both.len(), 2, "{operation} by {disturbance}: the race never happened");
            println!("{operation} by {disturbance}: {tries} tries, none wrong");
        }
    }
    Ok(())
}
