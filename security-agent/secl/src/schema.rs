//! What an embedder gives to the language: the fields and constants it may name ([`Schema`]), the values of an event
//! ([`Event`]), and variables ([`VariableNames`] while compiling, [`Variables`] while evaluating).
//!
//! The crate itself knows no event name. Names are resolved to small ids when a rule is compiled; evaluation only uses ids.

use std::net::IpAddr;

use crate::value::{Kind, Type, Value};

/// Identifies a field within its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u16);

/// Identifies an event type within its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventTypeId(pub u16);

/// Identifies an iterator (such as the ancestors of a process) within its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IteratorId(pub u16);

/// Identifies a variable within its [`VariableNames`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariableId(pub u32);

/// How literals are checked and matched against a string field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Matching {
    /// Exact; in patterns `*` crosses everything and `**` is an error.
    #[default]
    Plain,
    /// A path: literals must be absolute and clean, regular expressions are refused, patterns are globs (`*` stays within a
    /// segment, one `**` crosses segments).
    Path,
    /// A path whose literals are checked like those of [`Matching::Path`] but whose patterns are plain ones.
    CheckedPath,
    /// ASCII case is ignored by literals, patterns and regular expressions (host names).
    CaseInsensitive,
    /// A packet filter expression: it can be compared with one literal only, which the embedder hands to the kernel. The
    /// comparison itself reads the field like any string.
    PacketFilter,
}

/// What the language has to know about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Identifies the field when an event is read.
    pub id: FieldId,
    /// Kind of its value or of each of its values.
    pub kind: Kind,
    /// Whether an event has any number of values: array fields and all fields below an iterator.
    pub list: bool,
    /// The iterator the field is below of, if any. A field below an iterator may itself be an array (arguments of each
    /// ancestor).
    pub iterator: Option<IteratorId>,
    /// The event type the field belongs to; `None` if every event has it. Such a field cannot be the only one of a rule.
    pub event: Option<EventTypeId>,
    /// How literals are checked and matched.
    pub matching: Matching,
    /// Whether [`Event::any_alternative`] may give further values for this field.
    pub alternatives: bool,
    /// Cost of reading it, see [`weight`].
    pub weight: u16,
    /// Longest literal that makes sense (names of eBPF objects end after 16 characters); longer ones are refused.
    pub max_literal: Option<u16>,
}

/// Relative costs of conditions; cheap ones are evaluated first.
pub mod weight {
    /// A value that is there.
    pub const PLAIN: u16 = 0;
    /// A value computed by a cheap function.
    pub const COMPUTED: u16 = 5;
    /// All values of an array.
    pub const ARRAY: u16 = 10;
    /// A value that has to be resolved, such as a path or a user name.
    pub const RESOLVED: u16 = 50;
    /// Added by a pattern.
    pub const PATTERN: u16 = 80;
    /// Added by a regular expression.
    pub const REGEX: u16 = 100;
    /// Added by a list that holds patterns or regular expressions.
    pub const PATTERN_LIST: u16 = 1000;
    /// All elements of an iterator.
    pub const ITERATOR: u16 = 2000;
    /// Values that another service has to be asked for, such as container tags.
    pub const REMOTE: u16 = 9999;
}

/// The names that expressions may use.
pub trait Schema {
    /// The field of that name. Names given up by later versions resolve to the field that replaced them. The name has no
    /// `[index]`.
    ///
    /// `NAME.length` and `NAME.root_domain` need not be declared: where this returns `None` for them, the language derives
    /// them from the string field or iterator `NAME`.
    fn field(&self, name: &str) -> Option<Field>;

    /// The iterator of that name, for example `process.ancestors`.
    fn iterator(&self, name: &str) -> Option<IteratorId>;

    /// The event type that alone has these elements, if they are not of every event.
    fn event_of_iterator(&self, _iterator: IteratorId) -> Option<EventTypeId> {
        None
    }

    /// The constant of that name. Constants win over macros, and macros over fields. `true` and `false` are built in.
    fn constant(&self, name: &str) -> Option<Value>;

    /// The event type of that name.
    fn event_type(&self, name: &str) -> Option<EventTypeId>;

    /// Name of an event type, for messages.
    fn event_type_name(&self, id: EventTypeId) -> &str;

    /// Whether a field without event type of its own is filled in events of this type. A rule that uses one that never is
    /// gets an error.
    fn usable_in(&self, _field: FieldId, _event: EventTypeId) -> bool {
        true
    }

    /// Calls `visit` with every name of a field or constant, for "did you mean".
    fn each_name(&self, visit: &mut dyn FnMut(&str));
}

/// A variable as known at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variable {
    /// Identifies the variable when it is read.
    pub id: VariableId,
    /// Its type, fixed by its first definition.
    pub ty: Type,
}

/// The variables that expressions may use.
pub trait VariableNames {
    /// The variable written `${name}`.
    fn variable(&self, name: &str) -> Option<Variable>;

    /// Calls `visit` with the name of every variable, for "did you mean".
    fn each_name(&self, visit: &mut dyn FnMut(&str));
}

/// No variables at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVariables;

impl VariableNames for NoVariables {
    fn variable(&self, _: &str) -> Option<Variable> {
        None
    }

    fn each_name(&self, _: &mut dyn FnMut(&str)) {}
}

/// The values of an event.
///
/// Reading must not allocate, block or log: every rule of the event's type may read every field. A field the event does not
/// have reads as zero: `0`, `false`, `b""`, `None`, no elements. Methods are only called with fields of the right [`Kind`],
/// but must not panic for others.
///
/// The `any_*` methods call `test` with each value until it returns true, and return whether it did. `at` selects one element
/// of the field's iterator; `None` means all of them. For a field that is not below an iterator `at` is `None`.
pub trait Event {
    /// Type of this event.
    fn event_type(&self) -> EventTypeId;

    /// Time of evaluation in nanoseconds, on the clock that time fields use; for ages (`process.created_at > 5s`).
    fn now(&self) -> i64;

    /// Value of an integer field that is not a list.
    fn int(&self, field: FieldId) -> i64;

    /// Value of a boolean field that is not a list.
    fn bool(&self, field: FieldId) -> bool;

    /// Value of a string field that is not a list.
    fn str(&self, field: FieldId) -> &[u8];

    /// Value of an IP field that is not a list.
    fn ip(&self, field: FieldId) -> Option<IpAddr>;

    /// Number of elements of an iterator.
    fn len(&self, iterator: IteratorId) -> usize;

    /// Visits the values of an integer list field.
    fn any_int(&self, field: FieldId, at: Option<usize>, test: impl FnMut(i64) -> bool) -> bool;

    /// Visits the values of a boolean list field.
    fn any_bool(&self, field: FieldId, at: Option<usize>, test: impl FnMut(bool) -> bool) -> bool;

    /// Visits the values of a string list field.
    fn any_str(&self, field: FieldId, at: Option<usize>, test: impl FnMut(&[u8]) -> bool) -> bool;

    /// Visits the values of an IP list field.
    fn any_ip(&self, field: FieldId, at: Option<usize>, test: impl FnMut(IpAddr) -> bool) -> bool;

    /// Visits the values a string field, list or not, matches with besides its own: a path with the overlay mount point
    /// stripped, the symbolic link used at exec. Only called for fields with [`Field::alternatives`].
    fn any_alternative(&self, _field: FieldId, _at: Option<usize>, _test: impl FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

/// The values of variables while one event is evaluated: a view of a store that already knows the process, container and
/// so on that scoped variables belong to. Unset variables read as zero. Not allocating is on the implementation.
pub trait Variables {
    /// Value of an integer variable.
    fn int(&self, id: VariableId) -> i64;

    /// Value of a boolean variable.
    fn bool(&self, id: VariableId) -> bool;

    /// Value of an IP variable.
    fn ip(&self, id: VariableId) -> Option<IpAddr>;

    /// Calls `read` once with the value of a string variable and returns its result. A callback rather than a reference, as
    /// the value may be made up on the spot (`${builtins.uuid4}`).
    fn with_str<R>(&self, id: VariableId, read: impl FnOnce(&[u8]) -> R) -> R;

    /// Number of elements of a list variable.
    fn len(&self, id: VariableId) -> usize;

    /// Visits the elements of an integer list variable until `test` returns true; returns whether it did.
    fn any_int(&self, id: VariableId, test: impl FnMut(i64) -> bool) -> bool;

    /// Visits the elements of a string list variable until `test` returns true; returns whether it did.
    fn any_str(&self, id: VariableId, test: impl FnMut(&[u8]) -> bool) -> bool;

    /// Visits the elements of an IP list variable until `test` returns true; returns whether it did.
    fn any_ip(&self, id: VariableId, test: impl FnMut(IpAddr) -> bool) -> bool;
}

impl Variables for NoVariables {
    fn int(&self, _: VariableId) -> i64 {
        0
    }

    fn bool(&self, _: VariableId) -> bool {
        false
    }

    fn ip(&self, _: VariableId) -> Option<IpAddr> {
        None
    }

    fn with_str<R>(&self, _: VariableId, read: impl FnOnce(&[u8]) -> R) -> R {
        read(b"")
    }

    fn len(&self, _: VariableId) -> usize {
        0
    }

    fn any_int(&self, _: VariableId, _: impl FnMut(i64) -> bool) -> bool {
        false
    }

    fn any_str(&self, _: VariableId, _: impl FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn any_ip(&self, _: VariableId, _: impl FnMut(IpAddr) -> bool) -> bool {
        false
    }
}
