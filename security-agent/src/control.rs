//! The agent's own Unix socket, on which its command line asks the running agent: status, reload, capture.
//!
//! A connection carries one request, a JSON object on a line (`{"command": "status"}`), and its answer: a JSON object on
//! a line; after that of `capture`, the bytes of the capture until either side ends. Only root and the agent's own user
//! are answered.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// Longest request, bytes.
const REQUEST_SIZE_MAX: u64 = 4 << 10;
/// Longest answer that the command line reads, bytes.
const ANSWER_SIZE_MAX: u64 = 256 << 20;
/// How long a peer may take to ask, or to take the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that are served at once.
const CONNECTIONS: usize = 8;
/// Pieces of a capture that may wait for whoever takes it; then it ends, as the rules must not wait.
const CAPTURE_QUEUE: usize = 256;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// How it is.
    Status,
    /// Load the policies again.
    Reload,
    /// Its configuration.
    Config,
    /// Log more or less.
    SetLogLevel {
        /// Name of the level.
        level: String,
    },
    /// Test whether events come through.
    SelfTest,
    /// The processes that it knows.
    ProcessCache {
        /// With their arguments.
        with_args: bool,
    },
    /// Everything that comes from the probe, from a new snapshot on.
    Capture,
}

/// A request that waits for the agent.
#[derive(Debug)]
pub enum Request {
    /// Wants the status.
    Status(oneshot::Sender<Json>),
    /// Wants a reload, and to know how it went.
    Reload(oneshot::Sender<Json>),
    /// Wants the configuration.
    Config(oneshot::Sender<Json>),
    /// Wants it to log at the level of this name.
    SetLogLevel(String, oneshot::Sender<Json>),
    /// Wants a self-test, and its result.
    SelfTest(oneshot::Sender<Json>),
    /// Wants the processes, with their arguments or without.
    ProcessCache(bool, oneshot::Sender<Json>),
    /// Wants a copy of the stream.
    Capture(mpsc::Sender<Vec<u8>>),
}

/// Listens on `socket`. A socket that a dead agent left behind is removed; that of a living one is not.
///
/// # Errors
/// If the socket is in use, something else is in its place, or its directory does not admit it.
pub fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    let context = || format!("cannot listen on {}", socket.display());
    match std::fs::symlink_metadata(socket) {
        Ok(metadata) => {
            ensure!(metadata.file_type().is_socket(), "{}: there is something else in its place", context());
            match std::os::unix::net::UnixStream::connect(socket) {
                Ok(_) => bail!("{}: another agent listens on it", context()),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(socket).with_context(context)?;
                }
                Err(error) => return Err(error).with_context(context),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(context),
    }
    let listener = UnixListener::bind(socket).with_context(context)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).with_context(context)?;
    Ok(listener)
}

/// Serves connections until the receiver of the requests is gone.
pub async fn serve(listener: UnixListener, requests: mpsc::Sender<Request>) {
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    while !requests.is_closed() {
        let Ok(slot) = std::sync::Arc::clone(&slots).acquire_owned().await else { return };
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = requests.closed() => return,
        };
        match connection {
            Ok((connection, _)) if is_trusted(&connection) => {
                let requests = requests.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(connection, &requests).await {
                        tracing::debug!(error = format!("{error:#}"), "a request was not answered");
                    }
                    drop(slot);
                });
            }
            Ok(_) => tracing::warn!("refused a request: neither root nor the agent's user"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a request");
                // Out of descriptors, most likely: they come back.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_trusted(connection: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    connection.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn answer(mut connection: UnixStream, requests: &mpsc::Sender<Request>) -> anyhow::Result<()> {
    let (read, mut write) = connection.split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_SIZE_MAX));
    tokio::time::timeout(TIMEOUT, read.read_line(&mut line)).await??;
    let command = match serde_json::from_str(&line) {
        Ok(command) => command,
        Err(error) => return send(&mut write, &json!({ "error": format!("bad request: {error}") })).await,
    };
    match command {
        Command::Status => ask(&mut write, requests, Request::Status).await,
        Command::Reload => ask(&mut write, requests, Request::Reload).await,
        Command::Config => ask(&mut write, requests, Request::Config).await,
        Command::SetLogLevel { level } => {
            ask(&mut write, requests, |answer| Request::SetLogLevel(level, answer)).await
        }
        Command::SelfTest => ask(&mut write, requests, Request::SelfTest).await,
        Command::ProcessCache { with_args } => {
            ask(&mut write, requests, |answer| Request::ProcessCache(with_args, answer)).await
        }
        Command::Capture => {
            let (sender, mut pieces) = mpsc::channel(CAPTURE_QUEUE);
            requests.send(Request::Capture(sender)).await.context("the agent is ending")?;
            send(&mut write, &json!({ "ok": true })).await?;
            loop {
                tokio::select! {
                    piece = pieces.recv() => match piece {
                        Some(piece) => tokio::time::timeout(TIMEOUT, write.write_all(&piece)).await??,
                        None => return Ok(()),
                    },
                    // The other end has nothing more to say: this is its end.
                    end = read.read_line(&mut line) => return end.map(drop).map_err(Into::into),
                }
            }
        }
    }
}

async fn ask(
    write: &mut (impl AsyncWriteExt + Unpin),
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<Json>) -> Request,
) -> anyhow::Result<()> {
    let (sender, answer) = oneshot::channel();
    requests.send(request(sender)).await.context("the agent is ending")?;
    send(write, &answer.await.context("the agent is ending")?).await
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), answer: &Json) -> anyhow::Result<()> {
    let line = format!("{answer}\n");
    tokio::time::timeout(TIMEOUT, write.write_all(line.as_bytes())).await??;
    Ok(())
}

/// Asks the agent that listens on `socket`; gives its answer and the connection, for what may follow.
///
/// # Errors
/// If no agent answers, or it refuses.
pub async fn call(socket: &Path, command: Command) -> anyhow::Result<(Json, BufReader<UnixStream>)> {
    let connect = UnixStream::connect(socket).await;
    let mut connection = connect.with_context(|| format!("no agent answers on {}", socket.display()))?;
    let request = format!("{}\n", serde_json::to_string(&command)?);
    connection.write_all(request.as_bytes()).await.context("cannot ask the agent")?;
    let mut connection = BufReader::new(connection);
    let mut line = Vec::new();
    let mut limited = (&mut connection).take(ANSWER_SIZE_MAX);
    // A reload compiles all rules before it answers.
    tokio::time::timeout(TIMEOUT * 12, limited.read_until(b'\n', &mut line))
        .await
        .context("the agent does not answer")??;
    ensure!(
        !line.is_empty(),
        "the agent closed the connection without an answer: only root and its own user may ask"
    );
    let answer: Json = serde_json::from_slice(&line).context("the agent's answer makes no sense")?;
    if let Some(error) = answer.get("error").and_then(Json::as_str) {
        bail!("the agent refuses: {error}");
    }
    Ok((answer, connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving() -> (tempfile::TempDir, std::path::PathBuf, mpsc::Receiver<Request>) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("command.sock");
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(serve(listen(&socket).unwrap(), sender));
        (directory, socket, receiver)
    }

    #[tokio::test]
    async fn requests_are_answered() {
        let (_directory, socket, mut requests) = serving();
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Status(answer) => answer.send(json!({ "pid": 7 })).unwrap(),
                    Request::SetLogLevel(level, answer) => answer.send(json!([level])).unwrap(),
                    Request::ProcessCache(with_args, answer) => answer.send(json!([with_args])).unwrap(),
                    Request::Reload(answer) | Request::Config(answer) | Request::SelfTest(answer) => {
                        drop(answer)
                    }
                    Request::Capture(pieces) => {
                        pieces.send(b"one".to_vec()).await.unwrap();
                        pieces.send(b"two".to_vec()).await.unwrap();
                    }
                }
            }
        });
        assert_eq!(call(&socket, Command::Status).await.unwrap().0, json!({ "pid": 7 }));
        assert!(call(&socket, Command::Reload).await.is_err());
        let level = Command::SetLogLevel { level: "debug".to_owned() };
        assert_eq!(call(&socket, level).await.unwrap().0, json!(["debug"]));
        let processes = Command::ProcessCache { with_args: true };
        assert_eq!(call(&socket, processes).await.unwrap().0, json!([true]));
        let (_, mut connection) = call(&socket, Command::Capture).await.unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"onetwo");
        let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let (_directory, socket, _requests) = serving();
        let mut connection = UnixStream::connect(&socket).await.unwrap();
        connection.write_all(b"{\"command\": \"dance\"}\n").await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("bad request"), "{answer}");
    }

    #[tokio::test]
    async fn the_socket_of_a_living_agent_is_left_alone_and_that_of_a_dead_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("command.sock");
        let living = listen(&socket).unwrap();
        assert!(listen(&socket).unwrap_err().to_string().contains("another agent listens"));
        drop(living);
        drop(listen(&socket).unwrap());
        let file = directory.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert!(listen(&file).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    }
}
