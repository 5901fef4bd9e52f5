//! The committed pages and completions are what the command lines make; `UPDATE_GENERATED=1` rewrites them.

use std::path::Path;

use clap::Command;

/// What the pages say beyond the command line: where things are.
const PROBE_FILES: &str = "\
.SH FILES
.TP
.I /etc/datadog\\-agent/system\\-probe.yaml
The configuration; every key is in system\\-probe.yaml.example beside it.
.TP
.I /opt/datadog\\-agent/run/runtime\\-security.sock
Where security\\-agent takes events from.
.SH SIGNALS
SIGTERM and SIGINT end it, after what is left was sent.
.SH SEE ALSO
.BR security\\-agent (8)
";
const AGENT_FILES: &str = "\
.SH FILES
.TP
.I /etc/datadog\\-agent/security\\-agent.yaml
The configuration; every key is in security\\-agent.yaml.example beside it.
.TP
.I /etc/datadog\\-agent/datadog.yaml
Settings that products share, such as the API key; read first.
.TP
.I /etc/datadog\\-agent/runtime\\-security.d/*.policy
The policies.
.SH SIGNALS
SIGHUP loads the policies again. SIGTERM and SIGINT end it, after what is left was written.
.SH SEE ALSO
.BR system\\-probe (8)
";

fn check(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        assert!(std::fs::write(&path, text).is_ok(), "cannot write {}", path.display());
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is out of date: run `UPDATE_GENERATED=1 cargo test -p cli-docs`",
        path.display()
    );
}

fn programs() -> [(Command, &'static str); 2] {
    [(system_probe::cli::command(), PROBE_FILES), (security_agent::cli::command(), AGENT_FILES)]
}

#[test]
fn manual_pages() {
    for (command, more) in programs() {
        check(&format!("man/{}.8", command.get_name()), &cli_docs::page(&command, more).unwrap());
    }
}

#[test]
fn completions() {
    for (command, _) in programs() {
        for shell in cli_docs::SHELLS {
            let text = cli_docs::completion(&command, shell).unwrap();
            let file = cli_docs::completion_file(command.get_name(), shell);
            check(&format!("completions/{file}"), &text);
        }
    }
}

#[test]
fn pages_name_every_command() {
    let page = cli_docs::page(&security_agent::cli::command(), "").unwrap();
    for command in ["security-agent start", "security-agent status", "security-agent runtime policy check"] {
        assert!(page.contains(&format!(".SS \"{command}\"")), "{command}");
    }
}
