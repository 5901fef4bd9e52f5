//! A trigger that has done its deed and lives on, so that `/proc` tells the truth about it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

/// A running trigger. It ends when its standard input does.
#[derive(Debug)]
pub struct Live {
    child: Child,
    input: Option<ChildStdin>,
    /// What it printed.
    pub truth: Value,
}

impl Live {
    /// Starts it, and waits for the line in which it tells what it does.
    ///
    /// # Errors
    /// If it cannot be started or prints no JSON.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        let truth = serde_json::from_str(&line).with_context(|| format!("a trigger printed {line:?}"));
        // From here on dropping ends it.
        let mut live = Self { child, input, truth: Value::Null };
        live.truth = truth?;
        Ok(live)
    }

    /// Starts one that prints nothing.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_silent(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let truth = serde_json::json!({ "pid": child.id() });
        Ok(Self { input: child.stdin.take(), child, truth })
    }

    /// A number that it told.
    ///
    /// # Errors
    /// If it did not.
    pub fn number(&self, name: &str) -> Result<u64> {
        self.truth.get(name).and_then(Value::as_u64).with_context(|| format!("{name} in {}", self.truth))
    }

    /// Lets it end.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn end(&mut self) -> Result<ExitStatus> {
        drop(self.input.take());
        Ok(self.child.wait()?)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.input.take());
        // It has ended already, unless the test failed.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
