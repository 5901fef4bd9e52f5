//! The object and `proto` must mean the same bytes. Both derive from `events.h`, but by different compilers: what
//! clang made of it for the BPF target stands in the object's BTF. Needs no privilege.

use libbpf_rs::MapCore as _;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::HasSize as _;
use libbpf_rs::btf::types::MemberAttr;
use libbpf_rs::btf::types::Struct;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;
use proto::wire::layout;

/// Compares size and member offsets of each structure.
macro_rules! assert_same {
    ($btf:ident: $($name:ident { $($field:ident),+ $(,)? })+) => {$(
        let ty = $btf.type_by_name::<Struct<'_>>(stringify!($name)).expect(stringify!($name));
        assert_eq!(ty.size(), size_of::<layout::$name>(), "size of {}", stringify!($name));
        $(
            let member = ty
                .iter()
                .find(|member| member.name.is_some_and(|name| name == stringify!($field)))
                .expect(concat!(stringify!($name), ".", stringify!($field)));
            let MemberAttr::Normal { offset } = member.attr else {
                panic!("bit-field {}", stringify!($field));
            };
            assert_eq!(
                offset as usize / 8,
                std::mem::offset_of!(layout::$name, $field),
                "offset of {}.{}", stringify!($name), stringify!($field)
            );
        )+
    )+};
}

#[test]
fn the_object_and_the_reader_agree_on_every_structure() {
    let btf = Btf::from_path(bpf::OBJECT_PATH).unwrap();
    assert_same!(btf:
        record_header { size, kind, flags, time_ns, errors, cpu }
        task_context {
            start_time_ns, parent_start_time_ns, cgroup_id, cap_effective, cap_permitted, pid, tid, ppid, ns_pid,
            uid, gid, euid, egid, fsuid, fsgid, auid, session_id, pid_ns, mnt_ns, net_ns, user_ns, cgroup_ns,
            flags, comm,
        }
        file_info {
            inode, size, change_time_ns, modification_time_ns, mount_id, mode, uid, gid, links, flags, device, path,
            overlay_prefix, filesystem,
        }
        fork_body { forker_start_time_ns, forker_pid, forker_tid, cgroup_path }
        exec_body {
            file, interpreter, flags, caller_tid, args_size, envs_size, args_count, envs_count, args, envs, filename,
            cwd, cgroup_path, stdio_mode, tty,
        }
        exec_chunk_body { what, offset, data }
        exit_body { cause, code }
        setuid_body { old_uid, old_euid, old_fsuid, uid, euid, fsuid }
        setgid_body { old_gid, old_egid, old_fsgid, gid, egid, fsgid }
        capset_body { old_cap_effective, old_cap_permitted, cap_effective, cap_permitted }
        cgroup_attach_body { actor_start_time_ns, actor_pid, cgroup_path }
        file_call { retval, flags, dirfd, path }
        open_body { call, file, flags, mode, what, length }
        path_body { call, file, flags, mode }
        link_body { call, file, destination, flags, destination_dirfd, destination_path }
        chmod_body { call, file, mode, flags }
        chown_body { call, file, uid, gid, flags }
        utimes_body { call, file, access_time_ns, modification_time_ns, flags }
        xattr_body { call, file, name, flags, value_size }
        splice_body { call, file, pipe_entry_flag, pipe_exit_flag, flags, into_pipe }
        mount_body {
            call, mountpoint, what, flags, mount_id, parent_mount_id, bind_source_mount_id, device, mount_flags, source,
            root, source_given, type_given, filesystem,
        }
        socket_body { retval, descriptor, flags, family, port, protocol, address, path }
        setsockopt_body { retval, descriptor, flags, level, option, family, protocol, filter_length, filter }
        capabilities_body { attempted, used }
        flows_body { interface, net_ns, flows, interface_name }
        packet_body { socket, length, flags, segment_size, interface, net_ns, direction, protocol, data, interface_name }
        target { start_time_ns, pid, given }
        ptrace_body { retval, tracee, address, data, request }
        signal_body { retval, target, signal, flags }
        bpf_body {
            retval, helpers, cmd, flags, map_id, map_type, program_id, program_type, attach_type, instructions, map_name,
            program_name, program_tag,
        }
        load_module_body { retval, file, args, name, flags }
        unload_module_body { retval, name, flags }
        mmap_body { retval, address, length, offset, file, protection, flags }
        mprotect_body { retval, address, length, protection, vm_start, vm_end, vm_flags }
        setrlimit_body { retval, target, soft, hard, resource }
        prctl_body { retval, arguments, option, flags, name }
        cgroup_write_body { retval, file, target }
        sysctl_body { retval, file_position, action, flags, name, value, old_value }
        namespaces_body { retval, flags, inode, target }
        process_vm_writev_body { retval, target, address }
        made_descriptor_body { retval, flags, entries, name }
        selinux_body { retval, file, what, flags, value }
    );
}

/// Rules exclude the maps of this program by name.
#[test]
fn the_names_of_the_maps_are_those_that_rules_know() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: making maps needs root");
        return;
    }
    let mut object = std::mem::MaybeUninit::uninit();
    let mut open = bpf::CwsSkelBuilder::default().open(&mut object).unwrap();
    for mut program in open.open_object_mut().progs_mut() {
        program.set_autoload(false);
    }
    let loaded = open.load().unwrap();
    let names = loaded.object().maps().map(|map| map.info().unwrap().name().unwrap().to_owned());
    let names: std::collections::BTreeSet<_> = names.collect();
    let known: std::collections::BTreeSet<_> =
        proto::MAP_NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names, known);
}
