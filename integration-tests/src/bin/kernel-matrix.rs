//! Compares what guests have shown to what is committed, or commits it to the files: `kernel-matrix compare|write DIR`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use integration_tests::matrix;
use serde_json::Value;

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [command, directory] = &arguments[..] else { bail!("usage: kernel-matrix compare|write DIR") };
    let now = matrix::collect(Path::new(directory))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("vm/results.json");
    let before: Value = match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).with_context(|| file.display().to_string())?,
        Err(_) => Value::Object(serde_json::Map::new()),
    };
    match command.as_str() {
        "compare" => {
            let worse = matrix::worse(&before, &now);
            for line in &worse {
                println!("changed: {line}");
            }
            Ok(if worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "write" => {
            let all = matrix::added(&before, &now);
            fs::write(&file, format!("{all:#}\n"))?;
            fs::write(root.join("../docs/kernels.md"), matrix::table(&all))?;
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no command {other}"),
    }
}
