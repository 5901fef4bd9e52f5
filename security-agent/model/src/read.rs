//! An [`Event`] as compiled rules read it.

use std::net::IpAddr;

use secl::{EventTypeId, FieldId, IteratorId};

use crate::event::Event;
use crate::layout::{any, is_list, len, read};
use crate::record::Value;
use crate::schema::event_type_id;

impl secl::Event for Event {
    #[inline]
    fn event_type(&self) -> EventTypeId {
        event_type_id(self.kind())
    }

    /// The time of the event: ages do not depend on how long it took to get here.
    #[inline]
    fn now(&self) -> i64 {
        self.context.timestamp.cast_signed()
    }

    #[inline]
    fn int(&self, field: FieldId) -> i64 {
        match read(self, field) {
            Value::Int(value) => value,
            _ => 0,
        }
    }

    #[inline]
    fn bool(&self, field: FieldId) -> bool {
        matches!(read(self, field), Value::Bool(true))
    }

    #[inline]
    fn str(&self, field: FieldId) -> &[u8] {
        match read(self, field) {
            Value::Str(value) => value,
            Value::Path(file) => &file.path,
            Value::Name(file) => file.name(),
            _ => b"",
        }
    }

    #[inline]
    fn ip(&self, field: FieldId) -> Option<IpAddr> {
        match read(self, field) {
            Value::Ip(address) => address,
            _ => None,
        }
    }

    fn len(&self, iterator: IteratorId) -> usize {
        len(self, iterator)
    }

    fn any_int(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(i64) -> bool) -> bool {
        any(self, field, at, |value| match value {
            Value::Int(value) => test(value),
            Value::Ints(values) => values.iter().any(|value| test(*value)),
            Value::Absent if !is_list(field) => test(0),
            _ => false,
        })
    }

    fn any_bool(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(bool) -> bool) -> bool {
        any(self, field, at, |value| match value {
            Value::Bool(value) => test(value),
            Value::Absent if !is_list(field) => test(false),
            _ => false,
        })
    }

    fn any_str(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        any(self, field, at, |value| match value {
            Value::Str(value) => test(value),
            Value::Path(file) => test(&file.path),
            Value::Name(file) => test(file.name()),
            Value::Strs(values) => values.any(&mut test),
            Value::Absent if !is_list(field) => test(b""),
            _ => false,
        })
    }

    /// An element without address, which no network holds, is not visited.
    fn any_ip(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(IpAddr) -> bool) -> bool {
        any(self, field, at, |value| match value {
            Value::Ip(Some(address)) => test(address),
            _ => false,
        })
    }

    fn any_alternative(
        &self,
        field: FieldId,
        at: Option<usize>,
        mut test: impl FnMut(&[u8]) -> bool,
    ) -> bool {
        any(self, field, at, |value| match value {
            Value::Path(file) => file.any_other_path(&mut test),
            Value::Name(file) => file.any_other_name(&mut test),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests;
