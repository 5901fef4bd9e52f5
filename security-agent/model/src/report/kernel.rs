//! Kernel and process events in reports.

use super::file::FILE;
use super::object::objects;
use super::process::PROCESS_CONTEXT;
use super::{count, flags, hex, non_zero, string, text, texts, yes};
use crate::constants::{
    BPF_ATTACH_TYPE, BPF_CMD, BPF_HELPER, BPF_MAP_TYPE, BPF_PROGRAM_TYPE, CAPABILITY, EXIT_CAUSE, MMAP_FLAGS,
    PIPE_BUFFER_FLAGS, PRCTL_OPTION, PROTECTION, PTRACE_REQUEST, RESOURCE_LIMIT, SIGNAL as SIGNALS,
    SYSCTL_ACTION, UMOUNT_FLAGS, VM_FLAGS,
};
use crate::payload::{
    Bpf, BpfMap, BpfProgram, Capabilities, CgroupWrite, Exit, LoadModule, Mmap, Mount, Mprotect, Prctl,
    Ptrace, Selinux, Setrlimit, Signal, Splice, Sysctl, Umount, UnloadModule,
};

objects! {
    /// Why a process ended.
    EXIT: "ExitEvent" of Exit = |exit, scope| {
        /// `EXITED`, `COREDUMPED` or `SIGNALED`.
        "cause" [str] = EXIT_CAUSE.name_or_number(exit.cause.into());
        /// Exit status or number of the signal.
        "code" [int] = i64::from(exit.code);
    }

    /// A signal.
    SIGNAL: "SignalEvent" of Signal = |signal, scope| {
        /// The signal.
        "type" [str] = SIGNALS.name_or_number(signal.signal.into());
        /// Process id it was sent to.
        "pid" [int] = i64::from(signal.pid);
        /// The process it was sent to.
        "target" [opt object PROCESS_CONTEXT] = signal.target.as_deref();
    }

    /// A resource limit.
    SETRLIMIT: "SetrlimitEvent" of Setrlimit = |setrlimit, scope| {
        /// The resource.
        "resource" [str] = RESOURCE_LIMIT.name_or_number(setrlimit.resource.into());
        /// The new soft limit.
        "rlim_cur" [int] = setrlimit.soft.cast_signed();
        /// The new hard limit.
        "rlim_max" [int] = setrlimit.hard.cast_signed();
        /// The process whose limit was set.
        "target" [opt object PROCESS_CONTEXT] = setrlimit.target.as_deref();
    }

    /// Use of capabilities.
    CAPABILITIES: "CapabilitiesEvent" of Capabilities = |capabilities, scope| {
        /// Capabilities the process tried to use.
        "caps_attempted" [strs] = CAPABILITY.flag_names(capabilities.attempted.cast_signed());
        /// Capabilities the process used.
        "caps_used" [strs] = CAPABILITY.flag_names(capabilities.used.cast_signed());
    }

    /// An operation of `prctl`.
    PRCTL: "PrCtlEvent" of Prctl = |prctl, scope| {
        /// The operation.
        "option" [str] = PRCTL_OPTION.name_or_number(prctl.option.into());
        /// The new name of the thread.
        "new_name" [opt str] = text(&prctl.new_name);
        /// The new name was cut.
        "is_name_truncated" [opt bool] = yes(prctl.is_name_truncated);
    }

    /// Data moved between a file and a pipe.
    SPLICE: "SpliceEvent" of Splice = |splice, scope| {
        /// Flags of the pipe buffer when the call began.
        "pipe_entry_flag" [str] = flags(&PIPE_BUFFER_FLAGS, splice.pipe_entry_flag);
        /// Flags of the pipe buffer when the call ended.
        "pipe_exit_flag" [str] = flags(&PIPE_BUFFER_FLAGS, splice.pipe_exit_flag);
    }

    /// A mount.
    MOUNT: "MountEvent" of Mount = |mount, scope| {
        /// Identifier of the new mount.
        "mount_id" [int] = i64::from(mount.mount_id);
        /// Identifier of the mount it is mounted on.
        "parent_mount_id" [int] = i64::from(mount.parent_mount_id);
        /// For a bind mount: the mount of its source.
        "bind_src_mount_id" [int] = i64::from(mount.bind_source_mount_id);
        /// Device number of the file system.
        "device" [int] = i64::from(mount.device);
        /// Type of the file system.
        "fs_type" [opt str] = text(&mount.fs_type);
        /// Where it was mounted.
        "mountpoint.path" [opt str] = text(&mount.mountpoint_path);
        /// Who says that this was the mount point: `kernel` or `user`, as of a file.
        "path_resolution" [opt str] = text(&mount.path_resolution);
        /// What was mounted.
        "source.path" [opt str] = text(&mount.source_path);
        /// The mount was there before, or its file system: it was given other options.
        "remount" [opt bool] = yes(mount.remount);
        /// The mount is attached to no mount tree.
        "detached" [opt bool] = yes(mount.detached);
        /// The mount shows in `/proc/self/mountinfo`.
        "visible" [opt bool] = yes(mount.visible);
    }

    /// A mount that was removed.
    UMOUNT: "UmountEvent" of Umount = |umount, scope| {
        /// Identifier of the mount.
        "mount_id" [opt int] = non_zero(umount.mount_id);
        /// Device number of the file system.
        "device" [opt int] = non_zero(umount.device);
        /// Type of the file system.
        "fs_type" [opt str] = text(&umount.fs_type);
        /// Where it was mounted.
        "mountpoint.path" [opt str] = text(&umount.mountpoint_path);
        /// Why the mount point is missing or cut.
        "path_resolution_error" [opt str] = text(&umount.path_error);
        /// Who says that this was the mount point: `kernel` or `user`, as of a file.
        "path_resolution" [opt str] = text(&umount.path_resolution);
        /// Flags of the call.
        "flags" [opt str] = (umount.flags != 0).then(|| flags(&UMOUNT_FLAGS, umount.flags));
    }

    /// A use of eBPF.
    BPF: "BPFEvent" of Bpf = |bpf, scope| {
        /// The command.
        "cmd" [str] = BPF_CMD.name_or_number(bpf.cmd.into());
        /// The map of the command.
        "map" [opt object BPF_MAP] = Some(&bpf.map).filter(|map| map.id != 0 || !map.name.is_empty() || map.map_type != 0);
        /// The program of the command.
        "program" [opt object BPF_PROGRAM] =
            Some(&bpf.prog).filter(|prog| prog.id != 0 || !prog.name.is_empty() || prog.program_type != 0);
    }

    /// An eBPF map.
    BPF_MAP: "BPFMap" of BpfMap = |map, scope| {
        /// Name of the map.
        "name" [opt str] = text(&map.name);
        /// Type of the map.
        "map_type" [opt str] = Some(BPF_MAP_TYPE.name_or_number(map.map_type.into()));
    }

    /// An eBPF program.
    BPF_PROGRAM: "BPFProgram" of BpfProgram = |program, scope| {
        /// Name of the program.
        "name" [opt str] = text(&program.name);
        /// Hash of the instructions.
        "tag" [opt str] = text(&program.tag);
        /// Type of the program.
        "program_type" [opt str] = Some(BPF_PROGRAM_TYPE.name_or_number(program.program_type.into()));
        /// What it is attached to.
        "attach_type" [opt str] = Some(BPF_ATTACH_TYPE.name_or_number(program.attach_type.into()));
        /// Functions of the kernel that it calls.
        "helpers" [opt strs] = (!program.helpers.is_empty())
            .then(|| program.helpers.iter().map(|helper| BPF_HELPER.name_or_number(*helper)).collect());
    }

    /// A mapping of memory.
    MMAP: "MMapEvent" of Mmap = |mmap, scope| {
        /// Where the mapping begins, in hexadecimal.
        "address" [str] = hex(mmap.address);
        /// Offset in the file.
        "offset" [int] = mmap.offset.cast_signed();
        /// Length of the mapping.
        "length" [int] = mmap.length.cast_signed();
        /// Protection of the mapping.
        "protection" [str] = flags(&PROTECTION, mmap.protection.cast_signed());
        /// Flags of the mapping.
        "flags" [str] = flags(&MMAP_FLAGS, mmap.flags.cast_signed());
    }

    /// A change of the protection of memory.
    MPROTECT: "MProtectEvent" of Mprotect = |mprotect, scope| {
        /// Where the mapping begins, in hexadecimal.
        "vm_start" [str] = hex(mprotect.vm_start);
        /// Where the mapping ends, in hexadecimal.
        "vm_end" [str] = hex(mprotect.vm_end);
        /// Protection before the change.
        "vm_protection" [str] = flags(&VM_FLAGS, mprotect.vm_protection.cast_signed());
        /// Protection that was asked for.
        "req_protection" [str] = flags(&VM_FLAGS, mprotect.req_protection.cast_signed());
    }

    /// Tracing of a process.
    PTRACE: "PTraceEvent" of Ptrace = |ptrace, scope| {
        /// The request.
        "request" [str] = PTRACE_REQUEST.name_or_number(ptrace.request.into());
        /// The address argument, in hexadecimal.
        "address" [str] = hex(ptrace.address);
        /// The traced process.
        "tracee" [opt object PROCESS_CONTEXT] = ptrace.tracee.as_deref();
    }

    /// A kernel module that was loaded.
    LOAD_MODULE: "ModuleEvent" of LoadModule = |module, scope| {
        /// Name of the module.
        "name" [str] = crate::lossy(&module.name).into_owned();
        /// The module was given as memory.
        "loaded_from_memory" [opt bool] = yes(module.loaded_from_memory);
        /// Parameters of the module.
        "argv" [opt strs] = texts(&module.argv);
        /// The parameters were cut.
        "args_truncated" [opt bool] = yes(module.args_truncated);
    }

    /// A kernel module that was removed.
    UNLOAD_MODULE: "UnloadedModule" of UnloadModule = |module, scope| {
        /// Name of the module.
        "name" [str] = crate::lossy(&module.name).into_owned();
    }

    /// A change of the configuration of SELinux.
    SELINUX: "SELinuxEvent" of Selinux = |selinux, scope| {
        /// A boolean was changed.
        "bool" [opt object SELINUX_BOOL] = Some(selinux).filter(|selinux| !selinux.bool_name.is_empty());
        /// The mode was changed.
        "enforce" [opt object SELINUX_ENFORCE] = Some(selinux).filter(|selinux| !selinux.enforce_status.is_empty());
        /// Changes of booleans were committed.
        "bool_commit" [opt object SELINUX_COMMIT] = Some(selinux).filter(|selinux| selinux.bool_commit);
    }

    /// A change of a boolean of SELinux.
    SELINUX_BOOL: "SELinuxBoolChange" of Selinux = |selinux, scope| {
        /// Name of the boolean.
        "name" [opt str] = text(&selinux.bool_name);
        /// `on`, `off` or `error`.
        "state" [opt str] = text(&selinux.bool_state);
    }

    /// A change of the mode of SELinux.
    SELINUX_ENFORCE: "SELinuxEnforceStatus" of Selinux = |selinux, scope| {
        /// `enforcing`, `permissive` or `disabled`.
        "status" [opt str] = text(&selinux.enforce_status);
    }

    /// A commit of changes of booleans of SELinux.
    SELINUX_COMMIT: "SELinuxBoolCommit" of Selinux = |selinux, scope| {
        /// Changes were committed.
        "state" [opt bool] = Some(selinux.bool_commit);
    }

    /// A move to a control group.
    CGROUP_WRITE: "CGroupWriteEvent" of CgroupWrite = |write, scope| {
        /// The file of the control group that was written.
        "file" [opt object FILE] = Some(&write.file).filter(|file| !file.is_absent());
        /// Process id of the process that was moved.
        "pid" [opt int] = Some(i64::from(write.pid));
    }

    /// An access to a kernel parameter.
    SYSCTL: "SysCtlEvent" of Sysctl = |sysctl, scope| {
        /// `SYSCTL_READ` or `SYSCTL_WRITE`.
        "action" [opt str] = string(&SYSCTL_ACTION.name_or_number(sysctl.action.into()));
        /// Position in the file.
        "file_position" [opt int] = Some(sysctl.file_position.cast_signed()).filter(|position| *position != 0);
        /// Name of the parameter.
        "name" [opt str] = text(&sysctl.name);
        /// The name was cut.
        "name_truncated" [opt bool] = yes(sysctl.name_truncated);
        /// The new value.
        "value" [opt str] = text(&sysctl.value);
        /// The new value was cut.
        "value_truncated" [opt bool] = yes(sysctl.value_truncated);
        /// The value before.
        "old_value" [opt str] = text(&sysctl.old_value);
        /// The value before was cut.
        "old_value_truncated" [opt bool] = yes(sysctl.old_value_truncated);
    }

    /// A part of a rule that decided.
    MATCHING_SUBEXPR: "MatchingSubExpr" of super::MatchedOn = |matched, scope| {
        /// Where it begins in the expression, in bytes.
        "offset" [int] = count(matched.offset);
        /// Its length in bytes.
        "length" [int] = count(matched.length);
        /// The value it saw.
        "value" [str] = matched.value.clone();
        /// The field that has the value.
        "field" [opt str] = string(&matched.field);
    }
}
