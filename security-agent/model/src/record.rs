//! The `record!` macro: a struct and the fields that rules can read from it, declared in one place.
//!
//! A record lists its own fields ([`Part::Leaf`]) and the records it holds ([`Part::Nested`]). Fields are numbered in
//! that order, and a nested record takes as many consecutive numbers as it has fields. So `process.file.path` is one
//! small number within a process, and reading it is a jump per level: no name, no hash, no allocation. Type checking,
//! evaluation, the field reference and the documentation all walk the same [`Part`]s; a record that is reachable by ten
//! prefixes (a process is) is declared once.

mod member;
#[cfg(test)]
pub(crate) mod sample;
mod value;

use secl::{Kind, Matching};

use crate::constants::Group;

pub(crate) use member::{Member, Nested};
pub(crate) use value::{Strs, Value};

/// What rules, reports and documentation know about one field of a record.
#[derive(Debug, Clone, Copy)]
pub struct Leaf {
    /// Name relative to the record.
    pub name: &'static str,
    /// What it means, in a sentence or two.
    pub doc: &'static str,
    /// First CWS release with the field (on whatever record had it first).
    pub since: &'static str,
    /// Kind of its value or values.
    pub kind: Kind,
    /// Whether it has any number of values.
    pub list: bool,
    /// How literals are checked and matched.
    pub matching: Matching,
    /// Whether it may match by other values besides its own.
    pub alternatives: bool,
    /// Whether `.length` is a field too.
    pub length: bool,
    /// Whether it is a point in time, in nanoseconds since 1970, which rules compare with durations as an age.
    pub time: bool,
    /// Cost of reading it, see [`secl::schema::weight`].
    pub weight: u16,
    /// Longest literal that makes sense.
    pub max_literal: Option<u16>,
    /// The constants its value is made of.
    pub constants: Option<&'static Group>,
    /// A rule that uses it.
    pub example: Option<&'static str>,
    /// Whether this agent ever gives it a value. Fields without one are there so that rules written for CWS load, with a
    /// warning.
    pub filled: bool,
}

impl Leaf {
    /// What a field is unless its row says otherwise.
    pub(crate) const DEFAULT: Self = Self {
        name: "",
        doc: "",
        since: "",
        kind: Kind::Int,
        list: false,
        matching: Matching::Plain,
        alternatives: false,
        length: false,
        time: false,
        weight: 0,
        max_literal: None,
        constants: None,
        example: None,
        filled: true,
    };
}

/// A part of a record.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A value.
    Leaf(Leaf),
    /// A record within the record.
    Nested {
        /// Name that the names of its fields are put behind, with a dot; empty: they stand for themselves.
        name: &'static str,
        /// Name of the record's type.
        record: &'static str,
        /// Its parts.
        parts: &'static [Part],
    },
}

/// The number of fields of a record with these parts, nested ones included.
pub(crate) const fn count(parts: &[Part]) -> usize {
    let mut total = 0;
    let mut index = 0;
    while index < parts.len() {
        total += match parts[index] {
            Part::Leaf(_) => 1,
            Part::Nested { parts, .. } => count(parts),
        };
        index += 1;
    }
    total
}

/// The number of the field of that name among `parts`.
pub(crate) fn position(parts: &[Part], name: &str) -> Option<usize> {
    let mut first = 0;
    for part in parts {
        match part {
            Part::Leaf(leaf) if leaf.name == name => return Some(first),
            Part::Leaf(_) => first += 1,
            Part::Nested { name: prefix, parts, .. } => {
                let rest = if prefix.is_empty() {
                    Some(name)
                } else {
                    name.strip_prefix(prefix).and_then(|n| n.strip_prefix('.'))
                };
                if let Some(found) = rest.and_then(|rest| position(parts, rest)) {
                    return Some(first + found);
                }
                first += count(parts);
            }
        }
    }
    None
}

/// A struct declared by `record!`.
pub(crate) trait Record {
    /// Name of the type.
    const NAME: &'static str;

    /// Its parts, in the order of their numbers.
    const PARTS: &'static [Part];

    /// The value of field `index`.
    fn read(&self, index: usize) -> Value<'_>;

    /// Gives every member that rules read a value of its own, and tells all fields with their values by name.
    #[cfg(test)]
    fn fill(&mut self, prefix: &str, sample: &mut sample::Sample);
}

/// The cost of a field whose row names none: lists cost more than single values.
pub(crate) const fn default_weight(list: bool) -> u16 {
    if list { secl::schema::weight::ARRAY } else { secl::schema::weight::PLAIN }
}

/// Declares a struct and what rules read from it. Its sections, each optional, in this order:
///
/// - `leaf { /// doc  member: Type = "name", "since", { options }; }`: members that rules read as they are;
/// - `derived { /// doc  id: kind = "name", "since", |it| expression, { options }; }`: fields computed from the struct;
///   kind is one of `int`, `bool`, `str`, `strs`, or `path` and `name` of a file;
/// - `nested { /// doc  member: Type = "name"; }`: members that are records;
/// - `hidden { /// doc  member: Type; }`: members that rules do not see;
/// - `unset { member: value; }`: what stands for "not known" where that is not zero.
///
/// Options are the members of [`Leaf`] that differ from [`Leaf::DEFAULT`].
macro_rules! record {
    (
        $(#[$attr:meta])*
        pub struct $Name:ident {
            $(leaf { $(
                $(#[doc = $leaf_doc:literal])+
                $leaf:ident: $leaf_ty:ty = $leaf_name:literal, $leaf_since:literal $(, { $($leaf_opt:tt)* })?;
            )* })?
            $(derived { $(
                $(#[doc = $derived_doc:literal])+
                $derived:ident: $kind:ident = $derived_name:literal, $derived_since:literal,
                    |$this:ident| $value:expr $(, { $($derived_opt:tt)* })?;
            )* })?
            $(nested { $(
                $(#[doc = $nested_doc:literal])+
                $nested:ident: $nested_ty:ty = $nested_name:literal;
            )* })?
            $(hidden { $(
                $(#[doc = $hidden_doc:literal])+
                $hidden:ident: $hidden_ty:ty;
            )* })?
            $(unset { $( $unset:ident: $unset_value:expr; )* })?
        }
    ) => {
        $(#[$attr])*
        #[derive(Debug, Clone)]
        pub struct $Name {
            $($( $(#[doc = $leaf_doc])+ pub $leaf: $leaf_ty, )*)?
            $($( $(#[doc = $nested_doc])+ pub $nested: $nested_ty, )*)?
            $($( $(#[doc = $hidden_doc])+ pub $hidden: $hidden_ty, )*)?
        }

        impl Default for $Name {
            #[allow(unused_mut, reason = "a record may lack the section")]
            fn default() -> Self {
                let mut new = Self {
                    $($( $leaf: Default::default(), )*)?
                    $($( $nested: Default::default(), )*)?
                    $($( $hidden: Default::default(), )*)?
                };
                $($( new.$unset = $unset_value; )*)?
                new
            }
        }

        impl $crate::record::Record for $Name {
            const NAME: &'static str = stringify!($Name);

            const PARTS: &'static [$crate::record::Part] = &[
                $($( $crate::record::Part::Leaf($crate::record::Leaf {
                    name: $leaf_name,
                    since: $leaf_since,
                    kind: <$leaf_ty as $crate::record::Member>::KIND,
                    list: <$leaf_ty as $crate::record::Member>::LIST,
                    doc: concat!($($leaf_doc, "\n"),+),
                    ..record!(@options <$leaf_ty as $crate::record::Member>::LIST; $($($leaf_opt)*)?)
                }), )*)?
                $($( $crate::record::Part::Leaf($crate::record::Leaf {
                    name: $derived_name,
                    since: $derived_since,
                    kind: record!(@kind $kind),
                    list: record!(@list $kind),
                    doc: concat!($($derived_doc, "\n"),+),
                    ..record!(@options record!(@list $kind); $($($derived_opt)*)?)
                }), )*)?
                $($( $crate::record::Part::Nested {
                    name: $nested_name,
                    record: <<$nested_ty as $crate::record::Nested>::Record as $crate::record::Record>::NAME,
                    parts: <<$nested_ty as $crate::record::Nested>::Record as $crate::record::Record>::PARTS,
                }, )*)?
            ];

            #[inline]
            #[allow(
                non_camel_case_types, non_upper_case_globals, unused_mut, unused_variables, unused_assignments, dead_code,
                reason = "members become the names of numbers; a record may lack any of the sections"
            )]
            fn read(&self, index: usize) -> $crate::record::Value<'_> {
                enum Number { $($($leaf,)*)? $($($derived,)*)? End_ }
                $($( const $leaf: usize = Number::$leaf as usize; )*)?
                $($( const $derived: usize = Number::$derived as usize; )*)?
                match index {
                    $($( $leaf => return $crate::record::Member::value(&self.$leaf), )*)?
                    $($( $derived => { let $this = self; return record!(@value $kind, $value); } )*)?
                    _ => {}
                }
                let mut index = index.wrapping_sub(Number::End_ as usize);
                $($(
                    let fields = const {
                        $crate::record::count(
                            <<$nested_ty as $crate::record::Nested>::Record as $crate::record::Record>::PARTS,
                        )
                    };
                    if index < fields {
                        return match $crate::record::Nested::record(&self.$nested) {
                            Some(record) => $crate::record::Record::read(record, index),
                            None => $crate::record::Value::Absent,
                        };
                    }
                    index -= fields;
                )*)?
                $crate::record::Value::Absent
            }

            #[cfg(test)]
            #[allow(unused_variables, reason = "a record may lack any of the sections")]
            fn fill(&mut self, prefix: &str, sample: &mut $crate::record::sample::Sample) {
                $($(
                    self.$leaf = $crate::record::Member::sample(sample);
                    sample.tell(prefix, $leaf_name, $crate::record::Member::value(&self.$leaf));
                )*)?
                $($(
                    let $this = &*self;
                    sample.tell(prefix, $derived_name, record!(@value $kind, $value));
                )*)?
                $($(
                    let name = $crate::layout::join(prefix, $nested_name);
                    $crate::record::Nested::record_mut(&mut self.$nested).fill(&name, sample);
                )*)?
            }
        }

        impl $crate::record::Nested for $Name {
            type Record = Self;

            #[inline]
            fn record(&self) -> Option<&Self> {
                Some(self)
            }

            #[cfg(test)]
            fn record_mut(&mut self) -> &mut Self {
                self
            }
        }
    };
    (@options $list:expr; $($options:tt)*) => {
        $crate::record::Leaf {
            $($options)*
            ..$crate::record::Leaf { weight: $crate::record::default_weight($list), ..$crate::record::Leaf::DEFAULT }
        }
    };
    (@kind int) => { secl::Kind::Int };
    (@kind bool) => { secl::Kind::Bool };
    (@kind str) => { secl::Kind::Str };
    (@kind path) => { secl::Kind::Str };
    (@kind name) => { secl::Kind::Str };
    (@kind strs) => { secl::Kind::Str };
    (@list strs) => { true };
    (@list $kind:ident) => { false };
    (@value int, $value:expr) => { $crate::record::Value::Int($value) };
    (@value bool, $value:expr) => { $crate::record::Value::Bool($value) };
    (@value str, $value:expr) => { $crate::record::Value::Str($value) };
    (@value path, $value:expr) => { $crate::record::Value::Path($value) };
    (@value name, $value:expr) => { $crate::record::Value::Name($value) };
    (@value strs, $value:expr) => { $crate::record::Value::Strs($value) };
}
pub(crate) use record;
