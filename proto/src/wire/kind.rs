//! The kinds of records, by number and name.

use super::layout;

/// One entry per kind: the number in `events.h`, the variant, and the name used in status, metrics and logs.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:path, $name:literal, body $body:ty;)+) => {
        /// Kind of a record (`KIND_*` of `events.h`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number in `record_header.kind`.
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The kind with this number, if there is one.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The name in status, metrics and logs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Size of the fixed part that follows the context, bytes.
            pub const fn body_size(self) -> usize {
                match self { $(Self::$variant => size_of::<$body>(),)+ }
            }
        }
    };
}

kinds! {
    /// A new process (not a thread).
    Fork = layout::KIND_FORK, "fork", body layout::fork_body;
    /// A new program image.
    Exec = layout::KIND_EXEC, "exec", body layout::exec_body;
    /// A piece of the arguments or environment of the next exec of the same task.
    ExecChunk = layout::KIND_EXEC_CHUNK, "exec_chunk", body layout::exec_chunk_body;
    /// The last thread of a process ended.
    Exit = layout::KIND_EXIT, "exit", body layout::exit_body;
    /// A call of the setuid family succeeded.
    Setuid = layout::KIND_SETUID, "setuid", body layout::setuid_body;
    /// A call of the setgid family succeeded.
    Setgid = layout::KIND_SETGID, "setgid", body layout::setgid_body;
    /// capset succeeded.
    Capset = layout::KIND_CAPSET, "capset", body layout::capset_body;
    /// A task moved to another cgroup.
    CgroupAttach = layout::KIND_CGROUP_ATTACH, "cgroup_attach", body layout::cgroup_attach_body;
    /// What capabilities a program has used.
    Capabilities = layout::KIND_CAPABILITIES, "capabilities", body layout::capabilities_body;
    /// A file was opened, created or truncated.
    Open = layout::KIND_OPEN, "open", body layout::open_body;
    /// A directory was made.
    Mkdir = layout::KIND_MKDIR, "mkdir", body layout::path_body;
    /// A directory was removed.
    Rmdir = layout::KIND_RMDIR, "rmdir", body layout::path_body;
    /// A name of a file was removed.
    Unlink = layout::KIND_UNLINK, "unlink", body layout::path_body;
    /// A file was renamed.
    Rename = layout::KIND_RENAME, "rename", body layout::link_body;
    /// A file got one more name.
    Link = layout::KIND_LINK, "link", body layout::link_body;
    /// The mode of a file was set.
    Chmod = layout::KIND_CHMOD, "chmod", body layout::chmod_body;
    /// The owner of a file was set.
    Chown = layout::KIND_CHOWN, "chown", body layout::chown_body;
    /// The times of a file were set.
    Utimes = layout::KIND_UTIMES, "utimes", body layout::utimes_body;
    /// An extended attribute was set.
    Setxattr = layout::KIND_SETXATTR, "setxattr", body layout::xattr_body;
    /// An extended attribute was removed.
    Removexattr = layout::KIND_REMOVEXATTR, "removexattr", body layout::xattr_body;
    /// A file system was mounted, or a mount copied, moved or attached.
    Mount = layout::KIND_MOUNT, "mount", body layout::mount_body;
    /// A mount was taken away.
    Umount = layout::KIND_UMOUNT, "umount", body layout::path_body;
    /// A process changed its working directory.
    Chdir = layout::KIND_CHDIR, "chdir", body layout::path_body;
    /// Data went between a file and a pipe without a copy.
    Splice = layout::KIND_SPLICE, "splice", body layout::splice_body;
    /// A symbolic link was made.
    Symlink = layout::KIND_SYMLINK, "symlink", body layout::link_body;
    /// A socket was bound to an address.
    Bind = layout::KIND_BIND, "bind", body layout::socket_body;
    /// A connection was opened.
    Connect = layout::KIND_CONNECT, "connect", body layout::socket_body;
    /// A connection was accepted.
    Accept = layout::KIND_ACCEPT, "accept", body layout::socket_body;
    /// An option of a socket was set.
    Setsockopt = layout::KIND_SETSOCKOPT, "setsockopt", body layout::setsockopt_body;
    /// A packet to or from a name service.
    Dns = layout::KIND_DNS, "dns", body layout::packet_body;
    /// A packet to or from a metadata service.
    Imds = layout::KIND_IMDS, "imds", body layout::packet_body;
    /// Any packet.
    Packet = layout::KIND_PACKET, "packet", body layout::packet_body;
    /// Traffic of a process during a period.
    Flows = layout::KIND_FLOWS, "flows", body layout::flows_body;
    /// A process traced another one.
    Ptrace = layout::KIND_PTRACE, "ptrace", body layout::ptrace_body;
    /// A signal was sent.
    Signal = layout::KIND_SIGNAL, "signal", body layout::signal_body;
    /// bpf(2).
    Bpf = layout::KIND_BPF, "bpf", body layout::bpf_body;
    /// A kernel module was loaded.
    LoadModule = layout::KIND_LOAD_MODULE, "load_module", body layout::load_module_body;
    /// A kernel module was removed.
    UnloadModule = layout::KIND_UNLOAD_MODULE, "unload_module", body layout::unload_module_body;
    /// Memory was mapped.
    Mmap = layout::KIND_MMAP, "mmap", body layout::mmap_body;
    /// The protection of memory was changed.
    Mprotect = layout::KIND_MPROTECT, "mprotect", body layout::mprotect_body;
    /// A limit of a process was set.
    Setrlimit = layout::KIND_SETRLIMIT, "setrlimit", body layout::setrlimit_body;
    /// prctl(2).
    Prctl = layout::KIND_PRCTL, "prctl", body layout::prctl_body;
    /// A process was written to a control group.
    CgroupWrite = layout::KIND_CGROUP_WRITE, "cgroup_write", body layout::cgroup_write_body;
    /// A kernel parameter was read or written.
    Sysctl = layout::KIND_SYSCTL, "sysctl", body layout::sysctl_body;
    /// A process left namespaces for new ones.
    Unshare = layout::KIND_UNSHARE, "unshare", body layout::namespaces_body;
    /// A process entered namespaces.
    Setns = layout::KIND_SETNS, "setns", body layout::namespaces_body;
    /// A process wrote to the memory of another one.
    ProcessVmWritev = layout::KIND_PROCESS_VM_WRITEV, "process_vm_writev", body layout::process_vm_writev_body;
    /// userfaultfd(2).
    Userfaultfd = layout::KIND_USERFAULTFD, "userfaultfd", body layout::made_descriptor_body;
    /// memfd_create(2).
    MemfdCreate = layout::KIND_MEMFD_CREATE, "memfd_create", body layout::made_descriptor_body;
    /// io_uring_setup(2).
    IoUringSetup = layout::KIND_IO_URING_SETUP, "io_uring_setup", body layout::made_descriptor_body;
    /// SELinux was reconfigured.
    Selinux = layout::KIND_SELINUX, "selinux", body layout::selinux_body;
}

impl Kind {
    /// Whether the agent's process tree is built from this kind. Such records are always sent, and kept in
    /// preference to others when a queue is full.
    pub const fn is_lifecycle(self) -> bool {
        matches!(self, Self::Fork | Self::Exec | Self::ExecChunk | Self::Exit | Self::CgroupAttach)
    }
}
