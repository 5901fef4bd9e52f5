//! Policies that are wrong as an operator gets them wrong, and what `policy check` says of each.
//!
//! `wrong_policies/NAME.policy` is the policy, `NAME.txt` the output. `UPDATE_EXPECT=1` rewrites the outputs; read them before you
//! commit: the place, the code and the hint are what people act on.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use engine::check::CheckReport;
use engine::loader::{PolicyFile, PolicyFiles};
use engine::{LoadOptions, load};
use model::Fields;

/// Longest line of an output, in bytes: however long a line of the policy is, what people see is not.
const LONGEST_LINE: usize = 8_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong_policies")
}

#[test]
fn every_mistake_is_explained() {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .expect("the policies")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".policy").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 40, "{} policies", names.len());
    for name in names {
        let text = std::fs::read(directory().join(format!("{name}.policy"))).expect("a policy");
        let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("custom.policy", text)]);
        let loaded = load(files, &Fields::default(), &LoadOptions::default());
        let report = CheckReport::new(&loaded);
        let json = serde_json::to_string(&report).expect("JSON");
        let output = format!("{}\n{json}\n", report.to_text());
        for line in output.lines() {
            assert!(line.len() < LONGEST_LINE, "{name}: a line of {} bytes", line.len());
        }
        expect_test::expect_file![directory().join(format!("{name}.txt"))].assert_eq(&output);
        // Everything is said with a place, and at least once.
        assert!(!loaded.diagnostics.is_empty(), "{name}");
        for found in &loaded.diagnostics {
            assert!(found.file == "custom.policy" && !found.message.is_empty(), "{name}: {found:?}");
        }
    }
}

#[test]
fn an_expression_beyond_the_limit_is_told_without_showing_all_of_it() {
    let names: Vec<String> = (0..30_000).map(|number| format!("\"name{number}\"")).collect();
    let policy = format!("rules:\n  - id: r\n    expression: exec.file.name in [{}]\n", names.join(", "));
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("custom.policy", policy)]);
    let loaded = load(files, &Fields::default(), &LoadOptions::default());
    let [found] = loaded.diagnostics.as_slice() else { panic!("{:?}", loaded.diagnostics) };
    assert_eq!((found.code, found.line, found.column), ("E0601", 3, 17));
    assert!(CheckReport::new(&loaded).to_text().len() < LONGEST_LINE);
}
