//! Messages as they are and as they should not be.

use super::*;
use crate::network::streams::{Segment, StreamKey, Streams};

/// Header of a message with `flags` and numbers of questions and answers.
fn header(flags: u16, questions: u16, answers: u16) -> Vec<u8> {
    [0x1234, flags, questions, answers, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn name(labels: &[&[u8]]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        labels.iter().flat_map(|label| [&[u8::try_from(label.len()).unwrap()], *label].concat()).collect();
    bytes.push(0);
    bytes
}

fn question(labels: &[&[u8]], question_type: u16, class: u16) -> Vec<u8> {
    [name(labels), question_type.to_be_bytes().to_vec(), class.to_be_bytes().to_vec()].concat()
}

fn names(message: &Message) -> Vec<String> {
    message.questions.iter().map(|question| String::from_utf8_lossy(&question.name).into_owned()).collect()
}

#[test]
fn a_question_is_read_as_it_is_written() {
    let bytes = [header(0x0100, 1, 0), question(&[b"WwW", b"example", b"com"], 28, 1)].concat();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.id, message.code, message.count), (0x1234, None, 1));
    assert_eq!(names(&message), ["WwW.example.com"]);
    assert_eq!((message.questions[0].question_type, message.questions[0].class), (28, 1));
}

#[test]
fn odd_names_stay_what_they_are() {
    let long = [b'a'; 63];
    for (labels, expected) in [
        (&[][..], String::new()),
        (&[&b"a.b"[..], b"c"][..], "a\\.b.c".to_owned()),
        (&[&b"nul\0"[..], b"\\"][..], "nul\\000.\\\\".to_owned()),
        (&[&b"caf\xc3\xa9"[..]][..], "caf\\195\\169".to_owned()),
        (&[&long[..], &long, &long][..], ["a".repeat(63), "a".repeat(63), "a".repeat(63)].join(".")),
    ] {
        let message = Message::parse(&[header(0, 1, 0), question(labels, 1, 1)].concat()).unwrap();
        assert_eq!(names(&message), [expected]);
    }
}

#[test]
fn every_question_makes_an_event() {
    let two =
        [header(0, 2, 0), question(&[b"good", b"test"], 1, 1), question(&[b"evil", b"test"], 16, 3)].concat();
    let message = Message::parse(&two).unwrap();
    let found: Vec<_> = events(&message, 50).collect();
    assert_eq!(found.len(), 2);
    let Payload::Dns(second) = &found[1] else { panic!("{found:?}") };
    assert_eq!((&*second.question.name, second.question.question_type), (&b"evil.test"[..], 16));
    assert_eq!((second.question.class, second.question.count, second.question.length), (3, 2, 50));
    let none = Message::parse(&header(0, 0, 0)).unwrap();
    assert_eq!(events(&none, 12).count(), 1, "a message without question is an event too");
}

#[test]
fn an_answer_has_addresses_aliases_and_an_extended_code() {
    let mut bytes = [header(0x8180, 1, 3), question(&[b"www", b"test"], 1, 1)].concat();
    // An alias, by a pointer to the question; its target is stored behind it.
    bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 3, b'c', b'd', b'n', 0xc0, 16]);
    let target = u8::try_from(bytes.len() - 6).unwrap();
    bytes.extend([0xc0, target, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1]);
    bytes.extend([
        0xc0, target, 0, 28, 0, 1, 0, 0, 0, 30, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.code, Some(0));
    assert_eq!(message.aliases, [("www.test".into(), "cdn.test".into())]);
    let addresses: Vec<_> =
        message.addresses.iter().map(|(of, ip, ttl)| (&**of, ip.to_string(), *ttl)).collect();
    let owner = &b"cdn.test"[..];
    assert_eq!(addresses, [(owner, "192.0.2.1".to_owned(), 30), (owner, "2001:db8::1".to_owned(), 30)]);

    // EDNS: the upper bits of the code are in the OPT record. 16: BADVERS.
    let mut bytes = [header(0x8180, 1, 0), question(&[b"a"], 1, 1)].concat();
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(Message::parse(&bytes).unwrap().code, Some(16));
}

#[test]
fn pointers_lead_nowhere_they_should_not() {
    let ended = |pointer: [u8; 2]| {
        let bytes = [header(0, 1, 0), pointer.to_vec(), vec![0, 1, 0, 1]].concat();
        Message::parse(&bytes)
    };
    assert_eq!(ended([0xc0, 12]), None, "to itself");
    assert_eq!(ended([0xc0, 200]), None, "behind the end");
    assert_eq!(ended([0xff, 0xff]), None);
    assert_eq!(ended([0x80, 0]), None, "a reserved kind of label");
    let circle = [header(0, 1, 0), vec![1, b'a', 0xc0, 12, 0, 1, 0, 1]].concat();
    assert_eq!(Message::parse(&circle), None);
}

#[test]
fn a_message_may_end_anywhere() {
    let mut whole = [header(0x8180, 1, 1), question(&[b"www", b"test"], 1, 1)].concat();
    let questions = whole.len();
    whole.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1]);
    for end in 0..=whole.len() {
        let message = Message::parse(&whole[..end]);
        assert_eq!(message.is_some(), end >= questions, "{end}");
        assert_eq!(message.is_some_and(|message| !message.addresses.is_empty()), end == whole.len());
    }
}

#[test]
fn a_stream_is_messages_that_their_lengths_precede() {
    let message = [header(0, 1, 0), question(&[b"a"], 1, 1)].concat();
    let framed = [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
    let both = [framed.clone(), framed].concat();
    for size in [1, 2, 3, 7, both.len()] {
        let (mut streams, mut found) = (Streams::<()>::default(), Vec::new());
        let key = StreamKey { socket: 1, direction: 1 };
        for (turn, piece) in both.chunks(size).enumerate() {
            let sequence = u32::try_from(turn * size).unwrap();
            let length = u32::try_from(piece.len()).unwrap();
            let stream = streams.add(key, Segment { sequence, flags: 0, bytes: piece, length }).unwrap();
            while let Some(taken) = take_from_stream(stream) {
                found.push(taken);
            }
            streams.finish(key);
        }
        assert_eq!(found, [message.clone(), message.clone()], "by {size}");
    }
}
