//! What container runtimes tell, as one more input of the pipeline.
//!
//! Whoever feeds the pipeline asks about [`Pipeline::take_wanted_containers`] and hands the answers, or that there is none,
//! to [`Pipeline::container_answered`]. Until then the events of such a container wait, so that rules on its tags see
//! them and signals show them. It is the only thing that can put an event behind a later one of another container. The
//! wait is bounded in time and number; what waits too long is evaluated without.

use model::Event;
use proto::v1::ContainerReply;

use super::Pipeline;
use super::held::Item;
use crate::stream::capture::ContainerAnswer;

impl Pipeline {
    /// Ids of containers to ask about, since the last call.
    pub fn take_wanted_containers(&mut self) -> Vec<String> {
        self.tree.containers_mut().take_wanted()
    }

    /// What a runtime said about a container, or why none did.
    pub fn container_answered(&mut self, id: &str, reply: ContainerReply) {
        self.tree.containers_mut().answered(id, reply);
        if !self.held.is_empty() {
            let released = self.held.take(&id.into());
            released.into_iter().for_each(|item| self.release(item));
        }
    }

    /// Everything that was answered about containers that live: what a capture begins with.
    #[must_use]
    pub fn container_answers(&self) -> Vec<ContainerAnswer> {
        let answers = self.tree.containers().answers();
        answers.map(|(id, reply)| ContainerAnswer::new(id.to_string(), reply.clone())).collect()
    }

    /// Evaluates whatever waits, as it is.
    pub fn release_all(&mut self) {
        for item in self.held.take_all() {
            self.release_early(item);
        }
    }

    pub(super) fn must_wait(&self, event: &Event) -> bool {
        let container = event.process.container.as_ref();
        self.config.retention_ns > 0
            && container.is_some_and(|container| self.tree.containers().is_awaited(&container.id))
    }

    /// Evaluates what has waited too long, or is too much.
    pub(super) fn release_late(&mut self) {
        let oldest = self.time_ns.saturating_sub(self.config.retention_ns);
        while let Some(item) = self.held.take_oldest(oldest) {
            self.release_early(item);
        }
    }

    fn release_early(&mut self, item: Item) {
        if let Some(container) = item.container() {
            self.counters.released_early += 1;
            self.tree.containers_mut().give_up(container);
        }
        self.release(item);
    }

    fn release(&mut self, item: Item) {
        match item {
            Item::Event(event) => self.evaluate_event(&event),
            Item::Ended(key) => self.engine.process_ended(key),
        }
    }
}
