//! `security-agent runtime policy`: what of a directory of policies loads, and whether its rules do what their tests say.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use engine::check::CheckReport;
use engine::loader::read_directory;
use engine::testing::{self, TestOutcome, TestResult};
use engine::{Load, LoadOptions};

/// Where policies are unless something else is said.
const POLICIES_DIR: &str = "/etc/datadog-agent/runtime-security.d";

/// Checks and tests policies, without a probe and without root.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    /// What to do.
    pub command: PolicyCommand,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Says what loads, what is skipped and why, and what is wrong.
    ///
    /// The exit code is 0 without errors and 1 with.
    Check(CheckArgs),
    /// Runs the tests that stand beside rules.
    ///
    /// The exit code is 0 if all passed, and 1 if one failed or the policies have errors.
    Test(TestArgs),
}

/// Options of `policy check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Directory of the policies.
    #[arg(long, value_name = "DIR", default_value = POLICIES_DIR)]
    policies_dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Options of `policy test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Directory of the policies.
    #[arg(value_name = "DIR", default_value = POLICIES_DIR)]
    dir: PathBuf,
}

/// Checks or tests.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let success = match &args.command {
        PolicyCommand::Check(args) => check(args, &mut out),
        PolicyCommand::Test(args) => test(args, &mut out),
    };
    match success.and_then(|success| out.flush().map(|()| success)) {
        // Whoever reads has seen enough, as `head` has; what the exit code would be is not known.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::FAILURE),
        Err(error) => Err(error.into()),
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
    }
}

fn load(dir: &Path) -> Load {
    let options = LoadOptions { host: crate::host::facts(Path::new("/"), ""), ..LoadOptions::default() };
    engine::load(read_directory(dir), &crate::policies::schema(), &options)
}

/// Whether nothing is wrong.
fn check(args: &CheckArgs, out: &mut impl Write) -> io::Result<bool> {
    let load = load(&args.policies_dir);
    let report = CheckReport::new(&load);
    if args.json {
        serde_json::to_writer(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(report.to_text().as_bytes())?;
    }
    Ok(report.is_success())
}

/// Whether nothing is wrong and all tests passed.
fn test(args: &TestArgs, out: &mut impl Write) -> io::Result<bool> {
    let load = load(&args.dir);
    for diagnostic in &load.diagnostics {
        writeln!(out, "{}", engine::diagnostic::render(diagnostic))?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let outcomes = testing::run(&load, &crate::policies::schema(), now);
    let (mut passed, mut skipped, mut failed) = (0, 0, 0);
    for TestOutcome { rule, file, line, result } in &outcomes {
        match result {
            TestResult::Passed => passed += 1,
            TestResult::Skipped(reason) => {
                skipped += 1;
                writeln!(out, "skipped: {file}:{line}: {rule}: {reason}")?;
            }
            TestResult::Failed(text) => {
                failed += 1;
                writeln!(out, "FAILED: {file}:{line}: {rule}")?;
                for line in text.lines() {
                    writeln!(out, "    {line}")?;
                }
            }
        }
    }
    writeln!(out, "{passed} tests passed, {failed} failed, {skipped} skipped")?;
    Ok(failed == 0 && !load.has_errors())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CheckArgs, TestArgs, check, test};

    fn directory(policy: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a.policy"), policy).expect("a file");
        dir
    }

    fn checked(policy: &str) -> (bool, serde_json::Value) {
        let dir = directory(policy);
        let mut out = Vec::new();
        let args = CheckArgs { policies_dir: dir.path().to_owned(), json: true };
        let success = check(&args, &mut out).expect("output");
        (success, serde_json::from_slice(&out).expect("JSON"))
    }

    #[test]
    fn check_tells_what_loads_and_what_is_wrong() {
        let (success, report) = checked("rules: [{id: a, expression: exec.file.name == \"x\"}]");
        assert!(success);
        assert_eq!(report["loaded"], serde_json::json!(["a"]));
        let (success, report) = checked("rules: [{id: a, expression: exec.file.nme == \"x\"}]");
        assert!(!success);
        assert_eq!(report["rules"], serde_json::json!({"loaded": 0, "skipped": 0, "errors": 1}));
        assert_eq!(report["diagnostics"][0]["column"], 29);
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let args = CheckArgs { policies_dir: "/nonexistent/policies".into(), json: false };
        let mut out = Vec::new();
        assert!(!check(&args, &mut out).expect("output"));
        assert!(String::from_utf8_lossy(&out).contains("/nonexistent/policies"));
    }

    #[test]
    fn tests_beside_rules_decide_the_exit_code() {
        let policy = |name: &str| {
            format!(
                "rules:\n  - id: a\n    expression: exec.file.name == \"x\"\n    tests:\n      - match: {{exec.file.name: {name}}}\n"
            )
        };
        let run = |name: &str| {
            let dir = directory(&policy(name));
            let mut out = Vec::new();
            let success = test(&TestArgs { dir: dir.path().to_owned() }, &mut out).expect("output");
            (success, String::from_utf8_lossy(&out).into_owned())
        };
        let (success, text) = run("x");
        assert!(success && text.contains("1 tests passed, 0 failed, 0 skipped"), "{text}");
        let (success, text) = run("y");
        assert!(!success && text.contains("FAILED:") && text.contains("exec.file.name == \"x\""), "{text}");
    }
}
