//! Events: their types, and what each one is made of.

use std::sync::Arc;

use crate::network::Packet;
use crate::payload;
use crate::process::Process;
use crate::record::{Part, Record, Value, record};
use crate::text::{Text, TextList};

/// Group of event types in reports and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Executions, ends, credentials, limits.
    Process,
    /// Files and directories.
    File,
    /// Memory mappings, tracing, modules, eBPF, parameters.
    Kernel,
    /// Sockets and packets.
    Network,
}

impl Category {
    /// `evt.category` in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "Process Activity",
            Self::File => "File Activity",
            Self::Kernel => "Kernel Activity",
            Self::Network => "Network Activity",
        }
    }
}

macro_rules! events {
    ($( $(#[doc = $doc:literal])+ $Kind:ident($Payload:ident) = $name:literal, $category:ident, $since:literal; )*) => {
        /// Type of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum EventKind {
            $( $(#[doc = $doc])+ $Kind, )*
        }

        /// What an event carries besides its process.
        #[derive(Debug, Clone)]
        pub enum Payload {
            $( $(#[doc = $doc])+ $Kind(payload::$Payload), )*
        }

        impl EventKind {
            /// Every type, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$Kind,)*];

            /// Name in rules and reports.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Kind => $name, )* }
            }

            /// Category in reports.
            pub const fn category(self) -> Category {
                match self { $( Self::$Kind => Category::$category, )* }
            }

            /// First CWS release with the type; `none`: CWS has no such event; empty: internal, no rule can name it.
            pub const fn since(self) -> &'static str {
                match self { $( Self::$Kind => $since, )* }
            }

            /// What the event tells.
            pub const fn doc(self) -> &'static str {
                match self { $( Self::$Kind => concat!($($doc, "\n"),+), )* }
            }

            /// Name of the type of the payload.
            pub(crate) const fn record(self) -> &'static str {
                match self { $( Self::$Kind => <payload::$Payload as Record>::NAME, )* }
            }

            /// The parts of the payload.
            pub(crate) const fn parts(self) -> &'static [Part] {
                match self { $( Self::$Kind => <payload::$Payload as Record>::PARTS, )* }
            }
        }

        impl Payload {
            /// Type of the event that carries it.
            #[inline]
            pub fn kind(&self) -> EventKind {
                match self { $( Self::$Kind(_) => EventKind::$Kind, )* }
            }

            /// The value of a field of the payload.
            #[inline]
            pub(crate) fn read(&self, index: usize) -> Value<'_> {
                match self { $( Self::$Kind(payload) => payload.read(index), )* }
            }

            /// Gives every field a value of its own.
            #[cfg(test)]
            pub(crate) fn fill(&mut self, prefix: &str, sample: &mut crate::record::sample::Sample) {
                match self { $( Self::$Kind(payload) => payload.fill(prefix, sample), )* }
            }

            /// A payload in which everything is zero.
            pub fn zero(kind: EventKind) -> Self {
                match kind { $( EventKind::$Kind => Self::$Kind(payload::$Payload::default()), )* }
            }
        }
    };
}

events! {
    /// A program was executed.
    Exec(Exec) = "exec", Process, "7.27";
    /// A process ended.
    Exit(Exit) = "exit", Process, "7.38";
    /// A process was forked. Rules cannot name it; it keeps the process tree.
    Fork(Fork) = "fork", Process, "";
    /// The user ids of a process were changed.
    Setuid(Setuid) = "setuid", Process, "7.27";
    /// The group ids of a process were changed.
    Setgid(Setgid) = "setgid", Process, "7.27";
    /// The capabilities of a process were changed.
    Capset(Capset) = "capset", Process, "7.27";
    /// A signal was sent, or refused.
    Signal(Signal) = "signal", Process, "7.35";
    /// A resource limit was set.
    Setrlimit(Setrlimit) = "setrlimit", Process, "7.68";
    /// Capabilities were used, or tried, during a period.
    Capabilities(Capabilities) = "capabilities", Process, "7.70";
    /// A process operated on itself with `prctl`.
    Prctl(Prctl) = "prctl", Process, "7.71";
    /// A file was opened, created or truncated.
    Open(Open) = "open", File, "7.27";
    /// A directory was created.
    Mkdir(Mkdir) = "mkdir", File, "7.27";
    /// A directory was removed.
    Rmdir(Rmdir) = "rmdir", File, "7.27";
    /// A file was deleted.
    Unlink(Unlink) = "unlink", File, "7.27";
    /// A file was renamed.
    Rename(Rename) = "rename", File, "7.27";
    /// A hard link was created.
    Link(Link) = "link", File, "7.27";
    /// The permissions of a file were changed.
    Chmod(Chmod) = "chmod", File, "7.27";
    /// The owner of a file was changed.
    Chown(Chown) = "chown", File, "7.27";
    /// The times of a file were set.
    Utimes(Utimes) = "utimes", File, "7.27";
    /// An extended attribute of a file was set.
    Setxattr(Xattr) = "setxattr", File, "7.27";
    /// An extended attribute of a file was removed.
    Removexattr(Xattr) = "removexattr", File, "7.27";
    /// Data was moved between a file and a pipe.
    Splice(Splice) = "splice", File, "7.36";
    /// A file system was mounted.
    Mount(Mount) = "mount", File, "7.42";
    /// A process changed its working directory.
    Chdir(Chdir) = "chdir", File, "7.52";
    /// A symbolic link was created.
    Symlink(Symlink) = "symlink", File, "none";
    /// A file system was unmounted.
    Umount(Umount) = "umount", File, "none";
    /// eBPF was used.
    Bpf(Bpf) = "bpf", Kernel, "7.33";
    /// A process traced another one.
    Ptrace(Ptrace) = "ptrace", Kernel, "7.35";
    /// Memory was mapped.
    Mmap(Mmap) = "mmap", Kernel, "7.35";
    /// The protection of memory was changed.
    Mprotect(Mprotect) = "mprotect", Kernel, "7.35";
    /// A kernel module was loaded.
    LoadModule(LoadModule) = "load_module", Kernel, "7.35";
    /// A kernel module was removed.
    UnloadModule(UnloadModule) = "unload_module", Kernel, "7.35";
    /// SELinux was reconfigured.
    Selinux(Selinux) = "selinux", Kernel, "7.30";
    /// A process was moved to a control group.
    CgroupWrite(CgroupWrite) = "cgroup_write", Kernel, "7.68";
    /// A kernel parameter was read or written.
    Sysctl(Sysctl) = "sysctl", Kernel, "7.65";
    /// A process left namespaces for new ones.
    Unshare(Unshare) = "unshare", Kernel, "none";
    /// A process entered existing namespaces.
    Setns(Setns) = "setns", Kernel, "none";
    /// A process exchanged its root.
    PivotRoot(PivotRoot) = "pivot_root", Kernel, "none";
    /// A process wrote to the memory of another one.
    ProcessVmWritev(ProcessVmWritev) = "process_vm_writev", Kernel, "none";
    /// A process asked to handle page faults itself.
    Userfaultfd(Userfaultfd) = "userfaultfd", Kernel, "none";
    /// A file that is nothing but memory was made.
    MemfdCreate(MemfdCreate) = "memfd_create", Kernel, "none";
    /// Rings of io_uring were set up.
    IoUringSetup(IoUringSetup) = "io_uring_setup", Kernel, "none";
    /// A DNS question was asked, or answered.
    Dns(Dns) = "dns", Network, "7.36";
    /// A socket was bound to an address.
    Bind(Bind) = "bind", Network, "7.37";
    /// A connection was opened.
    Connect(Connect) = "connect", Network, "7.60";
    /// A connection was accepted.
    Accept(Accept) = "accept", Network, "7.63";
    /// A metadata service of a cloud provider was used.
    Imds(Imds) = "imds", Network, "7.55";
    /// A packet matched a filter.
    Packet(RawPacket) = "packet", Network, "7.60";
    /// Traffic of a process during a period.
    FlowMonitor(FlowMonitor) = "network_flow_monitor", Network, "7.63";
    /// An option of a socket was set.
    Setsockopt(Setsockopt) = "setsockopt", Network, "7.68";
}

impl EventKind {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The type of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether events of this type fill `network.*`.
    pub fn has_packet(self) -> bool {
        matches!(self, Self::Dns | Self::Imds | Self::Packet)
    }
}

record! {
    /// What every event tells about itself.
    pub struct Context {
        leaf {
            /// When it happened.
            timestamp: u64 = "timestamp", "7.46", { time: true, };
            /// The system call was submitted through io_uring.
            is_async: bool = "async", "7.46", { example: Some(r#"open.file.path == "/etc/shadow" && event.async"#), };
            /// Name of the host.
            hostname: Text = "hostname", "7.56";
            /// Service that the process belongs to.
            service: Text = "service", "7.56";
            /// Tags of the rule that is evaluated.
            rule_tags: TextList = "rule.tags", "7.67";
        }
        derived {
            /// How it was seen: always `ebpf`.
            origin: str = "origin", "7.56", |_it| b"ebpf";
            /// The operating system: always `linux`.
            os: str = "os", "7.56", |_it| b"linux";
            /// `runtime` for what happens, `snapshot` for processes that ran before the agent did.
            source: str = "source", "7.74", |it| if it.is_snapshot { b"snapshot" } else { b"runtime" };
        }
        hidden {
            /// When it happened, in nanoseconds since boot.
            boot_time: u64;
            /// It was made from the state found at start rather than from something that happened.
            is_snapshot: bool;
        }
    }
}

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it happened, and how it was seen.
    pub context: Context,
    /// The process that did it. On an exec, the process as the exec made it.
    pub process: Arc<Process>,
    /// The packet, for events of packets.
    pub packet: Option<Box<Packet>>,
    /// What happened.
    pub payload: Payload,
}

impl Event {
    /// An event without packet.
    pub fn new(context: Context, process: Arc<Process>, payload: Payload) -> Self {
        Self { context, process, packet: None, payload }
    }

    /// Its type.
    #[inline]
    pub fn kind(&self) -> EventKind {
        self.payload.kind()
    }

    /// What the system call returned, for events of system calls.
    pub fn retval(&self) -> Option<i64> {
        let index = crate::record::position(self.kind().parts(), "retval")?;
        match self.payload.read(index) {
            Value::Int(retval) => Some(retval),
            _ => None,
        }
    }
}
