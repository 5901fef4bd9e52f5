//! `security-agent start`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use logging::Log;
use logging::rotation::{RotatingFile, Rotation};
use model::PrivateRanges;
use model::environment::{SHOWN_WITH_VALUE, ShownWithValue};
use settings::{AgentSettings, Enablement, Environment, HostPaths, Loaded};

use super::config::effective;
use super::{ConfigArgs, log_warnings, replay, runtime};
use crate::agent::{self, Parts, load_options};
use crate::cache::process_tree::Limits;
use crate::metrics::DogStatsd;
use crate::pipeline::{Config, Pipeline};
use crate::privileges::{self, Outcome, Wish};
use crate::report::intake;
use crate::report::scrub::Scrubber;
use crate::report::sink::{FileOutput, Stdout, Syslog};
use crate::report::terminal::Style;
use crate::report::{Sink, sink::Output};
use crate::resolve::users::Users;
use crate::{host, network, notify, own_log};

/// Options of `start`.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Write the process id to this file.
    #[arg(short = 'p', long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
    /// Evaluate a capture, print its signals and end: needs no probe, no particular kernel and no root.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

pub(super) fn run(args: &StartArgs, config: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_this_process();
    let loaded = config.load(&environment)?;
    let log = own_log::start(&loaded.value.log, args.replay.is_none())?;
    log_warnings(&loaded);
    match &args.replay {
        Some(capture) => replay::run(capture, &loaded.value),
        None => watch(args, &environment, loaded, &log).inspect_err(|error| log.failed(error)),
    }
}

/// Evaluates what the probe sends, until a signal says to stop.
fn watch(
    args: &StartArgs,
    environment: &Environment,
    mut loaded: Loaded<AgentSettings>,
    log: &Log,
) -> anyhow::Result<ExitCode> {
    if loaded.value.module.enablement() == Enablement::Nothing {
        tracing::info!("runtime_security_config.enabled is not set: nothing to do");
        notify::nothing_to_do();
        return Ok(ExitCode::SUCCESS);
    }

    let host_paths = HostPaths::detect(environment);
    let umask = rustix::fs::Mode::from_bits_truncate(0o027);
    rustix::process::umask(umask);
    // Before privileges go: the file is usually in a directory of root's.
    let pidfile = args.pidfile.as_deref().map(Pidfile::write).transpose()?;
    become_unprivileged(&loaded.value)?;
    // As who it is now: what root creates, this user could neither write nor rotate. Nor does it start a program as root.
    log.open_file();
    settings::agent::resolve(&mut loaded)?;
    let settings = &loaded.value;

    let facts = host::facts(&host_paths.root, &settings.host.hostname);
    let agent_info = host::agent_info(&facts, &settings.host);
    let pipeline_config = pipeline_config(settings, agent_info.clone(), style(settings));
    let pipeline = Pipeline::new(pipeline_config, Users::of_host(&host_paths.root));
    let parts = Parts {
        settings: settings.clone(),
        pipeline,
        sinks: sinks(settings)?,
        load_options: load_options(facts, settings),
        effective: effective(&loaded),
        log_filter: Some(log.filter()),
        dogstatsd: DogStatsd::start(&settings.metrics, &agent_info.tags).context("cannot start a thread")?,
    };
    let result = runtime().context("cannot start the runtime")?.block_on(agent::run(parts));
    drop(pidfile);
    result.map(|()| ExitCode::SUCCESS)
}

fn become_unprivileged(settings: &AgentSettings) -> anyhow::Result<()> {
    let wish = Wish {
        user: &settings.link.user,
        allow_root: settings.privileges.allow_root,
        socket: &settings.link.socket,
    };
    match privileges::give_up(&wish).context("cannot give up privileges")? {
        Outcome::Unprivileged => tracing::debug!("running as an ordinary user"),
        Outcome::Dropped { user, uid } => tracing::info!(user, uid, "gave up root"),
        Outcome::StillRoot => tracing::warn!("running as root, as security_agent.allow_root is set"),
    }
    Ok(())
}

/// How the pipeline works by these settings.
pub(super) fn pipeline_config(
    settings: &AgentSettings,
    agent: model::report::AgentInfo,
    style: Option<Style>,
) -> Config {
    let tree = &settings.process_tree;
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Config {
        limits: Limits {
            processes: count(tree.max_processes),
            retired: count(tree.exited),
            image_bytes: usize::try_from(tree.max_arguments_size.0).unwrap_or(usize::MAX),
            ancestors: count(tree.max_ancestors),
        },
        scrubber: Scrubber::new(&settings.signals.sensitive_words),
        shown_envs: shown_envs(&settings.signals.envs_with_value),
        style,
        agent,
        hostname: settings.host.hostname.clone(),
        own_events: settings.signals.monitoring_events,
        kernel_filters: settings.kernel_filters.enabled && settings.kernel_filters.approvers,
        losses_interval_ns: nanoseconds(settings.signals.stats_interval),
        network: network_config(settings),
        retention_ns: nanoseconds(settings.signals.retention),
    }
}

/// How packets and addresses are understood by these settings.
fn network_config(settings: &AgentSettings) -> network::Config {
    let addresses = &settings.addresses;
    // The settings have checked their form.
    let parsed = |ranges: &settings::AddressRanges| -> Vec<secl::IpNet> {
        ranges.0.iter().filter_map(|range| range.parse().ok()).collect()
    };
    let private = match parsed(&addresses.private_ranges) {
        none if none.is_empty() => PrivateRanges::default(),
        ranges => PrivateRanges::new(ranges),
    };
    network::Config {
        private_ranges: private.with(parsed(&addresses.extra_private_ranges)),
        names: addresses.names && settings.network.enabled,
        names_max: usize::try_from(addresses.names_max).unwrap_or(usize::MAX),
    }
}

/// The default list has a form that is faster to look up.
fn shown_envs(names: &[String]) -> ShownWithValue {
    if names == SHOWN_WITH_VALUE { ShownWithValue::default() } else { ShownWithValue::new(names) }
}

/// Lines for people if a person looks; in colour unless that is not wanted.
pub(super) fn style(settings: &AgentSettings) -> Option<Style> {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let for_people = settings.outputs.stdout && std::io::stdout().is_terminal();
    for_people.then_some(Style { colour: !no_colour && !is_dumb })
}

/// Where reports go by these settings, with what each is called.
pub(super) fn outputs(settings: &AgentSettings) -> anyhow::Result<Vec<(String, Box<dyn Output>)>> {
    let mut outputs: Vec<(String, Box<dyn Output>)> = Vec::new();
    if settings.outputs.stdout {
        outputs.push(("stdout".to_owned(), Box::new(Stdout::default())));
    }
    if let Some(path) = &settings.outputs.file {
        let rotation = Rotation {
            max_size: settings.outputs.file_max_size.0,
            max_files: settings.outputs.file_max_files,
        };
        let file = RotatingFile::open(path, rotation)
            .with_context(|| format!("cannot write signals to {}", path.display()))?;
        outputs.push((path.display().to_string(), Box::new(FileOutput(file))));
    }
    if !settings.outputs.syslog.is_empty() {
        let syslog = Syslog::new(&settings.outputs.syslog)
            .context("runtime_security_config.outputs.syslog.address")?;
        outputs.push((format!("syslog {}", settings.outputs.syslog), Box::new(syslog)));
    }
    Ok(outputs)
}

fn sinks(settings: &AgentSettings) -> anyhow::Result<Vec<Sink>> {
    let mut outputs = outputs(settings)?;
    for (name, intake) in intake::intakes(settings)? {
        outputs.push((name, Box::new(intake)));
    }
    if outputs.is_empty() {
        tracing::warn!("no output is configured: signals only show in the counters of `status`");
    }
    outputs
        .into_iter()
        .map(|(name, output)| Sink::start(name, output).context("cannot start a thread"))
        .collect()
}

/// A file with the process id, removed at the end.
#[derive(Debug)]
struct Pidfile(PathBuf);

impl Pidfile {
    fn write(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("cannot write the process id to {}", path.display());
        let mut file = std::fs::File::create(path).with_context(context)?;
        writeln!(file, "{}", std::process::id()).with_context(context)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // The agent may have no right to its directory any more; the number in it is then stale, as after a crash.
        let _stays = std::fs::remove_file(&self.0);
    }
}
