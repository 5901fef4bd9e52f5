//! The same for every other event of files, where programs are at the functions that do the operation: these have the
//! objects, and no path is read twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, Signal, Trigger, can_run};
use serde_json::{Value, json};

/// Operation of the trigger, event, and the member that the path of the raced name is in, in rules and in reports.
const EVENTS: [(&str, &str, &str); 16] = [
    ("mkdir", "mkdir", "file.path"),
    ("rmdir", "rmdir", "file.path"),
    ("unlink", "unlink", "file.path"),
    ("rename", "rename", "file.path"),
    ("link", "link", "file.destination.path"),
    ("symlink", "symlink", "file.path"),
    ("chmod", "chmod", "file.path"),
    ("chown", "chown", "file.path"),
    ("utimes", "utimes", "file.path"),
    ("truncate", "open", "file.path"),
    ("setxattr", "setxattr", "file.path"),
    ("removexattr", "removexattr", "file.path"),
    ("chdir", "chdir", "file.path"),
    ("mount", "mount", "mountpoint.path"),
    ("move_mount", "mount", "mountpoint.path"),
    ("umount", "umount", "mountpoint.path"),
];

/// Functions that are given objects, besides those of the file system layer.
const OBJECTS: [&str; 6] =
    ["chmod_common", "chown_common", "do_sys_openat2", "set_fs_pwd", "path_mount", "path_umount"];

/// Tries of each operation and each way to disturb it, unless the environment says otherwise.
const TRIES: usize = 1_000;
/// An emulated machine may not come to the other thread in so few tries: then twice as many follow, so often.
const ROUNDS: u32 = 6;

/// Of so many tries, those that may be told with the path as it was given, and said to be so: where the kernel can be preempted
/// it leaves out a program that is in the middle of another run, and then nobody has seen the object.
const AS_GIVEN_MAX: usize = 3;

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
    let directory = tempfile::Builder::new().prefix("cws-races.").tempdir()?;
    let objects = directory.path().join("objects");
    let members: BTreeMap<_, _> = EVENTS.iter().map(|(_, event, member)| (event, member)).collect();
    let setup = members.into_iter().fold(Setup::new(), |setup, (event, member)| {
        // The links are elsewhere: the kernel drops what swaps them.
        // Only of paths of files `*` is one segment.
        let below = if *member == "file.path" || *event == "link" { "**" } else { "*" };
        let given = directory.path().join("swap/link");
        let path = format!(
            "({event}.{member} =~ \"{}/{below}\" || {event}.{member} =~ \"{}/*\")",
            objects.display(),
            given.display()
        );
        let more = if *event == "open" { " && open.flags & O_TRUNC > 0" } else { "" };
        setup.rule(event, &format!("{path} && process.file.name == \"race-names\"{more}"))
    });
    let mut pair = Pair::start(&setup)?;
    let status = pair.status()?;
    if !pair.is_at("vfs_unlink")? {
        println!(
            "skipped: no programs at functions of this kernel, so that paths are read from the caller's memory"
        );
        return Ok(());
    }
    let trigger = pair.trigger("race-names")?;
    for (operation, event, member) in EVENTS {
        let programs = programs(&status, event);
        let is_at_object = programs.contains("fexit/vfs_")
            || programs.contains("kretprobe/vfs_")
            || OBJECTS.iter().any(|function| programs.contains(&format!("/{function}")));
        ensure!(is_at_object, "{event}: {programs}");
        for disturbance in ["link", "text"] {
            let race = Race { operation, event, member, disturbance };
            let mut both = BTreeSet::new();
            let mut done = 0;
            for round in 0..ROUNDS {
                let tries = tries << round;
                both.extend(race.run(&mut pair, &trigger, directory.path(), tries)?);
                done += tries;
                if both.len() == 2 {
                    break;
                }
            }
            assert_eq!(
                both.len(),
                2,
                "{operation} by {disturbance}: in {done} tries the race never happened"
            );
            println!("{operation} by {disturbance}: {done} tries, none wrong");
        }
    }
    Ok(())
}

/// One operation, and one way to disturb it.
struct Race {
    operation: &'static str,
    event: &'static str,
    member: &'static str,
    disturbance: &'static str,
}

impl Race {
    /// Runs so many tries; fails unless the events are, one by one, what was really used. Gives what that was.
    fn run(
        &self,
        pair: &mut Pair,
        trigger: &Trigger,
        directory: &Path,
        tries: usize,
    ) -> Result<BTreeSet<String>> {
        let Self { operation, event, member, disturbance } = *self;
        let objects = directory.join("objects");
        let place = directory.to_str().context("a path")?;
        let truth = trigger.run([operation, disturbance, place, &tries.to_string()])?;
        fs::remove_dir_all(&objects)?;
        fs::remove_dir_all(directory.join("swap"))?;
        pair.settle()?;
        let used = truth["used"].as_array().context("what was used")?;
        assert_eq!(used.len(), tries);
        let by_it = pair.signals.of_rule(event).filter(|signal| signal.at("process.pid") == &truth["pid"]);
        // The name of that member has a dot.
        let path = |signal: &'_ Signal| match member {
            "mountpoint.path" => signal.0[event][member].clone(),
            _ => signal.at(member).clone(),
        };
        let as_given = |signal: &'_ Signal| {
            let said = signal.at(&format!("{member}_resolution_error"));
            said.as_str().is_some_and(|error| error.starts_with("as given by the process"))
        };
        let seen: Vec<(Value, bool)> = by_it.map(|signal| (path(signal), as_given(signal))).collect();
        // The trigger makes its two directories first, and tidies up after each try: removing is removing, too.
        let (before, each) = match operation {
            "mkdir" => (2, 1),
            "rmdir" | "unlink" | "umount" => (0, 2),
            _ => (0, 1),
        };
        assert_eq!(seen.len(), before + tries * each, "{operation} by {disturbance}");
        for (number, which) in used.iter().enumerate() {
            let which = which.as_str().context("a letter")?;
            let wanted = json!(objects.join(which).join(number.to_string()));
            let (path, is_as_given) = &seen[before + number * each];
            assert!(
                *is_as_given || *path == wanted,
                "{operation} by {disturbance}: try {number}: {path}, not {wanted}"
            );
        }
        let as_given = seen.iter().filter(|(_, as_given)| *as_given).count();
        ensure!(
            as_given <= AS_GIVEN_MAX,
            "{operation} by {disturbance}: {as_given} paths as they were given"
        );
        if as_given > 0 {
            println!("{operation} by {disturbance}: {as_given} told as it was given");
        }
        pair.signals.forget(event);
        Ok(used.iter().map(Value::to_string).collect())
    }
}
