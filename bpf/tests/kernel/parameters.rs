//! Parameters and control groups.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

/// Where the control groups of version 2 are mounted.
fn cgroups() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    if line.is_none() {
        println!("skipped: no cgroup2 file system is mounted");
    }
    Some(line?.split(' ').nth(1)?.to_owned())
}

#[test]
fn a_process_that_is_written_to_a_control_group() {
    if !ready() {
        return;
    }
    let Some(root) = cgroups() else { return };
    let group = format!("{root}/cws-test-{}", std::process::id());
    let Ok(()) = std::fs::create_dir(&group) else { return println!("skipped: cannot make {group}") };
    let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let procs = format!("{group}/cgroup.procs");
    let records = while_watching(
        &[("on_cgroup_write", None)],
        |_| {},
        || {
            std::fs::write(&procs, other.id().to_string()).unwrap();
        },
    );
    let expected = target_of(other.id(), 0);
    other.kill().unwrap();
    other.wait().unwrap();
    let removed = std::fs::remove_dir(&group);
    let seen = mine(records);
    let [seen] = &seen[..] else { panic!("{} events", seen.len()) };
    let record = seen.record();
    assert_sound(&record);
    let body: cgroup_write_body = record.body();
    assert_eq!(text(&record, body.file.path), procs);
    assert_target(body.target, expected);
    removed.unwrap();
}

#[test]
fn parameters_that_are_read_and_written() {
    use std::mem::MaybeUninit;

    use libbpf_rs::skel::OpenSkel as _;
    use libbpf_rs::skel::SkelBuilder as _;
    if !ready() {
        return;
    }
    let Some(root) = cgroups() else { return };
    let mut object = MaybeUninit::uninit();
    let mut open = bpf::CwsSkelBuilder::default().open(&mut object).unwrap();
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = program.name() == "on_sysctl";
        program.set_autoload(wanted);
    }
    let skeleton = open.load().unwrap();
    let root = File::open(root).unwrap();
    let link = skeleton.progs.on_sysctl.attach_cgroup(root.as_raw_fd()).unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    let mut ring = libbpf_rs::RingBufferBuilder::new();
    ring.add(&skeleton.maps.events, |bytes| {
        seen.borrow_mut().push(Seen(bytes.to_vec()));
        0
    })
    .unwrap();
    let ring = ring.build().unwrap();
    // A parameter of the own namespace of host names: nobody else's changes.
    std::thread::spawn(|| {
        assert_eq!(call(libc::SYS_unshare, &[libc::CLONE_NEWUTS.into()]), 0);
        std::fs::write("/proc/sys/kernel/domainname", "first").unwrap();
        std::fs::write("/proc/sys/kernel/domainname", "second\n").unwrap();
        assert_eq!(std::fs::read("/proc/sys/kernel/domainname").unwrap(), b"second\n");
    })
    .join()
    .unwrap();
    drop(link);
    ring.poll(std::time::Duration::from_millis(50)).unwrap();
    drop(ring);
    let seen = seen.into_inner();
    let mut told = Vec::new();
    for seen in &seen {
        let record = seen.record();
        if record.kind() != Kind::Sysctl || record.context().pid != std::process::id() {
            continue;
        }
        assert_sound(&record);
        let body: sysctl_body = record.body();
        assert_eq!(text(&record, body.name), "kernel/domainname");
        let values = (text(&record, body.value), text(&record, body.old_value));
        told.push((body.action, body.flags, body.file_position, values));
    }
    let writes: Vec<_> = told.iter().filter(|told| told.0 == SYSCTL_ACTION_WRITE).collect();
    let [first, second] = &writes[..] else { panic!("{told:?}") };
    assert_eq!((first.1, first.2, first.3.0.as_str()), (0, 0, "first"));
    assert_eq!((second.3.0.as_str(), second.3.1.as_str()), ("second\n", "first\n"));
    let reads: Vec<_> = told.iter().filter(|told| told.0 == SYSCTL_ACTION_READ).collect();
    assert_eq!((reads[0].3.0.as_str(), reads[0].3.1.as_str()), ("", "second\n"));
}
