//! Variables as the expressions of one event see them.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use secl::{Event, Kind, Value, VariableId, Variables};

use super::store::Item;
use super::{Builtin, Scopes, Target, VariableStore, VariableTable};
use crate::policy::action::Scope;

/// The variables of one event.
#[derive(Debug)]
pub struct View<'a, E> {
    table: &'a VariableTable,
    store: &'a VariableStore,
    event: &'a E,
    now: u64,
}

impl<E> Clone for View<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for View<'_, E> {}

impl<'a, E: Scopes + Event> View<'a, E> {
    /// The variables that `event` sees at `now`, in nanoseconds on the store's clock.
    pub fn new(table: &'a VariableTable, store: &'a VariableStore, event: &'a E, now: u64) -> Self {
        View { table, store, event, now }
    }

    /// What a variable of this scope belongs to in this event.
    pub(crate) fn target(event: &'a E, scope: Scope) -> Option<Target<'a>> {
        match scope {
            Scope::Global => Some(Target::Global),
            Scope::Process => event.process().map(Target::Process),
            Scope::Container => Some(event.container()).filter(|id| !id.is_empty()).map(Target::Container),
            Scope::Cgroup => Some(event.cgroup()).filter(|id| !id.is_empty()).map(Target::Cgroup),
        }
    }

    /// The variable's default if it is not built in, and where its value is: at the event's own instance, or at the
    /// nearest ancestor's that has one.
    fn find<T>(&self, id: VariableId, read: impl Fn(Target<'a>) -> Option<T>) -> Option<T> {
        let declaration = self.table.get(id)?;
        if let Some(value) = Self::target(self.event, declaration.scope).and_then(&read) {
            return Some(value);
        }
        if !declaration.inherited {
            return None;
        }
        let mut found = None;
        self.event.any_ancestor(|ancestor| {
            found = read(Target::Process(ancestor));
            found.is_some()
        });
        found
    }

    fn scalar(&self, id: VariableId) -> Option<&'a Item> {
        self.find(id, |target| self.store.scalar(target, id, self.now))
    }

    fn list(&self, id: VariableId) -> impl Iterator<Item = &'a Item> {
        self.find(id, |target| self.store.list(target, id, self.now)).into_iter().flatten()
    }

    fn default(&self, id: VariableId) -> Option<&'a Value> {
        self.table.get(id).map(|declaration| &declaration.default)
    }

    /// The value of a variable, with its default.
    pub fn value(&self, id: VariableId) -> Option<Value> {
        let ty = self.table.get(id)?.ty;
        Some(match (ty.kind, ty.list) {
            (Kind::Int, false) => Value::Int(self.int(id)),
            (Kind::Bool, false) => Value::Bool(self.bool(id)),
            (Kind::Str, false) => Value::Str(self.with_str(id, <[u8]>::to_vec)),
            (Kind::Ip, false) => match self.scalar(id) {
                Some(Item::Ip(net)) => Value::Ip(*net),
                _ => Value::zero(ty),
            },
            (Kind::Int, true) => {
                let mut values = Vec::new();
                self.any_int(id, |value| {
                    values.push(value);
                    false
                });
                Value::Ints(values)
            }
            (Kind::Str, true) => {
                let mut values = Vec::new();
                self.any_str(id, |value| {
                    values.push(value.to_vec());
                    false
                });
                Value::Strs(values)
            }
            (Kind::Bool | Kind::Ip, true) => Value::Ips(
                self.list(id)
                    .filter_map(|item| if let Item::Ip(net) = item { Some(*net) } else { None })
                    .collect(),
            ),
        })
    }
}

impl<E: Scopes + Event> Variables for View<'_, E> {
    fn int(&self, id: VariableId) -> i64 {
        if let Some(Builtin::ProcessPid) = Builtin::of(id) {
            return self.table.pid_field.map_or(0, |field| self.event.int(field));
        }
        match (self.scalar(id), self.default(id)) {
            (Some(Item::Int(value)), _) | (None, Some(Value::Int(value))) => *value,
            _ => 0,
        }
    }

    fn bool(&self, id: VariableId) -> bool {
        match (self.scalar(id), self.default(id)) {
            (Some(Item::Bool(value)), _) | (None, Some(Value::Bool(value))) => *value,
            _ => false,
        }
    }

    fn ip(&self, id: VariableId) -> Option<IpAddr> {
        match self.scalar(id) {
            Some(Item::Ip(net)) => Some(net.addr()),
            _ => None,
        }
    }

    fn with_str<R>(&self, id: VariableId, read: impl FnOnce(&[u8]) -> R) -> R {
        if let Some(Builtin::Uuid4) = Builtin::of(id) {
            return read(&uuid4());
        }
        match (self.scalar(id), self.default(id)) {
            (Some(Item::Str(value)), _) => read(value),
            (None, Some(Value::Str(value))) => read(value),
            _ => read(b""),
        }
    }

    fn len(&self, id: VariableId) -> usize {
        match (self.list(id).count(), self.default(id)) {
            (0, Some(Value::Ints(values))) => values.len(),
            (0, Some(Value::Strs(values))) => values.len(),
            (length, _) => length,
        }
    }

    fn any_int(&self, id: VariableId, mut test: impl FnMut(i64) -> bool) -> bool {
        let mut items = self.list(id).peekable();
        match (items.peek(), self.default(id)) {
            (None, Some(Value::Ints(values))) => values.iter().any(|value| test(*value)),
            _ => items.any(|item| matches!(item, Item::Int(value) if test(*value))),
        }
    }

    fn any_str(&self, id: VariableId, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let mut items = self.list(id).peekable();
        match (items.peek(), self.default(id)) {
            (None, Some(Value::Strs(values))) => values.iter().any(|value| test(value)),
            _ => items.any(|item| matches!(item, Item::Str(value) if test(value))),
        }
    }

    fn any_ip(&self, id: VariableId, mut test: impl FnMut(IpAddr) -> bool) -> bool {
        self.list(id).any(|item| matches!(item, Item::Ip(net) if test(net.addr())))
    }
}

/// A random UUID (version 4) in its usual form.
///
/// The random bits are those of the standard library's hash keys, which come from the operating system, hashed so that
/// the keys do not show.
fn uuid4() -> [u8; 36] {
    let keys = RandomState::new();
    let mut bits = [0_u8; 16];
    let (high, low) = bits.split_at_mut(8);
    high.copy_from_slice(&keys.hash_one(0_u8).to_be_bytes());
    low.copy_from_slice(&keys.hash_one(1_u8).to_be_bytes());
    bits[6] = (bits[6] & 0x0f) | 0x40;
    bits[8] = (bits[8] & 0x3f) | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bits.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text[at] = b"0123456789abcdef"[usize::from(nibble)];
            at += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::uuid4;

    #[test]
    fn uuids_have_their_form_and_differ() {
        let first = uuid4();
        assert_ne!(first, uuid4());
        assert_eq!((first[8], first[13], first[14], first[18], first[23]), (b'-', b'-', b'4', b'-', b'-'));
        assert!(b"89ab".contains(&first[19]));
    }
}
