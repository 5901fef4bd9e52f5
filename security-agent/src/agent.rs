//! The running agent: wires the stream, the pipeline, the sinks, the policies and the command socket together.
//!
//! One thread does it all but writing reports; between two batches it looks at whatever else is due.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use engine::limiter::Rate;
use engine::{HostFacts, LoadOptions};
use proto::v1::{ConfigureReply, Degraded, HelloReply};
use serde_json::{Value as Json, json};
use settings::{AgentSettings, Enablement, LogLevel};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

mod self_test;

use crate::control::{self, Request};
use crate::degraded;
use crate::heartbeat::Heartbeats;
use crate::host;
use crate::metrics::{self, DogStatsd, Metric};
use crate::notify;
use crate::own_log;
use crate::pipeline::{Off, Pipeline};
use crate::policies::{Watch, load_with};
use crate::report::{Report, Sink};
use crate::resolve::kubelet::Kubelet;
use crate::self_test::{Outcome, SelfTest};
use crate::stream::capture::{self, ContainerAnswer, Content, Header};
use crate::stream::client::{self, Incoming, VERSION, Wanted};
use crate::stream::containers::{self, Lookups};

/// How often the agent looks at its clock, and every second time at the policy directory.
const TICK: Duration = Duration::from_secs(1);
/// Shortest time between two snapshots that losses cause: one costs the probe a walk over all processes.
const RESYNC_INTERVAL: Duration = Duration::from_secs(60);
/// Requests on the command socket that wait for the agent.
const REQUESTS: usize = 4;

/// What an agent is made of.
#[derive(Debug)]
pub struct Parts {
    /// Its configuration.
    pub settings: AgentSettings,
    /// Turns batches into reports.
    pub pipeline: Pipeline,
    /// Where reports go.
    pub sinks: Vec<Sink>,
    /// How policies are loaded.
    pub load_options: LoadOptions,
    /// The configuration as it may be shown.
    pub effective: Json,
    /// What of the log can be changed; `None`: nothing.
    pub log_filter: Option<logging::Filter>,
    /// Where metrics are sent.
    pub dogstatsd: Option<DogStatsd>,
}

/// The connection as `status` shows it.
#[derive(Debug, Default)]
struct Connection {
    probe: Option<HelloReply>,
    last_error: String,
    last_batch: Option<Instant>,
    degraded: Vec<Degraded>,
}

/// Somebody who captures the stream.
struct Capture {
    writer: capture::Writer,
    sender: mpsc::Sender<Vec<u8>>,
    /// A snapshot was written: what comes now can be understood.
    has_begun: bool,
}

struct Agent {
    parts: Parts,
    wanted: watch::Sender<Wanted>,
    watch: Option<Watch>,
    heartbeats: Heartbeats,
    started: Instant,
    started_at: SystemTime,
    resynced: Option<Instant>,
    connection: Connection,
    degraded_told: Vec<Degraded>,
    captures: Vec<Capture>,
    ticks: u64,
    /// Signals that the outputs lost, as far as the pipeline knows.
    unwritten: u64,
    log_level: LogLevel,
    self_test: Option<SelfTest>,
    self_tested: Option<Outcome>,
}

/// Runs until it is told to end by SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot begin; once it runs it only ends when told to.
pub async fn run(parts: Parts) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let listener = control::listen(&parts.settings.privileges.command_socket)?;
    let (requests_sender, mut requests) = mpsc::channel(REQUESTS);
    if !parts.settings.metrics.prometheus.is_empty() {
        let requests = requests_sender.clone();
        metrics::serve(&parts.settings.metrics.prometheus, move || current(requests.clone())).await?;
    }
    tokio::spawn(control::serve(listener, requests_sender));

    let (wanted, wanted_receiver) = watch::channel(Wanted::default());
    let mut agent = Agent::new(parts, wanted);
    if agent.parts.settings.self_test.enabled {
        agent.prepare_self_test();
    }
    agent.reload();
    let socket = &agent.parts.settings.link.socket;
    let mut incoming = client::spawn(socket, wanted_receiver)?;
    let kubelet = Kubelet::new(&agent.parts.settings.kubernetes).unwrap_or_else(|error| {
        tracing::warn!("the kubelet is not asked about pods: {error:#}");
        None
    });
    let mut lookups = containers::spawn(socket, kubelet)?;
    notify::ready();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            Some(message) = incoming.recv() => agent.incoming(message),
            Some(answer) = lookups.answer() => agent.container(answer),
            Some(request) = requests.recv() => agent.request(request),
            _ = ticks.tick() => agent.tick(),
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: loading the policies again");
                agent.reload();
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
        agent.ask(&lookups);
        agent.deliver();
    }
    tracing::info!("ending");
    notify::stopping();
    agent.end();
    Ok(())
}

/// The metrics of now. `None`: the agent ends.
async fn current(requests: mpsc::Sender<Request>) -> Option<Vec<Metric>> {
    let (sender, answer) = oneshot::channel();
    requests.send(Request::Status(sender)).await.ok()?;
    Some(metrics::of_status(&answer.await.ok()?))
}

impl Agent {
    fn new(parts: Parts, wanted: watch::Sender<Wanted>) -> Self {
        let policies = &parts.settings.policies;
        let log_level = parts.settings.log.level;
        let watch = policies.watch_dir.then(|| Watch::new(&policies.dir));
        Self {
            parts,
            wanted,
            watch,
            heartbeats: Heartbeats::default(),
            started: Instant::now(),
            started_at: SystemTime::now(),
            resynced: None,
            connection: Connection::default(),
            degraded_told: Vec::new(),
            captures: Vec::new(),
            ticks: 0,
            unwritten: 0,
            log_level,
            self_test: None,
            self_tested: None,
        }
    }

    fn incoming(&mut self, message: Incoming) {
        let pipeline = &mut self.parts.pipeline;
        match message {
            Incoming::Connected(hello) => {
                self.copy(|| Content::Connected(hello.clone()));
                self.parts.pipeline.connected(&hello);
                self.connection = Connection { probe: Some(hello), ..Connection::default() };
            }
            Incoming::Configured(ConfigureReply { degraded, unfiltered }) => {
                for part in &unfiltered {
                    tracing::warn!(kind = part.kind, "not filtered in the kernel: {}", part.reason);
                }
                // Told when it changes, not at each reconnection.
                let new = degraded.iter().filter(|part| !self.degraded_told.contains(part));
                let new = new.map(|part| (part.observation.as_str(), part.reason.as_str()));
                for (reason, observations) in degraded::by_reason(new) {
                    tracing::warn!("watched in part or not at all: {}: {reason}", observations.join(", "));
                }
                self.degraded_told.clone_from(&degraded);
                self.connection.degraded = degraded;
                self.act_for_self_test();
            }
            Incoming::Batch(batch) => {
                pipeline.refresh_users(Instant::now());
                self.copy(|| Content::Batch(batch.clone()));
                self.parts.pipeline.batch(&batch);
                self.connection.last_batch = Some(Instant::now());
                self.look_at_self_test();
            }
            Incoming::Disconnected(reason) => {
                self.copy(|| Content::Disconnected(reason.clone()));
                self.parts.pipeline.disconnected();
                self.connection = Connection { last_error: reason, ..Connection::default() };
            }
        }
    }

    /// Asks about containers that are new.
    fn ask(&mut self, lookups: &Lookups) {
        for id in self.parts.pipeline.take_wanted_containers() {
            if let Some(answer) = lookups.ask(id) {
                self.container(answer);
            }
        }
    }

    fn container(&mut self, answer: ContainerAnswer) {
        self.copy(|| Content::Container(answer.clone()));
        self.parts.pipeline.container_answered(&answer.id, answer.reply.unwrap_or_default());
    }

    /// Gives a copy to whoever captures. One who does not keep up loses the capture.
    fn copy(&mut self, content: impl Fn() -> Content) {
        if self.captures.is_empty() {
            return;
        }
        let content = content();
        let users = self.parts.pipeline.users();
        let probe = self.connection.probe.as_ref();
        self.captures.retain_mut(|capture| {
            let begins = matches!(&content, Content::Batch(batch) if batch.snapshot_begin);
            if begins && !capture.has_begun {
                capture.has_begun = true;
                capture.writer.write(Content::Connected(probe.cloned().unwrap_or_default()));
            }
            if !capture.has_begun && !matches!(content, Content::Container(_)) {
                return true;
            }
            capture.writer.write_names(users);
            capture.writer.write(content.clone());
            capture.sender.try_send(capture.writer.take()).is_ok()
        });
    }

    fn request(&mut self, request: Request) {
        // Whoever asked may have gone meanwhile.
        match request {
            Request::Status(answer) => drop(answer.send(self.status())),
            Request::Reload(answer) => drop(answer.send(self.reload())),
            Request::Config(answer) => drop(answer.send(self.parts.effective.clone())),
            Request::SetLogLevel(level, answer) => drop(answer.send(self.set_log_level(&level))),
            Request::SelfTest(answer) => self.test_on_request(answer),
            Request::ProcessCache(with_args, answer) => {
                drop(answer.send(self.parts.pipeline.process_cache(with_args)));
            }
            Request::Capture(sender) => {
                let header = Header::new(&self.parts.settings.host.hostname, &self.parts.load_options.host);
                let mut writer = capture::Writer::new(header);
                // Those that are known will not be asked about again.
                for answer in self.parts.pipeline.container_answers() {
                    writer.write(Content::Container(answer));
                }
                self.captures.push(Capture { writer, sender, has_begun: false });
                // A capture begins with a snapshot of the processes.
                self.wanted.send_modify(|wanted| wanted.resync += 1);
            }
        }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.captures.retain(|capture| !capture.sender.is_closed());
        let now_ns = wall_now();
        if self.ticks.is_multiple_of(2) && self.watch.as_mut().is_some_and(Watch::changed) {
            tracing::info!("the policy directory has changed");
            self.reload();
        }
        self.act_for_self_test_again();
        self.look_at_self_test();
        let seconds = self.parts.settings.signals.stats_interval.as_secs().max(1);
        if let Some(dogstatsd) = self.parts.dogstatsd.as_ref().filter(|_| self.ticks.is_multiple_of(seconds))
        {
            dogstatsd.send(metrics::of_status(&self.status()));
        }
        let unwritten = self.parts.sinks.iter().map(Sink::lost).sum();
        let pipeline = &mut self.parts.pipeline;
        pipeline.unwritten(unwritten - std::mem::replace(&mut self.unwritten, unwritten), now_ns);
        pipeline.tell_losses(now_ns);
        if self.heartbeats.is_due(self.started.elapsed()) {
            pipeline.heartbeat(now_ns);
        }
        let is_due = self.resynced.is_none_or(|last| last.elapsed() >= RESYNC_INTERVAL);
        if is_due && pipeline.take_needs_snapshot() {
            tracing::info!("records about processes were lost: asking for a new snapshot");
            self.resynced = Some(Instant::now());
            self.wanted.send_modify(|wanted| wanted.resync += 1);
        }
    }

    /// Loads the policies and puts them in force.
    fn reload(&mut self) -> Json {
        let Parts { settings, pipeline, load_options, .. } = &mut self.parts;
        if let Some(watch) = &mut self.watch {
            watch.loaded();
        }
        let policy = self.self_test.as_ref().map(SelfTest::policy);
        let load = load_with(&settings.policies.dir, policy, load_options);
        let answer = json!({ "rules": load.counts, "diagnostics": load.diagnostics });
        pipeline.replace_rules(load, wall_now());
        self.configure();
        answer
    }

    /// Lets the probe know what the rules in force need.
    fn configure(&self) {
        let kinds = self.parts.pipeline.wanted_kinds();
        let filters = self.parts.pipeline.wanted_filters();
        self.wanted.send_if_modified(|wanted| {
            let is_other = wanted.kinds != kinds || wanted.filters != filters;
            (wanted.kinds, wanted.filters) = (kinds, filters);
            is_other
        });
    }

    fn set_log_level(&mut self, name: &str) -> Json {
        let Some(level) = LogLevel::of_name(name) else {
            return json!({ "error": format!("{name} is none of trace, debug, info, warn, error, critical, off") });
        };
        let Some(filter) = &self.parts.log_filter else {
            return json!({ "error": "this log cannot be changed" });
        };
        match filter.set(&own_log::filter(level)) {
            Ok(()) => {
                self.log_level = level;
                let keys = self.parts.effective.as_array_mut().into_iter().flatten();
                for key in keys.filter(|key| key["key"] == "log_level") {
                    *key = json!({ "key": "log_level", "value": level.name(), "source": "changed while it runs" });
                }
                tracing::info!(level = level.name(), "logging at another level");
                json!({ "log_level": level.name() })
            }
            Err(error) => json!({ "error": format!("{error:#}") }),
        }
    }

    fn deliver(&mut self) {
        for report in self.parts.pipeline.take_reports() {
            let report: Arc<Report> = Arc::new(report);
            self.parts.sinks.iter().for_each(|sink| sink.send(&report));
        }
    }

    fn status(&self) -> Json {
        let connection = &self.connection;
        let degraded: Vec<Json> = connection
            .degraded
            .iter()
            .map(|part| json!({ "observation": part.observation, "reason": part.reason }))
            .collect();
        let settings = &self.parts.settings;
        json!({
            "version": VERSION,
            "pid": std::process::id(),
            "user_id": rustix::process::geteuid().as_raw(),
            "started": model::report::rfc3339(nanoseconds(self.started_at)),
            "uptime_seconds": self.started.elapsed().as_secs(),
            "resident_bytes": host::resident_bytes(),
            "policies_dir": settings.policies.dir,
            "log_level": self.log_level.name(),
            "log_file": settings.log.file,
            "self_test": self.self_test_status(),
            "probe": {
                "socket": settings.link.socket,
                "connected": connection.probe.is_some(),
                "version": connection.probe.as_ref().map(|probe| &probe.version),
                "kernel_release": connection.probe.as_ref().map(|probe| &probe.kernel_release),
                "last_error": connection.last_error,
                "seconds_since_last_batch": connection.last_batch.map(|last| last.elapsed().as_secs()),
                "degraded": degraded,
            },
            "pipeline": self.parts.pipeline.status(),
            "sinks": self.parts.sinks.iter().map(Sink::status).collect::<Vec<_>>(),
        })
    }

    fn end(mut self) {
        self.self_test = None;
        self.parts.pipeline.release_all();
        self.parts.pipeline.tell_all_losses(wall_now());
        self.deliver();
        Sink::close(self.parts.sinks);
        let socket: PathBuf = self.parts.settings.privileges.command_socket;
        if let Err(error) = std::fs::remove_file(&socket) {
            tracing::debug!(%error, socket = %socket.display(), "cannot remove the command socket");
        }
    }
}

/// How policies are loaded on this host: what their filters choose by, what can be watched, how often rules report.
#[must_use]
pub fn load_options(host: HostFacts, settings: &AgentSettings) -> LoadOptions {
    let off = Off {
        all_but_files: settings.module.enablement() == Enablement::FilesOnly,
        packets: !settings.network.enabled,
        raw_packets: !settings.addresses.raw_packets,
        flows: !settings.periods.flows,
        capabilities: !settings.periods.capabilities,
    };
    let rate = Rate::per_second(settings.signals.rate, settings.signals.burst);
    let enabled_events = Some(crate::pipeline::observable(off));
    LoadOptions { host, enabled_events, rate, ..LoadOptions::default() }
}

/// Nanoseconds since 1970.
#[must_use]
pub fn wall_now() -> u64 {
    nanoseconds(SystemTime::now())
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
