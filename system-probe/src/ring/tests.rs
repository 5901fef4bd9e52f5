//! The reader with a source made of lists.

use std::collections::VecDeque;

use proto::v1;
use proto::wire::RecordBuilder;
use proto::wire::layout::exit_body;
use proto::wire::layout::record_header;
use proto::wire::layout::task_context;

use super::*;
use crate::stream::Limits;

/// Gives one list per pass.
#[derive(Default)]
struct Lists {
    queue: Option<Arc<Queue>>,
    passes: VecDeque<Vec<Vec<u8>>>,
    lost: Vec<(u32, u64)>,
    skipped: Vec<(u32, u64)>,
}

impl Source for Lists {
    fn poll(&mut self, _: Duration) -> io::Result<usize> {
        let pass = self.passes.pop_front().unwrap_or_default();
        let queue = self.queue.as_ref().unwrap();
        pass.iter().for_each(|record| accept(queue, record));
        Ok(pass.len())
    }

    fn lost(&mut self, kind: u32) -> u64 {
        self.lost.iter().filter(|(lost, _)| *lost == kind).map(|(_, count)| count).sum()
    }

    fn skipped(&mut self) -> Vec<(u32, u64)> {
        std::mem::take(&mut self.skipped)
    }
}

fn record() -> Vec<u8> {
    RecordBuilder::new(Kind::Exit).finish(
        record_header::default(),
        &task_context::default(),
        &exit_body::default(),
    )
}

fn loss(reason: v1::loss::Reason, kind: u32, count: u64) -> v1::Loss {
    v1::Loss { reason: i32::from(reason), kind, count }
}

fn run(mut source: Lists) -> Queue {
    let queue = Arc::new(Queue::new(Limits { records: 100, bytes: 1 << 20, chunk_records: 10 }));
    queue.subscribe();
    source.queue = Some(Arc::clone(&queue));
    let reader = Reader::start(Box::new(source), Arc::clone(&queue)).unwrap();
    reader.stop();
    Arc::into_inner(queue).unwrap()
}

#[test]
fn what_is_in_the_buffer_at_the_stop_is_still_read() {
    let queue = run(Lists { passes: [vec![record(), record()]].into(), ..Lists::default() });
    assert_eq!(queue.counters().queued_records, 2);
}

#[test]
fn bad_records_are_counted_by_kind_and_do_not_stop_the_reader() {
    let mut unknown = record();
    unknown[4..6].copy_from_slice(&99u16.to_ne_bytes());
    let mut short = record()[..152].to_vec();
    short[..4].copy_from_slice(&152u32.to_ne_bytes());
    let queue = run(Lists {
        passes: [vec![unknown, vec![], vec![0; 30], short, record()]].into(),
        ..Lists::default()
    });
    let counters = queue.counters();
    assert_eq!(counters.queued_records, 1);
    let bad = v1::loss::Reason::BadRecord;
    assert_eq!(
        counters.losses.to_wire(),
        [loss(bad, 0, 2), loss(bad, Kind::Exit.number(), 1), loss(bad, 99, 1)]
    );
}

#[test]
fn what_the_kernel_lost_is_counted_once() {
    let lost = vec![(Kind::Fork.number(), 5), (0, 1)];
    let queue = run(Lists { lost, ..Lists::default() });
    let full = v1::loss::Reason::RingFull;
    assert_eq!(queue.counters().losses.to_wire(), [loss(full, 0, 1), loss(full, Kind::Fork.number(), 5)]);
}

#[test]
fn a_record_longer_than_it_says_is_cut() {
    let mut padded = record();
    padded.extend([7; 64]);
    let queue = run(Lists { passes: [vec![padded]].into(), ..Lists::default() });
    assert_eq!(queue.counters().queued_records, 1);
    assert_eq!(queue.counters().losses.sum(), 0);
}
