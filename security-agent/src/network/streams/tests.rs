//! Streams from segments in every order.

use proptest::prelude::*;

use super::*;

const KEY: StreamKey = StreamKey { socket: 1, direction: 2 };

fn segment(sequence: u32, bytes: &[u8]) -> Segment<'_> {
    Segment { sequence, flags: 0, bytes, length: u32::try_from(bytes.len()).unwrap() }
}

/// What can be read after each segment, all taken.
fn read(streams: &mut Streams<()>, segment: Segment<'_>) -> Vec<u8> {
    let Some(stream) = streams.add(KEY, segment) else { return Vec::new() };
    let bytes = stream.bytes().to_vec();
    stream.take(bytes.len());
    streams.finish(KEY);
    bytes
}

fn begin(streams: &mut Streams<()>, sequence: u32) {
    read(streams, Segment { flags: SYN, ..segment(sequence, b"") });
}

#[test]
fn bytes_that_come_twice_count_once() {
    let mut streams = Streams::default();
    begin(&mut streams, 99);
    assert_eq!(read(&mut streams, segment(100, b"abc")), b"abc");
    assert_eq!(read(&mut streams, segment(100, b"abc")), b"");
    assert_eq!(read(&mut streams, segment(101, b"bcdef")), b"def");
}

#[test]
fn a_stream_that_was_not_seen_to_begin_begins_anywhere() {
    let mut streams = Streams::default();
    assert_eq!(read(&mut streams, segment(7, b"abc")), b"abc");
    assert_eq!(read(&mut streams, segment(10, b"d")), b"d");
}

#[test]
fn a_connection_by_the_same_socket_begins_anew() {
    let mut streams = Streams::default();
    begin(&mut streams, 99);
    assert_eq!(read(&mut streams, segment(100, b"abc")), b"abc");
    begin(&mut streams, 5);
    assert_eq!(read(&mut streams, segment(6, b"x")), b"x");
}

#[test]
fn what_is_taken_before_it_comes_is_passed_over() {
    let mut streams = Streams::<()>::default();
    streams.add(KEY, segment(1, b"ab")).unwrap().take(5);
    streams.finish(KEY);
    assert_eq!(read(&mut streams, segment(3, b"cdefg")), b"fg");
}

#[test]
fn a_gap_that_is_never_filled_ends_the_stream() {
    let mut streams = Streams::default();
    begin(&mut streams, 0);
    let ahead = vec![0; 30_000];
    for turn in 0..3 {
        assert!(streams.get(KEY).is_some());
        read(&mut streams, segment(1000 + turn * 30_000, &ahead));
    }
    assert!(streams.get(KEY).is_none());
    assert_eq!(streams.bytes, 0);
    let cut = Segment { length: 10, ..segment(0, b"ab") };
    assert_eq!(read(&mut streams, cut), b"ab");
    assert!(streams.get(KEY).is_none(), "a part of it was not copied");
}

#[test]
fn streams_are_bounded_in_number_and_bytes() {
    let mut streams = Streams::<()>::default();
    let bytes = vec![0; 16_000];
    for socket in 0..5_000 {
        let key = StreamKey { socket, ..KEY };
        streams.add(key, segment(0, &bytes));
        streams.finish(key);
    }
    assert!(streams.streams.len() <= STREAMS_MAX && streams.bytes <= ALL_BYTES_MAX + bytes.len());
    assert_eq!(streams.evicted(), 5_000 - streams.streams.len() as u64);
    assert!(streams.get(StreamKey { socket: 4_999, ..KEY }).is_some());
}

proptest! {
    /// Whatever the order, repetition and overlap of segments, the stream is the same, also across the end of numbers.
    #[test]
    fn segments_in_any_order_make_the_same_stream(
        start: u32,
        text in proptest::collection::vec(any::<u8>(), 1..400),
        cuts in proptest::collection::vec((0..400_usize, 1..60_usize), 0..40),
    ) {
        let mut streams = Streams::default();
        begin(&mut streams, start.wrapping_sub(1));
        let mut found = Vec::new();
        let whole = (0..text.len()).step_by(50).map(|at| (at, 50));
        for (at, length) in cuts.into_iter().chain(whole) {
            let at = at.min(text.len());
            let piece = &text[at..(at + length).min(text.len())];
            found.extend(read(&mut streams, segment(start.wrapping_add(u32::try_from(at).unwrap()), piece)));
        }
        prop_assert_eq!(found, text);
    }

    #[test]
    fn nothing_makes_it_panic(
        segments in proptest::collection::vec((any::<u32>(), any::<u8>(), 0..300_usize, any::<u32>(), any::<bool>()), 0..200),
    ) {
        let mut streams = Streams::<()>::default();
        let bytes = [7; 300];
        for (sequence, flags, count, length, near) in segments {
            let sequence = if near { sequence % 1000 } else { sequence };
            let length = if near { u32::try_from(count).unwrap() } else { length };
            if let Some(stream) = streams.add(KEY, Segment { sequence, flags, bytes: &bytes[..count], length }) {
                stream.take(count / 2);
            }
            streams.finish(KEY);
        }
        prop_assert!(streams.bytes <= BYTES_MAX + AHEAD_MAX + 600);
    }
}
