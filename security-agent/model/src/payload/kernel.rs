//! Events of the kernel: eBPF, memory mappings, modules, tracing, parameters, SELinux, control groups.

use std::sync::Arc;

use secl::schema::weight;

use super::Call;
use crate::constants::{
    BPF_ATTACH_TYPE, BPF_CMD, BPF_HELPER, BPF_MAP_TYPE, BPF_PROGRAM_TYPE, MMAP_FLAGS, PROTECTION,
    PTRACE_REQUEST, SYSCTL_ACTION, VM_FLAGS,
};
use crate::file::File;
use crate::process::Process;
use crate::record::record;
use crate::text::{Text, TextList};

/// `BPF_OBJ_NAME_LEN`: longest name of an eBPF object.
const BPF_NAME_LENGTH: u16 = 16;

record! {
    /// eBPF was used.
    pub struct Bpf {
        leaf {
            /// The command.
            cmd: u32 = "cmd", "7.33", { constants: Some(&BPF_CMD), };
        }
        nested {
            /// The map of the command.
            map: BpfMap = "map";
            /// The program of the command.
            prog: BpfProgram = "prog";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// An eBPF map.
    pub struct BpfMap {
        leaf {
            /// Name of the map.
            name: Text = "name", "7.35", {
                max_literal: Some(BPF_NAME_LENGTH),
                example: Some(r#"bpf.map.name != "" && bpf.map.name not in CWS_MAP_NAMES"#),
            };
            /// Type of the map.
            map_type: u32 = "type", "7.33", { constants: Some(&BPF_MAP_TYPE), };
        }
        hidden {
            /// Number of the map; 0: the command has none.
            id: u32;
        }
    }
}

record! {
    /// An eBPF program.
    pub struct BpfProgram {
        leaf {
            /// Name of the program.
            name: Text = "name", "7.35", { max_literal: Some(BPF_NAME_LENGTH), };
            /// Hash of the instructions of the program, in hexadecimal.
            tag: Text = "tag", "7.35";
            /// Type of the program.
            program_type: u32 = "type", "7.33", {
                constants: Some(&BPF_PROGRAM_TYPE),
                example: Some("bpf.cmd == BPF_PROG_LOAD && bpf.prog.type == BPF_PROG_TYPE_KPROBE"),
            };
            /// What the program is attached to.
            attach_type: u32 = "attach_type", "7.33", { constants: Some(&BPF_ATTACH_TYPE), };
            /// Functions of the kernel that the program calls.
            helpers: Box<[i64]> = "helpers", "7.35", {
                constants: Some(&BPF_HELPER), example: Some("bpf.prog.helpers == BPF_PROBE_WRITE_USER"),
            };
        }
        hidden {
            /// Number of the program; 0: the command has none.
            id: u32;
        }
    }
}

record! {
    /// A process traced another one.
    pub struct Ptrace {
        leaf {
            /// The request.
            request: u32 = "request", "7.35", {
                constants: Some(&PTRACE_REQUEST),
                example: Some("ptrace.request in [PTRACE_ATTACH, PTRACE_SEIZE] && ptrace.tracee.euid == 0"),
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// The traced process.
            tracee: Option<Arc<Process>>;
            /// The address argument of the request.
            address: u64;
        }
    }
}

record! {
    /// Memory was mapped.
    pub struct Mmap {
        leaf {
            /// Flags of the mapping.
            flags: u64 = "flags", "7.35", { constants: Some(&MMAP_FLAGS), };
            /// Protection of the mapping.
            protection: u64 = "protection", "7.35", {
                constants: Some(&PROTECTION),
                example: Some("mmap.protection & (PROT_WRITE|PROT_EXEC) == (PROT_WRITE|PROT_EXEC)"),
            };
        }
        nested {
            /// The mapped file, unless the mapping is anonymous.
            file: Option<Box<File>> = "file";
            /// The result.
            call: Call = "";
        }
        hidden {
            /// Where the mapping begins.
            address: u64;
            /// Offset in the file, in bytes.
            offset: u64;
            /// Length of the mapping, in bytes.
            length: u64;
        }
    }
}

record! {
    /// The protection of memory was changed.
    pub struct Mprotect {
        leaf {
            /// Protection before the change.
            vm_protection: u64 = "vm_protection", "7.35", { constants: Some(&VM_FLAGS), };
            /// Protection that was asked for.
            req_protection: u64 = "req_protection", "7.35", {
                constants: Some(&VM_FLAGS),
                example: Some("mprotect.vm_protection & VM_WRITE > 0 && mprotect.req_protection & VM_EXEC > 0"),
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// Where the mapping begins.
            vm_start: u64;
            /// Where the mapping ends.
            vm_end: u64;
        }
    }
}

record! {
    /// A kernel module was loaded.
    pub struct LoadModule {
        leaf {
            /// Name of the module.
            name: Text = "name", "7.35";
            /// The module was given as memory rather than as a file.
            loaded_from_memory: bool = "loaded_from_memory", "7.35", {
                example: Some("load_module.loaded_from_memory == true"),
            };
            /// Parameters of the module.
            argv: TextList = "argv", "7.45";
            /// The parameters were cut.
            args_truncated: bool = "args_truncated", "7.45";
        }
        derived {
            /// Parameters of the module, joined by spaces.
            args: str = "args", "7.45", |module| module.argv.joined_from(0);
        }
        nested {
            /// The file, unless the module was given as memory.
            file: Option<Box<File>> = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A kernel module was removed.
    pub struct UnloadModule {
        leaf {
            /// Name of the module.
            name: Text = "name", "7.35", { example: Some(r#"unload_module.name == "nf_tables""#), };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// SELinux was reconfigured.
    pub struct Selinux {
        leaf {
            /// Name of the boolean that was changed.
            bool_name: Text = "bool.name", "7.30";
            /// New state of the boolean: `on`, `off` or `error`.
            bool_state: Text = "bool.state", "7.30";
            /// Changes of booleans were committed.
            bool_commit: bool = "bool_commit.state", "7.30";
            /// New mode: `enforcing`, `permissive` or `disabled`.
            enforce_status: Text = "enforce.status", "7.30", {
                example: Some(r#"selinux.enforce.status in ["permissive", "disabled"]"#),
            };
        }
        hidden {
            /// The file of the SELinux file system that was written.
            file: Option<Box<File>>;
        }
    }
}

record! {
    /// A process was moved to a control group.
    pub struct CgroupWrite {
        leaf {
            /// Process id of the process that was moved.
            pid: u32 = "pid", "7.68";
        }
        nested {
            /// The file of the control group that was written.
            file: File = "file";
        }
    }
}

record! {
    /// A kernel parameter was read or written.
    pub struct Sysctl {
        leaf {
            /// What was done.
            action: u32 = "action", "7.65", {
                constants: Some(&SYSCTL_ACTION),
                example: Some(r#"sysctl.action == SYSCTL_WRITE && sysctl.name == "kernel/core_pattern""#),
            };
            /// Position in the file.
            file_position: u64 = "file_position", "7.65";
            /// Name of the parameter, with slashes.
            name: Text = "name", "7.65", { weight: weight::RESOLVED, };
            /// The name was cut.
            name_truncated: bool = "name_truncated", "7.65";
            /// The new value.
            value: Text = "value", "7.65";
            /// The new value was cut.
            value_truncated: bool = "value_truncated", "7.65";
            /// The value before.
            old_value: Text = "old_value", "7.65";
            /// The value before was cut.
            old_value_truncated: bool = "old_value_truncated", "7.65";
        }
    }
}
