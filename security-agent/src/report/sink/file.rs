//! Reports in a file, one JSON object a line, rotated by size.

use std::io::Write;

use logging::rotation::RotatingFile;

use super::Output;
use crate::report::Report;

/// A file of reports.
#[derive(Debug)]
pub struct FileOutput(
    /// The file.
    pub RotatingFile,
);

impl Output for FileOutput {
    fn write(&mut self, report: &Report) -> std::io::Result<()> {
        let mut line = String::with_capacity(report.json.len() + 1);
        line.push_str(&report.json);
        line.push('\n');
        self.0.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use logging::rotation::Rotation;

    use super::*;

    #[test]
    fn each_report_is_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signals.jsonl");
        let file = RotatingFile::open(&path, Rotation { max_size: 12, max_files: 1 }).unwrap();
        let mut output = FileOutput(file);
        for number in 1..4 {
            let report = Report { json: format!("{{\"n\":{number}}}"), ..Report::default() };
            output.write(&report).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":3}\n");
        let old = std::fs::read_to_string(directory.path().join("signals.jsonl.1")).unwrap();
        assert_eq!(old, "{\"n\":2}\n");
    }
}
