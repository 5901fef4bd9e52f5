//! Agent versions and the constraints that rules put on them (`agent_version`).
//!
//! Constraints are written as policies write them: comparisons with `= != > >= < <= ~ ~> ^`, wildcards (`7.x`, `*`),
//! ranges (`7.30 - 7.40`), joined by commas or blanks (all must hold) and by `||` (one must hold).

use std::fmt;
use std::str::FromStr;

/// The version of the reference agent that this one claims to be compatible with: decides which rules of a policy apply.
pub const COMPATIBILITY: Version = Version { major: 7, minor: 74, patch: 0 };

/// A version of an agent. Pre-release and build suffixes are dropped: a release candidate counts as its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Why a version or a constraint cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is no version.
    #[error("`{0}` is not a version")]
    Version(String),
    /// The operator is none.
    #[error("`{0}` is not an operator of version constraints")]
    Operator(String),
    /// There is no comparison at all between two `||`, or an operator without a version.
    #[error("a version is missing")]
    Missing,
}

/// A version of which later parts may be left open: `7`, `7.38`, `7.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Partial {
    version: Version,
    /// How many of the three numbers are given.
    given: usize,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Ok(text.parse::<Partial>()?.version)
    }
}

impl FromStr for Partial {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError::Version(text.to_owned());
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let numbers = numbers.split(['-', '+']).next().unwrap_or("");
        let mut parts = [0_u64; 3];
        let mut given = 0;
        let mut open = false;
        for (index, part) in numbers.split('.').enumerate() {
            let slot = parts.get_mut(index).ok_or_else(error)?;
            if matches!(part, "x" | "X" | "*") {
                open = true;
                continue;
            }
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(error());
            }
            let number = part.parse().map_err(|_| error())?;
            if !open {
                (*slot, given) = (number, index + 1);
            }
        }
        let [major, minor, patch] = parts;
        Ok(Partial { version: Version { major, minor, patch }, given })
    }
}

impl Partial {
    /// The first version that is past everything this one stands for; `None` for `*`.
    fn past(self) -> Option<Version> {
        let Version { major, minor, patch } = self.version;
        match self.given {
            0 => None,
            1 => Some(Version { major: major.saturating_add(1), minor: 0, patch: 0 }),
            2 => Some(Version { major, minor: minor.saturating_add(1), patch: 0 }),
            _ => Some(Version { major, minor, patch: patch.saturating_add(1) }),
        }
    }
}

/// Versions from one (inclusive) to another (exclusive), or everything but those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: Option<Version>,
    until: Option<Version>,
    except: bool,
}

impl Range {
    fn new(operator: &str, partial: Partial) -> Result<Self, VersionError> {
        let all = Range { from: None, until: None, except: false };
        let (first, past) = (Some(partial.version), partial.past());
        Ok(match operator {
            "" | "=" | "==" => Range { from: first, until: past, ..all },
            "!=" => Range { from: first, until: past, except: true },
            ">=" | "=>" => Range { from: first, ..all },
            "<" => Range { until: first, ..all },
            // `> 7.38` means past every 7.38.x, and `<= 7.38` takes all of them in. Past `*` there is nothing.
            ">" => match past {
                Some(past) => Range { from: Some(past), ..all },
                None => Range { until: first, ..all },
            },
            "<=" | "=<" => Range { until: past, ..all },
            "~" | "~>" => {
                let given = partial.given.min(2);
                Range { from: first, until: Partial { given, ..partial }.past(), ..all }
            }
            "^" => Range { from: first, until: compatible(partial), ..all },
            other => return Err(VersionError::Operator(other.to_owned())),
        })
    }

    fn contains(&self, version: Version) -> bool {
        let inside =
            self.from.is_none_or(|from| version >= from) && self.until.is_none_or(|until| version < until);
        inside != self.except
    }
}

/// The end of the versions that are compatible with one: the first number that is not zero stays.
fn compatible(partial: Partial) -> Option<Version> {
    let Version { major, minor, .. } = partial.version;
    let given = match (major, minor) {
        (1.., _) => 1,
        (0, 1..) => 2,
        (0, 0) => 3,
    };
    Partial { given: given.min(partial.given), ..partial }.past()
}

/// A constraint on versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// One of these must hold; within one, all.
    any_of: Vec<Vec<Range>>,
}

impl Constraint {
    /// Whether the version meets the constraint.
    pub fn accepts(&self, version: Version) -> bool {
        self.any_of.iter().any(|all| all.iter().all(|range| range.contains(version)))
    }
}

impl FromStr for Constraint {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let any_of = text.split("||").map(all_of).collect::<Result<_, _>>()?;
        Ok(Constraint { any_of })
    }
}

/// Comparisons that are joined by commas or blanks.
fn all_of(text: &str) -> Result<Vec<Range>, VersionError> {
    let mut ranges = Vec::new();
    let mut words = words(text).into_iter().peekable();
    while let Some((operator, version)) = words.next() {
        let partial: Partial = version.parse()?;
        if words.next_if(|(operator, version)| *operator == "-" && version.is_empty()).is_some() {
            let (_, end) = words.next().ok_or(VersionError::Missing)?;
            ranges.push(Range::new(">=", partial)?);
            ranges.push(Range::new("<=", end.parse()?)?);
        } else {
            ranges.push(Range::new(operator, partial)?);
        }
    }
    if ranges.is_empty() { Err(VersionError::Missing) } else { Ok(ranges) }
}

/// Splits into (operator, version) pairs; the dash of a range is a pair of its own.
fn words(text: &str) -> Vec<(&str, &str)> {
    let separator = |c: char| c.is_whitespace() || c == ',';
    let mut pairs = Vec::new();
    let mut rest = text.trim_matches(separator);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_alphanumeric() || c == '*' || separator(c)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(end);
        if operator == "-" {
            pairs.push((operator, ""));
            rest = after.trim_start_matches(separator);
            continue;
        }
        let after = after.trim_start_matches(char::is_whitespace);
        let end = after.find(|c: char| separator(c) || "<>=!~^|".contains(c)).unwrap_or(after.len());
        let (version, after) = after.split_at(end);
        pairs.push((operator, version));
        rest = after.trim_start_matches(separator);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::{Constraint, Version};

    fn accepts(constraint: &str, version: &str) -> bool {
        let constraint: Constraint = constraint.parse().expect(constraint);
        constraint.accepts(version.parse::<Version>().expect(version))
    }

    #[test]
    fn constraints_mean_what_policies_mean() {
        for (constraint, yes, no) in [
            (">= 7.38", "7.38.0-rc.1", "7.37.9"),
            (">=7.65 <7.70", "7.69.9", "7.70.0"),
            (">=7.65 <7.70", "7.65.0", "7.64.0"),
            (">= 7.30, < 7.39", "7.38.2", "7.39.0"),
            ("< 7.71", "7.70.5", "7.71.0"),
            (">= 7.70.1", "7.70.1", "7.70.0"),
            ("7.38", "7.38.4", "7.39.0"),
            ("= 7.38.1", "7.38.1", "7.38.2"),
            ("!= 7.38", "7.39.0", "7.38.4"),
            ("> 7.38", "7.39.0", "7.38.4"),
            ("<= 7.38", "7.38.4", "7.39.0"),
            ("~7.38", "7.38.9", "7.39.0"),
            ("~7", "7.99.0", "8.0.0"),
            ("~7.38.2", "7.38.2", "7.38.1"),
            ("^7.38", "7.40.0", "8.0.0"),
            ("^0.3.1", "0.3.9", "0.4.0"),
            ("7.x", "7.1.0", "8.0.0"),
            ("7.30 - 7.38", "7.38.9", "7.39.0"),
            ("< 7.30 || >= 7.40", "7.40.0", "7.35.0"),
            ("=> v7.38.0-rc.2+build", "7.38.0", "7.37.0"),
        ] {
            assert!(accepts(constraint, yes), "{constraint} accepts {yes}");
            assert!(!accepts(constraint, no), "{constraint} refuses {no}");
        }
        assert!(accepts("*", "0.0.1"));
        assert!(!accepts("> *", "9.9.9"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            " ",
            ">=",
            "7.a",
            "7.1.2.3",
            "seven",
            ">> 7",
            "7 ||",
            "1 -",
            "7..1",
            ">= 99999999999999999999",
        ] {
            assert!(text.parse::<Constraint>().is_err(), "{text:?}");
        }
    }
}
