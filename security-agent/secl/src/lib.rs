//! SECL, the rule language of Cloud Workload Security: parser, type checker, compiler, evaluator.
//!
//! The crate has no I/O, no threads and no clock, and knows no event: names come from a [`Schema`], values from an [`Event`]
//! and from [`Variables`].
#![forbid(unsafe_code)]

pub mod ast;
mod check;
pub mod code;
mod compiler;
pub mod diagnostic;
mod escape;
mod eval;
mod explain;
pub mod fim;
mod interpret;
pub mod ir;
mod known;
mod lexer;
pub mod limits;
mod macros;
mod parser;
pub mod partial;
mod print;
mod program;
mod ruleset;
pub mod schema;
pub mod span;
mod text;
mod token;
pub mod value;

pub use code::Code;
pub use compiler::{Compiler, Rule, Scratch, ValueExpr};
pub use diagnostic::{Diagnostic, Severity};
pub use explain::Reason;
pub use interpret::{InterpretError, interpret};
pub use known::NotALiteral;
pub use limits::Limits;
pub use macros::Macros;
pub use parser::parse;
pub use ruleset::{Matches, RuleSet};
pub use schema::{
    Event, EventTypeId, Field, FieldId, IteratorId, Matching, NoVariables, Schema, Variable, VariableId,
    VariableNames, Variables,
};
pub use span::Span;
pub use value::{IpNet, Kind, Type, Value};
