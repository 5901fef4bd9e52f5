//! The observations of kernel activity, most by the tracepoints of all calls that do it.

use proto::wire::Kind;

use super::calls;
use super::hooks::SELINUX;
use super::hooks::SELINUX_BEFORE_6_4;
use super::table::Attached;
use super::table::Hook;
use super::table::Observation;
use super::table::Program;
use super::table::Way;
use super::table::on;
use super::table::syscalls;
use super::table::tp_btf;
use crate::facts::Capability;

/// Rows of the table.
pub(super) static KERNEL: &[Observation] = &[
    row(
        "kernel.ptrace",
        &[Kind::Ptrace],
        &[
            calls::PTRACE,
            syscalls(&[on("enter_ptrace", "sys_enter_ptrace"), on("exit_ptrace", "sys_exit_ptrace")]),
        ],
    ),
    row(
        "kernel.signal",
        &[Kind::Signal],
        &[
            calls::SIGNAL,
            syscalls(&[
                on("enter_signal", "sys_enter_kill"),
                on("exit_signal", "sys_exit_kill"),
                on("enter_signal", "sys_enter_tkill"),
                on("exit_signal", "sys_exit_tkill"),
                on("enter_signal", "sys_enter_tgkill"),
                on("exit_signal", "sys_exit_tgkill"),
                on("enter_signal", "sys_enter_rt_sigqueueinfo"),
                on("exit_signal", "sys_exit_rt_sigqueueinfo"),
                on("enter_signal", "sys_enter_rt_tgsigqueueinfo"),
                on("exit_signal", "sys_exit_rt_tgsigqueueinfo"),
                on("enter_signal", "sys_enter_pidfd_send_signal"),
                on("exit_signal", "sys_exit_pidfd_send_signal"),
            ]),
        ],
    ),
    row("kernel.bpf", &[Kind::Bpf], &[calls::BPF, syscalls(&[on("exit_bpf", "sys_exit_bpf")])]),
    row(
        "kernel.load_module",
        &[Kind::LoadModule],
        &[
            calls::LOAD_MODULE,
            modules(&[
                Program { name: "on_module_load", hook: Hook::TpBtf("module_load") },
                on("exit_load_module", "sys_exit_init_module"),
                on("exit_load_module", "sys_exit_finit_module"),
            ]),
        ],
    ),
    row(
        "kernel.unload_module",
        &[Kind::UnloadModule],
        &[
            calls::UNLOAD_MODULE,
            modules(&[
                Program { name: "on_module_free", hook: Hook::TpBtf("module_free") },
                on("exit_unload_module", "sys_exit_delete_module"),
            ]),
        ],
    ),
    row("kernel.mmap", &[Kind::Mmap], &[calls::MMAP, syscalls(&[on("exit_mmap", "sys_exit_mmap")])]),
    row(
        "kernel.mprotect",
        &[Kind::Mprotect],
        &[
            calls::MPROTECT,
            syscalls(&[
                on("enter_mprotect", "sys_enter_mprotect"),
                on("exit_mprotect", "sys_exit_mprotect"),
                on("enter_mprotect", "sys_enter_pkey_mprotect"),
                on("exit_mprotect", "sys_exit_pkey_mprotect"),
            ]),
        ],
    ),
    row(
        "kernel.setrlimit",
        &[Kind::Setrlimit],
        &[
            calls::SETRLIMIT,
            syscalls(&[
                on("exit_setrlimit", "sys_exit_setrlimit"),
                on("exit_setrlimit", "sys_exit_prlimit64"),
            ]),
        ],
    ),
    row("kernel.prctl", &[Kind::Prctl], &[calls::PRCTL, syscalls(&[on("exit_prctl", "sys_exit_prctl")])]),
    row(
        "kernel.cgroup_write",
        &[Kind::CgroupWrite],
        &[tp_btf(&[Program { name: "on_cgroup_write", hook: Hook::TpBtf("cgroup_attach_task") }])],
    ),
    row(
        "kernel.sysctl",
        &[Kind::Sysctl],
        &[Way {
            needs: &[Capability::Btf, Capability::CgroupSysctl, Capability::RingBuffer],
            programs: &[Program { name: "on_sysctl", hook: Hook::Cgroup("cgroup/sysctl") }],
            blind: &[],
            label: "",
        }],
    ),
    row(
        "kernel.unshare",
        &[Kind::Unshare],
        &[calls::UNSHARE, syscalls(&[on("exit_namespaces", "sys_exit_unshare")])],
    ),
    row(
        "kernel.setns",
        &[Kind::Setns],
        &[calls::SETNS, syscalls(&[on("exit_namespaces", "sys_exit_setns")])],
    ),
    row(
        "kernel.process_vm_writev",
        &[Kind::ProcessVmWritev],
        &[
            calls::PROCESS_VM_WRITEV,
            syscalls(&[
                on("enter_vm_write", "sys_enter_process_vm_writev"),
                on("exit_vm_write", "sys_exit_process_vm_writev"),
            ]),
        ],
    ),
    row(
        "kernel.userfaultfd",
        &[Kind::Userfaultfd],
        &[calls::USERFAULTFD, syscalls(&[on("exit_descriptor", "sys_exit_userfaultfd")])],
    ),
    row(
        "kernel.memfd_create",
        &[Kind::MemfdCreate],
        &[calls::MEMFD_CREATE, syscalls(&[on("exit_descriptor", "sys_exit_memfd_create")])],
    ),
    row(
        "kernel.io_uring_setup",
        &[Kind::IoUringSetup],
        &[calls::IO_URING_SETUP, syscalls(&[on("exit_descriptor", "sys_exit_io_uring_setup")])],
    ),
    row("kernel.selinux", &[Kind::Selinux], &[SELINUX_BEFORE_6_4, SELINUX]),
];

/// Watched while a rule needs it.
const fn row(name: &'static str, kinds: &'static [Kind], ways: &'static [Way]) -> Observation {
    Observation { name, kinds, attached: Attached::OnDemand, ways }
}

/// By tracepoints of calls, and those that tell the name of the module.
const fn modules(programs: &'static [Program]) -> Way {
    let needs = &[
        Capability::Btf,
        Capability::Modules,
        Capability::TpBtf,
        Capability::SyscallTracepoint,
        Capability::RingBuffer,
    ];
    Way { needs, label: "nothing", ..syscalls(programs) }
}
