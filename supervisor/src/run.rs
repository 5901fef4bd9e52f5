//! Starting, watching and stopping processes.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::restart::Restarts;

/// Orders that wait for a process: it takes them at once.
const ORDERS: usize = 4;

/// A process to keep running.
#[derive(Debug, Clone)]
pub struct Service {
    /// What it is called in the log.
    pub name: &'static str,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// How long it may take to end when it is told to; then it is killed.
    pub grace: Duration,
    /// Whether SIGHUP is handed on to it.
    pub takes_hangup: bool,
}

/// What the container was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// SIGHUP.
    Hangup,
    /// SIGTERM or SIGINT.
    Stop,
}

/// A service and how to reach it.
struct Running {
    takes_hangup: bool,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

/// Runs the services until all have ended by themselves with success, or until `next_order` says to stop. Then they are
/// stopped in their order, each when the one before has ended.
pub async fn run<F: Future<Output = Order>>(services: Vec<Service>, mut next_order: impl FnMut() -> F) {
    let mut running: Vec<Running> = services.into_iter().map(start).collect();
    loop {
        tokio::select! {
            () = ended(&mut running) => return,
            order = next_order() => match order {
                Order::Hangup => {
                    for service in running.iter().filter(|service| service.takes_hangup) {
                        // One that has ended needs to read nothing again.
                        let _ended = service.orders.try_send(Order::Hangup);
                    }
                }
                Order::Stop => break,
            },
        }
    }
    for service in running {
        // If it has ended, so has its task.
        let _ended = service.orders.send(Order::Stop).await;
        if !service.task.is_finished() {
            let _joined = service.task.await;
        }
    }
}

fn start(service: Service) -> Running {
    let (orders, receiver) = mpsc::channel(ORDERS);
    let takes_hangup = service.takes_hangup;
    Running { takes_hangup, orders, task: tokio::spawn(keep_running(service, receiver)) }
}

/// Waits until all have ended by themselves.
async fn ended(running: &mut [Running]) {
    for service in running {
        if !service.task.is_finished() {
            let _joined = (&mut service.task).await;
        }
    }
}

async fn keep_running(service: Service, mut orders: mpsc::Receiver<Order>) {
    let name = service.name;
    let mut restarts = Restarts::default();
    loop {
        let since = Instant::now();
        match spawn(&service) {
            Ok(mut child) => match watch(&service, &mut child, &mut orders).await {
                Ended::Stopped => return,
                Ended::ByItself(Ok(status)) if status.success() => {
                    tracing::info!(name, "has nothing to do and ended");
                    return;
                }
                Ended::ByItself(Ok(status)) => tracing::error!(name, "ended: {status}"),
                Ended::ByItself(Err(error)) => tracing::error!(name, %error, "cannot be waited for"),
            },
            Err(error) => tracing::error!(name, %error, "cannot be started"),
        }
        let pause = restarts.pause_after(since.elapsed());
        tracing::info!(name, seconds = pause.as_secs(), "is started again after a pause");
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => break,
                // SIGHUP means nothing to what does not run.
                order = orders.recv() => if order != Some(Order::Hangup) { return },
            }
        }
    }
}

fn spawn(service: &Service) -> io::Result<Child> {
    let Some((program, arguments)) = service.command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
    };
    let child = Command::new(program).args(arguments).stdin(std::process::Stdio::null()).spawn()?;
    tracing::info!(name = service.name, pid = child.id(), "started");
    Ok(child)
}

/// How a process came to its end.
enum Ended {
    /// It was told to.
    Stopped,
    /// It was not.
    ByItself(io::Result<ExitStatus>),
}

async fn watch(service: &Service, child: &mut Child, orders: &mut mpsc::Receiver<Order>) -> Ended {
    loop {
        let order = tokio::select! {
            status = child.wait() => return Ended::ByItself(status),
            order = orders.recv() => order,
        };
        if order == Some(Order::Hangup) {
            send(child, Signal::HUP);
            continue;
        }
        send(child, Signal::TERM);
        let name = service.name;
        match tokio::time::timeout(service.grace, child.wait()).await {
            Ok(Ok(status)) => tracing::info!(name, "stopped: {status}"),
            Ok(Err(error)) => tracing::error!(name, %error, "cannot be waited for"),
            Err(_) => {
                tracing::warn!(name, "did not end within {:?} and is killed", service.grace);
                if let Err(error) = child.kill().await {
                    tracing::error!(name, %error, "cannot be killed");
                }
            }
        }
        return Ended::Stopped;
    }
}

fn send(child: &Child, signal: Signal) {
    // A child that has not been waited for keeps its number.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "cannot send a signal");
    }
}
