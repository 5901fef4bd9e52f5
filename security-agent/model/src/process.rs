//! Processes: what `process`, `process.parent`, `process.ancestors`, `exec`, `exit`, `ptrace.tracee`, `signal.target` and
//! `setrlimit.target` read.
//!
//! A [`Process`] is an immutable snapshot. When a process executes a program or changes its credentials, it gets a new
//! snapshot that shares what did not change.

use std::sync::Arc;

use secl::schema::weight;

use crate::arguments::Arguments;
use crate::constants::{AUDIT_USER, CAPABILITY};
use crate::container::{Cgroup, Container, UserSession};
use crate::environment::ShownWithValue;
use crate::file::File;
use crate::record::{Strs, record};
use crate::text::{Text, TextList};

record! {
    /// A process at one moment: from an exec, fork or change of credentials to the next one.
    pub struct Process {
        leaf {
            /// Process id (thread group id), as the host sees it.
            pid: u32 = "pid", "7.27";
            /// Thread id, as the host sees it.
            tid: u32 = "tid", "7.27";
            /// Process id of the parent.
            ppid: u32 = "ppid", "7.27";
            /// Name of the main thread, at most 15 bytes; set by exec to the name of the file, and changeable by the
            /// process itself.
            comm: Text = "comm", "7.27";
            /// Name of the controlling terminal, such as `pts0`; empty if there is none.
            tty_name: Text = "tty_name", "7.27", { example: Some(r#"exec.comm == "su" && process.tty_name != """#), };
            /// When the process executed its program.
            exec_time: u64 = "created_at", "7.29", {
                time: true, example: Some(r#"open.file.path == "/etc/shadow" && process.created_at < 5s"#),
            };
            /// The process was forked and has not executed a program of its own: it runs the program of its parent.
            is_thread: bool = "is_thread", "7.38";
            /// The process is a worker of the kernel.
            is_kworker: bool = "is_kworker", "7.39";
            /// The entry comes from an exec rather than from a fork.
            is_exec: bool = "is_exec", "7.60";
            /// Capabilities that the process tried to use.
            caps_attempted: u64 = "caps_attempted", "7.74", { constants: Some(&CAPABILITY), };
            /// Capabilities that the process used.
            caps_used: u64 = "caps_used", "7.74", { constants: Some(&CAPABILITY), };
        }
        nested {
            /// The program.
            image: Arc<Image> = "";
            /// On whose behalf, and with what privileges.
            credentials: Credentials = "";
            /// The container it runs in.
            container: Option<Arc<Container>> = "container";
            /// The control group it is in.
            cgroup: Option<Arc<Cgroup>> = "cgroup";
            /// The session of a person that it belongs to.
            user_session: Option<Arc<UserSession>> = "user_session";
        }
        hidden {
            /// When the process was forked, in nanoseconds since boot. With the pid, it tells processes apart when pids
            /// are used again.
            start_time: u64;
            /// When the process was forked, in nanoseconds since 1970; 0: unknown.
            fork_time: u64;
            /// When the process ended, in nanoseconds since 1970; 0: it lives.
            exit_time: u64;
            /// Namespaces, for reports and look-ups.
            namespaces: Namespaces;
            /// Where the entry comes from.
            source: ProcessSource;
            /// What it descends from.
            lineage: Lineage;
        }
    }
}

record! {
    /// A program in execution: what an exec sets, and forks share.
    pub struct Image {
        leaf {
            /// The arguments were cut.
            args_truncated: bool = "args_truncated", "7.27";
            /// Environment variables as `NAME=value`.
            envp: TextList = "envp", "7.35", { example: Some(r#"exec.envp == "PYTHONPATH=/tmp""#), };
            /// The environment was cut.
            envs_truncated: bool = "envs_truncated", "7.27";
        }
        derived {
            /// Arguments joined by spaces, without the first one.
            args: str = "args", "7.27", |image| image.arguments.joined(), {
                weight: weight::RESOLVED, example: Some(r#"exec.file.name == "nc" && exec.args =~ "* -e *""#),
            };
            /// Arguments, without the first one.
            argv: strs = "argv", "7.28", |image| Strs::From(image.arguments.all(), 1), {
                example: Some(r#"exec.argv in ["--privileged", "--pid=host"]"#),
            };
            /// First argument: by convention, the name of the program.
            argv0: str = "argv0", "7.34", |image| image.arguments.first(), { weight: weight::RESOLVED, };
            /// Flags among the arguments, without dashes: `-la --all` reads as `l`, `a`, `la`, `all`.
            args_flags: strs = "args_flags", "7.28", |image| Strs::From(image.arguments.flags(), 0), {
                example: Some(r#"exec.file.name == "chattr" && exec.args_flags == "i""#),
            };
            /// Options among the arguments as `name=value`: `--user root -p=22` reads as `user=root`, `p=22`.
            args_options: strs = "args_options", "7.28", |image| Strs::From(image.arguments.options(), 0), {
                example: Some(r#"exec.file.name == "curl" && exec.args_options in [~"o=/tmp/*"]"#),
            };
            /// Names of environment variables. Those that decide how programs are loaded or what is logged (LD_PRELOAD,
            /// LD_LIBRARY_PATH, PATH, HISTSIZE, HISTFILESIZE, GLIBC_TUNABLES, SSH_CLIENT) as `NAME=value`.
            envs: strs = "envs", "7.27", |image| Strs::EnvNames(&image.envp, &image.shown_envs), {
                example: Some(r#"exec.envs in [~"LD_PRELOAD=*"]"#),
            };
        }
        nested {
            /// The executable.
            file: File = "file";
            /// For a script: the interpreter that its first line names.
            interpreter: Option<Box<File>> = "interpreter.file";
        }
        hidden {
            /// The arguments.
            arguments: Arguments;
            /// The environment variables that are shown with their values.
            shown_envs: ShownWithValue;
        }
    }
}

/// The login user of who never logged in: `AUDIT_AUID_UNSET` of linux/audit.h.
const AUID_UNSET: u32 = u32::MAX;

record! {
    /// Users, groups and capabilities of a process.
    pub struct Credentials {
        leaf {
            /// Real user id.
            uid: u32 = "uid", "7.27";
            /// Name of the real user.
            user: Text = "user", "7.27", { weight: weight::RESOLVED, };
            /// Real group id.
            gid: u32 = "gid", "7.27";
            /// Name of the real group.
            group: Text = "group", "7.27", { weight: weight::RESOLVED, };
            /// Effective user id: what permissions are checked with.
            euid: u32 = "euid", "7.27", { example: Some("exec.euid == 0 && exec.uid != 0"), };
            /// Name of the effective user.
            euser: Text = "euser", "7.27", { weight: weight::RESOLVED, };
            /// Effective group id.
            egid: u32 = "egid", "7.27";
            /// Name of the effective group.
            egroup: Text = "egroup", "7.27", { weight: weight::RESOLVED, };
            /// User id for file access.
            fsuid: u32 = "fsuid", "7.27";
            /// Name of the user for file access.
            fsuser: Text = "fsuser", "7.27", { weight: weight::RESOLVED, };
            /// Group id for file access.
            fsgid: u32 = "fsgid", "7.27";
            /// Name of the group for file access.
            fsgroup: Text = "fsgroup", "7.27", { weight: weight::RESOLVED, };
            /// Login user id of the audit system: who logged in, whatever was done with `su` and `sudo` since.
            auid: u32 = "auid", "7.59", {
                constants: Some(&AUDIT_USER), example: Some("exec.auid != AUDIT_AUID_UNSET && exec.euid == 0"),
            };
            /// Effective capabilities.
            cap_effective: u64 = "cap_effective", "7.27", {
                constants: Some(&CAPABILITY), example: Some("exec.cap_effective & CAP_SYS_ADMIN > 0"),
            };
            /// Permitted capabilities.
            cap_permitted: u64 = "cap_permitted", "7.27", { constants: Some(&CAPABILITY), };
        }
        unset {
            auid: AUID_UNSET;
        }
    }
}

/// Inode numbers that identify the namespaces of a process; 0: unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Of process ids.
    pub pid: u32,
    /// Of mounts.
    pub mnt: u32,
    /// Of network devices and addresses.
    pub net: u32,
    /// Of users.
    pub user: u32,
}

/// How the agent learnt of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessSource {
    /// From an event of the kernel.
    #[default]
    Event,
    /// From the snapshot of processes that ran when the probe started.
    Snapshot,
    /// It is made up: events named a process whose start was not seen.
    Placeholder,
}

impl ProcessSource {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Snapshot => "snapshot",
            Self::Placeholder => "placeholder",
        }
    }
}

/// What a process descends from, nearest first: its own previous images, then its real parent, the images of that, and
/// so on. Dropping a long chain does not recurse.
#[derive(Debug, Clone, Default)]
pub struct Lineage(Option<Arc<Process>>);

impl Lineage {
    /// The chain that begins with `nearest`.
    pub fn new(nearest: Option<Arc<Process>>) -> Self {
        Self(nearest)
    }

    /// The nearest entry.
    pub fn nearest(&self) -> Option<&Arc<Process>> {
        self.0.as_ref()
    }
}

impl Drop for Lineage {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut process) = next.and_then(Arc::into_inner) {
            next = process.lineage.0.take();
        }
    }
}

impl Process {
    /// The entries it descends from, nearest first; see [`Lineage`].
    pub fn ancestors(&self) -> Ancestors<'_> {
        Ancestors { next: self.lineage.nearest() }
    }

    /// The nearest ancestor that is another process rather than an earlier image of this one.
    pub fn parent(&self) -> Option<&Arc<Process>> {
        self.ancestors().find(|ancestor| !ancestor.is_same_process(self))
    }

    /// Whether both are snapshots of the same process.
    pub fn is_same_process(&self, other: &Self) -> bool {
        self.pid == other.pid && self.start_time == other.start_time
    }
}

/// Iterator over ancestors, nearest first.
#[derive(Debug, Clone)]
pub struct Ancestors<'a> {
    next: Option<&'a Arc<Process>>,
}

impl<'a> Iterator for Ancestors<'a> {
    type Item = &'a Arc<Process>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let process = self.next?;
        self.next = process.lineage.nearest();
        Some(process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, start_time: u64, nearest: Option<Process>) -> Process {
        Process { pid, start_time, lineage: Lineage::new(nearest.map(Arc::new)), ..Process::default() }
    }

    #[test]
    fn the_parent_is_the_first_other_process() {
        let shell = process(10, 1, Some(process(1, 0, None)));
        let forked = process(11, 2, Some(shell));
        let executed = process(11, 2, Some(forked));
        assert_eq!(executed.ancestors().map(|p| p.pid).collect::<Vec<_>>(), [11, 10, 1]);
        assert_eq!(executed.parent().unwrap().pid, 10);
        assert!(process(1, 0, None).parent().is_none());
        let reused_pid = process(11, 9, Some(process(11, 2, None)));
        assert_eq!(reused_pid.parent().unwrap().start_time, 2);
    }

    #[test]
    fn nobody_has_logged_in_unless_a_record_says_so() {
        assert_eq!(AUDIT_USER.name(Credentials::default().auid.into()), Some("AUDIT_AUID_UNSET"));
    }

    #[test]
    fn a_very_long_lineage_is_dropped_without_recursion() {
        let mut last = process(0, 0, None);
        for pid in 1..500_000 {
            last = process(pid, 0, Some(last));
        }
        assert_eq!(last.ancestors().count(), 499_999);
        drop(last);
    }

    #[test]
    fn a_shared_lineage_outlives_one_of_its_users() {
        let parent = Arc::new(process(1, 0, None));
        let first = Process { lineage: Lineage::new(Some(Arc::clone(&parent))), ..process(2, 1, None) };
        drop(first);
        assert_eq!(Arc::strong_count(&parent), 1);
    }
}
