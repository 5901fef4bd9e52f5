use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use secl::{EventTypeId, Field, IteratorId, Kind, Schema, Type, Value, VariableId};

use super::super::{Declaration, ProcessKey};
use super::{Item, Target, VariableStore, VariableTable, Write};
use crate::limits;
use crate::policy::action::Scope;

/// A schema without names.
struct Nothing;

impl Schema for Nothing {
    fn field(&self, _: &str) -> Option<Field> {
        None
    }
    fn iterator(&self, _: &str) -> Option<IteratorId> {
        None
    }
    fn constant(&self, _: &str) -> Option<Value> {
        None
    }
    fn event_type(&self, _: &str) -> Option<EventTypeId> {
        None
    }
    fn event_type_name(&self, _: EventTypeId) -> &str {
        ""
    }
    fn each_name(&self, _: &mut dyn FnMut(&str)) {}
}

fn table(types: &[(&str, Type)]) -> VariableTable {
    let mut table = VariableTable::new(&Nothing);
    for (name, ty) in types {
        let declaration = Declaration {
            name: (*name).to_owned(),
            scope: Scope::Process,
            ty: *ty,
            default: Value::zero(*ty),
            inherited: false,
            private: false,
        };
        table.declare(&Nothing, declaration).expect("a new variable");
    }
    table
}

fn process(pid: u32, start_time: u64) -> Target<'static> {
    Target::Process(ProcessKey { pid, start_time })
}

fn text(value: &str) -> Value {
    Value::Str(value.as_bytes().to_vec())
}

fn strings(store: &VariableStore, target: Target<'_>, id: u32, now: u64) -> Vec<String> {
    let list = store.list(target, VariableId(id), now).into_iter().flatten();
    list.map(|item| match item {
        Item::Str(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("not a string: {other:?}"),
    })
    .collect()
}

fn append(id: u32, value: &Value) -> Write<'_> {
    Write { id: VariableId(id), value, append: true, ttl: None, size: None }
}

#[test]
fn a_list_keeps_each_value_once_and_the_newest_ones() {
    let table = table(&[("l", Type::list(Kind::Str))]);
    let mut store = VariableStore::new();
    for value in ["a", "b", "a", "c"] {
        let value = text(value);
        store.write(&table, Target::Global, Write { size: Some(2), ..append(0, &value) }, 0);
    }
    assert_eq!(strings(&store, Target::Global, 0, 0), ["a", "c"], "appending again makes a value new again");
    let replacement = Value::Strs(vec![b"x".to_vec(), b"x".to_vec(), b"y".to_vec()]);
    store.write(&table, Target::Global, Write { append: false, ..append(0, &replacement) }, 0);
    assert_eq!(strings(&store, Target::Global, 0, 0), ["x", "y"]);
}

#[test]
fn values_end_with_their_time() {
    let table = table(&[("l", Type::list(Kind::Str)), ("n", Type::scalar(Kind::Int))]);
    let mut store = VariableStore::new();
    let (a, b, one) = (text("a"), text("b"), Value::Int(1));
    store.write(&table, Target::Global, Write { ttl: Some(10), ..append(0, &a) }, 0);
    store.write(&table, Target::Global, Write { ttl: Some(10), ..append(0, &b) }, 5);
    store.write(&table, Target::Global, Write { ttl: Some(10), append: false, ..append(1, &one) }, 5);
    assert_eq!(strings(&store, Target::Global, 0, 9), ["a", "b"]);
    assert_eq!(strings(&store, Target::Global, 0, 10), ["b"]);
    assert_eq!(store.scalar(Target::Global, VariableId(1), 14), Some(&Item::Int(1)));
    assert_eq!(store.scalar(Target::Global, VariableId(1), 15), None);
    store.purge(15);
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn a_pid_that_is_used_again_starts_without_values() {
    let table = table(&[("n", Type::scalar(Kind::Int))]);
    let mut store = VariableStore::new();
    let read = |store: &VariableStore, target| store.scalar(target, VariableId(0), 0).is_some();
    let one = Value::Int(1);
    let write = Write { append: false, ..append(0, &one) };
    store.write(&table, process(7, 100), write, 0);
    assert!(read(&store, process(7, 100)));
    assert!(!read(&store, process(7, 200)));
    store.write(&table, process(7, 200), write, 0);
    assert!(!read(&store, process(7, 100)));
    store.forget_process(ProcessKey { pid: 7, start_time: 100 });
    assert!(read(&store, process(7, 200)), "the end of the earlier process does not concern the later one");
    store.forget_process(ProcessKey { pid: 7, start_time: 200 });
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn a_value_of_another_type_is_not_written() {
    let table = table(&[("n", Type::scalar(Kind::Int))]);
    let mut store = VariableStore::new();
    store.write(&table, Target::Global, append(0, &text("x")), 0);
    assert_eq!(store.scalar(Target::Global, VariableId(0), 0), None);
}

#[test]
fn memory_is_bounded_whatever_is_written() {
    let table = table(&[("l", Type::list(Kind::Str))]);
    let mut store = VariableStore::new();
    let long = "x".repeat(limits::VALUE_BYTES * 2);
    for round in 0_u32..3_000 {
        let value = Value::Str(format!("{round}{long}").into_bytes());
        store.write(&table, process(round % 40, 1), append(0, &value), 0);
        assert!(store.stats().bytes <= limits::VARIABLE_BYTES, "{:?}", store.stats());
    }
    assert!(store.stats().evicted > 0, "{:?}", store.stats());
    for round in 0_u32..100 {
        let value = Value::Str(format!("{round}{long}").into_bytes());
        store.write(&table, Target::Global, append(0, &value), 0);
        assert!(store.stats().bytes <= limits::VARIABLE_BYTES, "{:?}", store.stats());
    }
    assert!(store.stats().dropped > 0, "{:?}", store.stats());
    for pid in 0..100_000 {
        store.write(&table, process(pid, 1), append(0, &text("x")), 0);
    }
    assert!(store.stats().instances <= limits::SCOPE_INSTANCES);
    assert_eq!(strings(&store, process(99_999, 1), 0, 0), ["x"], "the newest stays");
}

#[test]
fn values_survive_another_rule_set_if_the_type_stays() {
    let from = table(&[("kept", Type::scalar(Kind::Int)), ("changed", Type::scalar(Kind::Int))]);
    let to = table(&[
        ("new", Type::scalar(Kind::Int)),
        ("changed", Type::scalar(Kind::Str)),
        ("kept", Type::scalar(Kind::Int)),
    ]);
    let mut store = VariableStore::new();
    let one = Value::Int(1);
    for id in [0, 1] {
        store.write(&from, process(1, 1), Write { append: false, ..append(id, &one) }, 0);
    }
    store.rebind(&from, &to);
    let read = |id| store.scalar(process(1, 1), VariableId(id), 0);
    assert_eq!((read(0), read(1), read(2)), (None, None, Some(&Item::Int(1))));
}

/// What a test does to a store.
#[derive(Clone, Debug)]
enum Step {
    Write { pid: u32, value: i64, append: bool, ttl: Option<u64>, size: Option<usize> },
    Forget { pid: u32 },
    Purge,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = prop_oneof![Just(None), (1_u64..20).prop_map(Some)];
    let size = prop_oneof![Just(None), (1_usize..5).prop_map(Some)];
    prop_oneof![
        6 => (0_u32..4, 0_i64..6, any::<bool>(), ttl, size)
            .prop_map(|(pid, value, append, ttl, size)| Step::Write { pid, value, append, ttl, size }),
        1 => (0_u32..4).prop_map(|pid| Step::Forget { pid }),
        1 => Just(Step::Purge),
        3 => (1_u64..10).prop_map(Step::Wait),
    ]
}

proptest! {
    /// The store agrees with a list of (value, expiry) pairs for each process.
    #[test]
    fn the_store_agrees_with_a_plain_model(steps in proptest::collection::vec(step(), 1..60)) {
        let table = table(&[("l", Type::list(Kind::Int))]);
        let mut store = VariableStore::new();
        let mut model: [Vec<(i64, u64)>; 4] = Default::default();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Write { pid, value, append, ttl, size } => {
                    let written = Value::Int(value);
                    let write = Write { id: VariableId(0), value: &written, append, ttl, size };
                    store.write(&table, process(pid, 1), write, now);
                    let list = &mut model[usize::try_from(pid).expect("small")];
                    list.retain(|(present, expires)| append && *present != value && *expires > now);
                    list.push((value, ttl.map_or(u64::MAX, |ttl| now + ttl)));
                    let surplus = list.len().saturating_sub(size.unwrap_or(usize::MAX));
                    list.drain(..surplus);
                }
                Step::Forget { pid } => {
                    store.forget_process(ProcessKey { pid, start_time: 1 });
                    model[usize::try_from(pid).expect("small")].clear();
                }
                Step::Purge => store.purge(now),
                Step::Wait(time) => now += time,
            }
            for (pid, list) in (0_u32..).zip(&model) {
                let expected: Vec<i64> =
                    list.iter().filter(|(_, expires)| *expires > now).map(|(value, _)| *value).collect();
                let found: Vec<i64> = store
                    .list(process(pid, 1), VariableId(0), now)
                    .into_iter()
                    .flatten()
                    .map(|item| if let Item::Int(value) = item { *value } else { i64::MIN })
                    .collect();
                proptest::prop_assert_eq!(found, expected);
            }
        }
    }
}
