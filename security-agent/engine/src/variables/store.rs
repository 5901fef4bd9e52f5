//! The values of variables, bounded in number and bytes whatever policies do.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use secl::{IpNet, Kind, Value, VariableId};

use super::VariableTable;
use crate::limits;

/// Bookkeeping bytes that are counted for each value besides its own.
const OVERHEAD: usize = 64;
/// A value that does not expire.
const NEVER: u64 = u64::MAX;

/// What a written value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'e> {
    /// Nothing in particular.
    Global,
    /// The process of this pid and start time; 0 as start time: whichever has the pid.
    Process(super::ProcessKey),
    /// The container of this id.
    Container(&'e [u8]),
    /// The control group of this id.
    Cgroup(&'e [u8]),
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Write<'v> {
    /// The variable.
    pub id: VariableId,
    /// The value; a scalar is one element for a list variable.
    pub value: &'v Value,
    /// Whether it is added to a list rather than replacing it.
    pub append: bool,
    /// How long it lives, in nanoseconds.
    pub ttl: Option<u64>,
    /// How many elements a list keeps.
    pub size: Option<usize>,
}

/// How full a store is, and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Processes, containers and control groups with values.
    pub instances: usize,
    /// Bytes that values use.
    pub bytes: usize,
    /// Instances whose values were dropped to make room.
    pub evicted: u64,
    /// Elements of lists that were dropped to make room, values that found none, and those for processes that are not known.
    pub dropped: u64,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Int(i64),
    Bool(bool),
    Str(Box<[u8]>),
    Ip(IpNet),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Item::Str(text) => OVERHEAD + text.len(),
            Item::Int(_) | Item::Bool(_) | Item::Ip(_) => OVERHEAD,
        }
    }

    fn text(text: &[u8]) -> Self {
        Item::Str(text.get(..limits::VALUE_BYTES).unwrap_or(text).into())
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Item::Int(_), Kind::Int)
                | (Item::Bool(_), Kind::Bool)
                | (Item::Str(_), Kind::Str)
                | (Item::Ip(_), Kind::Ip)
        )
    }
}

/// An item and when it expires.
#[derive(Clone, Debug)]
struct Timed {
    item: Item,
    expires: u64,
}

/// The value of a variable.
#[derive(Clone, Debug)]
enum Stored {
    Scalar(Timed),
    /// Oldest first, without repetitions.
    List(VecDeque<Timed>),
}

/// The values of one process, container, …
#[derive(Clone, Debug, Default)]
struct Instance {
    values: Vec<(VariableId, Stored)>,
    bytes: usize,
    /// Grows with each write to any instance: tells which one was written longest ago.
    written: u64,
}

impl Instance {
    fn get(&self, id: VariableId) -> Option<&Stored> {
        self.values.iter().find(|(present, _)| *present == id).map(|(_, stored)| stored)
    }

    fn take(&mut self, id: VariableId) -> Option<Stored> {
        let index = self.values.iter().position(|(present, _)| *present == id)?;
        let (_, stored) = self.values.swap_remove(index);
        self.bytes -= stored_bytes(&stored);
        Some(stored)
    }

    fn put(&mut self, id: VariableId, stored: Stored) {
        self.bytes += stored_bytes(&stored);
        self.values.push((id, stored));
    }

    /// Drops what has expired.
    fn purge(&mut self, now: u64) {
        for (_, stored) in &mut self.values {
            if let Stored::List(items) = stored {
                items.retain(|timed| timed.expires > now);
            }
        }
        self.values.retain(|(_, stored)| match stored {
            Stored::Scalar(timed) => timed.expires > now,
            Stored::List(items) => !items.is_empty(),
        });
        self.bytes = self.values.iter().map(|(_, stored)| stored_bytes(stored)).sum();
    }
}

fn stored_bytes(stored: &Stored) -> usize {
    match stored {
        Stored::Scalar(timed) => timed.item.bytes(),
        Stored::List(items) => OVERHEAD + items.iter().map(|timed| timed.item.bytes()).sum::<usize>(),
    }
}

/// The values of one process.
#[derive(Clone, Debug, Default)]
struct ProcessInstance {
    start_time: u64,
    instance: Instance,
}

/// The values of all variables.
#[derive(Clone, Debug, Default)]
pub struct VariableStore {
    global: Instance,
    processes: FxHashMap<u32, ProcessInstance>,
    containers: FxHashMap<Box<[u8]>, Instance>,
    cgroups: FxHashMap<Box<[u8]>, Instance>,
    bytes: usize,
    writes: u64,
    evicted: u64,
    dropped: u64,
}

impl VariableStore {
    /// A store without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// How full the store is.
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            instances: self.processes.len() + self.containers.len() + self.cgroups.len(),
            bytes: self.bytes,
            evicted: self.evicted,
            dropped: self.dropped,
        }
    }

    fn instance(&self, target: Target<'_>) -> Option<&Instance> {
        match target {
            Target::Global => Some(&self.global),
            Target::Process(key) => {
                let process = self.processes.get(&key.pid)?;
                is_same(process.start_time, key.start_time).then_some(&process.instance)
            }
            Target::Container(id) => self.containers.get(id),
            Target::Cgroup(id) => self.cgroups.get(id),
        }
    }

    /// The value of a scalar variable, unless it is unset or expired.
    pub(super) fn scalar(&self, target: Target<'_>, id: VariableId, now: u64) -> Option<&Item> {
        match self.instance(target)?.get(id)? {
            Stored::Scalar(timed) if timed.expires > now => Some(&timed.item),
            Stored::Scalar(_) | Stored::List(_) => None,
        }
    }

    /// The elements of a list variable that have not expired, oldest first. `None` if there are none.
    pub(super) fn list(
        &self,
        target: Target<'_>,
        id: VariableId,
        now: u64,
    ) -> Option<impl Iterator<Item = &Item>> {
        match self.instance(target)?.get(id)? {
            Stored::List(items) if items.iter().any(|timed| timed.expires > now) => {
                Some(items.iter().filter(move |timed| timed.expires > now).map(|timed| &timed.item))
            }
            Stored::List(_) | Stored::Scalar(_) => None,
        }
    }

    /// Writes a value. `now`: nanoseconds on the clock that reads use.
    pub fn write(&mut self, table: &VariableTable, target: Target<'_>, write: Write<'_>, now: u64) {
        let Some(ty) = table.get(write.id).map(|declaration| declaration.ty) else { return };
        let expires = write.ttl.map_or(NEVER, |ttl| now.saturating_add(ttl));
        let mut items = items(write.value);
        items.retain(|item| item.is(ty.kind));
        self.writes += 1;
        let writes = self.writes;
        let mut dropped = 0;
        let instance = self.instance_mut(target);
        instance.written = writes;
        let before = instance.bytes;
        let earlier = instance.take(write.id);
        let stored = if ty.list {
            let mut list = match earlier {
                Some(Stored::List(list)) if write.append => list,
                _ => VecDeque::new(),
            };
            list.retain(|timed| timed.expires > now && !items.contains(&timed.item));
            let limit = write.size.unwrap_or(limits::LIST_ELEMENTS).clamp(1, limits::LIST_ELEMENTS);
            for item in items {
                if !list.iter().any(|timed| timed.item == item) {
                    list.push_back(Timed { item, expires });
                }
            }
            while list.len() > limit {
                list.pop_front();
                dropped += 1;
            }
            Some(Stored::List(list))
        } else {
            items.pop().map(|item| Stored::Scalar(Timed { item, expires }))
        };
        if let Some(mut stored) = stored {
            dropped += shrink(&mut stored, limits::INSTANCE_BYTES.saturating_sub(instance.bytes));
            if stored_bytes(&stored) + instance.bytes <= limits::INSTANCE_BYTES {
                instance.put(write.id, stored);
            } else {
                dropped += 1;
            }
        }
        let after = instance.bytes;
        self.bytes = self.bytes - before + after;
        self.dropped += dropped;
        self.make_room(now);
    }

    fn instance_mut(&mut self, target: Target<'_>) -> &mut Instance {
        match target {
            Target::Global => &mut self.global,
            Target::Process(key) => {
                let process = self.processes.entry(key.pid).or_default();
                if !is_same(process.start_time, key.start_time) {
                    // The pid belongs to another process now.
                    self.bytes -= process.instance.bytes;
                    *process = ProcessInstance::default();
                }
                if key.start_time != 0 {
                    process.start_time = key.start_time;
                }
                &mut process.instance
            }
            Target::Container(id) => self.containers.entry(id.into()).or_default(),
            Target::Cgroup(id) => self.cgroups.entry(id.into()).or_default(),
        }
    }

    /// Takes note of a value that could not be written, as the process that it is for is not known.
    pub fn refuse(&mut self) {
        self.dropped += 1;
    }

    /// Drops the values of a process that has ended.
    pub fn forget_process(&mut self, key: super::ProcessKey) {
        if let std::collections::hash_map::Entry::Occupied(entry) = self.processes.entry(key.pid)
            && is_same(entry.get().start_time, key.start_time)
        {
            self.bytes -= entry.remove().instance.bytes;
        }
    }

    /// Drops the values of a container that has ended.
    pub fn forget_container(&mut self, id: &[u8]) {
        self.bytes -= self.containers.remove(id).map_or(0, |instance| instance.bytes);
    }

    /// Drops the values of a control group that is gone.
    pub fn forget_cgroup(&mut self, id: &[u8]) {
        self.bytes -= self.cgroups.remove(id).map_or(0, |instance| instance.bytes);
    }

    /// Drops what has expired. Reads do not see it anyway; this gives the memory back.
    pub fn purge(&mut self, now: u64) {
        self.each_instance(|instance| {
            instance.purge(now);
            !instance.values.is_empty()
        });
    }

    /// Keeps the values of variables that both rule sets declare with the same type, and drops the others.
    pub fn rebind(&mut self, from: &VariableTable, to: &VariableTable) {
        let ids: FxHashMap<VariableId, VariableId> = from
            .iter()
            .filter_map(|(id, declaration)| Some((id, to.find(&declaration.name, declaration.ty)?)))
            .collect();
        self.each_instance(|instance| {
            instance.values.retain_mut(|(id, _)| {
                ids.get(id).is_some_and(|new| {
                    *id = *new;
                    true
                })
            });
            instance.bytes = instance.values.iter().map(|(_, stored)| stored_bytes(stored)).sum();
            !instance.values.is_empty()
        });
    }

    /// Visits all instances; those of processes, containers and control groups go if `keep` says so.
    fn each_instance(&mut self, mut keep: impl FnMut(&mut Instance) -> bool) {
        keep(&mut self.global);
        self.processes.retain(|_, process| keep(&mut process.instance));
        self.containers.retain(|_, instance| keep(instance));
        self.cgroups.retain(|_, instance| keep(instance));
        let bytes = |instances: &FxHashMap<Box<[u8]>, Instance>| -> usize {
            instances.values().map(|instance| instance.bytes).sum()
        };
        let processes: usize = self.processes.values().map(|process| process.instance.bytes).sum();
        self.bytes = self.global.bytes + processes + bytes(&self.containers) + bytes(&self.cgroups);
    }

    /// Evicts instances that were written longest ago while there are too many of a scope, or too many bytes.
    ///
    /// A quarter goes at a time, so that the cost of looking for the oldest is spread over many writes.
    fn make_room(&mut self, now: u64) {
        let full = |length: usize| length > limits::SCOPE_INSTANCES;
        let too_many = full(self.processes.len()) || full(self.containers.len()) || full(self.cgroups.len());
        if !too_many && self.bytes <= limits::VARIABLE_BYTES {
            return;
        }
        self.purge(now);
        while self.bytes > limits::VARIABLE_BYTES
            || full(self.processes.len())
            || full(self.containers.len())
            || full(self.cgroups.len())
        {
            let mut written: Vec<u64> =
                self.processes.values().map(|process| process.instance.written).collect();
            written.extend(
                self.containers.values().chain(self.cgroups.values()).map(|instance| instance.written),
            );
            if written.is_empty() {
                return;
            }
            let quarter = written.len() / 4;
            let (_, &mut oldest, _) = written.select_nth_unstable(quarter);
            let newest = self.writes;
            let mut evicted = 0;
            self.each_instance(|instance| {
                let keep = instance.written > oldest || instance.written == newest;
                evicted += u64::from(!keep);
                keep
            });
            self.evicted += evicted;
            if evicted == 0 {
                return;
            }
        }
    }
}

/// Start times of 0 are unknown and stand for any.
fn is_same(a: u64, b: u64) -> bool {
    a == b || a == 0 || b == 0
}

/// The elements of a value.
fn items(value: &Value) -> Vec<Item> {
    match value {
        Value::Int(value) => vec![Item::Int(*value)],
        Value::Bool(value) => vec![Item::Bool(*value)],
        Value::Str(value) => vec![Item::text(value)],
        Value::Ip(value) => vec![Item::Ip(*value)],
        Value::Ints(values) => values.iter().map(|value| Item::Int(*value)).collect(),
        Value::Bools(values) => values.iter().map(|value| Item::Bool(*value)).collect(),
        Value::Strs(values) => values.iter().map(|value| Item::text(value)).collect(),
        Value::Ips(values) => values.iter().map(|value| Item::Ip(*value)).collect(),
    }
}

/// Drops the oldest elements of a list until it fits; returns how many.
fn shrink(stored: &mut Stored, room: usize) -> u64 {
    let Stored::List(items) = stored else { return 0 };
    let mut bytes = OVERHEAD + items.iter().map(|timed| timed.item.bytes()).sum::<usize>();
    let mut dropped = 0;
    while bytes > room {
        let Some(timed) = items.pop_front() else { break };
        bytes -= timed.item.bytes();
        dropped += 1;
    }
    dropped
}
