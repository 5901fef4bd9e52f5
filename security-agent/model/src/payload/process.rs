//! Events of processes.

use std::sync::Arc;

use secl::schema::weight;

use super::Call;
use crate::constants::{CAPABILITY, EXIT_CAUSE, PRCTL_OPTION, RESOURCE_LIMIT, SIGNAL};
use crate::file::FileMetadata;
use crate::process::Process;
use crate::record::record;
use crate::text::Text;

record! {
    /// A program was executed. The process of the event is the one that the exec made.
    pub struct Exec {
        leaf {
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.56", { weight: weight::RESOLVED, };
        }
        nested {
            /// What the content of the executable says about it.
            metadata: Option<Box<FileMetadata>> = "file.metadata";
        }
    }
}

record! {
    /// A process ended.
    pub struct Exit {
        leaf {
            /// Why it ended.
            cause: u32 = "cause", "7.38", {
                constants: Some(&EXIT_CAUSE), example: Some(r#"exit.cause == SIGNALED && exit.comm == "auditd""#),
            };
            /// Its exit status or, if a signal ended it, the number of the signal.
            code: u32 = "code", "7.38";
        }
    }
}

record! {
    /// A process was forked. No rule reads it; it keeps the process tree.
    pub struct Fork {}
}

record! {
    /// The user ids of a process were changed.
    pub struct Setuid {
        leaf {
            /// Real user id after the change.
            uid: u32 = "uid", "7.27";
            /// Name of the real user after the change.
            user: Text = "user", "7.27", { weight: weight::RESOLVED, };
            /// Effective user id after the change.
            euid: u32 = "euid", "7.27", {
                example: Some(r#"setuid.euid == 0 && process.uid != 0 && process.file.name not in ["sudo", "su"]"#),
            };
            /// Name of the effective user after the change.
            euser: Text = "euser", "7.27", { weight: weight::RESOLVED, };
            /// User id for file access after the change.
            fsuid: u32 = "fsuid", "7.27";
            /// Name of the user for file access after the change.
            fsuser: Text = "fsuser", "7.27", { weight: weight::RESOLVED, };
        }
    }
}

record! {
    /// The group ids of a process were changed.
    pub struct Setgid {
        leaf {
            /// Real group id after the change.
            gid: u32 = "gid", "7.27";
            /// Name of the real group after the change.
            group: Text = "group", "7.27", { weight: weight::RESOLVED, };
            /// Effective group id after the change.
            egid: u32 = "egid", "7.27", { example: Some("setgid.egid == 0 && process.gid != 0"), };
            /// Name of the effective group after the change.
            egroup: Text = "egroup", "7.27", { weight: weight::RESOLVED, };
            /// Group id for file access after the change.
            fsgid: u32 = "fsgid", "7.27";
            /// Name of the group for file access after the change.
            fsgroup: Text = "fsgroup", "7.27", { weight: weight::RESOLVED, };
        }
    }
}

record! {
    /// The capabilities of a process were changed.
    pub struct Capset {
        leaf {
            /// Effective capabilities after the change.
            cap_effective: u64 = "cap_effective", "7.27", {
                constants: Some(&CAPABILITY), example: Some("capset.cap_effective & CAP_SYS_PTRACE > 0"),
            };
            /// Permitted capabilities after the change.
            cap_permitted: u64 = "cap_permitted", "7.27", { constants: Some(&CAPABILITY), };
        }
    }
}

record! {
    /// A signal was sent to a process, or refused.
    pub struct Signal {
        leaf {
            /// Number of the signal.
            signal: u32 = "type", "7.35", {
                constants: Some(&SIGNAL), example: Some(r#"signal.type == SIGKILL && signal.target.comm == "auditd""#),
            };
            /// Process id that the signal was sent to.
            pid: u32 = "pid", "7.35";
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// The process that the signal was sent to.
            target: Option<Arc<Process>>;
        }
    }
}

record! {
    /// A resource limit of a process was set.
    pub struct Setrlimit {
        leaf {
            /// The resource.
            resource: u32 = "resource", "7.68", {
                constants: Some(&RESOURCE_LIMIT),
                example: Some("setrlimit.resource == RLIMIT_CORE && setrlimit.rlim_max == 0"),
            };
            /// The new soft limit.
            soft: u64 = "rlim_cur", "7.68";
            /// The new hard limit.
            hard: u64 = "rlim_max", "7.68";
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// The process whose limit was set.
            target: Option<Arc<Process>>;
        }
    }
}

record! {
    /// Capabilities that a process used, or tried to, during a period.
    pub struct Capabilities {
        leaf {
            /// Capabilities it tried to use.
            attempted: u64 = "attempted", "7.70", {
                constants: Some(&CAPABILITY), example: Some("capabilities.attempted & CAP_SYS_MODULE > 0"),
            };
            /// Capabilities it used.
            used: u64 = "used", "7.70", { constants: Some(&CAPABILITY), };
        }
    }
}

record! {
    /// A process operated on itself with `prctl`.
    pub struct Prctl {
        leaf {
            /// The operation.
            option: u32 = "option", "7.71", {
                constants: Some(&PRCTL_OPTION), example: Some(r#"prctl.option == PR_SET_NAME && prctl.new_name == "[kworker]""#),
            };
            /// For `PR_SET_NAME`: the new name of the thread.
            new_name: Text = "new_name", "7.71";
            /// The new name was cut.
            is_name_truncated: bool = "is_name_truncated", "7.71";
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}
