//! Asking the probe for signals to processes, beside the stream of records and on a connection of its own.
//!
//! Every order is answered, if only by why nothing came of it: a report waits for that.

use std::path::Path;
use std::time::Duration;

use proto::v1::KillRequest;
use proto::v1::kill_reply::State;
use proto::v1::probe_client::ProbeClient;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::client::{ConnectError, endpoint};
use crate::pipeline::{Done, Order};

/// Orders that wait.
const QUEUE: usize = 1_024;
/// Longest time for one order, whatever the number of its processes.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Orders, and what came of them.
#[derive(Debug)]
pub struct Kills {
    orders: mpsc::Sender<Order>,
    done: mpsc::Receiver<Done>,
}

/// Begins to ask the probe at `socket`, until the value is dropped. Must run in a tokio runtime.
///
/// # Errors
/// If the path of the socket cannot be used in an address.
pub fn spawn(socket: &Path) -> Result<Kills, ConnectError> {
    let mut probe = ProbeClient::new(endpoint(socket)?.connect_lazy());
    let (orders, mut ordered) = mpsc::channel::<Order>(QUEUE);
    let (finished, done) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        // One after the other, in the order of the events.
        while let Some(order) = ordered.recv().await {
            let mut result = Done { id: order.id, ..Done::default() };
            if tokio::time::timeout(TIMEOUT, carry_out(&mut probe, &order, &mut result)).await.is_err() {
                refuse(&mut result, "system-probe does not answer");
            }
            if finished.send(result).await.is_err() {
                return;
            }
        }
    });
    Ok(Kills { orders, done })
}

impl Kills {
    /// Asks for it. If too many wait already, gives what came of it: nothing.
    #[must_use]
    pub fn order(&self, order: Order) -> Option<Done> {
        let refused = self.orders.try_send(order).err()?;
        let mut done = Done { id: refused.into_inner().id, ..Done::default() };
        refuse(&mut done, "too many signals to send");
        Some(done)
    }

    /// What came of the next one.
    pub async fn done(&mut self) -> Option<Done> {
        self.done.recv().await
    }
}

async fn carry_out(probe: &mut ProbeClient<Channel>, order: &Order, result: &mut Done) {
    for target in &order.targets {
        let request = KillRequest {
            pid: target.pid,
            start_time_ns: target.start_time_ns,
            signal: u32::try_from(order.signal).unwrap_or(0),
        };
        match probe.kill(request).await.map(tonic::Response::into_inner) {
            Ok(reply) => match reply.state() {
                State::Sent => result.sent += 1,
                State::Gone => result.gone += 1,
                State::Refused | State::Unspecified => refuse(result, &reply.reason),
            },
            Err(status) => refuse(result, status.message()),
        }
    }
}

/// Notes the first reason.
fn refuse(result: &mut Done, reason: &str) {
    if result.refused.is_empty() {
        reason.clone_into(&mut result.refused);
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::KillReply;

    use super::*;
    use crate::pipeline::Target;
    use crate::test_probe::TestProbe;

    fn order(id: u64, pids: &[u32]) -> Order {
        let targets = pids.iter().map(|pid| Target { pid: *pid, start_time_ns: u64::from(*pid) * 10 });
        Order { id, signal: 9, targets: targets.collect() }
    }

    #[tokio::test]
    async fn every_order_is_answered_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let probe = TestProbe::start(&socket);
        let gone = KillReply { state: State::Gone.into(), ..KillReply::default() };
        let refused = KillReply { state: State::Refused.into(), reason: "no".into() };
        probe.script.lock().unwrap().kill_replies.extend([(8, gone), (9, refused)]);
        let mut kills = spawn(&socket).unwrap();
        assert_eq!(kills.order(order(1, &[7])), None);
        assert_eq!(kills.order(order(2, &[7, 8, 9])), None);
        assert_eq!(kills.done().await.unwrap(), Done { id: 1, sent: 1, ..Done::default() });
        assert_eq!(kills.done().await.unwrap(), Done { id: 2, sent: 1, gone: 1, refused: "no".to_owned() });
        let killed = probe.script.lock().unwrap().killed.clone();
        let request = |pid: u32| KillRequest { pid, start_time_ns: u64::from(pid) * 10, signal: 9 };
        assert_eq!(killed, [request(7), request(7), request(8), request(9)]);
    }

    #[tokio::test]
    async fn without_a_probe_nothing_comes_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut kills = spawn(&directory.path().join("socket")).unwrap();
        assert_eq!(kills.order(order(1, &[7])), None);
        let done = kills.done().await.unwrap();
        assert!(done.sent == 0 && !done.refused.is_empty(), "{done:?}");
    }
}
