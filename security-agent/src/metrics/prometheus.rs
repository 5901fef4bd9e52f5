//! Metrics for Prometheus: one page over HTTP.

use std::fmt::Write as _;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Kind, Metric};

/// Longest request that is read.
const REQUEST_MAX: usize = 8 << 10;
/// How long a client may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Listens on `address`.
///
/// # Errors
/// If that is no address, or is not to be had.
async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let socket: SocketAddr = address
        .trim()
        .parse()
        .with_context(|| format!("{address}: expected IP:PORT for metrics, such as 127.0.0.1:9464"))?;
    if !socket.ip().is_loopback() {
        tracing::warn!(%socket, "metrics can be read by other machines, without a password");
    }
    TcpListener::bind(socket).await.with_context(|| format!("cannot offer metrics on {address}"))
}

/// Listens on `address` and answers with what `metrics` gives, one client at a time.
///
/// # Errors
/// If it cannot listen.
pub async fn serve<F, R>(address: &str, metrics: F) -> anyhow::Result<SocketAddr>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Option<Vec<Metric>>> + Send,
{
    let listener = listen(address).await?;
    let local = listener.local_addr().context("no address")?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((client, _)) => match tokio::time::timeout(TIMEOUT, answer(client, &metrics)).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => return,
                    Ok(Err(error)) => tracing::debug!(%error, "a client of the metrics went away"),
                    Err(_) => tracing::debug!("a client of the metrics was too slow"),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client of the metrics");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(local)
}

/// False: there are no more metrics, as the agent ends.
async fn answer<F, R>(mut client: TcpStream, metrics: &F) -> std::io::Result<bool>
where
    F: Fn() -> R,
    R: Future<Output = Option<Vec<Metric>>>,
{
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let length = client.read(&mut piece).await?;
        request.extend(&piece[..length]);
        if length == 0 || request.len() > REQUEST_MAX {
            return Ok(true);
        }
    }
    let (status, kind, body) = if request.starts_with(b"GET /metrics ") {
        let Some(metrics) = metrics().await else { return Ok(false) };
        ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page(&metrics))
    } else {
        ("404 Not Found", "text/plain", "only GET /metrics\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await?;
    Ok(true)
}

/// The text that Prometheus reads.
fn page(metrics: &[Metric]) -> String {
    let mut page = String::new();
    let mut last = "";
    let mut sorted: Vec<&Metric> = metrics.iter().collect();
    sorted.sort_by_key(|metric| metric.name);
    for metric in sorted {
        let mut name = metric.name.replace('.', "_");
        let kind = match metric.kind {
            Kind::Counter => {
                name.push_str("_total");
                "counter"
            }
            Kind::Gauge => "gauge",
        };
        if std::mem::replace(&mut last, metric.name) != metric.name {
            // Writing to a string does not fail.
            let _infallible = write!(page, "# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        }
        let labels: Vec<String> =
            metric.tags.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _infallible = writeln!(page, "{name}{labels} {}", metric.value);
    }
    page
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, request: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_page_is_what_prometheus_reads() {
        let status = super::super::tests::status();
        let metrics = move || {
            let metrics = super::super::of_status(&status);
            async move { Some(metrics) }
        };
        let address = serve("127.0.0.1:0", metrics).await.unwrap();
        let answer = get(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        for line in [
            "# TYPE datadog_runtime_security_perf_buffer_events_read_total counter",
            "datadog_runtime_security_perf_buffer_events_read_total{event_type=\"exec\"} 7",
            "datadog_runtime_security_rules_rate_limiter_drop_total{rule_id=\"a\\\"b\"} 2",
            "datadog_security_agent_runtime_running 1",
        ] {
            assert!(page.lines().any(|other| other == line), "{line} is not in\n{page}");
        }
        let types = page.lines().filter(|line| line.starts_with("# TYPE")).count();
        let mut names: Vec<&str> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        names.dedup();
        assert_eq!(names.len(), types, "each name is declared once");
        assert!(get(address, "GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert_eq!(get(address, &"x".repeat(REQUEST_MAX + 1)).await, "");
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        for address in ["9464", "localhost:9464", "127.0.0.1"] {
            assert!(listen(address).await.is_err(), "{address}");
        }
    }
}
