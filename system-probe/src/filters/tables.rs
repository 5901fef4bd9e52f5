//! The contents of the tables in the kernel: a pure function of the filters that are asked for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proto::filter::capability;
use proto::filter::limits;
use proto::v1;
use proto::wire::Kind;
use zerocopy::Immutable;
use zerocopy::IntoBytes;

use super::packets::Packets;

/// `FILTER_KEEP_*`
const KEEP_ALL: u32 = 0;
const KEEP_MATCHING: u32 = 1;
const KEEP_NONE: u32 = 2;
/// `FILTER_OPEN_READ_ONLY`
const OPEN_READ_ONLY: u32 = 1 << 31;
/// `FILTER_SIDES`
pub(super) const SIDES: u8 = 2;

/// `struct filter_mask`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
pub(super) struct Mask {
    mask: u32,
    _pad: u32,
    alternatives: u64,
}

/// `struct filter_range`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
pub(super) struct Range {
    from: u32,
    to: u32,
    alternatives: u64,
}

/// `struct filter`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
pub(super) struct Value {
    keep: u32,
    _pad: u32,
    all: u64,
    any_name: [u64; 2],
    any_path: [u64; 2],
    any_flags: u64,
    any_auid: u64,
    any_port: u64,
    lower_layer: u64,
    upper_layer: u64,
    absent_lengths: [[u64; 4]; 2],
    flags: [Mask; limits::MASKS],
    auids: [Range; limits::RANGES],
    ports: [Range; limits::RANGES],
}

/// `struct filter_name`; `table` is the side alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoBytes, Immutable)]
pub(super) struct NameKey {
    pub(super) length: u16,
    pub(super) kind: u8,
    pub(super) table: u8,
    pub(super) start: [u8; limits::NAME_START],
}

/// `struct filter_path`; `table` is the side alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoBytes, Immutable)]
pub(super) struct PathKey {
    pub(super) prefix_bits: u32,
    pub(super) kind: u8,
    pub(super) table: u8,
    pub(super) start: [u8; limits::PATH_START],
}

/// What the tables of one generation hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(super) values: BTreeMap<Kind, Value>,
    pub(super) names: BTreeMap<NameKey, u64>,
    pub(super) paths: BTreeMap<PathKey, u64>,
    /// Conditions on packets.
    pub(super) packets: Packets,
    /// Kinds that are sent whole although there is a filter, and why.
    pub(crate) unfiltered: Vec<(u32, String)>,
}

impl Tables {
    /// For the kinds that are watched on demand: nothing is sent of those that are not wanted, and of the others what
    /// their filter lets through.
    pub(crate) fn new(
        on_demand: impl IntoIterator<Item = Kind>,
        wanted: &BTreeSet<Kind>,
        filters: &[v1::Filter],
    ) -> Self {
        let mut tables = Self::default();
        for kind in on_demand {
            let keep = if wanted.contains(&kind) { KEEP_ALL } else { KEEP_NONE };
            tables.values.insert(kind, Value { keep, ..Value::default() });
        }
        for filter in filters {
            let Some(kind) = Kind::from_number(filter.kind).filter(|kind| wanted.contains(kind)) else {
                continue;
            };
            if let Err(reason) = tables.add(kind, &filter.alternatives) {
                tables.unfiltered.push((filter.kind, reason));
            }
        }
        tables
    }

    /// The same without any filter.
    pub(super) fn unfiltered(&self, reason: &str) -> Self {
        let mut tables = Self { unfiltered: self.unfiltered.clone(), ..Self::default() };
        for (kind, value) in &self.values {
            let keep = if value.keep == KEEP_NONE { KEEP_NONE } else { KEEP_ALL };
            tables.values.insert(*kind, Value { keep, ..Value::default() });
            if value.keep == KEEP_MATCHING {
                tables.unfiltered.push((kind.number(), reason.to_owned()));
            }
        }
        tables
    }

    /// Kinds that have a filter, with the number of its alternatives.
    pub(crate) fn filtered(&self) -> impl Iterator<Item = (Kind, u64)> {
        let filtered = self.values.iter().filter(|(_, value)| value.keep == KEEP_MATCHING);
        filtered.map(|(kind, value)| match kind {
            Kind::Packet => (*kind, self.packets.count()),
            _ => (*kind, u64::from(value.all.count_ones())),
        })
    }

    fn add(&mut self, kind: Kind, alternatives: &[v1::Alternative]) -> Result<(), String> {
        let number = u8::try_from(kind.number()).map_err(|_| "no such kind".to_owned())?;
        let judged = capability(kind).ok_or("events of this kind are not filtered")?;
        if judged.packet {
            self.packets = Packets::new(alternatives)?;
            self.values.insert(kind, Value { keep: KEEP_MATCHING, ..Value::default() });
            return Ok(());
        }
        if alternatives.len() > limits::ALTERNATIVES {
            return Err(format!("more than {} alternatives", limits::ALTERNATIVES));
        }
        let beyond = alternatives.iter().any(|given| {
            given.packet.is_some()
                || (given.destination.is_some() && !judged.destination)
                || (given.flags.is_some() && judged.number.is_none())
                || (given.file.is_some() && !judged.file)
                || (given.in_upper_layer.is_some() && !judged.upper_layer)
                || (!given.ports.is_empty() && !judged.port)
        });
        if beyond {
            return Err("a condition on what events of this kind do not have".to_owned());
        }
        let mut builder = Builder { kind: number, value: Value::default(), ..Builder::default() };
        for (position, alternative) in alternatives.iter().enumerate() {
            builder.add(1 << position, alternative);
        }
        if self.names.len() + builder.names.len() > limits::NAMES {
            return Err(format!("more than {} names", limits::NAMES));
        }
        if self.paths.len() + builder.paths.len() > limits::PATHS {
            return Err(format!("more than {} paths", limits::PATHS));
        }
        let (value, names, paths) = builder.finish();
        self.values.insert(kind, value);
        self.names.extend(names);
        self.paths.extend(paths);
        Ok(())
    }
}

/// The tables of one kind.
#[derive(Default)]
struct Builder {
    kind: u8,
    value: Value,
    names: BTreeMap<NameKey, u64>,
    /// By side and beginning, without the padding of the key.
    paths: BTreeMap<(u8, Vec<u8>), u64>,
    masks: BTreeMap<u32, u64>,
    ranges: BTreeMap<(u32, u32), u64>,
    ports: BTreeMap<(u32, u32), u64>,
    /// Lengths of names, by side.
    lengths: [BTreeSet<usize>; 2],
}

impl Builder {
    fn add(&mut self, bit: u64, alternative: &v1::Alternative) {
        self.value.all |= bit;
        for (side, condition) in (0..SIDES).zip([&alternative.file, &alternative.destination]) {
            self.add_file(bit, side, condition.as_ref());
        }
        match alternative.flags {
            None => self.value.any_flags |= bit,
            Some(flags) => {
                let read_only = if flags.read_only { OPEN_READ_ONLY } else { 0 };
                *self.masks.entry((flags.any_of & !OPEN_READ_ONLY) | read_only).or_default() |= bit;
            }
        }
        if alternative.auids.is_empty() {
            self.value.any_auid |= bit;
        }
        for range in &alternative.auids {
            *self.ranges.entry((range.from, range.to)).or_default() |= bit;
        }
        if alternative.ports.is_empty() {
            self.value.any_port |= bit;
        }
        for range in &alternative.ports {
            *self.ports.entry((range.from, range.to)).or_default() |= bit;
        }
        if alternative.in_upper_layer != Some(true) {
            self.value.lower_layer |= bit;
        }
        if alternative.in_upper_layer != Some(false) {
            self.value.upper_layer |= bit;
        }
    }

    fn add_file(&mut self, bit: u64, side: u8, condition: Option<&v1::FileCondition>) {
        let slot = usize::from(side);
        if condition.is_none_or(|condition| condition.names.is_empty()) {
            self.value.any_name[slot] |= bit;
        }
        if condition.is_none_or(|condition| condition.paths.is_empty() && condition.path_prefixes.is_empty())
        {
            self.value.any_path[slot] |= bit;
        }
        let Some(condition) = condition else { return };
        for name in &condition.names {
            // A longer one does not exist.
            let Some(length) = u16::try_from(name.len()).ok().filter(|_| name.len() <= limits::NAME_BYTES)
            else {
                continue;
            };
            let key = NameKey { length, kind: self.kind, table: side, start: padded(name) };
            *self.names.entry(key).or_default() |= bit;
            self.lengths[slot].insert(name.len());
        }
        for path in &condition.paths {
            let whole = [path, &b"\0"[..]].concat();
            self.add_path(bit, side, &whole);
        }
        for prefix in &condition.path_prefixes {
            self.add_path(bit, side, prefix);
        }
    }

    fn add_path(&mut self, bit: u64, side: u8, start: &[u8]) {
        let start = &start[..start.len().min(limits::PATH_START)];
        *self.paths.entry((side, start.to_vec())).or_default() |= bit;
    }

    fn finish(mut self) -> (Value, BTreeMap<NameKey, u64>, BTreeMap<PathKey, u64>) {
        self.value.keep = KEEP_MATCHING;
        for (slot, lengths) in self.lengths.iter().enumerate() {
            for length in (0..=limits::NAME_BYTES).filter(|length| !lengths.contains(length)) {
                self.value.absent_lengths[slot][length / 64] |= 1 << (length % 64);
            }
        }
        // What does not fit is not judged.
        let mut slots = self.value.flags.iter_mut();
        for (mask, alternatives) in self.masks.into_iter().filter(|(mask, _)| *mask != 0) {
            match slots.next() {
                Some(slot) => *slot = Mask { mask, _pad: 0, alternatives },
                None => self.value.any_flags |= alternatives,
            }
        }
        self.value.any_auid |= fill(&mut self.value.auids, self.ranges);
        self.value.any_port |= fill(&mut self.value.ports, self.ports);
        // The longest beginning is found: it stands for the shorter ones too.
        let widest = |side: u8, path: &[u8]| -> u64 {
            let shorter = (0..=path.len()).filter_map(|end| self.paths.get(&(side, path[..end].to_vec())));
            shorter.fold(0, |all, alternatives| all | alternatives)
        };
        let paths = self.paths.keys().map(|(side, path)| {
            let bits = (2 + path.len()) * 8;
            let prefix_bits = u32::try_from(bits).unwrap_or(u32::MAX);
            let key = PathKey { prefix_bits, kind: self.kind, table: *side, start: padded(path) };
            (key, widest(*side, path))
        });
        (self.value, self.names, paths.collect())
    }
}

/// Puts ranges into the table; gives the alternatives of those that do not fit.
fn fill(table: &mut [Range], ranges: BTreeMap<(u32, u32), u64>) -> u64 {
    let mut slots = table.iter_mut();
    let mut beyond = 0;
    for ((from, to), alternatives) in ranges {
        match slots.next() {
            Some(slot) => *slot = Range { from, to, alternatives },
            None => beyond |= alternatives,
        }
    }
    beyond
}

/// As much of `bytes` as fits, then NULs.
fn padded<const SIZE: usize>(bytes: &[u8]) -> [u8; SIZE] {
    let mut padded = [0; SIZE];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(alternatives: Vec<v1::Alternative>) -> v1::Filter {
        v1::Filter { kind: Kind::Open.number(), alternatives }
    }

    fn named(names: &[&'static str], prefixes: &[&'static str]) -> v1::Alternative {
        let condition = v1::FileCondition {
            names: names.iter().map(|name| (*name).into()).collect(),
            paths: Vec::new(),
            path_prefixes: prefixes.iter().map(|prefix| (*prefix).into()).collect(),
        };
        v1::Alternative { file: Some(condition), ..v1::Alternative::default() }
    }

    fn tables(filters: &[v1::Filter]) -> Tables {
        let kinds = [Kind::Open, Kind::Mkdir, Kind::Mount];
        Tables::new(kinds, &[Kind::Open, Kind::Mount].into(), filters)
    }

    #[test]
    fn kinds_without_a_filter_are_sent_whole_or_not_at_all() {
        let tables = tables(&[]);
        assert_eq!(tables.values[&Kind::Open].keep, KEEP_ALL);
        assert_eq!(tables.values[&Kind::Mkdir].keep, KEEP_NONE);
        assert_eq!(tables.filtered().count(), 0);
    }

    #[test]
    fn a_longer_beginning_stands_for_the_shorter_ones() {
        let tables = tables(&[filter(vec![named(&["a"], &["/etc/"]), named(&["b"], &["/etc/ssh/"])])]);
        let values: Vec<_> = tables.paths.values().copied().collect();
        assert_eq!(values, [0b01, 0b11]);
        assert_eq!(tables.names.values().copied().collect::<Vec<_>>(), [0b01, 0b10]);
        let value = tables.values[&Kind::Open];
        assert_eq!((value.all, value.any_name, value.any_flags), (0b11, [0, 0b11], 0b11));
        assert_eq!(value.absent_lengths[0][0], !2);
    }

    #[test]
    fn what_does_not_fit_is_not_judged() {
        let flags = |any_of| v1::Alternative {
            flags: Some(v1::OpenFlags { any_of, read_only: false }),
            ..v1::Alternative::default()
        };
        let masks = u32::try_from(limits::MASKS).unwrap() + 1;
        let tables_of_many = tables(&[filter((1..=masks).map(flags).collect())]);
        assert_eq!(tables_of_many.values[&Kind::Open].any_flags.count_ones(), 1);
        let many = vec![v1::Alternative::default(); limits::ALTERNATIVES + 1];
        let too_many = tables(&[filter(many)]);
        assert_eq!(too_many.values[&Kind::Open].keep, KEEP_ALL);
        assert_eq!(too_many.unfiltered.len(), 1);
    }

    #[test]
    fn ports_are_ranges_like_ids() {
        let port = |port| v1::Alternative {
            ports: vec![v1::IdRange { from: port, to: port }],
            ..v1::Alternative::default()
        };
        let beyond = u32::try_from(limits::RANGES).unwrap() + 1;
        let filter =
            v1::Filter { kind: Kind::Connect.number(), alternatives: (1..=beyond).map(port).collect() };
        let tables = Tables::new([Kind::Connect], &[Kind::Connect].into(), &[filter]);
        let value = tables.values[&Kind::Connect];
        assert_eq!(value.ports[1], Range { from: 2, to: 2, alternatives: 2 });
        assert_eq!((value.any_port, value.any_auid), (1 << limits::RANGES, value.all));
        // Opens have no ports.
        let refused = Tables::new(
            [Kind::Open],
            &[Kind::Open].into(),
            &[v1::Filter { kind: Kind::Open.number(), alternatives: vec![port(1)] }],
        );
        assert_eq!(refused.unfiltered.len(), 1);
    }

    #[test]
    fn what_a_kind_does_not_have_is_refused() {
        let destination =
            v1::Alternative { destination: Some(v1::FileCondition::default()), ..v1::Alternative::default() };
        let refused = tables(&[filter(vec![destination])]);
        assert_eq!((refused.unfiltered.len(), refused.values[&Kind::Open].keep), (1, KEEP_ALL));
        let mount = v1::Filter { kind: Kind::Mount.number(), alternatives: vec![] };
        assert_eq!(tables(&[mount]).unfiltered.len(), 1);
        // Not wanted at all: nothing to say about it.
        let mkdir = v1::Filter { kind: Kind::Mkdir.number(), alternatives: vec![] };
        assert_eq!(tables(&[mkdir]).values[&Kind::Mkdir].keep, KEEP_NONE);
    }
}
