//! What can be said about rules from some of an event's fields only, for filtering in the kernel.
//!
//! [`approvers()`] gives the values that have to be let through, [`alternatives()`] the combinations of values, [`is_discarder`] tells
//! whether the value of one field makes an event useless. All err on the side of letting through: an event that full evaluation matches is never dropped.

mod alternatives;
mod approvers;
mod discarders;

pub use alternatives::{Alternative, alternatives};
pub use approvers::{Approver, Approvers, Filterable, Kinds, approvers};
pub use discarders::{cannot_match, is_discarder};
