//! Processes that have ended, for what is told of them later, such as their traffic: the youngest ones.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{Arguments, Image, Process, Text, TextList};
use rustc_hash::FxHashMap;

use super::memory;
use crate::decode::ProcessKey;

/// Processes that are remembered.
const PROCESSES: usize = 1_024;
/// Bytes of arguments and environment up to which a process keeps them.
const IMAGE_BYTES: usize = 4_096;

/// Nothing is remembered until somebody wants it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) is_wanted: bool,
    order: VecDeque<ProcessKey>,
    processes: FxHashMap<ProcessKey, (Arc<Process>, Text)>,
}

impl Ended {
    pub(super) fn add(&mut self, process: &Arc<Process>, service: &Text) {
        if !self.is_wanted {
            return;
        }
        let key = ProcessKey { pid: process.pid, start_time_ns: process.start_time };
        let mut process = Arc::clone(process);
        if memory::size(&process.image) > IMAGE_BYTES {
            let image = Image {
                arguments: Arguments::default(),
                envp: TextList::EMPTY,
                ..Image::clone(&process.image)
            };
            Arc::make_mut(&mut process).image = Arc::new(image);
        }
        if self.processes.insert(key, (process, service.clone())).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > PROCESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.processes.remove(&oldest);
        }
    }

    pub(super) fn find(&self, key: ProcessKey) -> Option<(Arc<Process>, Text)> {
        self.processes.get(&key).cloned()
    }

    /// Whether anybody wants to know of them from now on.
    pub(super) fn want(&mut self, is_wanted: bool) {
        if !is_wanted {
            *self = Self::default();
        }
        self.is_wanted = is_wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, argument: usize) -> Arc<Process> {
        let argument = "x".repeat(argument);
        let image = Image { envp: TextList::new([argument.as_bytes()]), ..Image::default() };
        Arc::new(Process { pid, start_time: 7, image: Arc::new(image), ..Process::default() })
    }

    fn key(pid: usize) -> ProcessKey {
        ProcessKey { pid: u32::try_from(pid).unwrap(), start_time_ns: 7 }
    }

    #[test]
    fn the_youngest_are_remembered_if_they_are_wanted() {
        let mut ended = Ended::default();
        ended.add(&process(1, 1), &Text::EMPTY);
        assert!(ended.find(key(1)).is_none());
        ended.want(true);
        for pid in 0..=PROCESSES {
            ended.add(&process(u32::try_from(pid).unwrap(), 1), &Text::from("shop"));
        }
        assert!(ended.find(key(0)).is_none());
        let (found, service) = ended.find(key(PROCESSES)).unwrap();
        assert_eq!((found.image.envp.len(), &service), (1, &Text::from("shop")));
        ended.want(false);
        assert!(ended.find(key(PROCESSES)).is_none());
    }

    #[test]
    fn large_arguments_are_not_kept() {
        let mut ended = Ended::default();
        ended.want(true);
        ended.add(&process(1, IMAGE_BYTES + 1), &Text::EMPTY);
        assert_eq!(ended.find(key(1)).unwrap().0.image.envp.len(), 0);
    }
}
