//! What the queue keeps, drops, counts and numbers.

use proptest::prelude::*;
use proto::wire::RecordBuilder;
use proto::wire::layout::record_header;
use proto::wire::layout::task_context;

use super::*;

/// A record with an empty body.
fn record(kind: Kind) -> Vec<u8> {
    RecordBuilder::new(kind).finish(record_header::default(), &task_context::default(), &[0u8; 0])
}

fn queue(records: usize) -> Queue {
    Queue::new(Limits { records, bytes: 1 << 20, chunk_records: 4 })
}

fn push(queue: &Queue, kind: Kind, count: usize) {
    for _ in 0..count {
        queue.push(kind, &record(kind));
    }
}

fn take(queue: &Queue, ticket: Ticket) -> Option<v1::Batch> {
    match queue.try_take(ticket) {
        Taken::Next(Next::Chunk(chunk)) => Some(chunk.into_batch(0, 0)),
        Taken::Next(Next::Snapshot) | Taken::Nothing | Taken::Ended => None,
    }
}

fn take_all(queue: &Queue, ticket: Ticket) -> Vec<v1::Batch> {
    std::iter::from_fn(|| take(queue, ticket)).collect()
}

fn lost(batch: &v1::Batch) -> Vec<(v1::loss::Reason, u32, u64)> {
    batch.losses.iter().map(|loss| (loss.reason(), loss.kind, loss.count)).collect()
}

use v1::loss::Reason::NoSubscriber;
use v1::loss::Reason::QueueFull;
use v1::loss::Reason::RingFull;

#[test]
fn records_come_out_in_order_in_batches_of_the_right_size() {
    let queue = queue(100);
    let ticket = queue.subscribe();
    let kinds = [Kind::Fork, Kind::Exec, Kind::Exit, Kind::Setuid, Kind::Fork, Kind::Exit];
    for kind in kinds {
        push(&queue, kind, 1);
    }
    let batches = take_all(&queue, ticket);
    assert_eq!(
        batches.iter().map(|batch| (batch.first_sequence, batch.count)).collect::<Vec<_>>(),
        [(0, 4), (4, 2)]
    );
    let bytes: Vec<u8> = batches.iter().flat_map(|batch| batch.records.to_vec()).collect();
    let out: Vec<_> = Records::new(&bytes).map(|record| record.unwrap().kind()).collect();
    assert_eq!(out, kinds);
}

#[test]
fn a_full_queue_drops_and_counts_and_leaves_a_gap_of_that_size() {
    let queue = queue(8);
    let ticket = queue.subscribe();
    push(&queue, Kind::Exec, 11);
    assert_eq!(queue.counters().queued_records, 8);
    push(&queue, Kind::Exec, 3);
    let batches = take_all(&queue, ticket);
    push(&queue, Kind::Exec, 1);
    let after = take(&queue, ticket).unwrap();
    let numbers: Vec<_> = batches.iter().map(|batch| (batch.first_sequence, batch.count)).collect();
    assert_eq!(numbers, [(0, 4), (4, 4), (14, 0)]);
    assert_eq!(lost(&batches[2]), [(QueueFull, Kind::Exec.number(), 6)]);
    assert_eq!((after.first_sequence, lost(&after).len()), (14, 0));
}

#[test]
fn the_last_quarter_is_for_process_lifecycle() {
    let queue = queue(8);
    let _ticket = queue.subscribe();
    push(&queue, Kind::Setuid, 20);
    assert_eq!(queue.counters().queued_records, 6);
    push(&queue, Kind::Exit, 20);
    assert_eq!(queue.counters().queued_records, 8);
    let losses = queue.counters().losses.to_wire();
    assert_eq!(
        losses.iter().map(|loss| (loss.kind, loss.count)).collect::<Vec<_>>(),
        [(Kind::Exit.number(), 18), (Kind::Setuid.number(), 14)]
    );
}

#[test]
fn bytes_are_bounded_as_well() {
    let size = record(Kind::Exec).len();
    let queue = Queue::new(Limits { records: 1000, bytes: 3 * size, chunk_records: 64 });
    let ticket = queue.subscribe();
    push(&queue, Kind::Exec, 10);
    assert_eq!(queue.counters().queued_records, 3);
    take_all(&queue, ticket);
    push(&queue, Kind::Exec, 10);
    assert_eq!(queue.counters().queued_records, 3, "what was taken makes room");
}

#[test]
fn a_batch_stays_below_the_size_of_a_message() {
    let queue = Queue::new(Limits { records: 10_000, bytes: 64 << 20, chunk_records: 10_000 });
    let ticket = queue.subscribe();
    let mut builder = RecordBuilder::new(Kind::Exec);
    let _ = builder.push(&[0; 32_000]);
    let large = builder.finish(record_header::default(), &task_context::default(), &[0u8; 0]);
    for _ in 0..100 {
        queue.push(Kind::Exec, &large);
    }
    let batches = take_all(&queue, ticket);
    assert!(batches.len() > 10 && batches.iter().all(|batch| batch.records.len() <= 256 * 1024));
}

#[test]
fn losses_are_told_even_if_no_record_follows() {
    let queue = queue(8);
    let ticket = queue.subscribe();
    queue.lose(LossReason::RingFull, 2, 7);
    let batch = take(&queue, ticket).unwrap();
    assert_eq!((batch.first_sequence, batch.count), (7, 0));
    assert_eq!(lost(&batch), [(RingFull, 2, 7)]);
    assert!(take(&queue, ticket).is_none());
}

#[test]
fn without_a_subscriber_records_are_counted_and_not_kept() {
    let queue = queue(8);
    push(&queue, Kind::Exec, 5);
    assert_eq!(queue.counters().queued_records, 0);
    assert_eq!(queue.counters().losses.sum(), 5);
    let ticket = queue.subscribe();
    assert!(take(&queue, ticket).is_none(), "what was before the first subscriber is none of its business");
}

#[test]
fn a_subscriber_is_told_what_was_lost_since_the_last_one() {
    let queue = queue(8);
    let first = queue.subscribe();
    push(&queue, Kind::Exec, 5);
    take(&queue, first);
    queue.unsubscribe(first);
    push(&queue, Kind::Exit, 2);
    let second = queue.subscribe();
    push(&queue, Kind::Fork, 1);
    let batch = take(&queue, second).unwrap();
    assert_eq!((batch.first_sequence, batch.count), (3, 1));
    assert_eq!(
        lost(&batch),
        [(NoSubscriber, Kind::Exec.number(), 1), (NoSubscriber, Kind::Exit.number(), 2)]
    );
}

#[test]
fn a_new_subscriber_takes_over() {
    let queue = queue(8);
    let first = queue.subscribe();
    push(&queue, Kind::Exec, 1);
    let second = queue.subscribe();
    assert!(matches!(queue.try_take(first), Taken::Ended));
    queue.unsubscribe(first);
    assert!(queue.counters().subscribed, "the old one can't end the new one");
    assert!(!queue.was_last(second), "it is still there");
    queue.unsubscribe(second);
    assert!(queue.was_last(second) && !queue.was_last(first));
}

#[test]
fn sent_records_are_counted_when_they_go() {
    let queue = queue(8);
    let ticket = queue.subscribe();
    push(&queue, Kind::Exec, 6);
    assert!(queue.counters().sent.is_empty());
    take(&queue, ticket);
    assert_eq!(queue.counters().sent, [v1::KindCount { kind: Kind::Exec.number(), count: 4 }]);
}

#[test]
fn the_end_comes_after_what_is_left() {
    let queue = queue(8);
    let ticket = queue.subscribe();
    push(&queue, Kind::Exec, 1);
    queue.close();
    assert!(matches!(queue.try_take(ticket), Taken::Next(Next::Chunk(_))));
    assert!(matches!(queue.try_take(ticket), Taken::Ended));
}

/// What can happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Push(Kind),
    Lose(u32, u64),
    Take,
    Resubscribe,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::sample::select(Kind::ALL).prop_map(Step::Push),
        1 => (0u32..200, 1u64..5).prop_map(|(kind, count)| Step::Lose(kind, count)),
        3 => Just(Step::Take),
        1 => Just(Step::Resubscribe),
    ]
}

proptest! {
    /// Whatever happens: every record is sent, waits, or is counted as lost, and each gap in the numbers is the
    /// sum of the losses that the batch behind it names.
    #[test]
    fn nothing_goes_missing_unaccounted(steps in prop::collection::vec(step(), 0..300)) {
        let queue = queue(16);
        let mut ticket = queue.subscribe();
        let (mut put_in, mut sent, mut expected) = (0u64, 0u64, 0u64);
        for step in steps {
            match step {
                Step::Push(kind) => {
                    put_in += 1;
                    push(&queue, kind, 1);
                }
                Step::Lose(kind, count) => {
                    put_in += count;
                    queue.lose(LossReason::RingFull, kind, count);
                }
                Step::Take => {
                    if let Some(batch) = take(&queue, ticket) {
                        let named: u64 = batch.losses.iter().map(|loss| loss.count).sum();
                        prop_assert_eq!(batch.first_sequence, expected + named);
                        expected = batch.first_sequence + u64::from(batch.count);
                        sent += u64::from(batch.count);
                        prop_assert_eq!(Records::new(&batch.records).flatten().count() as u64, u64::from(batch.count));
                    }
                }
                Step::Resubscribe => {
                    ticket = queue.subscribe();
                    expected = 0;
                }
            }
        }
        let counters = queue.counters();
        prop_assert_eq!(put_in, sent + counters.queued_records as u64 + counters.losses.sum());
        prop_assert_eq!(sent, counters.sent.iter().map(|kind| kind.count).sum::<u64>());
    }
}

#[test]
fn a_snapshot_that_is_wanted_comes_before_what_waits_and_once() {
    let queue = queue(100);
    queue.want_snapshot();
    let ticket = queue.subscribe();
    assert!(matches!(queue.try_take(ticket), Taken::Nothing), "nobody subscribed when it was wanted");
    push(&queue, Kind::Exec, 1);
    queue.want_snapshot();
    queue.want_snapshot();
    assert!(matches!(queue.try_take(ticket), Taken::Next(Next::Snapshot)));
    assert!(matches!(queue.try_take(ticket), Taken::Next(Next::Chunk(_))));
    assert!(matches!(queue.try_take(ticket), Taken::Nothing));
    queue.want_snapshot();
    let ticket = queue.subscribe();
    assert!(
        matches!(queue.try_take(ticket), Taken::Nothing),
        "the stream of a new subscriber begins with one"
    );
}
