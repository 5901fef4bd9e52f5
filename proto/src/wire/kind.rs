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
}

impl Kind {
    /// Whether the agent's process tree is built from this kind. Such records are always sent, and kept in
    /// preference to others when a queue is full.
    pub const fn is_lifecycle(self) -> bool {
        matches!(self, Self::Fork | Self::Exec | Self::ExecChunk | Self::Exit | Self::CgroupAttach)
    }
}
