//! Test support: a probe that says what a test tells it to, on a real Unix socket.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use proto::v1::probe_server::{Probe, ProbeServer};
use proto::v1::{
    Batch, ConfigureReply, ConfigureRequest, ContainerReply, ContainerRequest, HelloReply, HelloRequest,
    KillReply, KillRequest, ResyncReply, ResyncRequest, StatusReply, StatusRequest, StreamRequest,
};
use proto::wire::RECORD_LAYOUT_HASH;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status};

/// What the agent asked for, and what each of its streams will send.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// What Hello answers.
    pub(crate) hello: HelloReply,
    /// The kinds of each Configure.
    pub(crate) configured: Vec<Vec<u32>>,
    /// The containers that it knows, by id.
    pub(crate) containers: std::collections::BTreeMap<String, ContainerReply>,
    /// The ids of containers that the agent asked about.
    pub(crate) asked: Vec<String>,
    /// The signals that it asked for, and what is answered by pid; else they are sent.
    pub(crate) killed: Vec<KillRequest>,
    pub(crate) kill_replies: std::collections::BTreeMap<u32, KillReply>,
    /// How many snapshots it asked for within a stream.
    pub(crate) resyncs: u32,
    /// The streams that the agent began; sending on one reaches the agent, dropping it ends the stream.
    pub(crate) streams: Vec<mpsc::Sender<Result<Batch, Status>>>,
}

/// A running probe; stops when dropped.
#[derive(Debug)]
pub(crate) struct TestProbe {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Clone)]
struct Service(Arc<Mutex<Script>>);

impl TestProbe {
    /// Starts one on `socket`, with the layout of this build.
    pub(crate) fn start(socket: &Path) -> Self {
        let hello = HelloReply {
            version: "test".into(),
            layout_hash: RECORD_LAYOUT_HASH,
            boot_id: "boot".into(),
            hostname: "host".into(),
            ..HelloReply::default()
        };
        Self::start_with(socket, Script { hello, ..Script::default() })
    }

    pub(crate) fn start_with(socket: &Path, script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let service = ProbeServer::new(Service(Arc::clone(&script)));
        let server = tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            let serving = server.serve_with_incoming(UnixListenerStream::new(listener));
            tokio::select! {
                result = serving => result.unwrap(),
                _ = stopped => {}
            }
        });
        Self { script, socket: socket.to_owned(), stop: Some(stop), server: Some(server) }
    }

    /// Ends it as a crash would: connections are cut.
    pub(crate) async fn crash(mut self) {
        drop(self.stop.take());
        self.script.lock().unwrap().streams.clear();
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
        std::fs::remove_file(&self.socket).unwrap();
    }

    /// Waits until the agent has begun its `number`th stream (from 1) and gives its sending end.
    pub(crate) async fn stream(&self, number: usize) -> mpsc::Sender<Result<Batch, Status>> {
        loop {
            if let Some(stream) = self.script.lock().unwrap().streams.get(number - 1) {
                return stream.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tonic::async_trait]
impl Probe for Service {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<Batch, Status>> + Send>>;

    async fn hello(&self, _: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(self.0.lock().unwrap().hello.clone()))
    }

    async fn stream(&self, _: Request<StreamRequest>) -> Result<Response<Self::StreamStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        self.0.lock().unwrap().streams.push(sender);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn configure(
        &self,
        request: Request<ConfigureRequest>,
    ) -> Result<Response<ConfigureReply>, Status> {
        self.0.lock().unwrap().configured.push(request.into_inner().kinds);
        Ok(Response::new(ConfigureReply::default()))
    }

    async fn resync(&self, _: Request<ResyncRequest>) -> Result<Response<ResyncReply>, Status> {
        self.0.lock().unwrap().resyncs += 1;
        Ok(Response::new(ResyncReply {}))
    }

    async fn container(
        &self,
        request: Request<ContainerRequest>,
    ) -> Result<Response<ContainerReply>, Status> {
        let id = request.into_inner().id;
        let mut script = self.0.lock().unwrap();
        let reply = script.containers.get(&id).cloned().unwrap_or_default();
        script.asked.push(id);
        Ok(Response::new(reply))
    }

    async fn kill(&self, request: Request<KillRequest>) -> Result<Response<KillReply>, Status> {
        let request = request.into_inner();
        let mut script = self.0.lock().unwrap();
        script.killed.push(request);
        let sent = KillReply { state: proto::v1::kill_reply::State::Sent.into(), ..KillReply::default() };
        Ok(Response::new(script.kill_replies.get(&request.pid).cloned().unwrap_or(sent)))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        Ok(Response::new(StatusReply { version: "test".into(), subscribed: true, ..StatusReply::default() }))
    }
}
