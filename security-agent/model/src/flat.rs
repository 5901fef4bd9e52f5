//! Events written down as field values, for tests of rules.
//!
//! `{"exec.file.path": "/usr/bin/nc", "exec.args": "-e /bin/sh", "process.ancestors.comm": ["sh", "nginx"]}`
//!
//! - A field that is not given is zero: `""`, `0`, `false`, no elements.
//! - A field below an iterator is an array with one entry per element; an entry of an array field is an array again, or
//!   stands for its only value. All arrays of an iterator have its length, shorter ones are filled with zeros.
//! - An integer is a number, the names of constants (`"O_CREAT|O_WRONLY"`, `"EACCES"`), or a time: `"@now"`,
//!   `"@now-5s"`, `"@now+2m"`.
//! - Old field names are accepted.
//! - Keys that begin with `~` tell what is no field: `~exec_symlink_path` is the symbolic link the program was executed by,
//!   `~mount_path:open.file` where the mount of that file is mounted.

mod value;
mod variables;

use std::net::IpAddr;

use rustc_hash::FxHashMap;
use secl::{EventTypeId, FieldId, IteratorId, Kind};
use serde_json::Value as Json;

use self::value::{Single, Values};
use crate::event::EventKind;
use crate::file::{base_name, strip_mount};
use crate::schema::{FieldInfo, event_type_id, field, iterators};
use crate::{layout, schema};

pub use self::variables::{FlatVariables, FlatVariablesError};

/// Why a written event is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlatEventError {
    /// It is not a JSON object.
    #[error("an event is an object of field values")]
    NotAnObject,
    /// No field has this name.
    #[error("unknown field `{0}`")]
    UnknownField(String),
    /// No side fact has this name.
    #[error("unknown side fact `{0}`; known are `~exec_symlink_path` and `~mount_path:PREFIX`")]
    UnknownSideFact(String),
    /// The value is not of the type of the field.
    #[error("field `{field}` is of type {expected}, which `{value}` is not")]
    WrongType {
        /// The field.
        field: String,
        /// Its type.
        expected: String,
        /// The value given.
        value: String,
    },
    /// No constant has this name.
    #[error("unknown constant `{constant}` in the value of field `{field}`")]
    UnknownConstant {
        /// The field.
        field: String,
        /// The name given.
        constant: String,
    },
    /// No event type has this name.
    #[error("unknown event type `{0}`")]
    UnknownEventType(String),
}

/// An event given as values of fields.
#[derive(Debug, Clone, Default)]
pub struct FlatEvent {
    kind: Option<EventKind>,
    now: i64,
    values: FxHashMap<FieldId, Values>,
    lengths: FxHashMap<IteratorId, usize>,
    symlink: Option<Vec<u8>>,
    mounts: Vec<(String, Vec<u8>)>,
    alternatives: FxHashMap<FieldId, Vec<Vec<u8>>>,
}

impl FlatEvent {
    /// An event in which every field is zero; `now` is the time of evaluation in nanoseconds since 1970.
    pub fn new(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Reads an event from a JSON object of field values.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_json(event: &Json, now: i64) -> Result<Self, Vec<FlatEventError>> {
        let Json::Object(object) = event else { return Err(vec![FlatEventError::NotAnObject]) };
        let mut flat = Self::new(now);
        let errors: Vec<_> = object.iter().filter_map(|(name, value)| flat.set(name, value).err()).collect();
        if errors.is_empty() { Ok(flat) } else { Err(errors) }
    }

    /// Sets a field or side fact.
    ///
    /// # Errors
    /// There is no such field, or the value is not of its type.
    pub fn set(&mut self, name: &str, value: &Json) -> Result<(), FlatEventError> {
        if name.starts_with('~') {
            self.set_side_fact(name, value)?;
        } else if let Some(iterator) = iterator_of_length(name) {
            let wrong = || FlatEventError::WrongType {
                field: name.to_owned(),
                expected: "int".to_owned(),
                value: value.to_string(),
            };
            let length = value.as_u64().and_then(|length| usize::try_from(length).ok()).ok_or_else(wrong)?;
            self.lengthen(iterator, length);
        } else {
            let info = field(name).ok_or_else(|| FlatEventError::UnknownField(name.to_owned()))?;
            let values = Values::parse(info, value, self.now)?;
            if let (Some(iterator), Values::Each(elements)) = (info.field().iterator, &values) {
                self.lengthen(iterator, elements.len());
            }
            self.values.insert(info.id, values);
            self.kind = self.kind.or(info.event);
        }
        if self.symlink.is_some() || !self.mounts.is_empty() {
            self.update_alternatives();
        }
        Ok(())
    }

    /// The type: the one set, or else that of the first field that belongs to one.
    pub fn kind(&self) -> Option<EventKind> {
        self.kind
    }

    /// Sets the type.
    pub fn set_kind(&mut self, kind: EventKind) {
        self.kind = Some(kind);
    }

    /// Makes it an event of the type of a rule.
    pub fn set_event_type(&mut self, id: EventTypeId) {
        self.kind = EventKind::from_number(id.0).or(self.kind);
    }

    fn lengthen(&mut self, iterator: IteratorId, length: usize) {
        let known = self.lengths.entry(iterator).or_default();
        *known = length.max(*known);
    }

    fn set_side_fact(&mut self, name: &str, value: &Json) -> Result<(), FlatEventError> {
        let text = value.as_str().ok_or_else(|| FlatEventError::WrongType {
            field: name.to_owned(),
            expected: "string".to_owned(),
            value: value.to_string(),
        })?;
        if name == "~exec_symlink_path" {
            self.symlink = Some(text.into());
        } else if let Some(prefix) = name.strip_prefix("~mount_path:") {
            field(&format!("{prefix}.path"))
                .ok_or_else(|| FlatEventError::UnknownSideFact(name.to_owned()))?;
            self.mounts.push((prefix.to_owned(), text.into()));
        } else {
            return Err(FlatEventError::UnknownSideFact(name.to_owned()));
        }
        Ok(())
    }

    /// Makes what paths and names match besides their own values, as [`crate::File`] does for real events.
    fn update_alternatives(&mut self) {
        let mut alternatives: FxHashMap<FieldId, Vec<Vec<u8>>> = FxHashMap::default();
        for (prefix, mount_path) in &self.mounts {
            let value = |leaf: &str| {
                let info = field(&format!("{prefix}.{leaf}"))?;
                Some((info.id, secl::Event::str(self, info.id)))
            };
            if let (Some((id, path)), Some((_, b"overlay"))) = (value("path"), value("filesystem"))
                && let Some(path) = strip_mount(path, mount_path)
            {
                alternatives.entry(id).or_default().push(path.to_vec());
            }
        }
        if let Some(symlink) = &self.symlink {
            for prefix in ["exec", "process"] {
                for (leaf, other) in [("path", &symlink[..]), ("name", base_name(symlink))] {
                    if let Some(info) = field(&format!("{prefix}.file.{leaf}")) {
                        alternatives.entry(info.id).or_default().push(other.to_vec());
                    }
                }
            }
        }
        self.alternatives = alternatives;
    }

    fn single(&self, field: FieldId) -> Option<&Single> {
        match self.values.get(&field)? {
            Values::Single(value) => Some(value),
            Values::List(_) | Values::Each(_) => None,
        }
    }

    /// Whether `test` holds for one of the values of a field; `zero` is what an element of an iterator has where no value
    /// is given.
    fn any<'e>(
        &'e self,
        field: FieldId,
        at: Option<usize>,
        zero: Option<&'e Single>,
        mut test: impl FnMut(&'e Single) -> bool,
    ) -> bool {
        let Some(info) = schema::field_by_id(field) else { return false };
        let Some(iterator) = info.field().iterator else {
            return match self.values.get(&field) {
                Some(Values::Single(value)) => test(value),
                Some(Values::List(values)) => values.iter().any(test),
                Some(Values::Each(_)) => false,
                None if layout::is_list(field) => false,
                None => zero.is_some_and(test),
            };
        };
        let elements = match self.values.get(&field) {
            Some(Values::Each(elements)) => elements.as_slice(),
            _ => &[],
        };
        let mut test_element = |index: usize| match elements.get(index) {
            Some(values) => values.iter().any(&mut test),
            None if layout::is_list(field) => false,
            None => zero.is_some_and(&mut test),
        };
        let length = secl::Event::len(self, iterator);
        match at {
            Some(at) => at < length && test_element(at),
            None => (0..length).any(test_element),
        }
    }
}

/// The iterator that `name` is the length of.
fn iterator_of_length(name: &str) -> Option<IteratorId> {
    let prefix = name.strip_suffix(".length")?;
    iterators().find(|(known, _)| *known == prefix).map(|(_, id)| id)
}

impl secl::Event for FlatEvent {
    /// A number that no type has, where no type is known.
    fn event_type(&self) -> EventTypeId {
        self.kind.map_or(EventTypeId(u16::MAX), event_type_id)
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn int(&self, field: FieldId) -> i64 {
        self.single(field).map_or(0, Single::int)
    }

    fn bool(&self, field: FieldId) -> bool {
        self.single(field).is_some_and(Single::bool)
    }

    fn str(&self, field: FieldId) -> &[u8] {
        self.single(field).map_or(b"", Single::str)
    }

    fn ip(&self, field: FieldId) -> Option<IpAddr> {
        self.single(field).and_then(Single::ip)
    }

    fn len(&self, iterator: IteratorId) -> usize {
        self.lengths.get(&iterator).copied().unwrap_or(0)
    }

    fn any_int(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(i64) -> bool) -> bool {
        self.any(field, at, Some(&Single::Int(0)), |value| test(value.int()))
    }

    fn any_bool(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(bool) -> bool) -> bool {
        self.any(field, at, Some(&Single::Bool(false)), |value| test(value.bool()))
    }

    fn any_str(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        self.any(field, at, Some(Single::EMPTY), |value| test(value.str()))
    }

    fn any_ip(&self, field: FieldId, at: Option<usize>, mut test: impl FnMut(IpAddr) -> bool) -> bool {
        self.any(field, at, None, |value| value.ip().is_some_and(&mut test))
    }

    fn any_alternative(&self, field: FieldId, _: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        self.alternatives.get(&field).is_some_and(|values| values.iter().any(|value| test(value)))
    }
}

#[cfg(test)]
mod tests;
