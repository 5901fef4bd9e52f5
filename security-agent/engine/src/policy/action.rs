//! What a rule does when it matches, as written.

use super::Literal;
use crate::source::Location;
use crate::text::Text;

/// One entry of a rule's `actions`.
#[derive(Clone, Debug)]
pub struct ActionDefinition {
    /// The action is only carried out if this expression holds, too.
    pub filter: Option<Text>,
    /// What is done.
    pub kind: ActionKind,
    /// Where it stands.
    pub at: Location,
}

/// What an action does.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// Writes a variable.
    Set(SetDefinition),
    /// Sends a signal to processes.
    Kill(KillDefinition),
    /// Adds hashes of a file to the report.
    Hash(HashDefinition),
    /// Writes a line to the agent's log.
    Log(LogDefinition),
    /// Writes what the agent knows about the event to a file.
    CoreDump(CoreDumpDefinition),
    /// Drops or accepts packets.
    NetworkFilter(NetworkFilterDefinition),
}

impl ActionKind {
    /// The key of the action in a policy.
    pub fn name(&self) -> &'static str {
        match self {
            ActionKind::Set(_) => "set",
            ActionKind::Kill(_) => "kill",
            ActionKind::Hash(_) => "hash",
            ActionKind::Log(_) => "log",
            ActionKind::CoreDump(_) => "coredump",
            ActionKind::NetworkFilter(_) => "network_filter",
        }
    }
}

/// What a variable belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Nothing in particular: there is one value.
    Global,
    /// A process.
    Process,
    /// A container.
    Container,
    /// A control group.
    Cgroup,
}

impl Scope {
    /// Every scope with the name that policies use.
    pub const NAMES: [(&'static str, Scope); 4] = [
        ("global", Scope::Global),
        ("process", Scope::Process),
        ("container", Scope::Container),
        ("cgroup", Scope::Cgroup),
    ];

    /// What stands before a variable's name in expressions, with the dot.
    pub fn prefix(self) -> &'static str {
        match self {
            Scope::Global => "",
            Scope::Process => "process.",
            Scope::Container => "container.",
            Scope::Cgroup => "cgroup.",
        }
    }
}

/// A `set` action.
#[derive(Clone, Debug)]
pub struct SetDefinition {
    /// The variable, without its scope.
    pub name: Text,
    /// What is written.
    pub source: SetSource,
    /// The value before anything is written; with `expression` it gives the type.
    pub default_value: Option<Literal>,
    /// Adds to a list instead of replacing it.
    pub append: bool,
    /// What the variable belongs to.
    pub scope: Scope,
    /// The field that names the process that the variable is written to, if it is not the event's.
    pub scope_field: Option<Text>,
    /// How long a value lives, in nanoseconds.
    pub ttl: Option<u64>,
    /// How many elements a list keeps; the one written longest ago makes room.
    pub size: Option<usize>,
    /// The value is not part of reports.
    pub private: bool,
    /// Descendants of the process read it as well, unless they have a value of their own.
    pub inherited: bool,
}

/// What a `set` action writes.
#[derive(Clone, Debug)]
pub enum SetSource {
    /// `value`.
    Value(Literal),
    /// `field`: the field's value in the event.
    Field(Text),
    /// `expression`: what the expression evaluates to.
    Expression(Text),
}

/// A `kill` action.
#[derive(Clone, Debug)]
pub struct KillDefinition {
    /// Name of the signal, such as `SIGKILL`.
    pub signal: Text,
    /// Which processes.
    pub scope: KillScope,
    /// Switches off the safeguard against killing in too many containers.
    pub disable_container_disarmer: bool,
    /// Switches off the safeguard against killing too many executables.
    pub disable_executable_disarmer: bool,
}

/// Which processes a `kill` action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillScope {
    /// The event's process.
    Process,
    /// All processes of its container.
    Container,
    /// All processes of its control group.
    Cgroup,
}

impl KillScope {
    /// The name in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            KillScope::Process => "process",
            KillScope::Container => "container",
            KillScope::Cgroup => "cgroup",
        }
    }
}

/// A `hash` action.
#[derive(Clone, Debug)]
pub struct HashDefinition {
    /// The file, such as `process.file`; without it that of the event.
    pub field: Option<Text>,
    /// Files above this size in bytes are not hashed.
    pub max_file_size: Option<u64>,
}

/// A `log` action.
#[derive(Clone, Debug)]
pub struct LogDefinition {
    /// The level of the line.
    pub level: LogLevel,
    /// The line. `${…}` and `%{…}` are replaced by the values of variables and fields.
    pub message: Option<Text>,
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `trace`.
    Trace,
    /// `debug`.
    Debug,
    /// `info`.
    Info,
    /// `warning` or `warn`.
    Warning,
    /// `error` or `critical`.
    Error,
}

/// A `coredump` action.
#[derive(Clone, Copy, Debug)]
pub struct CoreDumpDefinition {
    /// The process tree.
    pub process: bool,
    /// The mounts.
    pub mount: bool,
    /// The path components.
    pub dentry: bool,
    /// The file is not compressed.
    pub no_compression: bool,
}

/// A `network_filter` action.
#[derive(Clone, Debug)]
pub struct NetworkFilterDefinition {
    /// The packets, as a pcap expression.
    pub filter: Text,
    /// What is done with them: `true` drops, `false` accepts.
    pub drop: bool,
    /// Whose packets: the control group's instead of the process's.
    pub cgroup: bool,
}
