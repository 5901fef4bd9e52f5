//! The maps that this process reads and writes; all instances of the object use the same ones.

use std::sync::Arc;

use anyhow::Context;
use bpf::CwsSkel;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use proto::wire::Kind;

use super::skips::Skips;
use crate::filters::Store;

/// Descriptors of their own, independent of the instance that made the maps.
#[derive(Debug)]
pub(crate) struct Maps {
    /// The ring buffer.
    events: MapHandle,
    /// Records that found the ring full, by kind.
    losses: MapHandle,
    /// `filters`, `filter_generation`, `filter_names`, `filter_paths`, `filter_packets`.
    filters: [MapHandle; 5],
    /// Events that filters have dropped, by kind.
    filtered: MapHandle,
    /// `capability_uses`, `flows`.
    elements: [(&'static str, MapHandle); 2],
    skips: Arc<Skips>,
}

impl Maps {
    pub(super) fn of(skeleton: &CwsSkel<'_>) -> anyhow::Result<Self> {
        Ok(Self {
            events: MapHandle::try_from(&skeleton.maps.events).context("cannot use the map events")?,
            losses: MapHandle::try_from(&skeleton.maps.losses).context("cannot use the map losses")?,
            filters: [
                MapHandle::try_from(&skeleton.maps.filters).context("cannot use the map filters")?,
                MapHandle::try_from(&skeleton.maps.filter_generation)
                    .context("cannot use the map filter_generation")?,
                MapHandle::try_from(&skeleton.maps.filter_names)
                    .context("cannot use the map filter_names")?,
                MapHandle::try_from(&skeleton.maps.filter_paths)
                    .context("cannot use the map filter_paths")?,
                MapHandle::try_from(&skeleton.maps.filter_packets)
                    .context("cannot use the map filter_packets")?,
            ],
            filtered: MapHandle::try_from(&skeleton.maps.filtered).context("cannot use the map filtered")?,
            elements: [
                (
                    "capability_uses",
                    MapHandle::try_from(&skeleton.maps.capability_uses)
                        .context("cannot use the map capability_uses")?,
                ),
                ("flows", MapHandle::try_from(&skeleton.maps.flows).context("cannot use the map flows")?),
            ],
            skips: Arc::default(),
        })
    }

    /// The ring buffer, with a descriptor of its own.
    pub(super) fn events(&self) -> anyhow::Result<MapHandle> {
        MapHandle::try_from(&self.events).context("cannot use the map events")
    }

    /// The counters of records that found the ring full, with a descriptor of their own.
    pub(super) fn losses(&self) -> anyhow::Result<MapHandle> {
        MapHandle::try_from(&self.losses).context("cannot use the map losses")
    }

    /// Size of the ring buffer, bytes.
    pub(super) fn ring_bytes(&self) -> u64 {
        u64::from(self.events.max_entries())
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
