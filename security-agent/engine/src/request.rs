//! What a match asks other parts of the agent to do.

use crate::policy::action::{KillScope, LogLevel};

/// Something that the engine cannot do itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRequest {
    /// What is to be done.
    pub kind: RequestKind,
    /// Whether this agent said that it can: if not, the report has to say that it was not done.
    pub supported: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Write a line to the agent's log.
    Log {
        /// Its level.
        level: LogLevel,
        /// The line; text of an event in it need not be UTF-8.
        message: Vec<u8>,
    },
    /// Send a signal.
    Kill {
        /// Its number.
        signal: i32,
        /// Its name.
        name: String,
        /// To which processes.
        scope: KillScope,
        /// Without the safeguard against killing in too many containers.
        disable_container_disarmer: bool,
        /// Without the safeguard against killing too many executables.
        disable_executable_disarmer: bool,
    },
    /// Add hashes of a file to the report.
    Hash {
        /// The prefix of the file's fields.
        file: String,
        /// Larger files are not hashed, in bytes.
        max_file_size: Option<u64>,
    },
    /// Write what the agent knows about the event to a file.
    CoreDump {
        /// The process tree.
        process: bool,
        /// The mounts.
        mount: bool,
        /// The path components.
        dentry: bool,
        /// Not compressed.
        no_compression: bool,
    },
    /// Filter packets.
    NetworkFilter {
        /// Which packets, as a pcap expression.
        filter: String,
        /// Drop them rather than letting them pass.
        drop: bool,
        /// Of the control group rather than of the process.
        cgroup: bool,
    },
}

impl RequestKind {
    /// The name of the action in policies.
    pub fn name(&self) -> &'static str {
        match self {
            RequestKind::Log { .. } => "log",
            RequestKind::Kill { .. } => "kill",
            RequestKind::Hash { .. } => "hash",
            RequestKind::CoreDump { .. } => "coredump",
            RequestKind::NetworkFilter { .. } => "network_filter",
        }
    }

    /// Whether it is for the report of the match, and so not for one that is held back.
    pub(crate) fn follows_report(&self) -> bool {
        match self {
            RequestKind::Log { .. } | RequestKind::Hash { .. } | RequestKind::CoreDump { .. } => true,
            RequestKind::Kill { .. } | RequestKind::NetworkFilter { .. } => false,
        }
    }
}
