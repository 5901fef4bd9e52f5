//! Policies and the rule engine: loading, merging, variables, actions, rate limits.
#![forbid(unsafe_code)]

pub mod diagnostic;
mod duration;
pub mod limiter;
pub mod limits;
pub mod loader;
pub mod merge;
pub mod policy;
pub mod source;
mod suggest;
mod text;
pub mod variables;
pub mod version;
mod yaml;
pub use text::Text;
