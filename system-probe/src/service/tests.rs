//! The service with a kernel made of lists, over a real socket.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use proto::v1::probe_client::ProbeClient;
use proto::wire::Kind;
use proto::wire::RecordBuilder;
use proto::wire::Records;
use proto::wire::layout::exec_body;
use proto::wire::layout::record_header;
use proto::wire::layout::task_context;
use tokio::sync::oneshot;
use tonic::Code;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

use super::*;
use crate::snapshot::Emit;
use crate::snapshot::Snapshot;
use crate::socket::PeerPolicy;
use crate::socket::Socket;
use crate::stream::Limits;
use crate::stream::LossReason;

const RUNNING: u32 = 150;

fn record(pid: u32) -> Vec<u8> {
    let context = task_context { pid, ..Default::default() };
    RecordBuilder::new(Kind::Exec).finish(record_header::default(), &context, &exec_body::default())
}

/// Processes 0 to `RUNNING`; while it looks at them, process 1000 starts.
#[derive(Debug)]
struct Processes(Arc<Queue>);

impl Snapshot for Processes {
    fn take(&self, emit: &mut Emit<'_>) -> io::Result<()> {
        for pid in 0..RUNNING {
            if pid == RUNNING / 2 {
                self.0.push(Kind::Exec, &record(1000));
                self.0.flush();
            }
            if let ControlFlow::Break(()) = emit(&record(pid)) {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct FakeKernel {
    queue: Arc<Queue>,
    attached: AtomicUsize,
    detached: AtomicUsize,
}

impl Kernel for FakeKernel {
    fn attach(&self) {
        self.attached.fetch_add(1, Ordering::SeqCst);
    }

    fn detach(&self) {
        self.detached.fetch_add(1, Ordering::SeqCst);
    }

    fn configure(&self, request: &v1::ConfigureRequest) -> v1::ConfigureReply {
        let of_kind = |kind: &u32| v1::Degraded { kind: *kind, ..Default::default() };
        let unfiltered = request.filters.iter().map(|filter| of_kind(&filter.kind)).collect();
        v1::ConfigureReply { degraded: request.kinds.iter().map(of_kind).collect(), unfiltered }
    }

    fn filtered(&self) -> Vec<v1::KindCount> {
        vec![v1::KindCount { kind: 32, count: 7 }]
    }

    fn filters(&self) -> Vec<v1::KindCount> {
        Vec::new()
    }

    fn facts(&self) -> Vec<v1::Fact> {
        vec![v1::Fact { name: "btf".into(), ..Default::default() }]
    }

    fn observations(&self) -> Vec<v1::Observation> {
        Vec::new()
    }

    fn ring_bytes(&self) -> u64 {
        4096
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(Processes(Arc::clone(&self.queue)))
    }
}

/// A probe that serves in the background.
struct Fixture {
    kernel: Arc<FakeKernel>,
    queue: Arc<Queue>,
    /// Dropping it stops the server.
    _stop: oneshot::Sender<()>,
    _socket: Socket,
    directory: tempfile::TempDir,
}

impl Fixture {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let queue = Arc::new(Queue::new(Limits { records: 1000, bytes: 8 << 20, chunk_records: 64 }));
        let kernel = Arc::new(FakeKernel {
            queue: Arc::clone(&queue),
            attached: AtomicUsize::new(0),
            detached: AtomicUsize::new(0),
        });
        let limits = BatchLimits { records: 64, delay: Duration::from_millis(2) };
        let grace = Duration::from_millis(100);
        let service = Service::with_grace(
            Arc::clone(&kernel) as Arc<dyn Kernel>,
            Arc::clone(&queue),
            no_containers(),
            Killer::new(false, &[]),
            limits,
            grace,
        );
        let socket = Socket::create(&directory.path().join("socket"), None).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(service, socket.listener().unwrap(), PeerPolicy::new(None), async {
            drop(stopped.await);
        });
        tokio::spawn(async { server.await.unwrap() });
        Self { kernel, queue, _stop: stop, _socket: socket, directory }
    }

    async fn client(&self) -> ProbeClient<Channel> {
        let path = format!("unix://{}", self.directory.path().join("socket").display());
        ProbeClient::new(Endpoint::try_from(path).unwrap().connect().await.unwrap())
    }

    async fn subscribe(&self) -> Streaming<v1::Batch> {
        let request = v1::StreamRequest { layout_hash: RECORD_LAYOUT_HASH };
        self.client().await.stream(request).await.unwrap().into_inner()
    }

    fn live(&self, pid: u32) {
        self.queue.push(Kind::Exec, &record(pid));
        self.queue.flush();
    }
}

fn no_containers() -> Containers {
    Containers::new(&["/nonexistent/docker.sock".to_owned()], std::path::Path::new("/"))
}

fn pids(batch: &v1::Batch) -> Vec<u32> {
    Records::new(&batch.records).map(|record| record.unwrap().context().pid).collect()
}

async fn next(stream: &mut Streaming<v1::Batch>) -> v1::Batch {
    stream.message().await.unwrap().unwrap()
}

/// Reads up to the end of the snapshot.
async fn snapshot(stream: &mut Streaming<v1::Batch>) -> Vec<v1::Batch> {
    let mut batches = vec![next(stream).await];
    while !batches.last().unwrap().snapshot_end {
        batches.push(next(stream).await);
    }
    batches
}

#[tokio::test]
async fn the_snapshot_comes_first_and_then_what_happened_meanwhile() {
    let fixture = Fixture::start();
    let mut stream = fixture.subscribe().await;
    let batches = snapshot(&mut stream).await;
    let all: Vec<u32> = batches.iter().flat_map(pids).collect();
    assert_eq!(all, (0..RUNNING).collect::<Vec<_>>());
    assert_eq!(batches.iter().map(|batch| batch.first_sequence).collect::<Vec<_>>(), [0, 64, 128]);
    assert_eq!(fixture.kernel.attached.load(Ordering::SeqCst), 1, "attached before the snapshot");

    let live = next(&mut stream).await;
    assert_eq!((pids(&live), live.first_sequence), (vec![1000], u64::from(RUNNING)));
    fixture.live(1001);
    let live = next(&mut stream).await;
    assert_eq!((pids(&live), live.first_sequence), (vec![1001], u64::from(RUNNING) + 1));
    assert!(!live.snapshot_end && live.losses.is_empty());
}

#[tokio::test]
async fn losses_travel_with_the_stream_and_leave_a_gap() {
    let fixture = Fixture::start();
    let mut stream = fixture.subscribe().await;
    snapshot(&mut stream).await;
    next(&mut stream).await;
    fixture.queue.lose(LossReason::RingFull, Kind::Fork.number(), 9);
    fixture.live(1001);
    let batch = next(&mut stream).await;
    assert_eq!(batch.first_sequence, u64::from(RUNNING) + 1 + 9);
    assert_eq!(batch.losses.len(), 1);
    assert_eq!((batch.losses[0].kind, batch.losses[0].count), (Kind::Fork.number(), 9));
}

#[tokio::test]
async fn another_snapshot_comes_within_the_stream() {
    let fixture = Fixture::start();
    let mut stream = fixture.subscribe().await;
    let begins: Vec<bool> = snapshot(&mut stream).await.iter().map(|batch| batch.snapshot_begin).collect();
    assert_eq!(begins, [true, false, false]);
    let mut expected = u64::from(RUNNING);
    let live = next(&mut stream).await;
    assert_eq!((pids(&live), live.first_sequence), (vec![1000], expected));
    fixture.queue.lose(LossReason::RingFull, Kind::Fork.number(), 9);
    fixture.client().await.resync(v1::ResyncRequest {}).await.unwrap();
    expected += 1;
    // What was lost may come before it or behind it.
    let mut batches = vec![next(&mut stream).await];
    if !batches[0].snapshot_begin {
        assert_eq!((batches[0].losses.len(), batches[0].count), (1, 0));
        expected += 9;
        batches = vec![next(&mut stream).await];
    }
    while !batches.last().unwrap().snapshot_end {
        batches.push(next(&mut stream).await);
    }
    assert_eq!(batches.iter().flat_map(pids).collect::<Vec<_>>(), (0..RUNNING).collect::<Vec<_>>());
    assert_eq!(
        batches.iter().map(|batch| (batch.snapshot_begin, batch.first_sequence)).collect::<Vec<_>>(),
        [(true, expected), (false, expected + 64), (false, expected + 128)]
    );
    // Process 1000 starts again while the second snapshot looks.
    let live = next(&mut stream).await;
    assert_eq!(pids(&live), [1000]);
    let before: u64 = live.losses.iter().map(|loss| loss.count).sum();
    assert_eq!(live.first_sequence, expected + u64::from(RUNNING) + before);
}

/// Whoever is replaced still gets all that was taken for them; the rest is counted for who takes over.
#[tokio::test]
async fn nothing_is_lost_between_two_subscribers() {
    const RECORDS: u64 = 900;
    let fixture = Fixture::start();
    let mut first = fixture.subscribe().await;
    snapshot(&mut first).await;
    next(&mut first).await;
    let mut builder = RecordBuilder::new(Kind::Exec);
    // More than all buffers on the way take.
    let _padding = builder.push(&[0; 4096]);
    let large = builder.finish(record_header::default(), &task_context::default(), &exec_body::default());
    for _ in 0..RECORDS {
        fixture.queue.push(Kind::Exec, &large);
        fixture.queue.flush();
    }
    // The first does not read: its messages fill the channel, the rest waits in the queue.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = fixture.subscribe().await;
    let mut received = 0;
    while let Ok(Some(batch)) = first.message().await {
        received += u64::from(batch.count);
    }
    snapshot(&mut second).await;
    let live = next(&mut second).await;
    let lost: u64 = live.losses.iter().map(|loss| loss.count).sum();
    assert_eq!(received + lost, RECORDS);
}

#[tokio::test]
async fn a_second_subscriber_takes_over_with_a_snapshot_of_its_own() {
    let fixture = Fixture::start();
    let mut first = fixture.subscribe().await;
    snapshot(&mut first).await;
    let mut second = fixture.subscribe().await;
    let end = loop {
        match first.message().await {
            Ok(batch) => assert!(batch.is_some(), "it ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Aborted);
    assert_eq!(snapshot(&mut second).await.len(), 3);
}

#[tokio::test]
async fn when_the_subscriber_goes_the_kernel_is_left_alone_after_a_while() {
    let fixture = Fixture::start();
    let mut stream = fixture.subscribe().await;
    snapshot(&mut stream).await;
    drop(stream);
    for _ in 0..100 {
        if fixture.kernel.detached.load(Ordering::SeqCst) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fixture.kernel.detached.load(Ordering::SeqCst), 1);
    assert!(!fixture.queue.counters().subscribed);
    let mut stream = fixture.subscribe().await;
    snapshot(&mut stream).await;
    assert_eq!(fixture.kernel.attached.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_restarted_agent_does_not_make_the_kernel_detach() {
    let fixture = Fixture::start();
    drop(fixture.subscribe().await);
    let mut stream = fixture.subscribe().await;
    snapshot(&mut stream).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fixture.kernel.detached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn another_record_layout_is_refused_with_a_reason() {
    let fixture = Fixture::start();
    let mut client = fixture.client().await;
    let hello =
        client.hello(v1::HelloRequest { version: "x".into(), layout_hash: 1 }).await.unwrap().into_inner();
    assert_eq!(hello.layout_hash, RECORD_LAYOUT_HASH);
    let status = client.stream(v1::StreamRequest { layout_hash: 1 }).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("same release"), "{status}");
    assert!(!fixture.queue.counters().subscribed);
}

#[tokio::test]
async fn at_the_end_the_subscriber_gets_what_is_left() {
    let fixture = Fixture::start();
    let mut stream = fixture.subscribe().await;
    snapshot(&mut stream).await;
    next(&mut stream).await;
    fixture.queue.push(Kind::Exec, &record(1001));
    fixture.queue.close();
    assert_eq!(pids(&next(&mut stream).await), [1001]);
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn status_and_configuration_are_answered() {
    let fixture = Fixture::start();
    let mut client = fixture.client().await;
    let reply = client
        .configure(v1::ConfigureRequest { kinds: vec![5, 6], ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.degraded.len(), 2);
    fixture.live(1);
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.facts.len(), status.ring_bytes, status.queue_capacity), (1, 4096, 1000));
    assert!(!status.subscribed && status.resident_bytes > 0);
    assert_eq!(status.losses.len(), 1, "nobody subscribed");
}

#[tokio::test]
async fn only_ids_of_containers_are_looked_up() {
    let fixture = Fixture::start();
    let mut client = fixture.client().await;
    let reply = client.container(v1::ContainerRequest { id: "a".repeat(64) }).await.unwrap().into_inner();
    assert_eq!(reply.state(), v1::container_reply::State::Unavailable);
    let path = v1::ContainerRequest { id: "../images/json".into() };
    assert_eq!(client.container(path).await.unwrap_err().code(), Code::InvalidArgument);
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.container_runtimes[0].socket, "/nonexistent/docker.sock");
}

#[tokio::test]
async fn who_is_not_admitted_gets_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let fixture = Fixture::start();
    let service = Service::new(
        Arc::clone(&fixture.kernel) as Arc<dyn Kernel>,
        Arc::clone(&fixture.queue),
        no_containers(),
        Killer::new(false, &[]),
        BatchLimits { records: 1, delay: Duration::ZERO },
    );
    let socket = Socket::create(&path, None).unwrap();
    let listener = socket.listener().unwrap();
    tokio::spawn(async move {
        serve(service, listener, PeerPolicy::nobody(), std::future::pending()).await.unwrap();
    });
    let endpoint = Endpoint::try_from(format!("unix://{}", path.display())).unwrap();
    let answer = match endpoint.connect().await {
        Ok(channel) => ProbeClient::new(channel).status(v1::StatusRequest {}).await.map(drop),
        Err(_) => return,
    };
    answer.unwrap_err();
}
