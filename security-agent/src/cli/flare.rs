//! `security-agent flare`: what somebody who helps needs to know, in one archive, without secrets. It is not sent
//! anywhere.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use settings::{AgentSettings, Environment};

use super::{ConfigArgs, config, output, status};
use crate::report::scrub::{BLOT, Scrubber};

/// Bytes of the end of a log that go in.
const LOG_MAX: u64 = 1 << 20;
/// Bytes of any other file.
const FILE_MAX: u64 = 1 << 20;
/// Most policy files.
const POLICIES_MAX: usize = 100;
/// Shortest word of hexadecimal digits that is taken for a key.
const KEY_LENGTH: usize = 32;
/// Digits of the ids of containers, and of digests, which are no keys.
const ID_LENGTH: usize = 64;

/// Options of `flare`.
#[derive(Debug, Args)]
pub(super) struct FlareArgs {
    /// The archive (.tar.gz). Default: a new one in the directory for temporary files.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &FlareArgs, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let settings = config.load_quietly()?;
    let archive = archive(&settings, config)?;
    let path = output::write_new(args.output.as_deref(), "cws-agent-flare", "tar.gz", &archive)
        .context("cannot write the archive")?;
    println!(
        "{}: secrets are blotted out as far as they can be known; look before you pass it on",
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn archive(settings: &AgentSettings, config: &ConfigArgs) -> anyhow::Result<Vec<u8>> {
    let secrets = Secrets::of(settings);
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut add = |name: &str, text: &str| {
        let text = secrets.hide(text);
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(text.len().try_into().unwrap_or(0));
        tar.append_data(&mut header, format!("cws-agent-flare/{name}"), text.as_bytes())
    };
    let (json, text) = status::both(settings)?;
    add("status.json", &format!("{json:#}\n"))?;
    add("status.txt", &text)?;
    let (keys, is_running) = config::effective_now(config)?;
    add(if is_running { "config.json" } else { "config-not-running.json" }, &format!("{keys:#}\n"))?;
    add("system.txt", &system())?;
    for path in policies(&settings.policies.dir) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        add(&format!("policies/{name}"), &beginning(&path))?;
    }
    for path in logs(settings) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = end(&path).unwrap_or_else(|error| format!("{}: {error}\n", path.display()));
        add(&format!("logs/{name}"), &secrets.hide_in_lines(&log))?;
    }
    let gzip = tar.into_inner().context("cannot make the archive")?;
    gzip.finish().context("cannot make the archive")
}

/// What must not be told.
struct Secrets {
    scrubber: Scrubber,
    known: Vec<String>,
}

impl Secrets {
    fn of(settings: &AgentSettings) -> Self {
        let intake = &settings.intake;
        let keys = intake.additional_endpoints.iter().map(|endpoint| endpoint.api_key.reveal());
        let keys = keys.chain([intake.api_key.reveal()]).filter(|key| key.len() > 3).map(str::to_owned);
        Self { scrubber: Scrubber::new(&settings.signals.sensitive_words), known: keys.collect() }
    }

    /// Blots out keys: those that are known, and what looks like one.
    fn hide(&self, text: &str) -> String {
        let text = self.known.iter().fold(text.to_owned(), |text, key| text.replace(key, BLOT));
        let mut hidden = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_key = word.len() >= KEY_LENGTH
                && word.len() != ID_LENGTH
                && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            hidden.push_str(if is_key { BLOT } else { word });
            hidden.push_str(&piece[word.len()..]);
        }
        hidden
    }

    /// Blots out also what follows words such as `password`.
    fn hide_in_lines(&self, text: &str) -> String {
        text.lines().map(|line| self.scrubber.text(line) + "\n").collect()
    }
}

fn policies(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_policy =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "policy") && path.is_file();
    let mut policies: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_policy).collect();
    policies.sort();
    policies.truncate(POLICIES_MAX);
    policies
}

/// The logs of both processes, with the last one that was rotated.
fn logs(settings: &AgentSettings) -> Vec<PathBuf> {
    let Some(own) = &settings.log.file else { return Vec::new() };
    let with_suffix = |path: &Path| PathBuf::from(format!("{}.1", path.display()));
    let probe = own.with_file_name("system-probe.log");
    [own.clone(), with_suffix(own), probe.clone(), with_suffix(&probe)]
        .into_iter()
        .filter(|path| path.is_file())
        .collect()
}

fn end(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A small file, or why it cannot be read.
fn beginning(path: &Path) -> String {
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes)) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("{}: {error}\n", path.display()),
    }
}

/// The machine, as far as it matters here.
fn system() -> String {
    let uname = rustix::system::uname();
    let mut text = format!(
        "kernel: {} {} {}\n",
        uname.release().to_string_lossy(),
        uname.version().to_string_lossy(),
        uname.machine().to_string_lossy()
    );
    for path in [
        "/etc/os-release",
        "/proc/sys/kernel/unprivileged_bpf_disabled",
        "/sys/kernel/security/lsm",
        "/sys/kernel/security/lockdown",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
        "/proc/meminfo",
        "/proc/loadavg",
    ] {
        text.push_str(&format!("\n== {path}\n{}", beginning(Path::new(path))));
    }
    // Their values may be secrets.
    let names = format!("{:?}", Environment::of_this_process());
    text.push_str(&format!("\n== environment variables\n{names}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_no_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let key = "0123456789abcdef0123456789abcdef";
        std::fs::write(
            at("security-agent.yaml"),
            format!(
                "api_key: topsecretkey\nsecurity_agent.log_file: {}\nsecurity_agent.cmd_socket: {}\n\
                 runtime_security_config.socket: {}\nruntime_security_config.policies.dir: {}\n\
                 proxy.https: http://me:hunter2@proxy:1\n",
                at("security-agent.log").display(),
                at("none.sock").display(),
                at("none-either.sock").display(),
                directory.path().display()
            ),
        )
        .unwrap();
        std::fs::write(at("security-agent.log"), format!("{key} topsecretkey --password=hunter2\n")).unwrap();
        std::fs::write(at("system-probe.log.1"), "old\n").unwrap();
        std::fs::write(at("x.policy"), "# topsecretkey\nrules: []\n").unwrap();
        let config = ConfigArgs { files: vec![at("security-agent.yaml")] };
        let settings = config.load_quietly().unwrap();
        let archive = archive(&settings, &config).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
        let mut names = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            for secret in [key, "topsecretkey", "hunter2"] {
                assert!(!text.contains(secret), "{secret} is in {name}: {text}");
            }
            assert!(!text.is_empty(), "{name}");
            names.push(name.trim_start_matches("cws-agent-flare/").to_owned());
        }
        for name in [
            "status.json",
            "status.txt",
            "config-not-running.json",
            "system.txt",
            "policies/x.policy",
            "logs/security-agent.log",
            "logs/system-probe.log.1",
        ] {
            assert!(names.iter().any(|other| other == name), "{name} is not among {names:?}");
        }
    }

    #[test]
    fn ids_of_containers_are_no_keys() {
        let secrets = Secrets { scrubber: Scrubber::new(&[]), known: Vec::new() };
        let id = "a".repeat(ID_LENGTH);
        let text = format!("{id}, {}; é 1234", "b".repeat(KEY_LENGTH));
        assert_eq!(secrets.hide(&text), format!("{id}, {BLOT}; é 1234"));
    }
}
