//! The maps that this process reads and writes; all instances of the object use the same ones.

use std::sync::Arc;

use anyhow::Context;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::Object;
use proto::wire::Kind;

use super::skips::Skips;
use crate::filters::Store;

/// Maps whose elements are told now and then; the object for old kernels has none.
const ELEMENTS: [&str; 2] = ["capability_uses", "flows"];

/// Descriptors of their own, independent of the instance that made the maps.
#[derive(Debug)]
pub(crate) struct Maps {
    /// The ring buffer, or for each CPU one.
    events: MapHandle,
    /// Records that found the ring full, by kind; none where the kernel counts them without.
    losses: Option<MapHandle>,
    /// Size of all buffers, bytes.
    ring_bytes: u32,
    /// `filters`, `filter_generation`, `filter_names`, `filter_paths`, `filter_packets`.
    filters: [MapHandle; 5],
    /// Events that filters have dropped, by kind.
    filtered: MapHandle,
    /// Those whose elements are told now and then.
    elements: Vec<(&'static str, MapHandle)>,
    skips: Arc<Skips>,
}

impl Maps {
    pub(super) fn of(object: &Object, ring_bytes: u32) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let map = object.maps().find(|map| map.name() == name);
            let map = map.with_context(|| format!("the BPF object has no map {name}"))?;
            MapHandle::try_from(&map).with_context(|| format!("cannot use the map {name}"))
        };
        let has = |name: &str| object.maps().any(|map| map.name() == name);
        Ok(Self {
            events: find("events")?,
            losses: has("losses").then(|| find("losses")).transpose()?,
            ring_bytes,
            filters: [
                find("filters")?,
                find("filter_generation")?,
                find("filter_names")?,
                find("filter_paths")?,
                find("filter_packets")?,
            ],
            filtered: find("filtered")?,
            elements: ELEMENTS
                .into_iter()
                .filter(|name| has(name))
                .map(|name| Ok((name, find(name)?)))
                .collect::<anyhow::Result<_>>()?,
            skips: Arc::default(),
        })
    }

    /// The ring buffer, with a descriptor of its own.
    pub(super) fn events(&self) -> anyhow::Result<MapHandle> {
        MapHandle::try_from(&self.events).context("cannot use the map events")
    }

    /// The counters of records that found the ring full, with a descriptor of their own; none if the kernel counts them.
    pub(super) fn losses(&self) -> anyhow::Result<Option<MapHandle>> {
        let losses = self.losses.as_ref().map(MapHandle::try_from).transpose();
        losses.context("cannot use the map losses")
    }

    /// Size of the ring buffer, or of all buffers, bytes.
    pub(super) fn ring_bytes(&self) -> u64 {
        u64::from(self.ring_bytes)
    }

    /// The programs that are passed over now and then.
    pub(super) fn skips(&self) -> &Arc<Skips> {
        &self.skips
    }

    /// The filters, with descriptors of their own. They are empty: everything is sent.
    pub(super) fn filters(&self) -> anyhow::Result<Store> {
        let handle = |map| MapHandle::try_from(map).context("cannot use a map of the filters");
        let [filters, generation, names, paths, packets] = &self.filters;
        let maps = [handle(filters)?, handle(generation)?, handle(names)?, handle(paths)?, handle(packets)?];
        Ok(Store::new(maps))
    }

    /// A map whose elements are told now and then.
    pub(super) fn elements(&self, name: &str) -> anyhow::Result<&MapHandle> {
        let found = self.elements.iter().find(|(known, _)| *known == name);
        found.map(|(_, map)| map).with_context(|| format!("no map {name}"))
    }

    /// Removes what is in such a map.
    pub(super) fn clear(&self, name: &str) {
        let Ok(map) = self.elements(name) else { return };
        // Each key is found by the one before it, so they are gathered first.
        for key in map.keys().collect::<Vec<_>>() {
            if let Err(error) = map.delete(&key) {
                tracing::debug!(%error, map = name, "cannot remove an element");
            }
        }
    }

    /// Events of a kind that filters have dropped.
    pub(super) fn filtered(&self, kind: Kind) -> u64 {
        let counts = self.filtered.lookup_percpu(&kind.number().to_ne_bytes(), MapFlags::ANY).ok().flatten();
        let count = |bytes: &Vec<u8>| bytes.first_chunk::<8>().map(|bytes| u64::from_ne_bytes(*bytes));
        counts.unwrap_or_default().iter().filter_map(count).sum()
    }
}
