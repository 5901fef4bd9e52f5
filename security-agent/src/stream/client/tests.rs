//! The client against a probe on a real socket.

use super::*;
use crate::test_probe::{Script, TestProbe};

struct Session {
    _directory: tempfile::TempDir,
    socket: std::path::PathBuf,
    wanted: watch::Sender<Wanted>,
    incoming: mpsc::Receiver<Incoming>,
}

fn connect_to_nobody() -> Session {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("probe.sock");
    let (wanted, receiver) = watch::channel(Wanted { kinds: vec![5], ..Wanted::default() });
    let incoming = spawn(&socket, receiver).unwrap();
    Session { _directory: directory, socket, wanted, incoming }
}

impl Session {
    /// The next message as text.
    async fn next(&mut self) -> String {
        match tokio::time::timeout(Duration::from_secs(20), self.incoming.recv()).await.unwrap().unwrap() {
            Incoming::Connected(hello) => format!("connected {}", hello.boot_id),
            Incoming::Configured(_) => "degraded".to_owned(),
            Incoming::Batch(batch) => format!("batch {}", batch.first_sequence),
            Incoming::Disconnected(_) => "disconnected".to_owned(),
        }
    }
}

fn batch(first_sequence: u64) -> Result<Batch, tonic::Status> {
    Ok(Batch { first_sequence, ..Batch::default() })
}

#[tokio::test]
async fn a_probe_that_comes_late_goes_and_comes_back_is_followed() {
    let mut session = connect_to_nobody();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let probe = TestProbe::start(&session.socket);
    assert_eq!(session.next().await, "connected boot");
    assert_eq!(session.next().await, "degraded");
    probe.stream(1).await.send(batch(0)).await.unwrap();
    assert_eq!(session.next().await, "batch 0");
    assert_eq!(probe.script.lock().unwrap().configured, [[5]]);

    probe.crash().await;
    assert_eq!(session.next().await, "disconnected");
    let probe = TestProbe::start(&session.socket);
    assert_eq!(session.next().await, "connected boot");
    assert_eq!(session.next().await, "degraded");
    probe.stream(1).await.send(batch(3)).await.unwrap();
    assert_eq!(session.next().await, "batch 3");
}

#[tokio::test]
async fn changed_rules_are_told_and_a_snapshot_is_asked_for_within_the_stream() {
    let mut session = connect_to_nobody();
    let probe = TestProbe::start(&session.socket);
    assert_eq!(session.next().await, "connected boot");
    assert_eq!(session.next().await, "degraded");
    session.wanted.send_modify(|wanted| wanted.kinds = vec![5, 7]);
    assert_eq!(session.next().await, "degraded");
    assert_eq!(probe.script.lock().unwrap().resyncs, 0);
    session.wanted.send_modify(|wanted| wanted.resync += 1);
    session.wanted.send_modify(|wanted| wanted.kinds = vec![5]);
    assert_eq!(session.next().await, "degraded");
    // Records go on in the stream that there is.
    probe.stream(1).await.send(batch(0)).await.unwrap();
    assert_eq!(session.next().await, "batch 0");
    let script = probe.script.lock().unwrap();
    assert_eq!(script.configured, [vec![5], vec![5, 7], vec![5]]);
    assert_eq!((script.resyncs, script.streams.len()), (1, 1));
}

#[tokio::test]
async fn a_probe_of_another_build_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("probe.sock");
    let hello = HelloReply { version: "9.9".into(), layout_hash: 1, ..HelloReply::default() };
    let _probe = TestProbe::start_with(&socket, Script { hello, ..Script::default() });
    let (_keep, wanted) = watch::channel(Wanted::default());
    let (sender, _receiver) = mpsc::channel(1);
    let mut client = Client { endpoint: endpoint(&socket).unwrap(), socket: String::new(), wanted, sender };
    let error = client.begin().await.err().unwrap().to_string();
    assert!(error.contains("system-probe 9.9 has record layout 0x0000000000000001"), "{error}");
    assert!(error.contains("install both from the same release"), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_socket_and_the_cause() {
    let error = status(Path::new("/nonexistent/probe.sock")).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot connect to system-probe at /nonexistent/probe.sock: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn the_task_ends_when_nobody_listens() {
    let Session { incoming, wanted, .. } = connect_to_nobody();
    drop(incoming);
    tokio::time::timeout(Duration::from_secs(5), wanted.closed()).await.unwrap();
}

/// An agent that is behind still gets answers: what waits in the stream does not fill the connection.
#[tokio::test]
async fn calls_are_answered_while_the_stream_waits_to_be_read() {
    let mut session = connect_to_nobody();
    let probe = TestProbe::start(&session.socket);
    assert_eq!(session.next().await, "connected boot");
    assert_eq!(session.next().await, "degraded");
    let stream = probe.stream(1).await;
    let full = vec![0; 200 << 10];
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            let batch = Batch { first_sequence: number, records: full.clone().into(), ..Batch::default() };
            stream.send(Ok(batch)).await.unwrap();
        }
        stream
    });
    // Nobody takes the batches: all buffers between here and there fill up.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sending.is_finished(), "all that was sent fits into the buffers");
    session.wanted.send_modify(|wanted| wanted.resync += 1);
    session.wanted.send_modify(|wanted| wanted.kinds = vec![9]);
    let mut seen = Vec::new();
    while !seen.iter().any(|message| message == "degraded") {
        seen.push(session.next().await);
    }
    let script = probe.script.lock().unwrap();
    assert_eq!((script.resyncs, script.configured.last()), (1, Some(&vec![9])));
}
