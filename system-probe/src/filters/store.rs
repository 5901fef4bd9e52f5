//! The tables in the kernel. A new set is written beside the one in use, then one write switches to it.

use std::time::Duration;

use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use proto::wire::layout::KIND_MAX;
use zerocopy::IntoBytes as _;

use super::tables::NameKey;
use super::tables::PathKey;
use super::tables::SIDES;
use super::tables::Tables;

/// `MEMBARRIER_CMD_GLOBAL` of uapi/linux/membarrier.h: returns when every CPU has passed through the scheduler, and with
/// it no program runs any more that ran at the call.
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
/// Where that is not to be had: far longer than a program may run.
const LONG_ENOUGH: Duration = Duration::from_millis(50);

/// The maps of `filter.h`.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) filters: MapHandle,
    pub(crate) generation: MapHandle,
    pub(crate) names: MapHandle,
    pub(crate) paths: MapHandle,
    pub(crate) packets: MapHandle,
    /// What each generation holds.
    written: [Tables; 2],
    /// The one in use.
    current: u8,
}

impl Store {
    /// `filters`, `filter_generation`, `filter_names`, `filter_paths`, `filter_packets`; empty.
    pub(crate) fn new([filters, generation, names, paths, packets]: [MapHandle; 5]) -> Self {
        Self { filters, generation, names, paths, packets, written: Default::default(), current: 0 }
    }

    /// What is in use.
    pub(crate) fn tables(&self) -> &Tables {
        &self.written[usize::from(self.current)]
    }

    /// Puts `tables` in use. If the maps do not take them, all that is wanted is sent.
    ///
    /// # Errors
    ///
    /// If not even that is possible: what was in use stays so.
    pub(crate) fn apply(&mut self, tables: Tables) -> libbpf_rs::Result<()> {
        if tables == *self.tables() {
            return Ok(());
        }
        let next = self.current ^ 1;
        // A program may still look at what was in use before the last switch.
        wait_for_programs();
        if let Err(error) = self.write(next, &tables) {
            tracing::warn!(%error, "cannot fill the filters: everything is sent");
            self.write(next, &tables.unfiltered(&error.to_string()))?;
        }
        self.generation.update(&[0; 4], &u32::from(next).to_ne_bytes(), MapFlags::ANY)?;
        self.current = next;
        Ok(())
    }

    /// Fills a generation that is not in use; touches only what is different.
    fn write(&mut self, generation: u8, tables: &Tables) -> libbpf_rs::Result<()> {
        let slot = usize::from(generation);
        let old = std::mem::take(&mut self.written[slot]);
        let result = self.replace(generation, &old, tables);
        // After a failure it holds some of both; what is deleted twice does no harm.
        self.written[slot] = if result.is_ok() { tables.clone() } else { union(old, tables) };
        result
    }

    fn replace(&self, generation: u8, old: &Tables, new: &Tables) -> libbpf_rs::Result<()> {
        let name = |key: &NameKey| NameKey { table: generation * SIDES + key.table, ..*key };
        let path = |key: &PathKey| PathKey { table: generation * SIDES + key.table, ..*key };
        for key in old.names.keys().filter(|key| !new.names.contains_key(key)) {
            delete(&self.names, name(key).as_bytes())?;
        }
        for key in old.paths.keys().filter(|key| !new.paths.contains_key(key)) {
            delete(&self.paths, path(key).as_bytes())?;
        }
        for (key, value) in new.names.iter().filter(|(key, value)| old.names.get(key) != Some(value)) {
            self.names.update(name(key).as_bytes(), &value.to_ne_bytes(), MapFlags::ANY)?;
        }
        for (key, value) in new.paths.iter().filter(|(key, value)| old.paths.get(key) != Some(value)) {
            self.paths.update(path(key).as_bytes(), &value.to_ne_bytes(), MapFlags::ANY)?;
        }
        if old.packets != new.packets {
            let key = u32::from(generation).to_ne_bytes();
            self.packets.update(&key, new.packets.as_bytes(), MapFlags::ANY)?;
        }
        for (kind, value) in new.values.iter().filter(|(kind, value)| old.values.get(kind) != Some(value)) {
            let index = u32::from(generation) * (KIND_MAX + 1) + kind.number();
            self.filters.update(&index.to_ne_bytes(), value.as_bytes(), MapFlags::ANY)?;
        }
        Ok(())
    }
}

/// Keys of both, without values: they are to be written again.
fn union(old: Tables, new: &Tables) -> Tables {
    let names = old.names.into_keys().chain(new.names.keys().copied()).map(|key| (key, 0)).collect();
    let paths = old.paths.into_keys().chain(new.paths.keys().copied()).map(|key| (key, 0)).collect();
    Tables { names, paths, ..Tables::default() }
}

fn delete(map: &MapHandle, key: &[u8]) -> libbpf_rs::Result<()> {
    match map.delete(key) {
        Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn wait_for_programs() {
    // SAFETY: the call takes three integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(LONG_ENOUGH);
    }
}
