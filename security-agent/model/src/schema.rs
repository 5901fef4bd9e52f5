//! The names of the model, for the rule compiler.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use secl::schema::weight;
use secl::{EventTypeId, Field, FieldId, IteratorId, Schema, Value};

use crate::constants;
use crate::event::EventKind;
use crate::layout::{self, ROOTS, Root};
use crate::legacy;
use crate::record::Leaf;

/// Everything known about one field.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// Full name.
    pub name: String,
    /// Identifies the field.
    pub id: FieldId,
    /// What its record says about it.
    pub leaf: &'static Leaf,
    /// Type of the event it belongs to; `None`: every event has it.
    pub event: Option<EventKind>,
    /// The prefix that iterates, for a field below one.
    pub iterator: Option<&'static str>,
    root: &'static Root,
}

impl FieldInfo {
    /// Whether an event has any number of values.
    pub fn is_list(&self) -> bool {
        self.leaf.list || self.iterator.is_some()
    }

    /// The type as documentation writes it, such as `string[]`.
    pub fn type_name(&self) -> String {
        type_name(self.leaf.kind, self.is_list())
    }

    /// What the rule compiler has to know.
    pub fn field(&self) -> Field {
        let iteration = if self.iterator.is_some() { weight::ITERATOR } else { 0 };
        Field {
            id: self.id,
            kind: self.leaf.kind,
            list: self.is_list(),
            iterator: self.root.iterator(),
            event: self.event.map(event_type_id),
            matching: self.leaf.matching,
            alternatives: self.leaf.alternatives,
            weight: self.leaf.weight.saturating_add(iteration),
            max_literal: self.leaf.max_literal,
        }
    }
}

/// A type as documentation writes it.
pub(crate) fn type_name(kind: secl::Kind, list: bool) -> String {
    let kind = match kind {
        secl::Kind::Int => "int",
        secl::Kind::Bool => "bool",
        secl::Kind::Str => "string",
        secl::Kind::Ip => "ip",
    };
    format!("{kind}{}", if list { "[]" } else { "" })
}

/// The number of an event type in rules.
#[inline]
pub(crate) const fn event_type_id(kind: EventKind) -> EventTypeId {
    EventTypeId(kind as u16)
}

struct Table {
    fields: Vec<FieldInfo>,
    by_name: FxHashMap<String, FieldId>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut fields = Vec::with_capacity(layout::FIELD_COUNT);
    layout::each_field(|root, name, leaf| {
        let iterator = root.iterator().map(|_| root.name);
        let id = FieldId(u16::try_from(fields.len()).unwrap_or(u16::MAX));
        fields.push(FieldInfo {
            name: layout::join(root.name, name),
            id,
            leaf,
            event: root.event(),
            iterator,
            root,
        });
    });
    let by_name = fields.iter().map(|field| (field.name.clone(), field.id)).collect();
    Table { fields, by_name }
});

/// Every field, in the order of their ids.
pub fn fields() -> &'static [FieldInfo] {
    &TABLE.fields
}

/// The field of that name, which may be an old one.
pub fn field(name: &str) -> Option<&'static FieldInfo> {
    let id = match TABLE.by_name.get(name) {
        Some(id) => id,
        None => TABLE.by_name.get(&legacy::current_name(name)?)?,
    };
    field_by_id(*id)
}

/// The field of that id.
pub fn field_by_id(id: FieldId) -> Option<&'static FieldInfo> {
    TABLE.fields.get(usize::from(id.0))
}

/// The prefixes that iterate, with the id of each one.
pub(crate) fn iterators() -> impl Iterator<Item = (&'static str, IteratorId)> {
    ROOTS.iter().filter_map(|root| Some((root.name, root.iterator()?)))
}

/// The names that rules may use: the schema of this model.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    map_names: Vec<Vec<u8>>,
}

impl Fields {
    /// The schema for a probe whose own eBPF maps have these names; they are the constant `CWS_MAP_NAMES`.
    pub fn new(map_names: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        Self { map_names: map_names.into_iter().map(Into::into).collect() }
    }
}

impl Schema for Fields {
    fn field(&self, name: &str) -> Option<Field> {
        field(name).map(FieldInfo::field)
    }

    fn iterator(&self, name: &str) -> Option<IteratorId> {
        iterators().find(|(known, _)| *known == name).map(|(_, id)| id)
    }

    fn event_of_iterator(&self, iterator: IteratorId) -> Option<EventTypeId> {
        let root = ROOTS.iter().find(|root| root.iterator() == Some(iterator))?;
        root.event().map(event_type_id)
    }

    fn constant(&self, name: &str) -> Option<Value> {
        if name == constants::MAP_NAMES {
            return Some(Value::Strs(self.map_names.clone()));
        }
        constants::value(name).map(Value::Int)
    }

    fn event_type(&self, name: &str) -> Option<EventTypeId> {
        let kind = EventKind::from_name(name).filter(|kind| !kind.since().is_empty())?;
        Some(event_type_id(kind))
    }

    fn event_type_name(&self, id: EventTypeId) -> &str {
        EventKind::from_number(id.0).map_or("unknown", EventKind::name)
    }

    fn usable_in(&self, field: FieldId, event: EventTypeId) -> bool {
        let is_packet = field_by_id(field).is_some_and(|field| field.root.access == layout::Access::Packet);
        !is_packet || EventKind::from_number(event.0).is_some_and(EventKind::has_packet)
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        fields().iter().for_each(|field| visit(&field.name));
        constants::groups().flat_map(constants::Group::iter).for_each(|(name, _)| visit(name));
        visit(constants::MAP_NAMES);
    }
}

#[cfg(test)]
mod tests;
