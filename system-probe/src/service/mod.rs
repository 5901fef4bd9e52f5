//! The gRPC service on the probe's socket.

mod server;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use proto::v1;
use proto::v1::probe_server::Probe;
use proto::wire::RECORD_LAYOUT_HASH;
use tokio::sync::Mutex;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::Response;
use tonic::Status;

pub(crate) use self::server::serve;
use crate::VERSION;
use crate::containers::ContainerId;
use crate::containers::Containers;
use crate::host;
use crate::kernel::Kernel;
use crate::kill::Killer;
use crate::stream::BatchLimits;
use crate::stream::Queue;
use crate::stream::Subscription;
use crate::stream::Ticket;

/// How long the programs stay attached when the agent goes: long enough for its restart.
const DETACH_GRACE: Duration = Duration::from_secs(60);

/// The service. Cheap to clone: all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Service(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kernel: Arc<dyn Kernel>,
    queue: Arc<Queue>,
    containers: Containers,
    killer: Arc<Killer>,
    limits: BatchLimits,
    started: Instant,
    detach_grace: Duration,
    /// Held while programs are attached or detached, so that the decision to do so stays true.
    attaching: Mutex<()>,
}

impl Service {
    pub(crate) fn new(
        kernel: Arc<dyn Kernel>,
        queue: Arc<Queue>,
        containers: Containers,
        killer: Killer,
        limits: BatchLimits,
    ) -> Self {
        Self::with_grace(kernel, queue, containers, killer, limits, DETACH_GRACE)
    }

    fn with_grace(
        kernel: Arc<dyn Kernel>,
        queue: Arc<Queue>,
        containers: Containers,
        killer: Killer,
        limits: BatchLimits,
        detach_grace: Duration,
    ) -> Self {
        let (started, attaching) = (Instant::now(), Mutex::new(()));
        let killer = Arc::new(killer);
        Self(Arc::new(Shared { kernel, queue, containers, killer, limits, started, detach_grace, attaching }))
    }

    /// Runs something that may block on the kernel, away from the thread that serves.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Kernel) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let kernel = Arc::clone(&self.0.kernel);
        let done = tokio::task::spawn_blocking(move || work(kernel.as_ref()));
        done.await.map_err(|error| Status::internal(error.to_string()))
    }

    async fn attach(&self) -> Result<(), Status> {
        let _attaching = self.0.attaching.lock().await;
        self.blocking(|kernel| kernel.attach()).await
    }

    /// Detaches the programs if nobody subscribes for a while after `ticket`.
    async fn detach_later(&self, ticket: Ticket) -> Result<(), Status> {
        tokio::time::sleep(self.0.detach_grace).await;
        let _attaching = self.0.attaching.lock().await;
        // Who subscribes from here on waits for the lock, and then attaches again.
        if !self.0.queue.was_last(ticket) {
            return Ok(());
        }
        tracing::info!("no subscriber: stopping to watch");
        self.blocking(|kernel| kernel.detach()).await
    }

    async fn run(&self, subscription: Subscription) {
        let ticket = subscription.ticket();
        subscription.run(self.0.kernel.snapshot()).await;
        tracing::info!("subscriber gone");
        if let Err(status) = self.detach_later(ticket).await {
            tracing::error!(%status, "cannot detach");
        }
    }
}

/// Refuses an agent that would misread the records.
fn check_layout(hash: u64) -> Result<(), Status> {
    if hash == RECORD_LAYOUT_HASH {
        return Ok(());
    }
    Err(Status::failed_precondition(format!(
        "record layout {hash:#018x} of the agent is not {RECORD_LAYOUT_HASH:#018x} of system-probe {VERSION}: \
         install both from the same release"
    )))
}

#[tonic::async_trait]
impl Probe for Service {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<v1::Batch, Status>> + Send>>;

    async fn hello(&self, request: Request<v1::HelloRequest>) -> Result<Response<v1::HelloReply>, Status> {
        let request = request.into_inner();
        // Answered even if the layouts differ: the agent can tell its user which versions met.
        if check_layout(request.layout_hash).is_err() {
            tracing::warn!(version = request.version, "the agent has another record layout");
        }
        Ok(Response::new(host::hello()))
    }

    async fn stream(
        &self,
        request: Request<v1::StreamRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        check_layout(request.into_inner().layout_hash)?;
        let (subscription, batches) = Subscription::new(Arc::clone(&self.0.queue), self.0.limits);
        self.attach().await?;
        tracing::info!("subscriber connected");
        let service = self.clone();
        tokio::spawn(async move { service.run(subscription).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(batches))))
    }

    async fn resync(&self, _: Request<v1::ResyncRequest>) -> Result<Response<v1::ResyncReply>, Status> {
        self.0.queue.want_snapshot();
        Ok(Response::new(v1::ResyncReply {}))
    }

    async fn configure(
        &self,
        request: Request<v1::ConfigureRequest>,
    ) -> Result<Response<v1::ConfigureReply>, Status> {
        let request = request.into_inner();
        let _attaching = self.0.attaching.lock().await;
        Ok(Response::new(self.blocking(move |kernel| kernel.configure(&request)).await?))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusReply>, Status> {
        let Shared { kernel, queue, containers, started, .. } = &*self.0;
        // While programs are loaded, this waits for them; the stream must not.
        let (observations, filtered, filters) =
            self.blocking(|kernel| (kernel.observations(), kernel.filtered(), kernel.filters())).await?;
        let counters = queue.counters();
        Ok(Response::new(v1::StatusReply {
            version: VERSION.to_owned(),
            uptime_seconds: started.elapsed().as_secs(),
            facts: kernel.facts(),
            observations,
            losses: counters.losses.to_wire(),
            sent: counters.sent,
            subscribed: counters.subscribed,
            resident_bytes: host::resident_bytes(),
            queued_records: counters.queued_records as u64,
            queue_capacity: queue.limits().records as u64,
            ring_bytes: kernel.ring_bytes(),
            filtered,
            filters,
            container_runtimes: containers.runtimes(),
        }))
    }

    async fn container(
        &self,
        request: Request<v1::ContainerRequest>,
    ) -> Result<Response<v1::ContainerReply>, Status> {
        let id = ContainerId::parse(&request.into_inner().id)
            .ok_or_else(|| Status::invalid_argument("the id of a container is 64 hexadecimal digits"))?;
        Ok(Response::new(self.0.containers.look_up(&id).await))
    }

    async fn kill(&self, request: Request<v1::KillRequest>) -> Result<Response<v1::KillReply>, Status> {
        let (killer, request) = (Arc::clone(&self.0.killer), request.into_inner());
        // It reads /proc, where a process can make its reader wait.
        let done = tokio::task::spawn_blocking(move || killer.kill(&request));
        Ok(Response::new(done.await.map_err(|error| Status::internal(error.to_string()))?))
    }
}

#[cfg(test)]
mod tests;
