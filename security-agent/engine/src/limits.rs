//! Bounds on what a policy may ask for, so that a policy is never a way to exhaust the agent.
//!
//! The shipped default policy of Datadog (version 1.69.3) needs 222 KB, 10,000 YAML nodes and 319 rules: each bound
//! leaves at least a factor of ten.

/// Bytes of one policy file.
pub const FILE_BYTES: u64 = 4 << 20;
/// Policy files of one directory.
pub const FILES: usize = 1_000;
/// YAML nodes of one file, after the expansion of aliases.
pub const YAML_NODES: usize = 400_000;
/// Bytes of YAML scalars of one file, after the expansion of aliases.
pub const YAML_BYTES: usize = 16 << 20;
/// Nesting of YAML collections; a policy needs 7.
pub const YAML_DEPTH: usize = 32;
/// Keys of one YAML mapping; a rule has 20, its tags a few.
pub const YAML_KEYS: usize = 2_000;
/// Bytes of an id of a rule or macro.
pub const ID_BYTES: usize = 256;
/// Bytes of a message of a diagnostic; what is longer is cut.
pub const MESSAGE_BYTES: usize = 1_000;
/// Diagnostics that are kept of one expression.
pub const EXPRESSION_DIAGNOSTICS: usize = 50;
/// Bytes of all expressions of rules together, with their macros expanded: a macro of many values that many rules use
/// multiplies. The default policy of Datadog needs 0.25 MB.
pub const EXPANDED_BYTES: usize = 16 << 20;
/// Rules of all files together.
pub const RULES: usize = 20_000;
/// Macros of all files together.
pub const MACROS: usize = 5_000;
/// Values of one macro, after merges.
pub const MACRO_VALUES: usize = 20_000;
/// Actions of one rule.
pub const ACTIONS: usize = 64;
/// Fields of one `limiter_token`.
pub const LIMITER_FIELDS: usize = 16;
/// Tags, product tags or filters of one rule.
pub const LIST_ITEMS: usize = 1_000;
/// Variables that all policies together may declare.
pub const VARIABLES: usize = 4_096;
/// Diagnostics that are kept; what is beyond is only counted.
pub const DIAGNOSTICS: usize = 2_000;
/// Elements of one list variable that sets no `size`, and the largest `size` that is honoured.
pub const LIST_ELEMENTS: usize = 1_000;
/// Processes, containers or cgroups that hold variables at one time, for each scope; the one that was written
/// longest ago makes room.
pub const SCOPE_INSTANCES: usize = 16_384;
/// Bytes that all variable values together may use; the scope instance that was written longest ago makes room.
pub const VARIABLE_BYTES: usize = 32 << 20;
/// Bytes of one value of a variable; what is longer is cut.
pub const VALUE_BYTES: usize = 64 << 10;
/// Buckets that one rule's `limiter_token` may keep at one time.
pub const LIMITER_BUCKETS: usize = 4_096;
/// Bytes that the values of one process, container or cgroup may use, or all global ones together.
pub const INSTANCE_BYTES: usize = 4 << 20;
