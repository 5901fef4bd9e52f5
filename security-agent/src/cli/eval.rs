//! `security-agent runtime eval`: expressions evaluated on events that are written down.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Args;
use model::{Case, CaseError};
use serde_json::{Value as Json, json};

/// Evaluates expressions on events: one JSON object a line in, one out.
///
/// A case is {"id", "expr", "event": {field: value}, "vars": {name: value}, "macros": {name: expression}}; only `expr` must
/// be there. Its result is {"id", "result": true, false or "error", "error"}. If the case says what to `expect`, the result
/// also says whether it did `pass`, and the exit code is 1 if one did not.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// File of cases; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
}

/// The longest line that is read, in bytes. A case is a few hundred of them.
const MAX_LINE: u64 = 4 << 20;

/// Evaluates the cases. The exit code is 0 if every case with an expectation met it and every line was a case.
///
/// # Errors
/// The file cannot be read or standard output cannot be written.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let out = BufWriter::new(io::stdout().lock());
    let summary = if args.cases == Path::new("-") {
        evaluate(io::stdin().lock(), out, now)?
    } else {
        let file =
            File::open(&args.cases).with_context(|| format!("cannot open {}", args.cases.display()))?;
        evaluate(BufReader::new(file), out, now)
            .with_context(|| format!("while evaluating {}", args.cases.display()))?
    };
    if summary.expected > 0 || summary.broken > 0 {
        eprintln!("{}", summary.text());
    }
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of the cases.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    /// Cases that say what to expect.
    expected: u64,
    /// Cases that did not do what they expect.
    failed: u64,
    /// Lines that are no cases.
    broken: u64,
}

impl Summary {
    fn is_success(&self) -> bool {
        self.failed == 0 && self.broken == 0
    }

    fn text(&self) -> String {
        let passed = self.expected - self.failed;
        let broken =
            if self.broken == 0 { String::new() } else { format!(", {} lines are no cases", self.broken) };
        format!("{passed} passed, {} failed{broken}", self.failed)
    }
}

fn evaluate(mut cases: impl BufRead, mut out: impl Write, now: i64) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if cases.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            cases.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let result = match serde_json::from_slice::<Json>(&line) {
            Ok(case) => evaluate_case(&case, now, &mut summary),
            Err(error) => {
                summary.broken += 1;
                json!({"id": Json::Null, "result": "error", "error": format!("line {number} is not JSON: {error}")})
            }
        };
        serde_json::to_writer(&mut out, &result)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(summary)
}

fn evaluate_case(json: &Json, now: i64, summary: &mut Summary) -> Json {
    let case = Case::new(json);
    let mut result = json!({"id": case.id()});
    let outcome = case.evaluate(now);
    match &outcome {
        Ok(matched) => result["result"] = json!(matched),
        Err(error) => {
            result["result"] = json!("error");
            result["error"] = json!(error.to_string());
        }
    }
    match case.expect() {
        Some(expected) => {
            let pass =
                result["result"] == *expected && outcome.as_ref().err().is_none_or(CaseError::is_of_rule);
            result["expect"] = expected.clone();
            result["pass"] = json!(pass);
            summary.expected += 1;
            summary.failed += u64::from(!pass);
        }
        // A mistake in the case must not pass for an expression that is refused.
        None => summary.broken += u64::from(outcome.is_err_and(|error| !error.is_of_rule())),
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(cases: &str) -> (Vec<Json>, Summary) {
        let mut out = Vec::new();
        let summary = evaluate(cases.as_bytes(), &mut out, 0).unwrap();
        let lines = String::from_utf8(out).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), summary)
    }

    #[test]
    fn a_line_in_is_a_line_out() {
        let (lines, summary) = results(
            r#"{"id": "a", "expr": "exec.uid == 1", "event": {"exec.uid": 1}}

            {"id": 2, "expr": "exec.uid == 1"}
            {"id": "c", "expr": "exec.uid =="}"#,
        );
        assert_eq!(lines[0], json!({"id": "a", "result": true}));
        assert_eq!(lines[1], json!({"id": 2, "result": false}));
        assert_eq!((&lines[2]["id"], &lines[2]["result"]), (&json!("c"), &json!("error")));
        assert!(lines[2]["error"].as_str().unwrap().starts_with("1:"), "{}", lines[2]);
        assert_eq!(lines.len(), 3);
        assert!(summary.is_success(), "without expectations, every result is right");
    }

    #[test]
    fn expectations_pass_or_fail() {
        let (lines, summary) = results(
            r#"{"expr": "exec.uid == 0", "expect": true}
            {"expr": "exec.uid == 0", "expect": false}
            {"expr": "exec.uid == ", "expect": "error"}
            {"expr": "exec.uid == 0", "expect": "error"}
            {"expr": "exec.uid == 0", "event": {"exec.nothing": 1}, "expect": "error"}"#,
        );
        let passed: Vec<_> = lines.iter().map(|line| line["pass"].as_bool().unwrap()).collect();
        assert_eq!(passed, [true, false, true, false, false]);
        assert_eq!(summary, Summary { expected: 5, failed: 3, broken: 0 });
        assert_eq!(summary.text(), "2 passed, 3 failed");
    }

    #[test]
    fn lines_that_are_no_cases_fail_the_run_but_not_the_others() {
        let (lines, summary) = results("{\n[]\n{\"expr\": \"exec.uid == 0\"}\n\u{1}\n{\"expr\": 5}");
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[2]["result"], true);
        assert_eq!(summary, Summary { expected: 0, failed: 0, broken: 4 });
        assert!(!summary.is_success());
    }

    #[test]
    fn an_endless_line_does_not_exhaust_memory() {
        let long = "x".repeat(10 << 20) + "\n{\"expr\": \"exec.uid == 0\"}\n";
        let (lines, summary) = results(&long);
        assert_eq!(lines.len(), 2);
        assert_eq!(summary.broken, 1);
        assert_eq!(lines[1]["result"], true);
    }
}
