//! An intake for tests: speaks TLS or not, answers as it is told to, and remembers what it took.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value as Json;
use ureq::tls::{Certificate, RootCerts};

/// A request that came in full.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    /// Content after decompression.
    pub(super) content: Vec<u8>,
    pub(super) accepted: bool,
}

impl Request {
    pub(super) fn entries(&self) -> Vec<Json> {
        serde_json::from_slice(&self.content).unwrap()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Status(u16),
    /// Takes the request and closes the connection without an answer.
    Close,
}

#[derive(Debug)]
struct Inner {
    script: Mutex<VecDeque<Answer>>,
    always: Mutex<Answer>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    /// Does not read while this is set.
    stalled: AtomicBool,
    ended: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    pub(super) certificate: CertificateDer<'static>,
    inner: Arc<Inner>,
}

impl Fake {
    pub(super) fn tls() -> Self {
        Self::start(Some(&[&rustls::version::TLS12, &rustls::version::TLS13]))
    }

    pub(super) fn plain() -> Self {
        Self::start(None)
    }

    pub(super) fn start(versions: Option<&[&'static rustls::SupportedProtocolVersion]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let tls = versions.map(|versions| {
            let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
            Arc::new(config)
        });
        let inner = Arc::new(Inner {
            script: Mutex::default(),
            always: Mutex::new(Answer::Status(202)),
            requests: Mutex::default(),
            connections: AtomicUsize::default(),
            stalled: AtomicBool::default(),
            ended: AtomicBool::default(),
        });
        let thread = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if thread.ended.load(Ordering::SeqCst) {
                    return;
                }
                thread.connections.fetch_add(1, Ordering::SeqCst);
                let (inner, tls) = (Arc::clone(&thread), tls.clone());
                std::thread::spawn(move || {
                    // Whoever goes away in the middle is no concern of the intake's.
                    let _end = match tls {
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            inner.serve(StreamOwned::new(connection, stream))
                        }
                        None => inner.serve(stream),
                    };
                });
            }
        });
        Self { address, certificate, inner }
    }

    pub(super) fn roots(&self) -> RootCerts {
        RootCerts::new_with_certs(&[Certificate::from_der(&self.certificate).to_owned()])
    }

    /// The next answers; then it answers as always.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.script.lock().unwrap().extend(answers);
    }

    pub(super) fn always(&self, answer: Answer) {
        *self.inner.always.lock().unwrap() = answer;
    }

    pub(super) fn stall(&self, stalled: bool) {
        self.inner.stalled.store(stalled, Ordering::SeqCst);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// The messages of all requests that it accepted, as numbers.
    pub(super) fn accepted(&self) -> Vec<u64> {
        let requests = self.requests();
        let entries = requests.iter().filter(|request| request.accepted).flat_map(Request::entries);
        entries.map(|entry| entry["message"].as_str().unwrap().parse().unwrap()).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        self.inner.stalled.store(false, Ordering::SeqCst);
        // Wakes the listener.
        let _woken = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn serve(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            assert!(line.starts_with("POST "), "{line}");
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                let Some((name, value)) = line.trim().split_once(':') else { break };
                let first = headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
                assert_eq!(first, None, "{name} comes twice");
            }
            while self.stalled.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            stream.read_exact(&mut body)?;
            let mut content = body.clone();
            if headers["content-encoding"] == "gzip" {
                content.clear();
                flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut content)?;
            }
            let answer = self.script.lock().unwrap().pop_front();
            let answer = answer.unwrap_or(*self.always.lock().unwrap());
            let accepted = matches!(answer, Answer::Status(200..300));
            self.requests.lock().unwrap().push(Request { path, headers, content, accepted });
            match answer {
                Answer::Status(status) => {
                    let text = format!(
                        "HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 6\r\n\r\nreason"
                    );
                    stream.get_mut().write_all(text.as_bytes())?;
                    stream.get_mut().flush()?;
                }
                Answer::Close => return Ok(()),
            }
        }
    }
}
