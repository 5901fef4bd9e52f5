//! Reader and writer against each other and against hostile bytes.

use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::layout::*;
use super::*;

fn exec_record() -> Vec<u8> {
    let mut builder = RecordBuilder::new(Kind::Exec);
    let file = file_info { path: builder.push(b"/usr/bin/true"), inode: 7, ..Default::default() };
    let body = exec_body { file, args: builder.push(b"true\0-x\0"), args_size: 8, ..Default::default() };
    let context = task_context { pid: 42, tid: 42, ppid: 1, start_time_ns: 5, ..Default::default() };
    builder.finish(record_header { time_ns: 9, ..Default::default() }, &context, &body)
}

#[test]
fn what_is_written_is_read_back() {
    let bytes = exec_record();
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(record.kind(), Kind::Exec);
    assert_eq!(record.header().time_ns, 9);
    assert_eq!(record.context().pid, 42);
    let body: exec_body = record.body();
    assert_eq!(body.file.inode, 7);
    assert_eq!(record.span(body.file.path), b"/usr/bin/true");
    assert_eq!(record.span(body.args), b"true\0-x\0");
}

#[test]
fn records_stand_back_to_back() {
    let mut bytes = exec_record();
    bytes.extend(exec_record());
    assert_eq!(Records::new(&bytes).filter_map(Result::ok).count(), 2);
}

#[test]
fn an_unknown_kind_does_not_hide_the_records_behind_it() {
    let mut bytes = exec_record();
    bytes[4..6].copy_from_slice(&999u16.to_ne_bytes());
    bytes.extend(exec_record());
    let results: Vec<_> = Records::new(&bytes).map(|record| record.map(|record| record.kind())).collect();
    assert_eq!(results, [Err(BadRecord::Kind(999)), Ok(Kind::Exec)]);
}

#[test]
fn a_broken_frame_ends_the_batch() {
    for size in [0u32, 3, 23, 7777, u32::MAX] {
        let mut bytes = exec_record();
        bytes[..4].copy_from_slice(&size.to_ne_bytes());
        let results: Vec<_> = Records::new(&bytes).collect();
        assert!(matches!(results[..], [Err(BadRecord::Size { .. })]), "{size}: {results:?}");
    }
}

#[test]
fn a_record_too_small_for_its_body_is_refused() {
    let bytes = exec_record();
    let mut short = bytes[..BODY_START + 8].to_vec();
    let size = u32::try_from(short.len()).unwrap();
    short[..4].copy_from_slice(&size.to_ne_bytes());
    assert!(matches!(Record::parse(&short), Err(BadRecord::Body { kind: Kind::Exec, .. })));
}

#[test]
fn spans_never_reach_outside_the_tail() {
    let bytes = exec_record();
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(record.span(span { offset: 0, length: 8 }), b"");
    assert_eq!(record.span(span { offset: u16::MAX, length: u16::MAX }), b"");
    assert_eq!(record.span(span { offset: 400, length: u16::MAX }), b"");
}

#[test]
fn data_that_does_not_fit_is_flagged_not_lost_silently() {
    let mut builder = RecordBuilder::new(Kind::Exit);
    assert_ne!(builder.push(&[1; 30_000]), span::default());
    assert_eq!(builder.push(&[1; 30_000]), span::default());
    let bytes = builder.finish(record_header::default(), &task_context::default(), &exit_body::default());
    assert_eq!(Record::parse(&bytes).unwrap().header().errors, ERROR_NO_SPACE);
}

#[test]
fn kinds_are_named_and_numbered_once() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(kind.number()), Some(*kind));
        assert!(kind.number() <= KIND_MAX);
    }
    let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::ALL.len());
}

const BODY_START: usize = size_of::<record_header>() + size_of::<task_context>();

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_damage_to_a_record_makes_the_reader_panic(at in 0usize..400, value: u8) {
        let mut bytes = exec_record();
        let at = at % bytes.len();
        bytes[at] = value;
        read_everything(&bytes);
    }
}

fn read_everything(bytes: &[u8]) {
    for record in Records::new(bytes).flatten() {
        let body: exec_body = record.body();
        let spans = [body.args, body.envs, body.cwd, body.filename, body.file.path, body.interpreter.path];
        let sum: usize = spans.iter().map(|span| record.span(*span).len()).sum();
        assert!(sum <= spans.len() * record.bytes().len());
        assert!(record.header().as_bytes().len() <= record.bytes().len());
        assert!(format!("{record:?}").contains("Record"));
    }
}
