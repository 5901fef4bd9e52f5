//! The connection to system-probe: made, kept, and made again.
//!
//! A task of its own talks to the probe and hands on what it receives through a short channel. When the agent is slower
//! than the kernel the channel fills up, the probe's queue behind it fills up, and the probe counts what it has to drop:
//! losses are counted in one place.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use proto::v1::probe_client::ProbeClient;
use proto::v1::{
    Batch, ConfigureReply, ConfigureRequest, Filter, HelloReply, HelloRequest, ResyncRequest, StatusReply,
    StatusRequest, StreamRequest,
};
use proto::wire::RECORD_LAYOUT_HASH;
use tokio::sync::{mpsc, watch};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};

use super::Backoff;

/// Version told to the probe and in reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Batches between the connection and the rules. Few: records wait better in the probe, where they are counted.
const CHANNEL_BATCHES: usize = 4;
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Pause after a refusal that lasts until somebody installs the right version.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// Longest that the probe may take to answer. Loading and attaching programs takes seconds on slow or busy machines.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// A message has at most 256 KiB of records, or one record, and a little more.
const MESSAGE_SIZE_MAX: usize = 4 << 20;
/// What the probe may send ahead of the agent's reading, bytes.
const WINDOW: u32 = 256 << 10;
/// The same for all that goes through the connection: answers must get through beside a stream that waits to be read.
const CONNECTION_WINDOW: u32 = 2 * WINDOW;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The path of the socket cannot be used in an address.
    #[error("the path of the socket is not UTF-8: {0}")]
    Path(String),
    /// Nobody listens, or not for us.
    #[error("cannot connect to system-probe at {socket}: {reason}")]
    Unreachable {
        /// The socket.
        socket: String,
        /// The innermost cause.
        reason: String,
    },
    /// The two processes are of different builds.
    #[error(
        "system-probe {probe} has record layout {theirs:#018x}, security-agent {VERSION} has {RECORD_LAYOUT_HASH:#018x}: \
         install both from the same release"
    )]
    Layout {
        /// Version of the probe.
        probe: String,
        /// Its layout hash.
        theirs: u64,
    },
    /// The probe refused or failed.
    #[error("system-probe: {}", .0.message())]
    Probe(#[from] tonic::Status),
    /// The probe did not answer.
    #[error("system-probe did not answer within {CALL_TIMEOUT:?}")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// What comes from the probe.
#[derive(Debug)]
pub enum Incoming {
    /// A stream begins: its snapshot comes next.
    Connected(HelloReply),
    /// What the probe cannot watch for the kinds that are wanted, and which it cannot filter.
    Configured(ConfigureReply),
    /// Records.
    Batch(Batch),
    /// The stream has ended; another attempt follows by itself.
    Disconnected(String),
}

/// What the agent wants from the probe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// `KIND_*` that rules need.
    pub kinds: Vec<u32>,
    /// What of these rules may match.
    pub filters: Vec<Filter>,
    /// A change of this number asks for another snapshot, which repairs what losses have broken.
    pub resync: u64,
}

/// Connects to the probe at `socket` and keeps doing so until the receiver is dropped.
pub fn spawn(
    socket: &Path,
    wanted: watch::Receiver<Wanted>,
) -> Result<mpsc::Receiver<Incoming>, ConnectError> {
    let endpoint = endpoint(socket)?;
    let socket = socket.display().to_string();
    let (sender, receiver) = mpsc::channel(CHANNEL_BATCHES);
    tokio::spawn(Client { endpoint, socket, wanted, sender }.run());
    Ok(receiver)
}

/// Asks the probe at `socket` how it is.
///
/// # Errors
/// If it cannot be reached or refuses.
pub async fn status(socket: &Path) -> Result<StatusReply, ConnectError> {
    let mut probe = connect(&endpoint(socket)?, &socket.display().to_string()).await?;
    let reply = tokio::time::timeout(CALL_TIMEOUT, probe.status(StatusRequest {})).await??;
    Ok(reply.into_inner())
}

pub(super) fn endpoint(socket: &Path) -> Result<Endpoint, ConnectError> {
    let bad = || ConnectError::Path(socket.display().to_string());
    let path = socket.to_str().ok_or_else(bad)?;
    let endpoint = Endpoint::from_shared(format!("unix://{path}")).map_err(|_| bad())?;
    Ok(endpoint
        .connect_timeout(CALL_TIMEOUT)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW))
}

async fn connect(endpoint: &Endpoint, socket: &str) -> Result<ProbeClient<Channel>, ConnectError> {
    let channel = endpoint.connect().await.map_err(|error| ConnectError::Unreachable {
        socket: socket.to_owned(),
        reason: innermost(&error),
    })?;
    Ok(ProbeClient::new(channel).max_decoding_message_size(MESSAGE_SIZE_MAX))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The task that talks to the probe.
struct Client {
    endpoint: Endpoint,
    socket: String,
    wanted: watch::Receiver<Wanted>,
    sender: mpsc::Sender<Incoming>,
}

/// How a stream ended.
enum End {
    /// The agent is ending: nobody listens any more.
    Closed,
    /// The probe has gone.
    Gone(String),
}

impl Client {
    async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut last_error = String::new();
        loop {
            let error = match self.begin().await {
                Ok((probe, records)) => {
                    backoff.reset();
                    last_error.clear();
                    match self.follow(probe, records).await {
                        End::Closed => return,
                        End::Gone(reason) => {
                            tracing::warn!(reason, "lost the connection to system-probe");
                            if self.sender.send(Incoming::Disconnected(reason)).await.is_err() {
                                return;
                            }
                            None
                        }
                    }
                }
                Err(error) => Some(error),
            };
            let mut pause = backoff.pause();
            if let Some(error) = error {
                let message = error.to_string();
                // Told once per reason: the probe may be away for days.
                if message != last_error {
                    tracing::warn!("{message}; trying again");
                    last_error = message;
                }
                let is_refusal = match &error {
                    ConnectError::Layout { .. } => true,
                    ConnectError::Probe(status) => status.code() == Code::FailedPrecondition,
                    _ => false,
                };
                if is_refusal {
                    pause = REFUSED_PAUSE;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.sender.closed() => return,
            }
        }
    }

    /// Says hello, tells what is wanted and begins a stream.
    async fn begin(&mut self) -> Result<(ProbeClient<Channel>, Streaming<Batch>), ConnectError> {
        let mut probe = connect(&self.endpoint, &self.socket).await?;
        let request = HelloRequest { version: VERSION.to_owned(), layout_hash: RECORD_LAYOUT_HASH };
        let hello = tokio::time::timeout(CALL_TIMEOUT, probe.hello(request)).await??.into_inner();
        if hello.layout_hash != RECORD_LAYOUT_HASH {
            return Err(ConnectError::Layout { probe: hello.version, theirs: hello.layout_hash });
        }
        let wanted = self.wanted.borrow_and_update().clone();
        let configured = configure(&mut probe, wanted).await?;
        let request = StreamRequest { layout_hash: RECORD_LAYOUT_HASH };
        let records = tokio::time::timeout(CALL_TIMEOUT, probe.stream(request)).await??.into_inner();
        tracing::info!(version = hello.version, kernel = hello.kernel_release, "connected to system-probe");
        // A closed channel is noticed when the first batch is handed on.
        let _closed = self.sender.send(Incoming::Connected(hello)).await;
        let _closed = self.sender.send(Incoming::Configured(configured)).await;
        Ok((probe, records))
    }

    /// Hands on batches until the stream ends; passes changed wishes to the probe. It goes on reading while the probe
    /// works on one: attaching programs can take seconds.
    async fn follow(&mut self, probe: ProbeClient<Channel>, mut records: Streaming<Batch>) -> End {
        let mut told = self.wanted.borrow().clone();
        let mut call: Option<Call> = None;
        loop {
            // One call at a time, so that the last wish is the one that counts.
            let is_idle = call.is_none();
            let answer = async {
                match &mut call {
                    Some(call) => call.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = records.message() => match message {
                    Ok(Some(batch)) => {
                        if self.sender.send(Incoming::Batch(batch)).await.is_err() {
                            return End::Closed;
                        }
                    }
                    Ok(None) => return End::Gone("system-probe ended the stream".to_owned()),
                    Err(status) => return End::Gone(status.message().to_owned()),
                },
                answer = answer => {
                    call = None;
                    match answer {
                        Ok(None) => {}
                        Ok(Some(configured)) => {
                            if self.sender.send(Incoming::Configured(configured)).await.is_err() {
                                return End::Closed;
                            }
                        }
                        Err(error) => return End::Gone(error.to_string()),
                    }
                }
                changed = self.wanted.changed(), if is_idle => {
                    if changed.is_err() {
                        return End::Closed;
                    }
                    let wanted = self.wanted.borrow_and_update().clone();
                    let before = std::mem::replace(&mut told, wanted.clone());
                    call = Some(Box::pin(tell(probe.clone(), before, wanted)));
                }
            }
        }
    }
}

/// A call that the probe has not answered yet.
type Call = Pin<Box<dyn Future<Output = Result<Option<ConfigureReply>, ConnectError>> + Send>>;

/// Tells the probe what of `wanted` differs from what it was `told` before.
async fn tell(
    mut probe: ProbeClient<Channel>,
    told: Wanted,
    wanted: Wanted,
) -> Result<Option<ConfigureReply>, ConnectError> {
    if wanted.resync != told.resync {
        tokio::time::timeout(CALL_TIMEOUT, probe.resync(ResyncRequest {})).await??;
    }
    if (&wanted.kinds, &wanted.filters) == (&told.kinds, &told.filters) {
        return Ok(None);
    }
    configure(&mut probe, wanted).await.map(Some)
}

async fn configure(probe: &mut ProbeClient<Channel>, wanted: Wanted) -> Result<ConfigureReply, ConnectError> {
    let request = ConfigureRequest { kinds: wanted.kinds, filters: wanted.filters };
    let reply = tokio::time::timeout(CALL_TIMEOUT, probe.configure(request)).await??;
    Ok(reply.into_inner())
}

#[cfg(test)]
mod tests;
