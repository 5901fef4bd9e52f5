//! The maps that this process reads and writes; all instances of the object use the same ones.

use anyhow::Context;
use bpf::CwsSkel;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use proto::wire::Kind;

/// `FILTER_KEEP_ALL` and `FILTER_KEEP_NONE` of bpf/include/filter.h.
const FILTER_KEEP_ALL: u32 = 0;
const FILTER_KEEP_NONE: u32 = 2;

/// Descriptors of their own, independent of the instance that made the maps.
#[derive(Debug)]
pub(crate) struct Maps {
    /// The ring buffer.
    events: MapHandle,
    /// Records that found the ring full, by kind.
    losses: MapHandle,
    /// What is sent, by kind.
    filters: MapHandle,
}

impl Maps {
    pub(super) fn of(skeleton: &CwsSkel<'_>) -> anyhow::Result<Self> {
        Ok(Self {
            events: MapHandle::try_from(&skeleton.maps.events).context("cannot use the map events")?,
            losses: MapHandle::try_from(&skeleton.maps.losses).context("cannot use the map losses")?,
            filters: MapHandle::try_from(&skeleton.maps.filters).context("cannot use the map filters")?,
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

    /// Whether the programs send records of a kind that is watched on demand.
    pub(super) fn keep_kind(&self, kind: Kind, keep: bool) -> libbpf_rs::Result<()> {
        let keep: u32 = if keep { FILTER_KEEP_ALL } else { FILTER_KEEP_NONE };
        // struct filter: what is kept comes first; the rest says what matters when not all is.
        let mut value = vec![0; usize::try_from(self.filters.value_size()).unwrap_or_default()];
        if let Some(first) = value.first_chunk_mut() {
            *first = keep.to_ne_bytes();
        }
        self.filters.update(&kind.number().to_ne_bytes(), &value, MapFlags::ANY)
    }
}
