//! One GET request over a Unix socket, bounded in time and length.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Limited;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// Longest time from connecting to the end of the answer. A daemon under load takes tens of milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer, bytes. Labels make it long; a container with a few hundred stays far below.
const ANSWER_SIZE_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Nobody listens, or not for us.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// It took too long.
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    /// It does not speak HTTP.
    #[error(transparent)]
    Protocol(#[from] hyper::Error),
    /// The answer is too long, or broke off.
    #[error("cannot read the answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// It refuses.
    #[error("it answers {0}")]
    Status(StatusCode),
}

/// The body of the answer to `GET target`. `target` must be a valid path with query.
pub(super) async fn get(socket: &Path, target: &str) -> Result<Bytes, HttpError> {
    tokio::time::timeout(TIMEOUT, request(socket, target)).await.unwrap_or(Err(HttpError::Timeout))
}

async fn request(socket: &Path, target: &str) -> Result<Bytes, HttpError> {
    let stream = UnixStream::connect(socket).await.map_err(HttpError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, whatever way that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = target.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::HOST, header::HeaderValue::from_static("localhost"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(HttpError::Status(response.status()));
    }
    let body = Limited::new(response.into_body(), ANSWER_SIZE_MAX).collect().await;
    Ok(body.map_err(HttpError::Body)?.to_bytes())
}
