//! The fields of rules that stand for what the kernel can judge.

use std::collections::{BTreeMap, BTreeSet};

use model::EventKind;
use proto::filter::{Capability, Number, limits};
use secl::partial::{Alternative, Approver, Filterable, Kinds};
use secl::{FieldId, Schema as _};

use super::needs::{FileNeeds, Flags, Needs, Path, Side};

/// Bits of `O_*` that a filter can hold: the highest stands for the absence of flags.
const FLAGS: i64 = 0x7fff_ffff;
/// Values that have a flag of their own: the highest stands for the absence of flags.
const VALUES: std::ops::Range<i64> = 0..31;
/// Values of user ids.
const IDS: (i64, i64) = (0, 0xffff_ffff);

/// Families of addresses that have names: `AF_INET`, `AF_INET6`.
const NAMED_FAMILIES: u32 = 1 << 2 | 1 << 10;
/// Those that have paths: `AF_UNIX`.
const PATH_FAMILIES: u32 = 1 << 1;
/// Values of ports.
const PORTS: (i64, i64) = (0, 0xffff);

/// What a field is to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Path(Side),
    Name(Side),
    Flags,
    /// A number whose flag is its own value's.
    Value,
    Auid,
    UpperLayer,
    Port,
    /// A text that only addresses of these families have; what it is, is not looked at.
    Of(u32),
}

/// The fields of one type of events.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<FieldId, Meaning>);

impl Fields {
    pub(super) fn of(event: EventKind, capability: Capability) -> Self {
        let name = event.name();
        let mut meanings = vec![("process.auid".to_owned(), Meaning::Auid)];
        if capability.file {
            meanings.push((format!("{name}.file.path"), Meaning::Path(Side::File)));
            meanings.push((format!("{name}.file.name"), Meaning::Name(Side::File)));
        }
        if capability.destination {
            meanings.push((format!("{name}.file.destination.path"), Meaning::Path(Side::Destination)));
            meanings.push((format!("{name}.file.destination.name"), Meaning::Name(Side::Destination)));
        }
        match capability.number {
            Some(Number::Flags(field)) => meanings.push((format!("{name}.{field}"), Meaning::Flags)),
            Some(Number::Value(field)) => meanings.push((format!("{name}.{field}"), Meaning::Value)),
            None => {}
        }
        if capability.upper_layer {
            meanings.push((format!("{name}.file.in_upper_layer"), Meaning::UpperLayer));
        }
        if capability.port {
            meanings.push((format!("{name}.addr.port"), Meaning::Port));
            meanings.push((format!("{name}.addr.hostname"), Meaning::Of(NAMED_FAMILIES)));
            meanings.push((format!("{name}.addr.path"), Meaning::Of(PATH_FAMILIES)));
        }
        let schema = model::Fields::default();
        let known =
            meanings.into_iter().filter_map(|(name, meaning)| Some((schema.field(&name)?.id, meaning)));
        Self(known.collect())
    }

    /// The same, for partial evaluation.
    pub(super) fn filterable(&self) -> Vec<Filterable<'static>> {
        let filterable = |(field, meaning): (&FieldId, &Meaning)| Filterable {
            field: *field,
            kinds: meaning.kinds(),
            weight: 0,
            bounds: if *meaning == Meaning::Port { PORTS } else { IDS },
            accepts: meaning.accepts(),
        };
        self.0.iter().map(filterable).collect()
    }

    /// What an event has to be for `alternative`; together these cover it.
    pub(super) fn needs_of(&self, alternative: &Alternative) -> Vec<Needs> {
        let mut all = vec![Needs::default()];
        for (field, values) in alternative {
            let Some(meaning) = self.0.get(field) else { continue };
            let parts = meaning.needs_of(values);
            all = all.iter().flat_map(|known| parts.iter().filter_map(|part| known.and(part))).collect();
        }
        all
    }
}

impl Meaning {
    const fn kinds(self) -> Kinds {
        let none = Kinds { scalar: true, pattern: false, glob: false, bitmask: false, range: false };
        match self {
            Self::Path(_) => Kinds { glob: true, ..none },
            Self::Name(_) | Self::UpperLayer | Self::Value => none,
            Self::Flags => Kinds { bitmask: true, ..none },
            Self::Auid | Self::Port => Kinds { range: true, ..none },
            Self::Of(_) => Kinds { pattern: true, glob: true, ..none },
        }
    }

    const fn accepts(self) -> &'static dyn Fn(&Approver) -> bool {
        match self {
            Self::Path(_) => &|approver| match approver {
                Approver::Text(path) => path.starts_with(b"/") && literal_name(path).is_some(),
                Approver::Pattern(glob) => literal_name(glob).is_some() || prefix(glob).is_some(),
                _ => false,
            },
            Self::Name(_) => &|approver| match approver {
                Approver::Text(name) => is_name(name),
                _ => false,
            },
            Self::Flags => &|approver| match approver {
                Approver::Int(flags) => flags & !FLAGS == 0,
                Approver::Mask(mask) => *mask != 0 && mask & !FLAGS == 0,
                _ => false,
            },
            Self::Value => &|approver| matches!(approver, Approver::Int(value) if VALUES.contains(value)),
            Self::Auid => &|approver| match approver {
                Approver::Int(id) => IDS.0 <= *id && *id <= IDS.1,
                Approver::Range(..) => true,
                _ => false,
            },
            Self::UpperLayer => &|approver| matches!(approver, Approver::Bool(_)),
            Self::Port => &|approver| match approver {
                Approver::Int(port) => PORTS.0 <= *port && *port <= PORTS.1,
                Approver::Range(..) => true,
                _ => false,
            },
            // What has no such text at all is no match.
            Self::Of(_) => &|approver| match approver {
                Approver::Text(name) => !name.is_empty(),
                Approver::Pattern(pattern) => pattern.iter().any(|byte| *byte != b'*'),
                _ => false,
            },
        }
    }

    /// What an event needs to have one of the values: one of these.
    fn needs_of(self, values: &[Approver]) -> Vec<Needs> {
        match self {
            Self::Path(side) => {
                // Those that tell the name, and those that do not, which would spoil it for the others.
                let (mut named, mut unnamed) = (FileNeeds::default(), FileNeeds::default());
                for value in values {
                    let (path, name) = match value {
                        Approver::Text(path) => (Some(Path::Whole(path.clone())), literal_name(path)),
                        Approver::Pattern(glob) => {
                            (prefix(glob).map(|prefix| Path::Prefix(prefix.to_vec())), literal_name(glob))
                        }
                        _ => (None, None),
                    };
                    let group = if name.is_some() { &mut named } else { &mut unnamed };
                    group.add(name, path);
                }
                let groups = [named, unnamed].into_iter().filter(|group| *group != FileNeeds::default());
                groups.map(|group| group.finish().on(side)).collect()
            }
            Self::Name(side) => {
                let names = values.iter().filter_map(|value| match value {
                    Approver::Text(name) => Some(name.clone()),
                    _ => None,
                });
                vec![FileNeeds::of_names(names.collect()).on(side)]
            }
            Self::Flags => {
                let mut flags = Flags::default();
                for value in values {
                    match value {
                        // Equal to nothing but 0.
                        Approver::Int(0) => flags.read_only = true,
                        Approver::Int(value) | Approver::Mask(value) => {
                            flags.any_of |= u32::try_from(value & FLAGS).unwrap_or(0);
                        }
                        _ => {}
                    }
                }
                vec![Needs { flags: Some(flags), ..Needs::default() }]
            }
            Self::Value => {
                let bit = |value: &Approver| match value {
                    Approver::Int(value) if VALUES.contains(value) => 1_u32 << value,
                    _ => 0,
                };
                let any_of = values.iter().map(bit).fold(0, |all, bit| all | bit);
                vec![Needs { flags: Some(Flags { any_of, read_only: false }), ..Needs::default() }]
            }
            Self::Auid => vec![Needs { auids: Some(ranges(values, IDS)), ..Needs::default() }],
            Self::Port => vec![Needs { ports: Some(ranges(values, PORTS)), ..Needs::default() }],
            Self::Of(families) => {
                let flags = Flags { any_of: families, read_only: false };
                vec![Needs { flags: Some(flags), ..Needs::default() }]
            }
            Self::UpperLayer => {
                let wanted = |value| values.contains(&Approver::Bool(value));
                match (wanted(false), wanted(true)) {
                    (true, true) => vec![Needs::default()],
                    (_, inside) => vec![Needs { in_upper_layer: Some(inside), ..Needs::default() }],
                }
            }
        }
    }
}

/// Ranges of what lies within `bounds`.
fn ranges(values: &[Approver], bounds: (i64, i64)) -> BTreeSet<(u32, u32)> {
    let clamped = |value: i64| u32::try_from(value.clamp(bounds.0, bounds.1)).unwrap_or(u32::MAX);
    let range = |value: &Approver| match value {
        Approver::Int(value) => Some((clamped(*value), clamped(*value))),
        Approver::Range(from, to) => Some((clamped(*from), clamped(*to))),
        _ => None,
    };
    values.iter().filter_map(range).collect()
}

fn is_name(name: &[u8]) -> bool {
    (1..=limits::NAME_BYTES).contains(&name.len()) && !name.contains(&b'/')
}

/// The last component of a path or glob, if it stands for itself.
fn literal_name(path: &[u8]) -> Option<Vec<u8>> {
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    (is_name(name) && !name.contains(&b'*')).then(|| name.to_vec())
}

/// What all paths that a glob matches begin with, if that says anything.
fn prefix(glob: &[u8]) -> Option<&[u8]> {
    let end = glob.iter().position(|byte| *byte == b'*').unwrap_or(glob.len());
    glob.get(..end).filter(|prefix| prefix.len() > 1 && prefix.starts_with(b"/"))
}
