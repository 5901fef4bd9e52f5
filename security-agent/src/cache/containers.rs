//! Containers by id, and what is known about them.
//!
//! A container is there with the first control group whose path has its id. What its runtime knows is asked for at once,
//! which is before its program runs: the runtime moves a helper of its own into the control group first. All processes of the
//! container, in whatever control group below, share one [`Container`], so that an answer reaches every event that
//! has not been evaluated, and every ancestor.

use std::sync::Arc;

use model::{Container, ContainerCreation, Text};
use proto::v1::ContainerReply;
use proto::v1::container_reply::State as Answered;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::resolve::container_tags;

/// Containers that are remembered. Beyond this, a container has its id only.
const MAX_CONTAINERS: usize = 8_192;
/// Digits of the ids that runtimes are asked about: those that Docker, containerd, CRI-O and Podman make.
const ID_DIGITS: usize = 64;

/// What is known about containers.
#[derive(Debug, Default)]
pub struct Containers {
    entries: FxHashMap<Text, Entry>,
    wanted: Vec<String>,
    /// Containers that were not remembered because there were too many.
    overflowed: u64,
    /// Why the last question was not answered; empty: it was.
    problem: String,
}

#[derive(Debug)]
struct Entry {
    container: Arc<Container>,
    state: State,
    /// When it was seen first, since 1970; counts if no runtime tells better.
    seen_ns: u64,
    /// The answer, for captures that begin later.
    reply: Option<ContainerReply>,
}

/// What is known about one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its runtime is being asked.
    Awaited,
    /// Its runtime told.
    Known,
    /// Its runtime did not tell; it is asked again now and then.
    Unknown,
    /// An id of another form than those that are asked about.
    Other,
}

/// How many containers there are, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Containers that live, or lived until recently.
    pub seen: usize,
    /// Those with name and image.
    pub named: usize,
    /// Those that are being asked about.
    pub awaited: usize,
    /// Containers that were not remembered because there were too many.
    pub overflowed: u64,
    /// Why names are missing; empty: the last question was answered.
    pub problem: String,
}

impl Containers {
    /// The container with this id, in which a process is seen that began then, since 1970.
    pub fn by_id(&mut self, id: &[u8], seen_ns: u64) -> Arc<Container> {
        let text = Text::new(id);
        if let Some(entry) = self.entries.get_mut(&text) {
            // A snapshot is in no order.
            entry.seen_ns = entry.seen_ns.min(seen_ns);
            return Arc::clone(&entry.container);
        }
        let container = Arc::new(Container { id: text, ..Container::default() });
        if self.entries.len() >= MAX_CONTAINERS {
            self.overflowed += 1;
            set_creation(&container, seen_ns);
            return container;
        }
        let state = match text_of(id) {
            Some(id) => {
                self.wanted.push(id);
                State::Awaited
            }
            None => {
                set_creation(&container, seen_ns);
                State::Other
            }
        };
        self.insert(&container, state, seen_ns);
        container
    }

    /// Ids of containers that are to be asked about, since the last call.
    pub fn take_wanted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wanted)
    }

    /// Whether an answer about the container is still to come.
    #[must_use]
    pub fn is_awaited(&self, id: &Text) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.state == State::Awaited)
    }

    /// Waits no longer for the answer about a container. It is still taken when it comes.
    pub fn give_up(&mut self, id: &Text) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.state == State::Awaited
        {
            entry.state = State::Unknown;
            set_creation(&entry.container, entry.seen_ns);
        }
    }

    /// Takes in what a runtime said about the container `id`.
    pub fn answered(&mut self, id: &str, reply: ContainerReply) {
        self.problem.clear();
        if reply.state() == Answered::Unavailable {
            self.problem.clone_from(&reply.reason);
        }
        let text = Text::from(id);
        if !self.entries.contains_key(&text) {
            // In a capture, containers may come before their processes.
            if text_of(id.as_bytes()).is_none() || self.entries.len() >= MAX_CONTAINERS {
                return;
            }
            let container = Arc::new(Container { id: text.clone(), ..Container::default() });
            self.insert(&container, State::Awaited, u64::MAX);
        }
        let Some(entry) = self.entries.get_mut(&text) else { return };
        let told = reply.container.as_ref().filter(|_| reply.state() == Answered::Known);
        entry.state = match told {
            Some(info) => {
                // The first answer stays: a container does not change its image, and what was reported stays true.
                set_creation(&entry.container, info.created_at_ns);
                let _first = entry.container.metadata.set(container_tags::metadata(info));
                entry.reply = Some(reply);
                State::Known
            }
            None if entry.state == State::Known => State::Known,
            None => {
                set_creation(&entry.container, entry.seen_ns);
                State::Unknown
            }
        };
    }

    /// Forgets all but the containers in `living` and those that are being asked about; asks again about those that no
    /// runtime has told about. Gives the ids that are forgotten.
    pub fn retain(&mut self, living: &FxHashSet<Text>) -> Vec<Text> {
        let mut ended = Vec::new();
        self.entries.retain(|id, entry| {
            let keep = entry.state == State::Awaited || living.contains(id);
            if !keep {
                ended.push(id.clone());
            } else if entry.state == State::Unknown && self.wanted.len() < MAX_CONTAINERS {
                // In a replay nobody takes them.
                self.wanted.extend(text_of(id));
            }
            keep
        });
        ended
    }

    /// Everything that was answered, in no order.
    pub fn answers(&self) -> impl Iterator<Item = (&Text, &ContainerReply)> {
        self.entries.iter().filter_map(|(id, entry)| Some((id, entry.reply.as_ref()?)))
    }

    /// How many there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let in_state = |state| self.entries.values().filter(|entry| entry.state == state).count();
        Counts {
            seen: self.entries.len(),
            named: in_state(State::Known),
            awaited: in_state(State::Awaited),
            overflowed: self.overflowed,
            problem: self.problem.clone(),
        }
    }

    fn insert(&mut self, container: &Arc<Container>, state: State, seen_ns: u64) {
        let entry = Entry { container: Arc::clone(container), state, seen_ns, reply: None };
        self.entries.insert(container.id.clone(), entry);
    }
}

/// Says when a container came to be, unless that was said or is not known. What was said first stays, as rules have seen it.
fn set_creation(container: &Container, created_at: u64) {
    if created_at != 0 && created_at != u64::MAX {
        let _first = container.creation.set(ContainerCreation { created_at });
    }
}

/// The id as text, if it is one that runtimes are asked about.
fn text_of(id: &[u8]) -> Option<String> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = id.len() == ID_DIGITS && id.iter().all(is_digit);
    is_id.then(|| String::from_utf8(id.to_vec()).ok())?
}

#[cfg(test)]
mod tests {
    use proto::v1::ContainerInfo;

    use super::*;

    fn id(number: usize) -> String {
        format!("{number:064x}")
    }

    fn known(id: &str, name: &str) -> ContainerReply {
        let container = ContainerInfo { id: id.into(), name: name.into(), ..ContainerInfo::default() };
        ContainerReply { state: Answered::Known.into(), container: Some(container), reason: String::new() }
    }

    fn unavailable() -> ContainerReply {
        ContainerReply { state: Answered::Unavailable.into(), reason: "no socket".into(), container: None }
    }

    fn tags(container: &Container) -> usize {
        container.metadata.get().map_or(0, |metadata| metadata.tags.len())
    }

    #[test]
    fn without_a_runtime_a_container_is_as_old_as_its_first_process() {
        let created = |container: &Container| container.creation.get().map(|creation| creation.created_at);
        let mut containers = Containers::default();
        let container = containers.by_id(id(1).as_bytes(), 9);
        containers.by_id(id(1).as_bytes(), 7);
        assert_eq!(created(&container), None, "the runtime may tell");
        containers.answered(&id(1), unavailable());
        assert_eq!(created(&container), Some(7));
        let of_another_form = containers.by_id(b"0123", 5);
        assert_eq!(created(&of_another_form), Some(5));
        let told = containers.by_id(id(2).as_bytes(), 9);
        let mut reply = known(&id(2), "web");
        reply.container.as_mut().unwrap().created_at_ns = 3;
        containers.answered(&id(2), reply);
        assert_eq!(created(&told), Some(3));
    }

    #[test]
    fn an_answer_reaches_whoever_has_the_container_already() {
        let mut containers = Containers::default();
        let container = containers.by_id(id(1).as_bytes(), 7);
        assert!(Arc::ptr_eq(&container, &containers.by_id(id(1).as_bytes(), 7)));
        assert_eq!(containers.take_wanted(), [id(1)]);
        assert!(containers.is_awaited(&Text::from(id(1))) && tags(&container) == 0);
        containers.answered(&id(1), known(&id(1), "web"));
        assert!(!containers.is_awaited(&Text::from(id(1))) && tags(&container) == 2);
        assert!(containers.take_wanted().is_empty());
        assert_eq!(containers.answers().count(), 1);
    }

    #[test]
    fn what_nobody_told_is_asked_again_and_says_why() {
        let mut containers = Containers::default();
        let container = containers.by_id(id(1).as_bytes(), 7);
        containers.take_wanted();
        containers.answered(&id(1), unavailable());
        assert!(!containers.is_awaited(&Text::from(id(1))), "events do not wait for it any more");
        assert_eq!(containers.counts().problem, "no socket");
        let living = [Text::from(id(1))].into_iter().collect();
        assert!(containers.retain(&living).is_empty());
        assert_eq!(containers.take_wanted(), [id(1)]);
        containers.answered(&id(1), known(&id(1), "web"));
        assert_eq!(tags(&container), 2);
        let expected = Counts { seen: 1, named: 1, ..Counts::default() };
        assert_eq!(containers.counts(), expected);
    }

    #[test]
    fn a_late_refusal_does_not_take_back_an_answer() {
        let mut containers = Containers::default();
        containers.by_id(id(1).as_bytes(), 7);
        containers.answered(&id(1), known(&id(1), "web"));
        containers.answered(&id(1), unavailable());
        assert_eq!(containers.counts().named, 1);
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let mut containers = Containers::default();
        containers.by_id(id(1).as_bytes(), 7);
        containers.by_id(id(2).as_bytes(), 7);
        containers.answered(&id(1), known(&id(1), "web"));
        assert_eq!(containers.retain(&FxHashSet::default()), [Text::from(id(1))], "2 is being asked about");
        containers.give_up(&Text::from(id(2)));
        assert_eq!(containers.retain(&FxHashSet::default()), [Text::from(id(2))]);
        assert_eq!(containers.counts(), Counts::default());
    }

    #[test]
    fn other_ids_are_not_asked_about() {
        let mut containers = Containers::default();
        for other in ["01234567-0123-4567-890a-bcde", &id(10).to_uppercase(), ""] {
            containers.by_id(other.as_bytes(), 7);
            assert!(!containers.is_awaited(&Text::from(other)));
        }
        assert!(containers.take_wanted().is_empty());
    }

    #[test]
    fn their_number_is_bounded() {
        let mut containers = Containers::default();
        for number in 0..MAX_CONTAINERS + 5 {
            assert_eq!(containers.by_id(id(number).as_bytes(), 7).id.as_bytes(), id(number).as_bytes());
            containers.answered(&id(number), known(&id(number), "web"));
        }
        assert_eq!((containers.counts().seen, containers.counts().overflowed), (MAX_CONTAINERS, 5));
    }
}
