//! The entry point of the container image: see [`supervisor`].
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use settings::Environment;
use supervisor::preflight::Facts;
use supervisor::run::{Order, Service, run};
use tokio::signal::unix::{SignalKind, signal};

/// Where the packages and the image have the programs.
const PROGRAMS: &str = "/opt/datadog-agent/embedded/bin";
/// Where they have the configuration.
const CONFIGURATION: &str = "/etc/datadog-agent";

fn main() -> anyhow::Result<()> {
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(is_terminal).init();
    let environment = Environment::of_this_process();
    for missing in Facts::gather(&environment)?.missing(&std::path::Path::exists) {
        tracing::warn!("without {}: {}", missing.option, missing.cost);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(supervise())
}

async fn supervise() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let order = tokio::select! {
                _ = terminate.recv() => Order::Stop,
                _ = interrupt.recv() => Order::Stop,
                _ = hangup.recv() => Order::Hangup,
            };
            if sender.send(order).await.is_err() {
                return;
            }
        }
    });
    let receiver = tokio::sync::Mutex::new(receiver);
    run(services(), || async { receiver.lock().await.recv().await.unwrap_or(Order::Stop) }).await;
    tracing::info!("ended");
    Ok(())
}

/// Both processes. The probe is stopped first: it hands its last events to the agent, which reports them. Together they
/// get less than two seconds.
fn services() -> Vec<Service> {
    let program = |name: &str| format!("{PROGRAMS}/{name}").into();
    let file = |name: &str| format!("{CONFIGURATION}/{name}");
    vec![
        Service {
            name: "system-probe",
            command: vec![
                program("system-probe"),
                "run".into(),
                format!("--config={}", file("system-probe.yaml")).into(),
            ],
            grace: Duration::from_millis(1_000),
            takes_hangup: false,
        },
        Service {
            name: "security-agent",
            command: vec![
                program("security-agent"),
                "start".into(),
                "-c".into(),
                file("datadog.yaml").into(),
                "-c".into(),
                file("security-agent.yaml").into(),
            ],
            grace: Duration::from_millis(700),
            takes_hangup: true,
        },
    ]
}
