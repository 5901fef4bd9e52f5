//! `security-agent runtime process-cache dump`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value as Json;

use super::{ConfigArgs, output, runtime};
use crate::control::{self, Command};

/// What to do with the processes that the agent knows.
#[derive(Debug, Subcommand)]
pub(super) enum ProcessCacheCommand {
    /// Writes the processes that the running agent knows into a file.
    Dump(DumpArgs),
}

/// Options of `process-cache dump`.
#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// With the arguments of the processes, secrets blotted out.
    #[arg(long)]
    with_args: bool,
    /// What the file is like.
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,
    /// The file. Default: a new one in the directory for temporary files.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A graph for Graphviz.
    Dot,
    /// An array of objects.
    Json,
}

pub(super) fn run(command: &ProcessCacheCommand, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let ProcessCacheCommand::Dump(args) = command;
    let settings = config.load_quietly()?;
    let command = Command::ProcessCache { with_args: args.with_args };
    let (processes, _) = runtime()?.block_on(control::call(&settings.privileges.command_socket, command))?;
    let (text, ending) = match args.format {
        Format::Dot => (graph(&processes), "dot"),
        Format::Json => (format!("{processes:#}\n"), "json"),
    };
    let path = output::write_new(args.output.as_deref(), "process-cache-dump", ending, text.as_bytes())
        .context("cannot write the dump")?;
    println!("Process dump file: {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// The processes as a graph, parents above their children.
fn graph(processes: &Json) -> String {
    let mut graph = String::from("digraph processes {\n\tnode [shape=box, fontname=monospace];\n");
    let mut line = |line: String| {
        // Writing to a string does not fail.
        let _infallible = writeln!(graph, "\t{line}");
    };
    for process in processes.as_array().into_iter().flatten() {
        let text = |name: &str| process[name].as_str().unwrap_or_default();
        let arguments: Vec<&str> =
            process["args"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let label = format!("{} {}\n{}\n{}", process["pid"], text("comm"), text("path"), text("user"));
        let label = if arguments.is_empty() { label } else { format!("{label}\n{}", arguments.join(" ")) };
        line(format!("{} [label={}];", process["pid"], quoted(&label)));
        if process["ppid"].as_u64().is_some_and(|ppid| ppid != 0) {
            line(format!("{} -> {};", process["ppid"], process["pid"]));
        }
    }
    graph.push_str("}\n");
    graph
}

/// A string of the language of graphs; what could act on a terminal is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push('.'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_graph_shows_who_started_whom() {
        let processes = json!([
            { "pid": 1, "ppid": 0, "comm": "init", "path": "/sbin/init", "user": "root" },
            { "pid": 7, "ppid": 1, "comm": "a\"b", "path": "/bin/x\u{1b}[1m", "user": "me", "args": ["-c", "y"] },
        ]);
        let graph = graph(&processes);
        assert!(graph.contains("\t7 [label=\"7 a\\\"b\\n/bin/x.[1m\\nme\\n-c y\"];\n"), "{graph}");
        assert!(graph.contains("\t1 -> 7;\n") && !graph.contains("0 -> 1"), "{graph}");
        assert!(!graph.contains('\u{1b}'));
    }
}
