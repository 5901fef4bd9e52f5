//! Records of kernel activity in the terms of rules.

use model::Payload;
use proto::wire::layout::{
    BPF_FLAG_PROGRAM_GIVEN, FILE_FLAG_VALID, MODULE_FLAG_ARGS_TRUNCATED, MODULE_FLAG_FROM_MEMORY,
    PRCTL_FLAG_NAME_TRUNCATED, SELINUX_BOOL, SELINUX_COMMIT, SELINUX_DISABLE, SELINUX_ENFORCE,
    SELINUX_FLAG_NO_NUMBER, SYSCTL_FLAG_VALUE_TRUNCATED, bpf_body, capabilities_body, file_info,
    load_module_body, mmap_body, prctl_body, record_header, selinux_body, signal_body, span, sysctl_body,
    target, task_context,
};
use proto::wire::{Kind, Record, RecordBuilder};
use zerocopy::{Immutable, IntoBytes};

use super::Activity;
use crate::decode::ProcessKey;
use crate::resolve::users::Users;

/// The activity of a record of this kind.
fn decode<T: IntoBytes + Immutable>(kind: Kind, body: impl FnOnce(&mut RecordBuilder) -> T) -> Activity {
    let mut builder = RecordBuilder::new(kind);
    let body = body(&mut builder);
    let bytes = builder.finish(record_header::default(), &task_context::default(), &body);
    let users = Users::fixed([].into_iter().collect(), [].into_iter().collect());
    super::activity(&Record::parse(&bytes).unwrap(), &users).unwrap()
}

fn signal(target: target) -> (u32, Option<ProcessKey>) {
    let activity = decode(Kind::Signal, |_| signal_body { target, signal: 9, ..signal_body::default() });
    let Payload::Signal(signal) = activity.event else { panic!("{activity:?}") };
    assert_eq!(signal.signal, 9);
    (signal.pid, activity.target)
}

#[test]
fn the_number_of_a_target_is_that_of_the_host() {
    let found = target { start_time_ns: 7, pid: 42, given: 2 };
    assert_eq!(signal(found), (42, Some(ProcessKey { pid: 42, start_time_ns: 7 })));
    assert_eq!(signal(target { given: 2, ..target::default() }), (2, None), "it has ended");
    assert_eq!(signal(target { given: -1, ..target::default() }), (0, None), "everybody");
}

#[test]
fn helpers_are_numbers_and_the_tag_is_text() {
    let activity = decode(Kind::Bpf, |_| bpf_body {
        cmd: 5,
        helpers: [1 << 6, 0, 0, 1 << 63],
        program_name: *b"sixteen-letters!",
        program_tag: [0, 0x1f, 0, 0, 0, 0, 0, 0xff],
        ..bpf_body::default()
    });
    let Payload::Bpf(bpf) = activity.event else { panic!("{activity:?}") };
    assert_eq!(&*bpf.prog.helpers, [6, 255]);
    assert_eq!(&*bpf.prog.tag, b"001f0000000000ff");
    assert_eq!(&*bpf.prog.name, b"sixteen-letters!");
    let activity = decode(Kind::Bpf, |_| bpf_body { flags: BPF_FLAG_PROGRAM_GIVEN, ..bpf_body::default() });
    let Payload::Bpf(bpf) = activity.event else { panic!("{activity:?}") };
    assert_eq!((&*bpf.prog.tag, bpf.prog.helpers.len()), (&b""[..], 0));
}

#[test]
fn parameters_of_a_module_are_words() {
    let load = |flags: u32| {
        let activity = decode(Kind::LoadModule, |builder| load_module_body {
            name: builder.push(b"nf_tables"),
            args: builder.push(b" a=1  b=\"2\"\n"),
            file: file_info {
                flags: FILE_FLAG_VALID,
                path: builder.push(b"/lib/x.ko"),
                ..file_info::default()
            },
            flags,
            ..load_module_body::default()
        });
        let Payload::LoadModule(module) = activity.event else { panic!("{activity:?}") };
        module
    };
    let module = load(MODULE_FLAG_ARGS_TRUNCATED);
    assert_eq!(module.argv.iter().collect::<Vec<_>>(), [&b"a=1"[..], b"b=\"2\""]);
    assert_eq!(
        (&*module.name, module.args_truncated, module.loaded_from_memory),
        (&b"nf_tables"[..], true, false)
    );
    assert_eq!(&*module.file.unwrap().path, b"/lib/x.ko");
    assert!(load(MODULE_FLAG_FROM_MEMORY).file.is_none());
}

#[test]
fn anonymous_memory_has_no_file() {
    let map = |flags: u32, retval: i64| {
        let activity =
            decode(Kind::Mmap, |_| mmap_body { flags, retval, address: 5, ..mmap_body::default() });
        let Payload::Mmap(mmap) = activity.event else { panic!("{activity:?}") };
        (mmap.file.is_some(), mmap.address)
    };
    assert_eq!(map(0x22, 0x7000), (false, 0x7000));
    assert_eq!(map(0x02, -13), (true, 5), "refused: where it was wanted");
}

#[test]
fn values_of_parameters_are_lines() {
    let activity = decode(Kind::Sysctl, |builder| sysctl_body {
        action: 2,
        name: builder.push(b"kernel/core_pattern"),
        value: builder.push(b"|/tmp/x\n"),
        old_value: builder.push(b"core\n"),
        flags: SYSCTL_FLAG_VALUE_TRUNCATED,
        ..sysctl_body::default()
    });
    let Payload::Sysctl(sysctl) = activity.event else { panic!("{activity:?}") };
    assert_eq!((&*sysctl.value, &*sysctl.old_value), (&b"|/tmp/x"[..], &b"core"[..]));
    assert!(sysctl.value_truncated && !sysctl.old_value_truncated && !sysctl.name_truncated);
}

#[test]
fn names_end_at_the_first_nul() {
    let activity = decode(Kind::Prctl, |_| prctl_body {
        option: 15,
        name: *b"worker\0rest of\0\0",
        flags: PRCTL_FLAG_NAME_TRUNCATED,
        ..prctl_body::default()
    });
    let Payload::Prctl(prctl) = activity.event else { panic!("{activity:?}") };
    assert_eq!((&*prctl.new_name, prctl.is_name_truncated), (&b"worker"[..], true));
}

#[test]
fn damaged_spans_are_no_text() {
    let activity = decode(Kind::MemfdCreate, |_| proto::wire::layout::made_descriptor_body {
        name: span { offset: 60_000, length: 9 },
        ..proto::wire::layout::made_descriptor_body::default()
    });
    let Payload::MemfdCreate(memfd) = activity.event else { panic!("{activity:?}") };
    assert_eq!(&*memfd.name, b"");
}

#[test]
fn files_of_selinux_say_what_was_changed() {
    let written = |what: u32, value: i32, flags: u32| {
        let activity = decode(Kind::Selinux, |builder| selinux_body {
            file: file_info {
                flags: FILE_FLAG_VALID,
                path: builder.push(b"/sys/fs/selinux/booleans/httpd"),
                ..file_info::default()
            },
            what,
            value,
            flags,
            ..selinux_body::default()
        });
        let Payload::Selinux(selinux) = activity.event else { panic!("{activity:?}") };
        let text = |text: &model::Text| String::from_utf8_lossy(text).into_owned();
        (
            text(&selinux.enforce_status),
            text(&selinux.bool_name),
            text(&selinux.bool_state),
            selinux.bool_commit,
        )
    };
    let told = |enforce: &str, name: &str, state: &str, commit| {
        (enforce.to_owned(), name.to_owned(), state.to_owned(), commit)
    };
    assert_eq!(written(SELINUX_ENFORCE, 1, 0), told("enforcing", "", "", false));
    assert_eq!(written(SELINUX_ENFORCE, 0, 0), told("permissive", "", "", false));
    assert_eq!(written(SELINUX_DISABLE, 1, 0), told("disabled", "", "", false));
    assert_eq!(written(SELINUX_DISABLE, 0, 0), told("", "", "", false), "changes nothing");
    assert_eq!(written(SELINUX_BOOL, -1, 0), told("", "httpd", "on", false));
    assert_eq!(written(SELINUX_BOOL, 0, 0), told("", "httpd", "off", false));
    assert_eq!(written(SELINUX_BOOL, 0, SELINUX_FLAG_NO_NUMBER), told("", "httpd", "error", false));
    assert_eq!(written(SELINUX_COMMIT, 1, 0), told("", "", "", true));
    assert_eq!(written(SELINUX_COMMIT, 0, 0), told("", "", "", false));
}

#[test]
fn capabilities_are_sets() {
    let activity = decode(Kind::Capabilities, |_| capabilities_body { attempted: 3, used: 1 });
    let Payload::Capabilities(capabilities) = activity.event else { panic!("{activity:?}") };
    assert_eq!((capabilities.attempted, capabilities.used), (3, 1));
}
