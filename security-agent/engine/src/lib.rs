//! Policies and the rule engine: loading, merging, variables, actions, rate limits.
#![forbid(unsafe_code)]

pub mod check;
pub mod diagnostic;
mod duration;
mod engine;
mod exposure;
mod host;
pub mod limiter;
pub mod limits;
pub mod loader;
pub mod merge;
pub mod policy;
pub mod request;
pub mod ruleset;
pub mod source;
pub mod testing;
mod text;
pub mod variables;
pub mod version;
mod yaml;
pub use engine::{Engine, Match, Reason};
pub use host::{HostFacts, KernelVersion};
pub use request::{ActionRequest, RequestKind};
pub use ruleset::{Load, LoadOptions, RuleInfo, RuleSet, load};
pub use text::Text;
