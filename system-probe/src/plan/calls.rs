//! System calls at the functions by which the kernel enters them: unlike their tracepoints they cost no other call
//! anything, and those of 32-bit programs are seen like any other.
//!
//! The kernel has one for each width of callers. Those of calls that a kernel or an architecture does not have are passed
//! over.

use super::hooks;
use super::hooks::at;
use super::hooks::result_alone;
use super::table::Hook;
use super::table::IO_URING;
use super::table::Program;
use super::table::Side;
use super::table::Way;
use super::table::Without;
use crate::facts::Capability;

/// Of the entries of calls.
#[cfg(target_arch = "x86_64")]
macro_rules! prefix {
    (native) => {
        "__x64_sys_"
    };
    (ia32) => {
        "__ia32_sys_"
    };
    (compat) => {
        "__ia32_compat_sys_"
    };
}
/// There is no 32-bit code of x86; names that no kernel has.
#[cfg(not(target_arch = "x86_64"))]
macro_rules! prefix {
    (native) => {
        "__arm64_sys_"
    };
    (ia32) => {
        "__ia32_sys_"
    };
    (compat) => {
        "__ia32_compat_sys_"
    };
}

macro_rules! program {
    (enter $width:ident $call:ident) => {
        at_call(
            Side::Entry,
            concat!(stringify!($width), "_enter_", stringify!($call)),
            concat!(prefix!($width), stringify!($call)),
        )
    };
    (exit $width:ident $call:ident) => {
        at_call(
            Side::Return,
            concat!(stringify!($width), "_exit_", stringify!($call)),
            concat!(prefix!($width), stringify!($call)),
        )
    };
}

/// `exit WIDTH CALL…; both WIDTH CALL…;` after other programs in brackets: all of them.
macro_rules! programs {
    ([$($done:tt)*]) => { &[$($done)*] };
    ([$($done:tt)*] exit $width:ident $($call:ident)*; $($rest:tt)*) => {
        programs!([$($done)* $(program!(exit $width $call),)*] $($rest)*)
    };
    ([$($done:tt)*] both $width:ident $($call:ident)*; $($rest:tt)*) => {
        programs!([$($done)* $(program!(enter $width $call), program!(exit $width $call),)*] $($rest)*)
    };
}

const fn at_call(side: Side, program: &'static str, function: &'static str) -> Program {
    // What the caller gave lies where the thread entered the kernel.
    result_alone(at(side, program, function, "pt_regs->", function, Without::Nothing))
}

const fn calls(programs: &'static [Program]) -> Way {
    let needs = &[Capability::Btf, Capability::Fentry, Capability::Fexit, Capability::RingBuffer];
    Way { needs, programs, blind: &[], label: "" }
}

const fn calls_besides_io_uring(programs: &'static [Program]) -> Way {
    Way { blind: &[IO_URING], ..calls(programs) }
}

pub(super) const SETUID: Way = calls(programs!([]
    both native setuid setreuid setresuid setfsuid;
    both ia32 setuid setreuid setresuid setfsuid setuid16 setreuid16 setresuid16 setfsuid16;
));

pub(super) const SETGID: Way = calls(programs!([]
    both native setgid setregid setresgid setfsgid;
    both ia32 setgid setregid setresgid setfsgid setgid16 setregid16 setresgid16 setfsgid16;
));

pub(super) const CAPSET: Way = calls(programs!([] both native capset; both ia32 capset;));

/// At the object, with the calls that are refused before there is one.
pub(super) const CHDIR_AT_OBJECT: Way =
    calls(programs!([hooks::SET_FS_PWD,] exit native chdir fchdir; exit ia32 chdir fchdir;));

pub(super) const CHDIR: Way = calls(programs!([] exit native chdir fchdir; exit ia32 chdir fchdir;));

pub(super) const SETXATTR_AT_OBJECT: Way = calls(programs!([
        hooks::WANT_WRITE[0], hooks::WANT_WRITE[1],
        hooks::VFS_SETXATTR[0], hooks::VFS_SETXATTR[1], hooks::VFS_SETXATTR[2],
        hooks::VFS_SETXATTR[3], hooks::VFS_SETXATTR[4], hooks::VFS_SETXATTR[5],
    ]
    exit native setxattr lsetxattr fsetxattr setxattrat;
    exit ia32 setxattr lsetxattr fsetxattr setxattrat;
));

pub(super) const SETXATTR: Way = calls_besides_io_uring(programs!([]
    both native setxattr lsetxattr fsetxattr setxattrat;
    both ia32 setxattr lsetxattr fsetxattr setxattrat;
));

pub(super) const REMOVEXATTR_AT_OBJECT: Way = calls(programs!([
        hooks::WANT_WRITE[0], hooks::WANT_WRITE[1],
        hooks::VFS_REMOVEXATTR[0], hooks::VFS_REMOVEXATTR[1], hooks::VFS_REMOVEXATTR[2],
        hooks::VFS_REMOVEXATTR[3], hooks::VFS_REMOVEXATTR[4], hooks::VFS_REMOVEXATTR[5],
    ]
    exit native removexattr lremovexattr fremovexattr removexattrat;
    exit ia32 removexattr lremovexattr fremovexattr removexattrat;
));

pub(super) const REMOVEXATTR: Way = calls(programs!([]
    both native removexattr lremovexattr fremovexattr removexattrat;
    both ia32 removexattr lremovexattr fremovexattr removexattrat;
));

/// Of `mount` and `move_mount`; the others return a descriptor of the mount that they made.
pub(super) const MOUNT_AT_OBJECT: Way = calls(programs!([hooks::PATH_MOUNT, hooks::MOVE_MOUNT,]
    exit native mount fsmount open_tree open_tree_attr move_mount pivot_root;
    exit ia32 mount fsmount open_tree open_tree_attr move_mount pivot_root;
));

pub(super) const MOUNT: Way = calls(programs!([]
    exit native mount fsmount open_tree open_tree_attr move_mount pivot_root;
    exit ia32 mount fsmount open_tree open_tree_attr move_mount pivot_root;
));

pub(super) const UMOUNT_AT_OBJECT: Way = calls(programs!([hooks::PATH_UMOUNT[0], hooks::PATH_UMOUNT[1],]
    exit native umount; exit ia32 umount oldumount;
));

pub(super) const UMOUNT: Way = calls(programs!([] both native umount; both ia32 umount oldumount;));

pub(super) const SPLICE: Way = calls_besides_io_uring(programs!([] both native splice; both ia32 splice;));

pub(super) const BIND: Way =
    calls(programs!([hooks::RING_BIND,] exit native bind; exit ia32 bind; exit compat socketcall;));

/// With the tracepoint that tells of TCP connections however they are begun.
pub(super) const CONNECT: Way = Way {
    needs: &[
        Capability::Btf,
        Capability::Fentry,
        Capability::Fexit,
        Capability::TpBtf,
        Capability::RingBuffer,
    ],
    programs: programs!([super::network::TCP_STATE, hooks::RING_CONNECT[0], hooks::RING_CONNECT[1],]
        exit native connect; exit ia32 connect; exit compat socketcall;
    ),
    blind: &[],
    label: "",
};

pub(super) const ACCEPT: Way = calls(
    programs!([hooks::RING_ACCEPT,] exit native accept accept4; exit ia32 accept4; exit compat socketcall;),
);

pub(super) const SETSOCKOPT: Way =
    calls(programs!([] exit native setsockopt; exit compat setsockopt socketcall;));

pub(super) const PTRACE: Way = calls(programs!([] both native ptrace; both compat ptrace;));

pub(super) const SIGNAL: Way = calls(programs!([]
    both native kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal;
    both ia32 kill tkill tgkill pidfd_send_signal;
    both compat rt_sigqueueinfo rt_tgsigqueueinfo;
));

pub(super) const BPF: Way = calls(programs!([] exit native bpf; exit ia32 bpf;));

pub(super) const LOAD_MODULE: Way =
    modules(programs!([Program { name: "on_module_load", hook: Hook::TpBtf("module_load") },]
        exit native init_module finit_module; exit ia32 init_module finit_module;
    ));

pub(super) const UNLOAD_MODULE: Way =
    modules(programs!([Program { name: "on_module_free", hook: Hook::TpBtf("module_free") },]
        exit native delete_module; exit ia32 delete_module;
    ));

/// With the tracepoints that tell the name of the module.
const fn modules(programs: &'static [Program]) -> Way {
    let needs = &[
        Capability::Btf,
        Capability::Modules,
        Capability::TpBtf,
        Capability::Fentry,
        Capability::Fexit,
        Capability::RingBuffer,
    ];
    Way { needs, programs, blind: &[], label: "nothing" }
}

pub(super) const MMAP: Way = calls(programs!([] exit native mmap; exit ia32 mmap_pgoff;));

pub(super) const MPROTECT: Way =
    calls(programs!([] both native mprotect pkey_mprotect; both ia32 mprotect pkey_mprotect;));

pub(super) const SETRLIMIT: Way =
    calls(programs!([] exit native setrlimit prlimit64; exit ia32 prlimit64; exit compat setrlimit;));

pub(super) const PRCTL: Way = calls(programs!([] exit native prctl; exit ia32 prctl;));

pub(super) const UNSHARE: Way = calls(programs!([] exit native unshare; exit ia32 unshare;));

pub(super) const SETNS: Way = calls(programs!([] exit native setns; exit ia32 setns;));

/// 32-bit code has had an entry of its own before 5.12.
pub(super) const PROCESS_VM_WRITEV: Way = calls(programs!([]
    both native process_vm_writev; both ia32 process_vm_writev; both compat process_vm_writev;
));

pub(super) const USERFAULTFD: Way = calls(programs!([] exit native userfaultfd; exit ia32 userfaultfd;));

pub(super) const MEMFD_CREATE: Way = calls(programs!([] exit native memfd_create; exit ia32 memfd_create;));

pub(super) const IO_URING_SETUP: Way =
    calls(programs!([] exit native io_uring_setup; exit ia32 io_uring_setup;));
