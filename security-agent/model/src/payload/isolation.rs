//! Events that CWS does not have: other namespaces, memory of other processes, and descriptors that are means of exploits.

use std::sync::Arc;

use secl::schema::weight;

use super::Call;
use crate::constants::{IO_URING_FLAGS, MEMFD_FLAGS, NAMESPACE_FLAGS, USERFAULTFD_FLAGS};
use crate::process::Process;
use crate::record::record;
use crate::text::Text;

record! {
    /// A process left namespaces for new ones.
    pub struct Unshare {
        leaf {
            /// What it left.
            flags: u32 = "flags", "none", {
                constants: Some(&NAMESPACE_FLAGS),
                example: Some("unshare.flags & CLONE_NEWUSER > 0 && process.uid != 0"),
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A process entered existing namespaces.
    pub struct Setns {
        leaf {
            /// Types of namespaces that were asked for; 0: whatever the descriptor is of.
            flags: u32 = "flags", "none", { constants: Some(&NAMESPACE_FLAGS), };
            /// Number of the namespace, as `/proc/PID/ns` shows it; 0: the namespaces of a process were entered.
            namespace: u32 = "namespace", "none";
            /// Process id of the process whose namespaces were entered, where a pidfd named it.
            pid: u32 = "pid", "none", { example: Some("setns.pid == 1 && process.container.id != \"\""), };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A process exchanged its root.
    pub struct PivotRoot {
        leaf {
            /// New root as given to the system call.
            syscall_path: Text = "syscall.path", "none", { weight: weight::RESOLVED, };
            /// Where the old root goes, as given to the system call.
            syscall_put_old: Text = "syscall.put_old", "none", { weight: weight::RESOLVED, };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A process wrote to the memory of another one.
    pub struct ProcessVmWritev {
        leaf {
            /// Process id of the process that was written to.
            pid: u32 = "pid", "none", {
                example: Some("process_vm_writev.target.euid == 0 && process.euid != 0"),
            };
        }
        nested {
            /// The result: bytes that were written.
            call: Call = "";
        }
        hidden {
            /// The process that was written to.
            target: Option<Arc<Process>>;
            /// The first address that was written to.
            address: u64;
        }
    }
}

record! {
    /// A process asked to handle page faults itself.
    pub struct Userfaultfd {
        leaf {
            /// Flags of the call.
            flags: u32 = "flags", "none", {
                constants: Some(&USERFAULTFD_FLAGS),
                example: Some("userfaultfd.flags & UFFD_USER_MODE_ONLY == 0 && process.uid != 0"),
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A file that is nothing but memory was made.
    pub struct MemfdCreate {
        leaf {
            /// Name of the file.
            name: Text = "name", "none", { example: Some(r#"memfd_create.name == """#), };
            /// Flags of the call.
            flags: u32 = "flags", "none", { constants: Some(&MEMFD_FLAGS), };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// Rings of `io_uring` were set up: operations through them are no system calls.
    pub struct IoUringSetup {
        leaf {
            /// Size of the ring that was asked for.
            entries: u32 = "entries", "none";
            /// Flags of the rings.
            flags: u32 = "flags", "none", {
                constants: Some(&IO_URING_FLAGS), example: Some("io_uring_setup.flags & IORING_SETUP_SQPOLL > 0"),
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}
