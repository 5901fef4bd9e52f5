//! Filters in the kernel: what can be judged there, and what a filter means.
//!
//! The agent derives a [`Filter`] for a kind of events from the loaded rules; the probe puts it into the tables of
//! `bpf/include/filter.h`. [`lets_through`] is what it means: the programs drop nothing else, and let through
//! more only where their tables are coarser ([`limits`]).

mod capability;
pub mod limits;
pub mod packet;

use crate::v1::{Alternative, FileCondition, Filter, OpenFlags};

pub use capability::{Capability, Number, capability};

/// `O_ACCMODE`: of these bits, none is set when a file is opened for reading alone.
const O_ACCMODE: u32 = 3;

/// What of an event a filter looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The file that it is about.
    pub file: FileFacts<'a>,
    /// Where a rename or link leads to.
    pub destination: FileFacts<'a>,
    /// `O_*` for open, protection for mappings; for a number that is no set of flags, the flag of its value.
    pub flags: u32,
    /// Login user id of the acting task.
    pub auid: u32,
    /// Whether the file lies in the upper layer of an overlay file system, for open.
    pub in_upper_layer: bool,
    /// Port of the address of a socket; 0 if it has none.
    pub port: u16,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFacts<'a> {
    /// The last component of the path; `None` if it can't be told.
    pub name: Option<&'a [u8]>,
    /// The path, as the rules see it; `None` if it can't be told in full, or is compared in other ways too.
    pub path: Option<&'a [u8]>,
}

/// Whether an event is worth sending.
#[must_use]
pub fn lets_through(filter: &Filter, facts: &Facts<'_>) -> bool {
    filter.alternatives.iter().any(|alternative| allows(alternative, facts))
}

fn allows(alternative: &Alternative, facts: &Facts<'_>) -> bool {
    let file =
        |condition: Option<&FileCondition>, facts| condition.is_none_or(|given| file_allows(given, facts));
    file(alternative.file.as_ref(), facts.file)
        && file(alternative.destination.as_ref(), facts.destination)
        && alternative.flags.is_none_or(|flags| flags_allow(flags, facts.flags))
        && (alternative.auids.is_empty()
            || alternative.auids.iter().any(|range| (range.from..=range.to).contains(&facts.auid)))
        && alternative.in_upper_layer.is_none_or(|wanted| wanted == facts.in_upper_layer)
        && (alternative.ports.is_empty()
            || alternative.ports.iter().any(|range| (range.from..=range.to).contains(&facts.port.into())))
}

fn file_allows(condition: &FileCondition, facts: FileFacts<'_>) -> bool {
    let by_name = condition.names.is_empty()
        || facts.name.is_none_or(|name| condition.names.iter().any(|wanted| *wanted == name));
    let by_path = (condition.paths.is_empty() && condition.path_prefixes.is_empty())
        || facts.path.is_none_or(|path| {
            condition.paths.iter().any(|wanted| *wanted == path)
                || condition.path_prefixes.iter().any(|prefix| path.starts_with(prefix))
        });
    by_name && by_path
}

fn flags_allow(wanted: OpenFlags, flags: u32) -> bool {
    wanted.any_of & flags != 0 || (wanted.read_only && flags & O_ACCMODE == 0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::v1::IdRange;

    fn filter(alternative: Alternative) -> Filter {
        Filter { kind: 32, alternatives: vec![alternative] }
    }

    fn file<'a>(path: &'a str) -> FileFacts<'a> {
        let name = path.rsplit('/').next().map(str::as_bytes);
        FileFacts { name, path: Some(path.as_bytes()) }
    }

    #[test]
    fn every_condition_must_hold_and_what_is_unknown_holds() {
        let condition = FileCondition {
            names: vec![Bytes::from("passwd"), Bytes::from("x")],
            paths: vec![Bytes::from("/etc/passwd")],
            path_prefixes: vec![Bytes::from("/run/")],
        };
        let filter = filter(Alternative {
            file: Some(condition),
            flags: Some(OpenFlags { any_of: 1, read_only: false }),
            auids: vec![IdRange { from: 1000, to: 1000 }],
            ..Alternative::default()
        });
        let good = Facts { file: file("/etc/passwd"), flags: 1, auid: 1000, ..Facts::default() };
        assert!(lets_through(&filter, &good));
        assert!(lets_through(&filter, &Facts { file: file("/run/x"), ..good.clone() }));
        assert!(lets_through(&filter, &Facts { file: FileFacts::default(), ..good.clone() }));
        for bad in [
            Facts { file: file("/etc/passwd-"), ..good.clone() },
            Facts { file: file("/run/passwd2"), ..good.clone() },
            Facts { file: file("/etc/x"), ..good.clone() },
            Facts { flags: 0, ..good.clone() },
            Facts { auid: 999, ..good.clone() },
        ] {
            assert!(!lets_through(&filter, &bad), "{bad:?}");
        }
    }

    #[test]
    fn reading_alone_is_told_by_the_absence_of_flags() {
        let filter = filter(Alternative {
            flags: Some(OpenFlags { any_of: 0o100, read_only: true }),
            ..Alternative::default()
        });
        for (flags, through) in [(0, true), (0o2_000_000, true), (1, false), (2, false), (0o101, true)] {
            assert_eq!(lets_through(&filter, &Facts { flags, ..Facts::default() }), through, "{flags:o}");
        }
    }

    #[test]
    fn addresses_are_told_apart_by_family_and_port() {
        let filter = filter(Alternative {
            flags: Some(OpenFlags { any_of: 1 << 2 | 1 << 10, read_only: false }),
            ports: vec![IdRange { from: 80, to: 80 }, IdRange { from: 8000, to: 8080 }],
            ..Alternative::default()
        });
        for (family, port, through) in [
            (2, 80, true),
            (10, 8080, true),
            (1, 80, false),
            (2, 81, false),
            (2, 0, false),
            (10, 7999, false),
        ] {
            let facts = Facts { flags: 1 << family, port, ..Facts::default() };
            assert_eq!(lets_through(&filter, &facts), through, "{family} {port}");
        }
    }

    #[test]
    fn a_filter_without_alternatives_lets_nothing_through() {
        assert!(!lets_through(&Filter::default(), &Facts::default()));
        assert!(lets_through(&filter(Alternative::default()), &Facts::default()));
    }
}
