//! Questions that wait for their answer.
//!
//! Whoever can send a datagram to a socket of this machine can send an answer. So names are only learnt from one that was asked
//! for: by the same socket, with the same number and the same question, a moment before, and once. The server's address is not
//! compared: the kernel may have rewritten it between socket and network, in one of the two directions as it is seen here.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use super::dns::{Message, Question};

const SECOND: u64 = 1_000_000_000;
/// How long an answer is waited for: as long as resolvers do.
const PATIENCE: u64 = 30 * SECOND;
/// Questions that wait at a time; beyond this, the oldest is forgotten.
const QUESTIONS_MAX: usize = 4096;

/// A question of a socket. The name is not kept, as it can be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    socket: u64,
    id: u16,
    question: u64,
}

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Asked {
    hasher: RandomState,
    /// Each with its place in the order.
    waiting: HashMap<Key, u64>,
    /// In the order in which they were asked, with that place and the time. One that was answered or asked again stays until its turn.
    order: VecDeque<(Key, u64, u64)>,
    next: u64,
    forgotten: u64,
}

impl Asked {
    /// Questions that were forgotten because too many waited.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets all: sockets are numbered anew.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.order.clear();
    }

    /// The questions of a message have left.
    pub(super) fn ask(&mut self, socket: u64, message: &Message, now_ns: u64) {
        self.forget_old(now_ns);
        for question in &message.questions {
            let key = self.key(socket, message.id, question);
            self.next += 1;
            self.waiting.insert(key, self.next);
            self.order.push_back((key, self.next, now_ns));
            while self.order.len() > QUESTIONS_MAX {
                let was_waiting = self.forget_first();
                self.forgotten += u64::from(was_waiting);
            }
        }
    }

    /// Leaves those questions of an answer that were asked; false if none was.
    pub(super) fn answer(&mut self, socket: u64, message: &mut Message, now_ns: u64) -> bool {
        self.forget_old(now_ns);
        let id = message.id;
        let mut questions = std::mem::take(&mut message.questions);
        questions.retain(|question| self.waiting.remove(&self.key(socket, id, question)).is_some());
        message.questions = questions;
        !message.questions.is_empty()
    }

    fn key(&self, socket: u64, id: u16, question: &Question) -> Key {
        // Servers may repeat a name in other letters.
        let name = question.name.as_bytes().to_ascii_lowercase();
        let question = self.hasher.hash_one((name, question.question_type, question.class));
        Key { socket, id, question }
    }

    fn forget_old(&mut self, now_ns: u64) {
        while self.order.front().is_some_and(|(_, _, asked)| asked.saturating_add(PATIENCE) < now_ns) {
            self.forget_first();
        }
    }

    /// Whether it still waited.
    fn forget_first(&mut self) -> bool {
        let Some((key, place, _)) = self.order.pop_front() else { return false };
        let is_it = self.waiting.get(&key) == Some(&place);
        if is_it {
            self.waiting.remove(&key);
        }
        is_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, names: &[&str]) -> Message {
        let question = |name: &&str| Question { name: (*name).into(), class: 1, question_type: 1 };
        Message { id, questions: names.iter().map(question).collect(), ..Message::default() }
    }

    #[test]
    fn an_answer_counts_once_if_it_was_asked_for() {
        let mut asked = Asked::default();
        asked.ask(1, &message(7, &["a.test"]), 0);
        for (socket, id, name) in [(2, 7, "a.test"), (1, 8, "a.test"), (1, 7, "b.test")] {
            assert!(!asked.answer(socket, &mut message(id, &[name]), 1), "{socket} {id} {name}");
        }
        let mut other_type = message(7, &["a.test"]);
        other_type.questions[0].question_type = 28;
        assert!(!asked.answer(1, &mut other_type, 1));
        assert!(asked.answer(1, &mut message(7, &["A.TEST"]), 1));
        assert!(!asked.answer(1, &mut message(7, &["a.test"]), 1), "only once");
    }

    #[test]
    fn of_several_questions_those_that_were_asked_are_left() {
        let mut asked = Asked::default();
        asked.ask(1, &message(7, &["a.test", "b.test"]), 0);
        let mut answer = message(7, &["b.test", "c.test"]);
        assert!(asked.answer(1, &mut answer, 1));
        assert_eq!(answer, message(7, &["b.test"]));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut asked = Asked::default();
        asked.ask(1, &message(7, &["a.test"]), 0);
        assert!(!asked.answer(1, &mut message(7, &["a.test"]), PATIENCE + 1));
        // Asked again in between: the first time does not end the second.
        asked.ask(1, &message(7, &["a.test"]), 0);
        asked.ask(1, &message(7, &["a.test"]), PATIENCE);
        assert!(asked.answer(1, &mut message(7, &["a.test"]), PATIENCE + 1));
        asked.ask(1, &message(7, &["a.test"]), 2 * PATIENCE);
        asked.clear();
        assert!(!asked.answer(1, &mut message(7, &["a.test"]), 2 * PATIENCE));
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let mut asked = Asked::default();
        for id in 0..u16::try_from(QUESTIONS_MAX + 10).unwrap() {
            asked.ask(1, &message(id, &["a.test"]), 0);
        }
        assert_eq!(
            (asked.waiting.len(), asked.order.len(), asked.forgotten()),
            (QUESTIONS_MAX, QUESTIONS_MAX, 10)
        );
        assert!(!asked.answer(1, &mut message(9, &["a.test"]), 0));
        assert!(asked.answer(1, &mut message(10, &["a.test"]), 0));
    }
}
