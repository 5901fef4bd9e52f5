//! The stable codes of diagnostics, all of them. A code is never reused for something else.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal,)+) => {
        /// What a diagnostic is about. Numbers are stable: tools and users refer to them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable identifier, for example `E0201`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }

            /// What it means, in a sentence or two.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

codes! {
    /// The text has a character that no token begins with.
    UnexpectedCharacter = "E0101",
    /// A string, pattern or regular expression has no closing quote.
    UnterminatedString = "E0102",
    /// A number does not fit 64 bits or has digits its base does not have.
    BadNumber = "E0103",
    /// A duration has an unknown unit; `ms`, `s`, `m` and `h` are known.
    BadDuration = "E0104",
    /// An IP address or network is malformed, or its prefix is too long.
    BadAddress = "E0105",
    /// A token is not what the grammar allows at this place.
    UnexpectedToken = "E0106",
    /// The expression is empty.
    Empty = "E0107",
    /// No field, constant or macro has this name.
    UnknownName = "E0201",
    /// No rule sets this variable.
    UnknownVariable = "E0202",
    /// `[…]` follows a name that is not an iterator.
    NotAnIterator = "E0203",
    /// The index `_` is refused: an element has to be named to be spoken of.
    AnonymousIndex = "E0204",
    /// A rule can bind one element of one iterator only.
    SecondIndex = "E0205",
    /// A macro refers to itself.
    RecursiveMacro = "E0206",
    /// Operands have types that the operator does not take.
    TypeMismatch = "E0301",
    /// A rule has to be a condition, something that is true or false.
    NotACondition = "E0302",
    /// The right side of `in`, `not in` and `allin` has to be a list.
    NotAList = "E0303",
    /// A list stands where one value is needed.
    UnexpectedList = "E0304",
    /// A regular expression does not compile.
    BadRegex = "E0401",
    /// Paths are never matched with regular expressions; use a pattern.
    RegexOnPath = "E0402",
    /// A path is neither absolute nor begins with `*`, or is not in its shortest form.
    BadPath = "E0403",
    /// `**` may be used once in a pattern of a path, and in no other pattern.
    DoubleStar = "E0404",
    /// A literal is longer than the field can ever be.
    LiteralTooLong = "E0405",
    /// A packet filter is not an expression in the language of tcpdump that can be evaluated on a packet alone.
    BadPacketFilter = "E0406",
    /// No field of the rule belongs to an event type, so there is no event to look at.
    NoEventType = "E0501",
    /// Fields of two event types are in one rule.
    SeveralEventTypes = "E0502",
    /// The field is never filled in events of the rule's type.
    FieldNotInEvent = "E0503",
    /// The expression is longer or larger than allowed.
    TooLarge = "E0601",
    /// The expression is nested more deeply than allowed.
    TooDeep = "E0602",
    /// A list has more members than allowed.
    ListTooLong = "E0603",
    /// A pattern or regular expression is longer than allowed, or compiles to a matcher larger than allowed.
    PatternTooLarge = "E0604",
    /// The condition never holds, whatever the event.
    NeverTrue = "W0701",
    /// A plain string compared with a path has a `*`, which stands for itself there.
    PlainStar = "W0702",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut ids: Vec<_> = Code::ALL.iter().map(|code| code.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Code::ALL.len());
    }
}
