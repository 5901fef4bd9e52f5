//! Against a runtime that says what a test tells it to, on a real socket.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use proto::v1::container_reply::State;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use super::*;

const ID: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const DIGEST: &str = "sha256:4db6d424bf67f81cc121c3d2ff20b11bcdadc5836c2ce3fadf7358689cc412fe";

/// Answers each request with what `answer` makes of its first line; `None`: never.
struct FakeRuntime {
    directory: tempfile::TempDir,
    requests: Arc<AtomicUsize>,
}

impl FakeRuntime {
    fn start(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (counter, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counter, answer) = (Arc::clone(&counter), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let length = stream.read(&mut request).await.unwrap();
                    let request = String::from_utf8_lossy(&request[..length]).into_owned();
                    counter.fetch_add(1, Ordering::SeqCst);
                    match answer(request.lines().next().unwrap_or_default()) {
                        Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { directory, requests }
    }

    fn containers(&self) -> Containers {
        let socket = self.directory.path().join("socket");
        Containers::new(&[format!("unix://{}", socket.display())], Path::new("/"))
    }
}

fn ok(body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn id() -> ContainerId {
    ContainerId::parse(ID).unwrap()
}

#[tokio::test]
async fn a_container_is_told_with_its_name_and_image_and_asked_for_once() {
    let runtime = FakeRuntime::start(|line| {
        assert!(line.starts_with("GET /containers/json?all=true&filters="), "{line}");
        assert!(line.contains(ID), "{line}");
        ok(&format!(
            r#"[{{"Id": "{ID}", "Names": ["/web"], "Image": "nginx:1.27", "ImageID": "{DIGEST}", "Created": 1700000000}}]"#
        ))
    });
    let containers = runtime.containers();
    for _ in 0..2 {
        let reply = containers.look_up(&id()).await;
        assert_eq!(reply.state(), State::Known, "{reply:?}");
        let info = reply.container.unwrap();
        assert_eq!((info.name.as_str(), info.image.as_str()), ("web", "nginx:1.27"));
        assert_eq!((info.image_id.as_str(), info.created_at_ns), (DIGEST, 1_700_000_000_000_000_000));
    }
    assert_eq!(runtime.requests.load(Ordering::SeqCst), 1);
    let status = containers.runtimes();
    assert!(status[0].available && status[0].answered == 1, "{status:?}");
}

#[tokio::test]
async fn an_image_without_a_name_is_asked_for_one() {
    let runtime = FakeRuntime::start(|line| {
        if line.starts_with(&format!("GET /images/{DIGEST}/json ")) {
            return ok(r#"{"RepoTags": ["example.com/team/app:2", "other:1"]}"#);
        }
        ok(&format!(r#"[{{"Id": "{ID}", "Image": "4db6d424bf67", "ImageID": "{DIGEST}"}}]"#))
    });
    let info = runtime.containers().look_up(&id()).await.container.unwrap();
    assert_eq!(info.image, "example.com/team/app:2");
}

#[tokio::test]
async fn another_container_than_the_asked_one_is_none() {
    let other = "b".repeat(64);
    let runtime = FakeRuntime::start(move |_| ok(&format!(r#"[{{"Id": "{other}", "Names": ["/web"]}}]"#)));
    let reply = runtime.containers().look_up(&id()).await;
    assert_eq!((reply.state(), reply.container), (State::Unknown, None));
}

#[tokio::test]
async fn answers_that_are_none_make_the_runtime_unavailable_with_a_reason() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n[\"{}", "x".repeat(3 << 20));
    for (answer, reason) in [
        ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "500"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "unexpected answer"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "HTTP"),
        ("", "connection closed"),
        (endless.as_str(), "length limit"),
    ] {
        let text = answer.to_owned();
        let runtime = FakeRuntime::start(move |_| Some(text.clone()));
        let reply = runtime.containers().look_up(&id()).await;
        assert_eq!(reply.state(), State::Unavailable, "{reason}");
        assert!(reply.reason.contains(reason), "{reason}: {}", reply.reason);
    }
}

#[tokio::test]
async fn a_runtime_that_hangs_is_left_alone_for_a_while() {
    let runtime = FakeRuntime::start(|_| None);
    let containers = runtime.containers();
    let begin = Instant::now();
    for _ in 0..3 {
        let reply = containers.look_up(&id()).await;
        assert_eq!(reply.state(), State::Unavailable);
        assert!(reply.reason.contains("no answer within 2s"), "{}", reply.reason);
    }
    assert_eq!(runtime.requests.load(Ordering::SeqCst), 1);
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert!(!containers.runtimes()[0].available);
}

#[tokio::test]
async fn without_a_socket_the_reason_names_it() {
    let containers = Containers::new(&["/nonexistent/docker.sock".to_owned()], Path::new("/"));
    assert!(!containers.runtimes()[0].available);
    let reply = containers.look_up(&id()).await;
    assert_eq!(reply.state(), State::Unavailable);
    assert!(reply.reason.contains("/nonexistent/docker.sock"), "{}", reply.reason);
}

#[tokio::test]
async fn one_of_two_runtimes_is_enough() {
    let runtime = FakeRuntime::start(|_| ok(&format!(r#"[{{"Id": "{ID}", "Names": ["web"]}}]"#)));
    let socket = runtime.directory.path().join("socket").display().to_string();
    let containers = Containers::new(&["/nonexistent/docker.sock".to_owned(), socket], Path::new("/"));
    assert_eq!(containers.look_up(&id()).await.state(), State::Known);
}

#[test]
fn below_the_root_of_the_host_the_mounted_socket_comes_first() {
    let sockets = usual_sockets(Path::new("/host/root"));
    let expected = [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/podman/podman.sock",
        "/host/root/run/docker.sock",
        "/host/root/run/podman/podman.sock",
    ];
    assert_eq!(sockets, expected.map(PathBuf::from));
    assert_eq!(usual_sockets(Path::new("/")).len(), 2);
}
