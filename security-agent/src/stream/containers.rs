//! Asking the probe about containers, beside the stream of records and on a connection of its own.
//!
//! Every question has an answer, if only that there is none: events wait for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::container_reply::State;
use proto::v1::probe_client::ProbeClient;
use proto::v1::{ContainerReply, ContainerRequest};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::capture::ContainerAnswer;
use super::client::{ConnectError, endpoint};
use crate::resolve::kubelet::Kubelet;

/// Questions that wait: the containers of a large node, all at the start.
const QUEUE: usize = 8_192;
/// Answers that wait for the rules.
const ANSWERS: usize = 64;
/// Questions to the probe at the same time; more where most of them wait for the kubelet.
const CONCURRENT: usize = 8;
const CONCURRENT_PODS: usize = 256;
/// Longest time for an answer. The probe gives a runtime two seconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Questions about containers, and their answers.
#[derive(Debug)]
pub struct Lookups {
    questions: mpsc::Sender<String>,
    answers: mpsc::Receiver<ContainerAnswer>,
}

/// Begins to ask the probe at `socket`, and the kubelet if there is one, until the value is dropped. Must run in a tokio
/// runtime.
///
/// # Errors
/// If the path of the socket cannot be used in an address.
pub fn spawn(socket: &Path, kubelet: Option<Kubelet>) -> Result<Lookups, ConnectError> {
    let probe = ProbeClient::new(endpoint(socket)?.connect_lazy());
    let (questions, asked) = mpsc::channel(QUEUE);
    let (answered, answers) = mpsc::channel(ANSWERS);
    tokio::spawn(run(Sources { probe, kubelet: kubelet.map(Arc::new) }, asked, answered));
    Ok(Lookups { questions, answers })
}

impl Lookups {
    /// Asks about a container. If too many questions wait already, gives the answer that there is none.
    #[must_use]
    pub fn ask(&self, id: String) -> Option<ContainerAnswer> {
        let refused = self.questions.try_send(id).err()?;
        Some(no_answer(refused.into_inner(), "too many new containers"))
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Option<ContainerAnswer> {
        self.answers.recv().await
    }
}

/// Who can be asked.
#[derive(Debug, Clone)]
struct Sources {
    probe: ProbeClient<Channel>,
    kubelet: Option<Arc<Kubelet>>,
}

async fn run(
    sources: Sources,
    mut questions: mpsc::Receiver<String>,
    answers: mpsc::Sender<ContainerAnswer>,
) {
    let mut asking = JoinSet::new();
    let concurrent = if sources.kubelet.is_some() { CONCURRENT_PODS } else { CONCURRENT };
    loop {
        let answer = tokio::select! {
            question = questions.recv(), if asking.len() < concurrent => {
                let Some(id) = question else { return };
                asking.spawn(ask(sources.clone(), id));
                continue;
            }
            Some(answer) = asking.join_next() => answer,
        };
        if let Ok(answer) = answer
            && answers.send(answer).await.is_err()
        {
            return;
        }
    }
}

/// A container of a pod is known to the kubelet, and what else the host has to the runtimes that the probe asks.
async fn ask(sources: Sources, id: String) -> ContainerAnswer {
    let Sources { probe, kubelet } = sources;
    let of_probe = ask_probe(probe, id.clone()).await;
    let Some(kubelet) = kubelet else { return of_probe };
    let told = of_probe.reply.as_ref().filter(|reply| reply.state() == State::Known);
    // Docker's own labels say of which pod a container is; the rest need not be waited for.
    if told.is_some() {
        return of_probe;
    }
    match kubelet.container(&id).await {
        Some(info) => {
            let reply = ContainerReply {
                state: State::Known.into(),
                container: Some(info),
                ..ContainerReply::default()
            };
            ContainerAnswer::new(id, reply)
        }
        None => of_probe,
    }
}

async fn ask_probe(mut probe: ProbeClient<Channel>, id: String) -> ContainerAnswer {
    let request = ContainerRequest { id: id.clone() };
    match tokio::time::timeout(TIMEOUT, probe.container(request)).await {
        Ok(Ok(reply)) => ContainerAnswer::new(id, reply.into_inner()),
        Ok(Err(status)) => no_answer(id, status.message()),
        Err(_) => no_answer(id, "system-probe does not answer"),
    }
}

fn no_answer(id: String, reason: &str) -> ContainerAnswer {
    let reply =
        ContainerReply { state: State::Unavailable.into(), container: None, reason: reason.to_owned() };
    ContainerAnswer::new(id, reply)
}

#[cfg(test)]
mod tests {
    use proto::v1::ContainerInfo;

    use super::*;
    use crate::test_probe::TestProbe;

    #[tokio::test]
    async fn every_question_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let probe = TestProbe::start(&socket);
        let info = ContainerInfo { name: "web".into(), ..ContainerInfo::default() };
        let known =
            ContainerReply { state: State::Known.into(), container: Some(info), ..ContainerReply::default() };
        probe.script.lock().unwrap().containers.insert("7".into(), known.clone());
        let mut lookups = spawn(&socket, None).unwrap();
        for number in 0..100 {
            assert_eq!(lookups.ask(number.to_string()), None);
        }
        let mut named = 0;
        for _ in 0..100 {
            let answer = lookups.answer().await.unwrap();
            assert_eq!(answer.reply.as_ref() == Some(&known), answer.id == "7");
            named += u32::from(answer.id == "7");
        }
        assert_eq!((named, probe.script.lock().unwrap().asked.len()), (1, 100));
    }

    #[tokio::test]
    async fn without_a_probe_the_answer_is_that_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let mut lookups = spawn(&directory.path().join("socket"), None).unwrap();
        assert_eq!(lookups.ask("7".into()), None);
        let reply = lookups.answer().await.unwrap().reply.unwrap();
        assert_eq!(reply.state(), State::Unavailable);
        assert!(!reply.reason.is_empty());
    }
}
