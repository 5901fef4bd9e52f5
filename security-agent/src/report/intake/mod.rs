//! Reports over HTTPS to the intake of the vendor, or to one that speaks as it does.
//!
//! A report goes to the spool first, and a thread of each intake sends batches from there: an intake that is away, slow
//! or wrong holds up neither the rules nor the other outputs, and what it does not get in time waits on disk.

mod backoff;
mod client;
mod sender;
mod shared;
mod spool;
mod target;

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use anyhow::Context;
use serde_json::json;
use settings::AgentSettings;
use settings::table::{Intake as Settings, Proxies};
use ureq::tls::RootCerts;

use self::client::Client;
use self::sender::{LAST_CHANCE, Sender};
use self::shared::{Counters, Flag, Shared, State};
use self::spool::{Disk, Memory, Spool};
use self::target::Target;
use super::Report;
use super::sink::{Delivery, Output};

/// Bytes that wait in memory where there is no disk for them.
const MEMORY: usize = 4 << 20;
/// Where in `run_path` spools are.
const DIRECTORY: &str = "spool";
/// Where signals say that they come from, and their service where no other is known.
const SOURCE: &str = "runtime-security-agent";
/// TLS and gzip need much more than other outputs. What is not used takes no memory.
const STACK: usize = 2 << 20;

/// An intake as an output.
pub struct Intake {
    shared: Arc<Shared>,
    /// Service of what has none.
    service: String,
    max_entry: usize,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Intake").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// The intakes that reports go to by these settings, with their names. None without a key.
///
/// # Errors
/// If an address makes no sense.
pub fn intakes(settings: &AgentSettings) -> anyhow::Result<Vec<(String, Intake)>> {
    let targets = target::all(&settings.intake);
    if targets.is_empty() {
        tracing::info!("api_key is not set: signals are not sent to an intake");
        return Ok(Vec::new());
    }
    let root = settings.intake.run_path.join(DIRECTORY);
    remove_strangers(&root, &targets);
    let roots = if targets.iter().any(|target| target.is_tls) { client::roots() } else { RootCerts::WebPki };
    let service = settings.host.tags.iter().find_map(|tag| tag.strip_prefix("service:")).unwrap_or(SOURCE);
    let start = |target: Target| {
        let name = target.name.clone();
        let spool = open_spool(&root.join(&target.directory), settings.intake.spool_max_size.0);
        let intake =
            Intake::start(target, &settings.intake, &settings.proxies, roots.clone(), spool, service)
                .with_context(|| name.clone())?;
        Ok((name, intake))
    };
    targets.into_iter().map(start).collect()
}

/// A spool, entries of it that were damaged, and where it is or why it is in memory.
type Opened = (Box<dyn Spool>, u64, Result<String, String>);

fn open_spool(directory: &Path, limit: u64) -> Opened {
    match Disk::open(directory, limit) {
        Ok((disk, damaged)) => {
            let (entries, bytes) = disk.waiting();
            if entries > 0 {
                tracing::info!(entries, bytes, "signals from before wait for the intake");
            }
            if damaged > 0 {
                tracing::warn!(damaged, directory = %directory.display(), "signals that waited are damaged");
            }
            (Box::new(disk), damaged, Ok(directory.display().to_string()))
        }
        Err(error) => {
            let reason = format!("{}: {error}", directory.display());
            tracing::warn!(
                "signals wait for the intake in memory only, and do not outlive the agent: {reason}"
            );
            (Box::new(Memory::new(MEMORY)), 0, Err(reason))
        }
    }
}

/// Removes what waits for additional intakes that are no longer configured: nobody else may have it.
fn remove_strangers(root: &Path, targets: &[Target]) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_string_lossy().starts_with("additional-");
        if is_ours && !targets.iter().any(|target| *target.directory == name) {
            tracing::warn!(
                directory = %entry.path().display(),
                "removing signals that wait for an intake that is not configured any more"
            );
            if let Err(error) = std::fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, directory = %entry.path().display(), "cannot remove it");
            }
        }
    }
}

impl Intake {
    fn start(
        target: Target,
        settings: &Settings,
        proxies: &Proxies,
        roots: RootCerts,
        (spool, damaged, place): Opened,
        service: &str,
    ) -> anyhow::Result<Self> {
        let name = target.name.clone();
        let client = Client::new(target, settings, proxies, roots)?;
        let shared = Arc::new(Shared {
            name,
            place,
            state: Mutex::new(State { spool, closing: None, is_done: false }),
            changed: Condvar::new(),
            counters: Counters::default(),
        });
        shared.counters.damaged(damaged);
        let sender = Sender { shared: Arc::clone(&shared), client, intake: settings.clone() };
        std::thread::Builder::new()
            .name("intake".to_owned())
            .stack_size(STACK)
            .spawn(move || sender.run())
            .context("cannot start a thread")?;
        let max_content = usize::try_from(settings.batch_max_content_size.0).unwrap_or(usize::MAX);
        let max_entry = max_content.saturating_sub(2).min(spool::MAX_ENTRY);
        Ok(Self { shared, service: service.to_owned(), max_entry })
    }

    /// A report as the intake takes it, with its flag.
    fn entry(&self, report: &Report) -> Vec<u8> {
        let envelope = &report.envelope;
        let service = if envelope.service.is_empty() { &self.service } else { &envelope.service };
        let entry = json!({
            "message": report.json,
            "status": "info",
            "timestamp": envelope.time_ns / 1_000_000,
            "hostname": envelope.hostname,
            "service": service,
            "ddsource": SOURCE,
            "ddtags": envelope.tags,
        });
        let flag = if envelope.is_own { Flag::Own } else { Flag::Signal };
        let mut bytes = vec![flag.byte()];
        bytes.extend(entry.to_string().into_bytes());
        bytes
    }
}

impl Output for Intake {
    fn write(&mut self, report: &Report) -> io::Result<()> {
        let entry = self.entry(report);
        if entry.len() - 1 > self.max_entry {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than a request may be"));
        }
        let dropped = self.shared.lock().spool.push(&entry)?;
        self.shared.counters.dropped(dropped);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn delivery(&self) -> Option<Arc<dyn Delivery>> {
        let shared: Arc<Shared> = Arc::clone(&self.shared);
        Some(shared)
    }

    /// Sends what there is, if the intake is there and quick; the rest stays in the spool.
    fn close(&mut self) {
        let mut state = self.shared.lock();
        let closing = *state.closing.get_or_insert_with(std::time::Instant::now);
        self.shared.changed.notify_all();
        while !state.is_done {
            match LAST_CHANCE.checked_sub(closing.elapsed()) {
                Some(rest) => state = self.shared.wait(state, Some(rest)),
                None => break,
            }
        }
        let (entries, _) = state.spool.waiting();
        match &self.shared.place {
            _ if entries == 0 => {}
            Ok(_) => tracing::info!(entries, "signals wait for the intake until the next start"),
            Err(_) => tracing::warn!(entries, "signals that the intake did not get are lost"),
        }
    }
}

#[cfg(test)]
mod tests;
