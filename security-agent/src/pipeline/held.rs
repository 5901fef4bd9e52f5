//! Events that wait for the name and image of their container.

use std::collections::VecDeque;

use engine::variables::ProcessKey;
use model::{Event, Text};

/// Events that wait at most. Beyond this, the oldest are evaluated as they are.
const MAX_ITEMS: usize = 4_096;

/// Something that has to wait, or to come after something that waits.
#[derive(Debug)]
pub(super) enum Item {
    /// An event.
    Event(Box<Event>),
    /// A process has ended: its variables go when its events have been evaluated.
    Ended(ProcessKey),
}

impl Item {
    /// The container that is waited for.
    pub(super) fn container(&self) -> Option<&Text> {
        match self {
            Self::Event(event) => event.process.container.as_ref().map(|container| &container.id),
            Self::Ended(_) => None,
        }
    }

    fn time_ns(&self) -> u64 {
        match self {
            Self::Event(event) => event.context.boot_time,
            Self::Ended(_) => 0,
        }
    }
}

/// What waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<Item>);

impl Held {
    pub(super) fn push(&mut self, item: Item) {
        self.0.push_back(item);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what waits for this container, and what came after it and does not wait itself.
    pub(super) fn take(&mut self, container: &Text) -> VecDeque<Item> {
        let all = std::mem::take(&mut self.0).into_iter();
        let (mut taken, left): (VecDeque<Item>, VecDeque<Item>) =
            all.partition(|item| item.container() == Some(container));
        self.0 = left;
        while matches!(self.0.front(), Some(Item::Ended(_))) {
            taken.extend(self.0.pop_front());
        }
        taken
    }

    /// Takes out the oldest if it is from before `time_ns` or if too many wait.
    pub(super) fn take_oldest(&mut self, time_ns: u64) -> Option<Item> {
        let is_late = self.0.front()?.time_ns() < time_ns;
        if is_late || self.0.len() > MAX_ITEMS { self.0.pop_front() } else { None }
    }

    /// Takes out everything.
    pub(super) fn take_all(&mut self) -> VecDeque<Item> {
        std::mem::take(&mut self.0)
    }
}
