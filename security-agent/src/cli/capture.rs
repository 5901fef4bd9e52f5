//! `security-agent runtime capture`.
//!
//! The probe has one subscriber. So the stream of a running agent is copied by that agent; without one, the command
//! subscribes itself.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use settings::{AgentSettings, Environment, HostPaths};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::watch;

use super::{ConfigArgs, runtime};
use crate::control::{self, Command};
use crate::host;
use crate::policies::load_directory;
use crate::resolve::users::Users;
use crate::stream::capture::{Content, Header, Writer};
use crate::stream::client::{self, Incoming, Wanted};

/// Options of `runtime capture`.
#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// File to write; it must not exist. It will hold command lines and environments as they are.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// End after this time, such as `30s` or `5m`; without it, at Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("write a number of seconds, or one with s, m or h behind it".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "no number".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

pub(super) fn run(args: &CaptureArgs, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let settings = config.load_quietly()?;
    let mut file = create(&args.file)?;
    let written = runtime()?.block_on(async {
        tokio::select! {
            result = capture(&settings, &mut file) => result.map(|never| match never {}),
            () = end(args.duration) => Ok(()),
        }
    });
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    eprintln!("{}: {size} bytes", args.file.display());
    written.map(|()| ExitCode::SUCCESS)
}

/// Only for whoever captures: command lines and environments hold secrets.
fn create(path: &Path) -> anyhow::Result<File> {
    let created = File::options().write(true).create_new(true).mode(0o600).open(path);
    created.with_context(|| format!("cannot create {}", path.display()))
}

async fn end(duration: Option<Duration>) {
    let timeout = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = timeout => {}
        // Without the signal there still is the time.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

async fn capture(settings: &AgentSettings, file: &mut File) -> anyhow::Result<std::convert::Infallible> {
    let socket = &settings.privileges.command_socket;
    if UnixStream::connect(socket).await.is_ok() {
        copy(socket, file).await
    } else {
        subscribe(settings, file).await
    }
}

/// Takes a copy from the running agent.
async fn copy(socket: &Path, file: &mut File) -> anyhow::Result<std::convert::Infallible> {
    let (_, mut connection) = control::call(socket, Command::Capture).await?;
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = connection.read(&mut bytes).await.context("cannot read from the agent")?;
        let Some(piece) = bytes.get(..length).filter(|piece| !piece.is_empty()) else {
            bail!("the agent ended the capture: it is ending, or this disk was too slow");
        };
        file.write_all(piece).context("cannot write the capture")?;
    }
}

/// Subscribes to the probe.
async fn subscribe(settings: &AgentSettings, file: &mut File) -> anyhow::Result<std::convert::Infallible> {
    let root = HostPaths::detect(&Environment::of_this_process()).root;
    let facts = host::facts(&root, &settings.host.hostname);
    let mut users = Users::of_host(&root);
    let mut writer = Writer::new(Header::new(&settings.host.hostname, &facts));
    // What the rules would see: no other events come with a capture.
    let options = crate::agent::load_options(facts, settings);
    let events = load_directory(&settings.policies.dir, &options).rules.event_types();
    let kinds =
        crate::pipeline::wire_kinds(events.iter().filter_map(|id| model::EventKind::from_number(id.0)));
    let (_wanted, receiver) = watch::channel(Wanted { kinds, ..Wanted::default() });
    let mut incoming = client::spawn(&settings.link.socket, receiver)?;
    eprintln!("no agent runs: subscribing to system-probe at {}", settings.link.socket.display());
    while let Some(message) = incoming.recv().await {
        users.refresh_if_due(std::time::Instant::now());
        writer.write_names(&users);
        match message {
            Incoming::Connected(hello) => writer.write(Content::Connected(hello)),
            Incoming::Batch(batch) => writer.write(Content::Batch(batch)),
            Incoming::Disconnected(reason) => writer.write(Content::Disconnected(reason)),
            Incoming::Configured(_) => {}
        }
        file.write_all(&writer.take()).context("cannot write the capture")?;
    }
    bail!("the connection to system-probe has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("5d").is_err() && duration("m").is_err() && duration("").is_err());
    }
}
