//! Detaching in the background, because the kernel waits for all CPUs when a perf event on a tracepoint goes: some
//! 70 ms for each.
//!
//! A program can't be attached again where it is still attached: the kernel refuses that (EEXIST). So a link that still
//! waits to be dropped is taken back, and the one that is being dropped is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use libbpf_rs::Link;

use crate::plan::Program;

/// Drops links, each of one program at one hook, on a thread that lives as long as there are any.
#[derive(Debug)]
pub(super) struct Detacher<L = Link>(Arc<Shared<L>>);

#[derive(Debug)]
struct Shared<L> {
    queue: Mutex<Queue<L>>,
    /// One was dropped.
    dropped: Condvar,
}

#[derive(Debug)]
struct Queue<L> {
    waiting: BTreeMap<Program, L>,
    /// The one that is being dropped.
    current: Option<Program>,
    /// There is a thread.
    running: bool,
}

impl<L: Send + 'static> Detacher<L> {
    pub(super) fn new() -> Self {
        let queue = Queue { waiting: BTreeMap::new(), current: None, running: false };
        Self(Arc::new(Shared { queue: Mutex::new(queue), dropped: Condvar::new() }))
    }

    /// Has programs detached.
    pub(super) fn detach(&self, links: impl IntoIterator<Item = (Program, L)>) {
        let mut queue = self.0.lock();
        queue.waiting.extend(links);
        if queue.running || queue.waiting.is_empty() {
            return;
        }
        queue.running = true;
        drop(queue);
        let shared = Arc::clone(&self.0);
        let started = std::thread::Builder::new().name("detach".to_owned()).spawn(move || shared.drop_all());
        if let Err(error) = started {
            tracing::debug!(%error, "no thread to detach on");
            self.0.drop_all();
        }
    }

    /// Waits until all are dropped, but not for ever.
    pub(super) fn wait(&self, limit: Duration) {
        let queue = self.0.lock();
        // Whether it is by then is not asked: what is left goes with the process.
        drop(self.0.dropped.wait_timeout_while(queue, limit, |queue| queue.running));
    }

    /// The link of a program that was to be detached, if that did not happen yet. When this returns none, it is not
    /// attached.
    pub(super) fn take_back(&self, program: &Program) -> Option<L> {
        let mut queue = self.0.lock();
        while queue.current.as_ref() == Some(program) {
            queue = self.0.dropped.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.waiting.remove(program)
    }
}

impl<L> Shared<L> {
    fn lock(&self) -> MutexGuard<'_, Queue<L>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_all(&self) {
        let mut queue = self.lock();
        while let Some((program, link)) = queue.waiting.pop_first() {
            queue.current = Some(program);
            drop(queue);
            drop(link);
            queue = self.lock();
            queue.current = None;
            self.dropped.notify_all();
        }
        queue.running = false;
        self.dropped.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::plan::Hook;

    const PATIENCE: Duration = Duration::from_secs(30);
    const FIRST: Program = Program { name: "a", hook: Hook::Syscall("a") };
    const SECOND: Program = Program { name: "b", hook: Hook::Syscall("b") };

    /// Its drop begins with a word to the test and ends with one from it.
    #[derive(Debug)]
    struct Slow(mpsc::Sender<&'static str>, mpsc::Receiver<()>, &'static str);

    impl Drop for Slow {
        fn drop(&mut self) {
            // A failed test has gone: no reason to panic once more.
            let _ = self.0.send(self.2);
            let _ = self.1.recv_timeout(PATIENCE);
        }
    }

    #[test]
    fn what_waits_is_taken_back_and_what_goes_is_waited_for() {
        let (begun, beginnings) = mpsc::channel();
        let [(end_first, first_end), (end_second, second_end)] = [mpsc::channel(), mpsc::channel()];
        let detacher = Detacher::new();
        let second = Slow(begun.clone(), second_end, "second");
        detacher.detach([(FIRST, Slow(begun, first_end, "first")), (SECOND, second)]);
        assert_eq!(beginnings.recv_timeout(PATIENCE), Ok("first"));

        let second = detacher.take_back(&SECOND).unwrap();
        let ended = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let end = std::time::Instant::now();
            end_first.send(()).unwrap();
            end
        });
        assert!(detacher.take_back(&FIRST).is_none());
        let back = std::time::Instant::now();
        assert!(ended.join().unwrap() <= back, "it came back before the first was dropped");

        detacher.detach([(SECOND, second)]);
        assert_eq!(beginnings.recv_timeout(PATIENCE), Ok("second"), "there is a thread again");
        let begin = std::time::Instant::now();
        detacher.wait(Duration::from_millis(50));
        assert!(begin.elapsed() >= Duration::from_millis(50), "it is still being dropped");
        end_second.send(()).unwrap();
        detacher.wait(PATIENCE);
        assert!(!detacher.0.lock().running);
        assert!(detacher.take_back(&SECOND).is_none());
    }
}
