//! Accepting connections.

use std::future::Future;
use std::os::unix::net::UnixListener;

use anyhow::Context;
use proto::v1::probe_server::ProbeServer;
use tokio::net::UnixStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::Service;
use crate::socket::PeerPolicy;

/// Requests are small; the largest is a list of event kinds.
const REQUEST_SIZE_MAX: usize = 64 * 1024;
/// Calls at the same time on one connection: a stream, and some commands.
const CALLS_MAX: u32 = 16;

/// Serves whoever `policy` admits until `stop` is done and all calls have ended. Must run in a tokio runtime.
pub(crate) async fn serve(
    service: Service,
    listener: UnixListener,
    policy: PeerPolicy,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener).context("cannot listen on the socket")?;
    let connections = UnixListenerStream::new(listener)
        .filter(move |connection| connection.as_ref().map_or(true, |stream| admits(policy, stream)));
    let service = ProbeServer::new(service).max_decoding_message_size(REQUEST_SIZE_MAX);
    Server::builder()
        .max_concurrent_streams(CALLS_MAX)
        .concurrency_limit_per_connection(CALLS_MAX as usize)
        .add_service(service)
        .serve_with_incoming_shutdown(connections, stop)
        .await
        .context("cannot serve on the socket")
}

/// Whether the process at the other end may connect, by its credentials at the time when it did.
fn admits(policy: PeerPolicy, stream: &UnixStream) -> bool {
    match stream.peer_cred() {
        Ok(peer) if policy.admits(peer.uid()) => true,
        Ok(peer) => {
            tracing::warn!(
                uid = peer.uid(),
                pid = peer.pid(),
                "refused a connection: neither root nor the agent's user"
            );
            false
        }
        Err(error) => {
            tracing::warn!(%error, "refused a connection: its user is unknown");
            false
        }
    }
}
