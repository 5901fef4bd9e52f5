//! What the tests in guests have shown: kernel by kernel, under each plan, for each observation; and what each program
//! costs the verifiers. Committed as `vm/results.json`, shown as a table in `docs/kernels.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The tests that run in guests, and what each shows.
const TESTS: &str = include_str!("../vm/tests.list");

/// Growth of what a program costs that is worth a look: by this part, and by so many instructions.
const GROWTH_PARTS: u64 = 5;
const GROWTH_LEAST: u64 = 2_000;

/// Reads the results of all guests below `directory`.
///
/// # Errors
/// If there is none, or one is not complete.
pub fn collect(directory: &Path) -> Result<Value> {
    let mut kernels = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let guest = entry?.path();
        if !guest.join("done").exists() {
            continue;
        }
        let name = guest.file_name().context("a name")?.to_string_lossy().into_owned();
        kernels.insert(name, collect_guest(&guest).with_context(|| guest.display().to_string())?);
    }
    anyhow::ensure!(!kernels.is_empty(), "no guest came to its end");
    Ok(json!(kernels))
}

fn collect_guest(guest: &Path) -> Result<Value> {
    let read = |name: &str| fs::read_to_string(guest.join(name)).with_context(|| name.to_owned());
    let mut plans = BTreeMap::new();
    let mut verified = BTreeMap::<String, u64>::new();
    let mut notes = BTreeMap::new();
    for plan in read("plans")?.split_whitespace() {
        let check: Value = serde_json::from_str(&read(&format!("check-{plan}.log"))?)?;
        for (program, count) in check["verified_instructions"].as_object().into_iter().flatten() {
            let most = verified.entry(program.clone()).or_default();
            *most = count.as_u64().unwrap_or_default().max(*most);
        }
        let (mut failed, mut tested) = (BTreeSet::<String>::new(), BTreeSet::<String>::new());
        for target in lines().map(|(target, ..)| target).collect::<BTreeSet<_>>() {
            let log = match (target.strip_prefix("bpf-"), plan) {
                (None, _) => format!("e2e-{plan}-{target}.log"),
                (_, "fentry") => format!("{target}-fentry.log"),
                _ => format!("{target}.log"),
            };
            let log = read(&log).unwrap_or_default();
            let ended =
                |test: &str, how: &str| log.lines().any(|line| line == format!("test {test} ... {how}"));
            for (_, test, shown) in lines().filter(|(of, ..)| *of == target) {
                if ended(test, "ok") && !is_skipped(&log, test) {
                    tested.extend(shown.into_iter().map(str::to_owned));
                } else if ended(test, "FAILED") {
                    failed.extend(shown.into_iter().map(str::to_owned));
                }
            }
            tested.extend(log.lines().filter_map(|line| line.strip_prefix("observed: ")).map(str::to_owned));
            failed.extend(log.lines().filter_map(|line| line.strip_prefix("missing: ")).map(str::to_owned));
        }
        let observations = check["observations"].as_array().context("observations")?.iter();
        let cells = observations.filter_map(|seen| {
            let name = seen["name"].as_str()?;
            Some((name.to_owned(), cell(seen, failed.contains(name), tested.contains(name))))
        });
        plans.insert(plan.to_owned(), cells.collect::<BTreeMap<_, _>>());
        let observations = check["observations"].as_array().context("observations")?.iter();
        let limits = observations.filter_map(|seen| {
            let is_limited = matches!(seen["state"].as_str()?, "partial" | "unavailable");
            is_limited.then_some((seen["name"].as_str()?.to_owned(), limits(seen["reason"].as_str()?)))
        });
        notes.insert(plan.to_owned(), limits.collect::<BTreeMap<_, _>>());
    }
    // Of kernels that do not tell it of a loaded program, the verifier's log of the programs' own test.
    let log = read("bpf-programs.log").unwrap_or_default();
    for line in log.lines().filter_map(|line| line.strip_prefix("verified: ")) {
        if let Some((program, Ok(count))) = line.split_once(' ').map(|(name, count)| (name, count.parse())) {
            verified.entry(program.to_owned()).or_insert(count);
        }
    }
    Ok(json!({"release": read("release")?.trim(), "plans": plans, "notes": notes, "verified": verified}))
}

/// Of the reasons of an observation, what is not seen; without that, why nothing is.
fn limits(reason: &str) -> String {
    let parts: Vec<_> = reason.split("; ").filter(|part| !part.ends_with("off by --plan")).collect();
    let is_of_better_way = |part: &&str| part.starts_with("fentry: ") || part.starts_with("fexit: ");
    let limits: Vec<_> = parts.iter().copied().filter(|part| !is_of_better_way(part)).collect();
    if limits.is_empty() { parts.join("; ") } else { limits.join("; ") }
}

/// Whether a test says, in a log that shows what tests print, that it has not shown anything.
fn is_skipped(log: &str, test: &str) -> bool {
    let begin = format!("---- {test} stdout ----");
    let own =
        log.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| !line.starts_with("---- "));
    own.take_while(|line| *line != "successes:").any(|line| line.starts_with("skipped: "))
}

/// The lines of the list of tests: file, test, observations.
fn lines() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> {
    let lines = TESTS.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| line.rsplit('+').next().unwrap_or(line).trim_start_matches('-'));
    lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.collect()))
    })
}

fn cell(seen: &Value, failed: bool, tested: bool) -> &'static str {
    match seen["state"].as_str().unwrap_or_default() {
        "unavailable" | "" => "no",
        _ if seen["reason"].as_str().is_some_and(|reason| reason.starts_with("nothing to watch")) => "absent",
        _ if failed => "fails",
        "partial" if tested => "partial",
        "partial" => "partial, untested",
        _ if tested => "works",
        _ => "untested",
    }
}

/// What a run has shown, on top of what is known: a run of some of the tests does not unsay what others have shown.
#[must_use]
pub fn added(before: &Value, now: &Value) -> Value {
    let mut all = before.clone();
    for (name, kernel) in now.as_object().into_iter().flatten() {
        let known = std::mem::replace(&mut all[name], kernel.clone());
        for (plan, cells) in kernel["plans"].as_object().into_iter().flatten() {
            for (observation, cell) in cells.as_object().into_iter().flatten() {
                let known = known["plans"][plan][observation].as_str().unwrap_or_default();
                let shown = match cell.as_str() {
                    Some("untested") => known == "works",
                    Some("partial, untested") => known == "partial",
                    _ => false,
                };
                if shown {
                    all[name]["plans"][plan][observation] = json!(known);
                }
            }
        }
        for (plan, cells) in known["plans"].as_object().into_iter().flatten() {
            if kernel["plans"][plan].is_null() {
                all[name]["plans"][plan] = cells.clone();
            }
        }
        for (plan, notes) in known["notes"].as_object().into_iter().flatten() {
            if kernel["notes"][plan].is_null() {
                all[name]["notes"][plan] = notes.clone();
            }
        }
        if kernel["verified"].as_object().is_none_or(serde_json::Map::is_empty) {
            all[name]["verified"] = known["verified"].clone();
        }
    }
    all
}

/// What is worse than before, one a line. What one of them does not know is not compared.
#[must_use]
pub fn worse(before: &Value, now: &Value) -> Vec<String> {
    let mut worse = Vec::new();
    for (name, kernel) in now.as_object().into_iter().flatten() {
        for (plan, cells) in kernel["plans"].as_object().into_iter().flatten() {
            for (observation, cell) in cells.as_object().into_iter().flatten() {
                let known = before[name]["plans"][plan][observation].as_str();
                let not_tested = matches!(
                    (cell.as_str(), known),
                    (Some("untested"), Some("works")) | (Some("partial, untested"), Some("partial"))
                );
                // What is shown for the first time is no reason to fail.
                let is_shown = matches!(cell.as_str(), Some("works" | "partial"))
                    && !matches!(known, Some("works" | "partial"));
                if let Some(known) = known
                    && cell != known
                    && !not_tested
                    && !is_shown
                {
                    worse.push(format!("{name} {plan} {observation}: {cell} instead of \"{known}\""));
                }
            }
        }
        for (program, count) in kernel["verified"].as_object().into_iter().flatten() {
            let known = before[name]["verified"][program].as_u64();
            let count = count.as_u64().unwrap_or_default();
            if let Some(known) = known
                && count > known + (known / GROWTH_PARTS).max(GROWTH_LEAST)
            {
                worse.push(format!("{name} {program}: {count} instructions verified instead of {known}"));
            }
        }
    }
    worse
}

/// The tables for people: one for each kernel, with a column for each plan.
#[must_use]
pub fn table(results: &Value) -> String {
    let mut text = String::from(
        "# Events by kernel\n\n\
         What the tests in guests show (`make test-vm`, which wrote these tables). A plan is what the programs are attached \
         to: `fentry` is functions\ninside the kernel by trampolines, `kprobe` the same by probes, `tracepoint` system calls, \
         `old` the programs for kernels before 5.8 (system calls as\nwell), `oldest` these as they are before 4.17; without `--plan`, each event is watched by the \
         first that works.\n\n\
         - **works**: all of it is seen.\n- **partial**: it is seen, but not in every way that it can come about; \
         the number says what is not.\n- **untested**: its programs \
         are attached, or it is newer than the last look at this kernel; no test of it was run.\n- **no**: this kernel, or this plan, does not let us.\n- **absent**: this kernel does not have what is watched, or the machine does not use it.\n- **fails**: it should work, and \
         a test says otherwise.\n",
    );
    let mut notes = Vec::<String>::new();
    for kernel in results.as_object().into_iter().flatten().map(|(_, kernel)| kernel) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n## Linux {}\n", kernel["release"].as_str().unwrap_or_default());
        let plans: Vec<_> =
            PLANS.into_iter().filter_map(|plan| Some((plan, kernel["plans"][plan].as_object()?))).collect();
        let row = |text: &mut String, first: &str, cells: Vec<String>| {
            let _ = writeln!(text, "| {first} | {} |", cells.join(" | "));
        };
        row(&mut text, "event", plans.iter().map(|(plan, _)| (*plan).to_owned()).collect());
        row(&mut text, "---", plans.iter().map(|_| "---".to_owned()).collect());
        let observations: BTreeSet<_> = plans.iter().flat_map(|(_, cells)| cells.keys()).collect();
        for observation in observations {
            let cells = plans.iter().map(|(plan, cells)| {
                let cell = cells.get(observation).and_then(Value::as_str).unwrap_or("untested");
                let note = kernel["notes"][plan][observation].as_str().filter(|note| !note.is_empty());
                let number = note.map(|note| {
                    let known = notes.iter().position(|other| other == note);
                    known.unwrap_or_else(|| {
                        notes.push(note.to_owned());
                        notes.len() - 1
                    }) + 1
                });
                number.map_or_else(|| cell.to_owned(), |number| format!("{cell} ({number})"))
            });
            row(&mut text, observation, cells.collect());
        }
    }
    for (n, note) in notes.iter().enumerate() {
        let begin = if n == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{begin}{}. {note}", n + 1);
    }
    text
}

/// In the order of the columns: best first.
const PLANS: [&str; 5] = ["fentry", "kprobe", "tracepoint", "old", "oldest"];

#[cfg(test)]
mod tests {
    use super::*;

    fn results(cell: &str, verified: u64) -> Value {
        json!({"5.10": {
            "release": "5.10.0-1",
            "plans": {"fentry": {"file.open": cell}, "tracepoint": {"file.open": "partial"}},
            "verified": {"exit_open": verified},
        }})
    }

    #[test]
    fn only_what_is_worse_is_told() {
        let before = results("works", 30_000);
        assert_eq!(worse(&before, &before), [""; 0]);
        assert_eq!(worse(&before, &results("works", 35_000)), [""; 0]);
        assert_eq!(
            worse(&before, &results("fails", 40_000)),
            [
                "5.10 fentry file.open: \"fails\" instead of \"works\"",
                "5.10 exit_open: 40000 instructions verified instead of 30000"
            ]
        );
        assert_eq!(worse(&json!({}), &before), [""; 0], "there was nothing to compare to");
        assert_eq!(worse(&before, &results("untested", 1)), [""; 0], "it was another choice of tests");
        assert_eq!(worse(&results("fails", 1), &results("untested", 1)).len(), 1);
        assert_eq!(worse(&results("untested", 1), &results("works", 1)), [""; 0], "it is better");
        assert_eq!(worse(&results("works", 1), &results("partial", 1)).len(), 1);
    }

    #[test]
    fn a_run_of_some_tests_does_not_unsay_what_others_have_shown() {
        let before = results("works", 30_000);
        let mut now = results("untested", 1);
        now["5.10"]["verified"] = json!({});
        assert_eq!(added(&before, &now), before);
        assert_eq!(added(&before, &results("fails", 1)), results("fails", 1));
        assert_eq!(added(&results("partial", 1), &results("untested", 1)), results("untested", 1));
        assert_eq!(added(&json!({}), &before), before);
    }

    #[test]
    fn the_table_has_a_column_for_each_plan_and_says_what_is_not_seen() {
        let mut results = results("works", 1);
        results["5.10"]["notes"] = json!({"tracepoint": {"file.open": "not seen: something"}});
        let table = table(&results);
        assert!(table.contains("## Linux 5.10.0-1\n\n| event | fentry | tracepoint |\n"), "{table}");
        assert!(table.contains("| file.open | works | partial (1) |\n"), "{table}");
        assert!(table.ends_with("\n\n1. not seen: something\n"), "{table}");
    }

    #[test]
    fn a_test_that_skips_shows_nothing() {
        let log = "test a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: no modules\n\n\
                   ---- b stdout ----\nanything\n\nsuccesses:\n    a\n    b\n";
        assert!(is_skipped(log, "a"));
        assert!(!is_skipped(log, "b"));
        assert!(!is_skipped(log, "c"));
    }

    #[test]
    fn cells_come_from_the_check_and_from_what_tests_say() {
        let guest = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(guest.path().join(name), text).unwrap();
        let seen =
            |name: &str, state: &str, reason: &str| json!({"name": name, "state": state, "reason": reason});
        write("release", "6.1.0-1\n");
        write("plans", "fentry\n");
        let check = json!({"observations": [
            seen("file.open", "active", ""),
            seen("file.mkdir", "active", ""),
            seen("file.rmdir", "partial", "fentry: refused; tracepoint: off by --plan; not seen: something"),
            seen("file.link", "partial", ""),
            seen("kernel.selinux", "active", "nothing to watch: selinux: this kernel runs without it"),
            seen("kernel.bpf", "unavailable", ""),
            seen("kernel.mmap", "active", ""),
        ], "verified_instructions": {"on_exec": 456}});
        write("check-fentry.log", &check.to_string());
        write(
            "e2e-fentry-observations.log",
            "test each_shows_what_it_watches ... FAILED\nobserved: file.open\nmissing: file.mkdir\nobserved: file.rmdir\n",
        );
        write("bpf-programs.log", "verified: exit_open 123\nverified: on_exec 1\nrefused: other\n");
        let collected = collect_guest(guest.path()).unwrap();
        assert_eq!(
            collected["plans"]["fentry"],
            json!({
                "file.open": "works", "file.mkdir": "fails", "file.rmdir": "partial",
                "file.link": "partial, untested", "kernel.selinux": "absent", "kernel.bpf": "no",
                "kernel.mmap": "untested",
            })
        );
        let notes = json!({"file.rmdir": "not seen: something", "file.link": "", "kernel.bpf": ""});
        assert_eq!(collected["notes"], json!({"fentry": notes}));
        assert_eq!(collected["verified"], json!({"exit_open": 123, "on_exec": 456}));
    }

    #[test]
    fn what_is_listed_are_tests_that_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for (target, test, _) in lines() {
            let (tests, target) = match target.strip_prefix("bpf-") {
                Some(target) => (root.join("../bpf/tests"), target),
                None => (root.join("tests"), target),
            };
            let directory = tests.join(target);
            let (file, name) = match test.split_once("::") {
                Some((module, name)) => (directory.join(format!("{module}.rs")), name),
                None if directory.is_dir() => (directory.join("main.rs"), test),
                None => (tests.join(format!("{target}.rs")), test),
            };
            let source = fs::read_to_string(&file).unwrap_or_default();
            assert!(source.contains(&format!("fn {name}()")), "{}: no test {name}", file.display());
            count += 1;
        }
        assert!(count > 20, "{count}");
    }

    /// The committed table is that of the committed results.
    #[test]
    fn the_table_in_docs_is_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let results: Value =
            serde_json::from_str(&fs::read_to_string(root.join("vm/results.json")).unwrap()).unwrap();
        let file = root.join("../docs/kernels.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&file, table(&results)).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap();
        assert_eq!(committed, table(&results), "UPDATE_GENERATED=1");
    }
}
