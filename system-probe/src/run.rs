//! `system-probe run`: wiring, from start to end.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::Ipv6Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use logging::Log;
use proto::wire::Kind;
use settings::Enablement;
use settings::Environment;
use settings::HostPaths;
use settings::ProbeSettings;
use settings::Severity;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::oneshot;

use crate::cli::RunArgs;
use crate::containers::Containers;
use crate::facts::Capability;
use crate::facts::Facts;
use crate::facts::Symbols;
use crate::identity;
use crate::identity::User;
use crate::kernel::Kernel;
use crate::kill::Killer;
use crate::loader::Flusher;
use crate::loader::Options;
use crate::loader::PacketOptions;
use crate::loader::Programs;
use crate::loader::Watcher;
use crate::loader::source;
use crate::memory;
use crate::notify;
use crate::own_log;
use crate::pid_file::PidFile;
use crate::pid_namespace;
use crate::plan;
use crate::plan::Allowed;
use crate::plan::Family;
use crate::plan::Plan;
use crate::privileges;
use crate::ring;
use crate::ring::Reader;
use crate::service::Service;
use crate::service::serve;
use crate::socket::PeerPolicy;
use crate::socket::Socket;
use crate::stream::BatchLimits;
use crate::stream::DRAIN_GRACE;
use crate::stream::Limits;
use crate::stream::Queue;
use crate::types;
use crate::types::Release;

/// Bytes of records that wait for the agent at most; the number of records is a setting. An agent that is alive takes
/// what 10,000 processes cause in a second; this holds them for about that long.
const QUEUE_BYTES: usize = 16 << 20;

/// `fd00:ec2::254`: the metadata service of AWS.
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Reads the configuration. What is wrong with it is all said at once.
pub(crate) fn load_settings(config: &std::path::Path) -> anyhow::Result<settings::Loaded<ProbeSettings>> {
    let refused = |errors| anyhow::anyhow!("the configuration can't be used\n{errors}");
    let mut loaded = settings::probe::load(config, &Environment::of_this_process()).map_err(refused)?;
    settings::probe::resolve(&mut loaded).map_err(refused)?;
    Ok(loaded)
}

/// Runs until a signal says otherwise.
///
/// # Errors
///
/// What keeps it from starting, or from serving.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let loaded = load_settings(&args.config.config)?;
    let settings = loaded.value;
    let log = own_log::start(&settings.log)?;
    for warning in &loaded.warnings {
        match warning.severity {
            Severity::Warning => tracing::warn!("{warning}"),
            Severity::Info => tracing::info!("{warning}"),
        }
    }
    if settings.module.enablement() == Enablement::Nothing {
        tracing::info!("no module is enabled (runtime_security_config.enabled): nothing to do");
        notify::nothing_to_do();
        return Ok(ExitCode::SUCCESS);
    }
    observe(args, &settings, &log).inspect_err(|error| {
        log.open_file();
        log.failed(error);
    })
}

/// Watches the kernel and serves, until a signal says to stop.
fn observe(args: &RunArgs, settings: &ProbeSettings, log: &Log) -> anyhow::Result<ExitCode> {
    let _pid_file = match &args.pid_file {
        Some(path) => {
            let written = PidFile::write(path);
            Some(written.with_context(|| format!("cannot write the pid file {}", path.display()))?)
        }
        None => None,
    };
    privileges::check()?;
    privileges::raise_limits();

    let host = HostPaths::detect(&Environment::of_this_process());
    let watcher = Arc::new(watcher(settings, &host, &BTreeSet::new(), args.plan.plan)?);
    let agent = agent_user(settings, &host);
    let socket = Socket::create(&settings.link.socket, agent)?;
    // Before any thread starts: they all inherit it.
    privileges::lower(settings.enforcement.enabled);
    // With the rights that are left, so that a directory in which the file could not rotate shows now.
    log.open_file();

    let limits = BatchLimits {
        records: settings.event_stream.batch_records,
        delay: settings.event_stream.batch_delay,
    };
    let queue = Arc::new(Queue::new(Limits {
        records: usize::try_from(settings.event_stream.queue_records).unwrap_or(usize::MAX),
        bytes: QUEUE_BYTES,
        chunk_records: limits.records,
    }));
    let sink = Arc::clone(&queue);
    let source = source(watcher.maps(), move |bytes| ring::accept(&sink, bytes))?;
    let reader = Reader::start(source, Arc::clone(&queue)).context("cannot start the ring reader")?;

    let periods = &settings.periods;
    let periods = [(plan::FLUSH_CAPABILITIES, periods.capabilities), (plan::FLUSH_FLOWS, periods.flows)];
    let flusher = Flusher::start(Arc::clone(&watcher), Arc::clone(&queue), &periods)
        .context("cannot start the thread that tells what is told once in a period")?;

    // One thread is enough to move bytes; what may block has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(10))
        .build()
        .context("cannot start the runtime")?;
    let kernel: Arc<dyn Kernel> = Arc::clone(&watcher) as Arc<dyn Kernel>;
    let containers = Containers::new(&settings.containers.sockets, &host.root);
    let killer = Killer::new(settings.enforcement.enabled, &settings.spared.binaries);
    let service = Service::new(kernel, Arc::clone(&queue), containers, killer, limits);
    memory::give_back();
    let served = runtime.block_on(async {
        let (stop, stopped) = oneshot::channel();
        let server = serve(service, socket.listener()?, PeerPolicy::new(agent), async {
            // An error means that the sender is gone: stop as well.
            let _ = stopped.await;
        });
        tracing::info!(socket = %settings.link.socket.display(), "listening");
        notify::ready();
        until_stopped(server, stop, || {
            flusher.stop();
            watcher.detach();
            reader.stop();
            queue.close();
        })
        .await
    });
    runtime.shutdown_timeout(DRAIN_GRACE);
    drop(socket);
    watcher.close();
    served?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Facts, plan, programs in the kernel: those that are always needed, and those of `kinds`. The others are loaded when
/// a rule needs them.
pub(crate) fn watcher(
    settings: &ProbeSettings,
    host: &HostPaths,
    kinds: &BTreeSet<Kind>,
    only: Option<Family>,
) -> anyhow::Result<Watcher> {
    let mut facts = Facts::probe(&host.proc, &plan::functions());
    let types = types::find(settings.event_stream.btf_path.as_deref(), &Release::of_this_machine(&host.root));
    facts.choose_object(only.and_then(Family::of_old_kernels), types);
    // Not one program can be loaded, or tells anything.
    for (capability, what) in [
        (Capability::Btf, "the types of this kernel are not known"),
        (Capability::ProbeRead, "programs cannot read the kernel, as with a lockdown for confidentiality"),
    ] {
        if !facts.has(capability) {
            anyhow::bail!("nothing can be watched: {what}: {}", facts.reason(capability));
        }
    }
    for (fact, missing) in facts.missing() {
        tracing::debug!(fact, missing, "not on this kernel");
    }
    let stream = &settings.event_stream;
    let allowed = Allowed {
        fentry: stream.use_fentry,
        kprobes: stream.use_kprobe_fallback,
        compat: stream.compat_syscalls,
        packets: settings.network.enabled,
        packets_in: settings.packets.ingress,
        only: only.filter(|only| only.of_old_kernels().is_none()),
    };
    let plan = Plan::new(&facts, allowed);
    let symbols = Symbols::read(&host.proc).unwrap_or_default();
    let options = Options {
        ring_bytes: memory::ring_bytes(stream.ring_buffer_size.0),
        deferred_release: symbols.deferred_release().unwrap_or_default(),
        own_pid: pid_namespace::own_pid(&host.proc),
        thread_size: thread_size(),
        packets: packet_options(settings),
        preemptible: !facts.has(Capability::UndisturbedTracepoints)
            || plan.has_trampolines() && !facts.has(Capability::Undisturbed),
        kinds_at_functions: plan.kinds_at_functions(),
        by_probes: plan.by_probes,
        max_active: stream.kretprobe_max_active,
        file_requests: plan.programs().any(|program| program.name == "on_request"),
        old: facts.old,
        types: facts.types,
    };
    let first = plan.programs_to_start_with(kinds).map(|program| program.name).collect();
    let programs = Programs::load(first, options)?;
    let watcher = Watcher::new(facts, plan, programs, &host.proc)?;
    for observation in watcher.observations() {
        if observation.state() == proto::v1::observation::State::Unavailable {
            tracing::warn!(observation = observation.name, reason = observation.reason, "cannot be watched");
        }
    }
    Ok(watcher)
}

/// Bytes of a thread's stack in the kernel: 16 KiB, but at least a page (arm64 has pages of 64 KiB, too).
fn thread_size() -> u32 {
    u32::try_from(rustix::param::page_size()).unwrap_or_default().max(16 << 10)
}

/// Which packets are those of a service.
fn packet_options(settings: &ProbeSettings) -> PacketOptions {
    let mut name_ports = [0; settings::Ports::MAX];
    for (place, port) in name_ports.iter_mut().zip(&settings.packets.dns_ports.0) {
        *place = *port;
    }
    PacketOptions {
        name_ports,
        metadata_ipv4: Some(settings.packets.imds_ipv4),
        metadata_ipv6: Some(METADATA_IPV6),
    }
}

/// The agent's user; without one, only root can connect.
fn agent_user(settings: &ProbeSettings, host: &HostPaths) -> Option<User> {
    let user = &settings.link.user;
    // The agent runs beside this process: in a container its user is the container's.
    let files = [std::path::PathBuf::from("/etc/passwd"), host.root.join("etc/passwd")];
    let found = files.iter().find_map(|file| identity::find_user(file, user).ok().flatten());
    let found = found.or_else(|| identity::numbered_user(user));
    if found.is_none() {
        tracing::warn!(user, "no such user (security_agent.user): only root can connect");
    }
    found
}

/// Serves until SIGTERM or SIGINT; then `close` ends the source, and the subscriber gets what is left, for a while.
async fn until_stopped(
    server: impl Future<Output = anyhow::Result<()>>,
    stop: oneshot::Sender<()>,
    close: impl FnOnce(),
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    tokio::pin!(server);
    loop {
        tokio::select! {
            result = &mut server => return result,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => tracing::info!("SIGHUP ignored: the agent has the policies, and reloads them"),
        }
    }
    tracing::info!("stopping");
    notify::stopping();
    close();
    // The receiver lives in `server`, which did not end.
    let _ = stop.send(());
    match tokio::time::timeout(DRAIN_GRACE, server).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!("the subscriber did not take what was left");
            Ok(())
        }
    }
}
