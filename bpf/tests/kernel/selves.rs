//! prctl, namespaces, descriptors, modules.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

#[test]
fn prctl_tells_the_name_that_the_kernel_took() {
    if !ready() {
        return;
    }
    let before = std::fs::read("/proc/thread-self/comm").unwrap();
    let (short, long) = (c"fifteen-letters", c"sixteen-letters!");
    for (name, is_cut) in [(short, false), (long, true)] {
        let seen = PRCTL.watch_one(Kind::Prctl, || {
            assert_eq!(call(libc::SYS_prctl, &[libc::PR_SET_NAME.into(), name.as_ptr() as i64]), 0);
        });
        let record = seen.record();
        assert_sound(&record);
        let body: prctl_body = record.body();
        assert_eq!((body.retval, body.option), (0, libc::PR_SET_NAME as u32));
        let expected = &name.to_bytes()[..15];
        assert_eq!((&body.name[..15], body.name[15]), (expected, 0));
        assert_eq!(body.flags & PRCTL_FLAG_NAME_TRUNCATED != 0, is_cut, "{name:?}");
    }
    std::fs::write("/proc/thread-self/comm", before.trim_ascii_end()).unwrap();

    let arguments = [libc::PR_SET_PDEATHSIG.into(), 0, 3, 4, 5];
    let seen = PRCTL.watch_one(Kind::Prctl, || assert_eq!(call(libc::SYS_prctl, &arguments), 0));
    let body: prctl_body = seen.record().body();
    assert_eq!((body.option, body.arguments, body.name), (1, [0, 3, 4, 5], [0; 16]));
}

/// Runs in a thread of its own, whose namespaces nobody else uses.
fn alone(watch: impl FnOnce() + Send + 'static) {
    std::thread::spawn(watch).join().unwrap();
}

#[test]
fn namespaces_that_are_left_and_entered() {
    if !ready() {
        return;
    }
    alone(|| {
        let new = libc::CLONE_NEWUTS | libc::CLONE_NEWNS;
        let seen = NAMESPACES.watch_one(Kind::Unshare, || {
            assert_eq!(call(libc::SYS_unshare, &[new.into()]), 0);
        });
        let body: namespaces_body = seen.record().body();
        assert_eq!((body.retval, body.flags, body.inode), (0, new as u32, 0));
        // The context is that after the call.
        let own = std::fs::metadata("/proc/thread-self/ns/mnt").unwrap().ino();
        assert_eq!(u64::from(seen.record().context().mnt_ns), own);

        let file = std::fs::File::open("/proc/self/ns/uts").unwrap();
        let descriptor = i64::from(file.as_raw_fd());
        let seen = NAMESPACES.watch_one(Kind::Setns, || {
            assert_eq!(call(libc::SYS_setns, &[descriptor, libc::CLONE_NEWUTS.into()]), 0);
        });
        let body: namespaces_body = seen.record().body();
        assert_eq!((body.flags, body.target), (libc::CLONE_NEWUTS as u32, target::default()));
        assert_eq!(u64::from(body.inode), std::fs::metadata("/proc/self/ns/uts").unwrap().ino());

        let own = std::process::id();
        let pidfd = call(libc::SYS_pidfd_open, &[own.into(), 0]);
        let seen = NAMESPACES.watch_one(Kind::Setns, || {
            assert_eq!(call(libc::SYS_setns, &[pidfd, libc::CLONE_NEWUTS.into()]), 0);
        });
        let body: namespaces_body = seen.record().body();
        assert_eq!(body.inode, 0);
        assert_target(body.target, target_of(own, 0));
        call(libc::SYS_close, &[pidfd]);
    });
}

#[test]
fn descriptors_that_are_made() {
    if !ready() {
        return;
    }
    let seen = DESCRIPTOR.watch_one(Kind::MemfdCreate, || {
        let made = call(libc::SYS_memfd_create, &[c"a name".as_ptr() as i64, libc::MFD_CLOEXEC.into()]);
        assert!(made >= 0);
        call(libc::SYS_close, &[made]);
    });
    let record = seen.record();
    assert_sound(&record);
    let body: made_descriptor_body = record.body();
    assert!(body.retval > 2);
    assert_eq!((body.flags, text(&record, body.name).as_str()), (libc::MFD_CLOEXEC, "a name"));

    let flags = i64::from(libc::O_CLOEXEC | 1);
    let made = call(libc::SYS_userfaultfd, &[flags]);
    if made < 0 {
        println!("skipped: userfaultfd gives {made}");
    } else {
        call(libc::SYS_close, &[made]);
        let seen = DESCRIPTOR.watch_one(Kind::Userfaultfd, || {
            let made = call(libc::SYS_userfaultfd, &[flags]);
            call(libc::SYS_close, &[made]);
        });
        let body: made_descriptor_body = seen.record().body();
        assert_eq!((body.flags, body.entries), (flags as u32, 0));
    }

    // struct io_uring_params: sq_entries, cq_entries, flags; IORING_SETUP_CLAMP.
    let parameters =
        [0_u32, 0, 1 << 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let set_up = || call(libc::SYS_io_uring_setup, &[8, at(&parameters)]);
    let made = set_up();
    if made < 0 && made != -1 {
        return println!("skipped: io_uring_setup gives {made}");
    }
    call(libc::SYS_close, &[made]);
    let seen = DESCRIPTOR.watch_one(Kind::IoUringSetup, || {
        call(libc::SYS_close, &[set_up()]);
    });
    let body: made_descriptor_body = seen.record().body();
    assert_eq!((body.flags, body.entries), (1 << 4, 8));
}

/// Without permission nobody's module is looked at. Kernels without modules do not even have the calls.
#[test]
fn modules_that_are_refused() {
    if !ready() {
        return;
    }
    if !exists("finit_module") {
        return println!("skipped: this kernel has no modules");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let descriptor = i64::from(file.as_file().as_raw_fd());
    let seen = without_capabilities(&LOAD_MODULE, move || {
        assert_eq!(call(libc::SYS_finit_module, &[descriptor, c"a=1 b=2".as_ptr() as i64, 0]), -1);
        assert_eq!(call(libc::SYS_init_module, &[0, 0, c"c=3".as_ptr() as i64]), -1);
    });
    let [by_file, by_memory] = &seen[..] else { panic!("two events") };
    let body: load_module_body = by_file.record().body();
    assert_eq!((body.retval, body.flags, body.name.length), (-1, 0, 0));
    assert_eq!(text(&by_file.record(), body.args), "a=1 b=2");
    assert_eq!(text(&by_file.record(), body.file.path), file.path().to_str().unwrap());
    let body: load_module_body = by_memory.record().body();
    assert_eq!((body.flags, body.file.flags), (MODULE_FLAG_FROM_MEMORY, 0));
    assert_eq!(text(&by_memory.record(), body.args), "c=3");

    let seen = without_capabilities(&UNLOAD_MODULE, || {
        assert_eq!(call(libc::SYS_delete_module, &[c"ext4".as_ptr() as i64, libc::O_NONBLOCK.into()]), -1);
    });
    let body: unload_module_body = seen[0].record().body();
    assert_eq!((body.retval, body.flags), (-1, libc::O_NONBLOCK as u32));
    assert_eq!(text(&seen[0].record(), body.name), "ext4");
}

/// The records of a thread that has given up its effective capabilities.
fn without_capabilities(family: &Family, provoke: impl FnOnce() + Send) -> Vec<Seen> {
    let mut tid = 0;
    let records = while_watching(
        &family.watched(),
        |_| {},
        || {
            std::thread::scope(|scope| {
                let run = || {
                    // _LINUX_CAPABILITY_VERSION_3, this thread; three sets of two words each.
                    let (header, nothing) = ([0x2008_0522_u32, 0], [0_u32; 6]);
                    assert_eq!(call(libc::SYS_capset, &[at(&header), at(&nothing)]), 0);
                    provoke();
                    call(libc::SYS_gettid, &[])
                };
                tid = scope.spawn(run).join().unwrap() as u32;
            });
        },
    );
    records.into_iter().filter(|seen| seen.record().context().tid == tid).collect()
}
