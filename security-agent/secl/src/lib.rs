//! SECL, the rule language of Cloud Workload Security: parser, type checker, compiler, evaluator.
//!
//! The crate has no I/O, no threads and no clock, and knows no event: names come from a [`Schema`], values from an [`Event`]
//! and from [`Variables`].
#![forbid(unsafe_code)]

pub mod schema;
pub mod value;

pub use schema::{
    Event, EventTypeId, Field, FieldId, IteratorId, Matching, NoVariables, Schema, Variable, VariableId,
    VariableNames, Variables,
};
pub use value::{IpNet, Kind, Type, Value};
