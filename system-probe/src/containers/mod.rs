//! What container runtimes know about a container: its name, image and labels.
//!
//! Docker's socket, and Podman's service that speaks as Docker does, give root to whoever may write to them. So the agent
//! does not get them: it asks this process, by id, and gets a few lines of text. Everything here is bounded: questions at a
//! time, time and length of an answer, what is remembered. It runs beside the event stream and never in its way.

mod cache;
mod docker;
mod http;
mod id;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use proto::v1;
use tokio::sync::Semaphore;

use self::cache::Cache;
pub(crate) use self::id::ContainerId;

/// Questions to runtimes at the same time.
const QUESTIONS: usize = 4;
/// How long a runtime is left alone that did not answer in time: each question to it would wait as long again.
const PAUSE: Duration = Duration::from_secs(5);
/// Where runtimes listen by default, below the root of the host. `/run` and not `/var/run`, which is an absolute symbolic
/// link: below `HOST_ROOT` it would lead back into our own container.
const USUAL_SOCKETS: [&str; 2] = ["run/docker.sock", "run/podman/podman.sock"];
/// Where the documented command mounts the socket of Docker.
const MOUNTED_SOCKET: &str = "/var/run/docker.sock";

/// Asks container runtimes, and remembers their answers for a while.
#[derive(Debug)]
pub(crate) struct Containers {
    runtimes: Vec<Mutex<Runtime>>,
    cache: Mutex<Cache>,
    questions: Semaphore,
}

/// The socket of a container runtime, and how it answered.
#[derive(Debug)]
struct Runtime {
    socket: PathBuf,
    answered: u64,
    /// Why the last question was not answered.
    error: Option<String>,
    /// No question before then.
    pause_until: Option<Instant>,
}

impl Runtime {
    fn new(socket: PathBuf) -> Mutex<Self> {
        Mutex::new(Self { socket, answered: 0, error: None, pause_until: None })
    }
}

impl Containers {
    /// Will ask the runtimes at `sockets`, or if there are none at the usual places.
    pub(crate) fn new(sockets: &[String], host_root: &Path) -> Self {
        let sockets = if sockets.is_empty() { usual_sockets(host_root) } else { configured(sockets) };
        Self {
            runtimes: sockets.into_iter().map(Runtime::new).collect(),
            cache: Mutex::new(Cache::default()),
            questions: Semaphore::new(QUESTIONS),
        }
    }

    /// What the runtimes know about a container.
    pub(crate) async fn look_up(&self, id: &ContainerId) -> v1::ContainerReply {
        if let Some(info) = lock(&self.cache).get(id, Instant::now()) {
            return known(info);
        }
        let Ok(_slot) = self.questions.acquire().await else { return unavailable("closing".to_owned()) };
        let mut refusals = Vec::new();
        for runtime in &self.runtimes {
            let socket = {
                let mut runtime = lock(runtime);
                if runtime.pause_until.is_some_and(|until| Instant::now() < until) {
                    refusals.extend(runtime.error.clone());
                    continue;
                }
                runtime.pause_until = None;
                runtime.socket.clone()
            };
            let answer = docker::container(&socket, id).await;
            let mut runtime = lock(runtime);
            match answer {
                Ok(found) => {
                    runtime.answered += 1;
                    runtime.error = None;
                    if let Some(info) = found {
                        lock(&self.cache).insert(id.clone(), info.clone(), Instant::now());
                        return known(info);
                    }
                }
                Err(error) => {
                    let reason = format!("{}: {error}", socket.display());
                    if error.is_timeout() {
                        runtime.pause_until = Some(Instant::now() + PAUSE);
                    }
                    if runtime.error.as_ref() != Some(&reason) {
                        tracing::debug!(reason, "no answer of a container runtime");
                    }
                    refusals.push(reason.clone());
                    runtime.error = Some(reason);
                }
            }
        }
        if refusals.len() < self.runtimes.len() {
            return v1::ContainerReply {
                state: v1::container_reply::State::Unknown.into(),
                reason: "no container runtime has this container".to_owned(),
                container: None,
            };
        }
        unavailable(refusals.join("; "))
    }

    /// For status.
    pub(crate) fn runtimes(&self) -> Vec<v1::ContainerRuntime> {
        let of = |runtime: &Mutex<Runtime>| {
            let runtime = lock(runtime);
            let detail = match &runtime.error {
                Some(error) => error.clone(),
                None if runtime.socket.exists() => String::new(),
                None => format!("{}: there is no such socket", runtime.socket.display()),
            };
            v1::ContainerRuntime {
                socket: runtime.socket.display().to_string(),
                available: detail.is_empty(),
                detail,
                answered: runtime.answered,
            }
        };
        self.runtimes.iter().map(of).collect()
    }
}

fn known(info: v1::ContainerInfo) -> v1::ContainerReply {
    v1::ContainerReply {
        state: v1::container_reply::State::Known.into(),
        container: Some(info),
        reason: String::new(),
    }
}

fn unavailable(reason: String) -> v1::ContainerReply {
    v1::ContainerReply { state: v1::container_reply::State::Unavailable.into(), container: None, reason }
}

fn configured(sockets: &[String]) -> Vec<PathBuf> {
    sockets.iter().map(|socket| PathBuf::from(socket.strip_prefix("unix://").unwrap_or(socket))).collect()
}

fn usual_sockets(host_root: &Path) -> Vec<PathBuf> {
    let own = Path::new("/");
    let mut sockets: Vec<PathBuf> = USUAL_SOCKETS.iter().map(|socket| own.join(socket)).collect();
    if host_root != own {
        // In an image without /run, the mount is all there is.
        sockets.insert(0, PathBuf::from(MOUNTED_SOCKET));
        sockets.extend(USUAL_SOCKETS.iter().map(|socket| host_root.join(socket)));
    }
    sockets
}

/// What a panic elsewhere left behind is still whole: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
