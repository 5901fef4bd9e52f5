//! How the tree stays within its memory.
//!
//! Snapshots are immutable and shared, so nothing can be taken out of one in place. Instead two ledgers hold weak
//! references, oldest first: of images with their arguments, and of snapshots that only descendants refer to. What is
//! over the limit, once the dead references are swept away, is decided from the old end, a quarter at once; then one pass
//! over the tree makes the snapshots concerned anew. Between two passes at least that quarter has to be filled again, so
//! the cost per record is small and constant on average.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use model::{Arguments, Image, Lineage, Process, TextList};
use rustc_hash::{FxHashMap, FxHashSet};

use super::ProcessTree;

/// Dead references that may wait in a ledger: each holds on to the empty shell of what it referred to.
const MAX_DEAD: usize = 1_024;

/// Images that have arguments or environment, oldest first.
#[derive(Debug, Default)]
pub(super) struct Images {
    queue: VecDeque<(Weak<Image>, usize)>,
    bytes: usize,
    alive: usize,
}

impl Images {
    /// Notes a new image.
    pub(super) fn add(&mut self, image: &Arc<Image>) {
        let bytes = size(image);
        if bytes > 0 {
            self.queue.push_back((Arc::downgrade(image), bytes));
            self.bytes += bytes;
        }
    }

    /// Bytes of all images that were noted, of which some may be gone.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn sweep(&mut self) {
        self.queue.retain(|(image, _)| image.strong_count() > 0);
        self.bytes = self.queue.iter().map(|(_, bytes)| bytes).sum();
        self.alive = self.queue.len();
    }

    /// Takes out the oldest images, so that the rest has at most three quarters of `limit`; none if all is well.
    fn over(&mut self, limit: usize) -> Vec<Weak<Image>> {
        if self.bytes <= limit && self.queue.len() <= 2 * self.alive + MAX_DEAD {
            return Vec::new();
        }
        self.sweep();
        let mut over = Vec::new();
        if self.bytes > limit {
            while self.bytes > limit / 4 * 3 {
                let Some((image, bytes)) = self.queue.pop_front() else { break };
                self.bytes -= bytes;
                over.push(image);
            }
            self.alive = self.queue.len();
        }
        over
    }
}

/// Bytes that stripping an image would free.
pub(super) fn size(image: &Image) -> usize {
    let list = |list: &TextList| list.joined_from(0).len() + list.len() * size_of::<u32>();
    list(image.arguments.all()) + list(&image.envp)
}

/// Snapshots that no entry holds any more, oldest first.
#[derive(Debug, Default)]
pub(super) struct Retired {
    queue: VecDeque<Weak<Process>>,
}

impl Retired {
    /// Notes a snapshot that its entry is about to let go of, if somebody else still refers to it.
    pub(super) fn add(&mut self, process: &Arc<Process>) {
        if Arc::strong_count(process) > 1 {
            self.queue.push_back(Arc::downgrade(process));
        }
    }

    fn over(&mut self, limit: usize) -> Vec<Weak<Process>> {
        if self.queue.len() <= limit + MAX_DEAD {
            return Vec::new();
        }
        self.queue.retain(|process| process.strong_count() > 0);
        match self.queue.len().checked_sub(limit) {
            None | Some(0) => Vec::new(),
            Some(over) => self.queue.drain(..(over + limit / 4).min(self.queue.len())).collect(),
        }
    }
}

impl ProcessTree {
    /// Forgets the oldest of whatever is too much.
    pub(super) fn stay_within_limits(&mut self) {
        let images = self.images.over(self.limits.image_bytes);
        let retired = self.retired.over(self.limits.retired);
        if !images.is_empty() || !retired.is_empty() {
            self.counters.stripped_images += u64::try_from(images.len()).unwrap_or(u64::MAX);
            self.counters.forgotten_ancestors += u64::try_from(retired.len()).unwrap_or(u64::MAX);
            self.rebuild(&images, &retired);
        }
    }

    /// Makes room for the process `pid`, if it is new, by forgetting processes that did nothing for a long time.
    pub(super) fn make_room(&mut self, pid: u32) {
        if self.entries.len() < self.limits.processes.max(1) || self.entries.contains_key(&pid) {
            return;
        }
        let mut seen: Vec<u64> = self.entries.values().map(|entry| entry.seen_ns).collect();
        let idle = seen.len() / 16;
        let (_, last, _) = seen.select_nth_unstable(idle);
        let last = *last;
        let before = self.entries.len();
        let retired = &mut self.retired;
        self.entries.retain(|_, entry| {
            let keep = entry.seen_ns > last;
            if !keep {
                retired.add(&entry.process);
            }
            keep
        });
        let evicted = before - self.entries.len();
        self.counters.evicted_processes += u64::try_from(evicted).unwrap_or(u64::MAX);
    }

    /// Makes the tree anew without the arguments of `strip` and without the ancestors `forget`.
    fn rebuild(&mut self, strip: &[Weak<Image>], forget: &[Weak<Process>]) {
        // The weak references keep the addresses from being used again during the pass; so do the old snapshots below.
        let mut pass = Pass {
            strip: strip.iter().map(|image| image.as_ptr().addr()).collect(),
            forget: forget.iter().map(|process| process.as_ptr().addr()).collect(),
            images: FxHashMap::default(),
            processes: FxHashMap::default(),
        };
        let mut old = Vec::with_capacity(self.entries.len());
        for entry in self.entries.values_mut() {
            if let Some(process) = pass.renew(&entry.process) {
                old.push(std::mem::replace(&mut entry.process, process));
                if !forget.is_empty() {
                    entry.depth = entry.process.ancestors().count();
                }
            }
        }
    }
}

/// One pass over the tree; what is shared before is shared after.
struct Pass {
    strip: FxHashSet<usize>,
    forget: FxHashSet<usize>,
    images: FxHashMap<usize, Arc<Image>>,
    /// For each snapshot that was visited, what takes its place in a chain.
    processes: FxHashMap<usize, Option<Arc<Process>>>,
}

impl Pass {
    /// What takes the place of `head`. Goes up the chain and then down it again, as it can be long.
    fn renew(&mut self, head: &Arc<Process>) -> Option<Arc<Process>> {
        let mut chain = Vec::new();
        let mut nearest = Some(head);
        let mut below = None;
        while let Some(process) = nearest {
            if let Some(done) = self.processes.get(&address(process)) {
                below.clone_from(done);
                break;
            }
            chain.push(process);
            nearest = process.lineage.nearest();
        }
        for process in chain.into_iter().rev() {
            let renewed = self.renew_one(process, below);
            self.processes.insert(address(process), renewed.clone());
            below = renewed;
        }
        below
    }

    fn renew_one(&mut self, process: &Arc<Process>, above: Option<Arc<Process>>) -> Option<Arc<Process>> {
        if self.forget.contains(&address(process)) {
            return above;
        }
        let is_stripped = self.strip.contains(&address(&process.image));
        let same_lineage = match (process.lineage.nearest(), &above) {
            (None, None) => true,
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            _ => false,
        };
        if same_lineage && !is_stripped {
            return Some(Arc::clone(process));
        }
        let image = if is_stripped { self.stripped(&process.image) } else { Arc::clone(&process.image) };
        Some(Arc::new(Process { image, lineage: Lineage::new(above), ..Process::clone(process) }))
    }

    fn stripped(&mut self, image: &Arc<Image>) -> Arc<Image> {
        let make = || {
            Arc::new(Image {
                arguments: Arguments::default(),
                args_truncated: true,
                envp: TextList::EMPTY,
                envs_truncated: true,
                ..Image::clone(image)
            })
        };
        Arc::clone(self.images.entry(address(image)).or_insert_with(make))
    }
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}
