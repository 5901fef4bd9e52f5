//! Reports on standard output: JSON lines, or lines for people.

use std::io::{Error, ErrorKind, Write};

use super::Output;
use crate::report::Report;

/// Standard output.
#[derive(Debug, Default)]
pub struct Stdout {
    /// Whoever read has gone: no later write can succeed.
    closed: bool,
}

impl Output for Stdout {
    fn write(&mut self, report: &Report) -> std::io::Result<()> {
        if self.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut line = report.line.as_ref().unwrap_or(&report.json).clone();
        line.push('\n');
        let mut out = std::io::stdout().lock();
        let result = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        self.closed = result.as_ref().is_err_and(|error: &Error| error.kind() == ErrorKind::BrokenPipe);
        result
    }
}
