//! The layout of fields: which record each prefix of a rule reads, and from where in an event.
//!
//! This composes the records into the flat set of field names that rules use, and numbers them. The number of a field
//! leads, through one small table, to the way to its record ([`Access`]) and its number within the record.

use secl::{FieldId, IteratorId};

use crate::event::{Context, Event, EventKind, Payload};
use crate::network::{Flow, Packet};
use crate::process::Process;
use crate::record::{Leaf, Part, Record, Value, count};

/// Whose process is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The process that did it.
    Current,
    /// The same, on one type of event only.
    On(EventKind),
    /// The process that is traced.
    Tracee,
    /// The process that is signalled.
    SignalTarget,
    /// The process whose limit is set.
    LimitTarget,
    /// The process whose memory is written.
    WriteTarget,
}

/// The way from an event to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// What the type of event carries.
    Payload(EventKind),
    /// What every event tells about itself.
    Context,
    /// The packet.
    Packet,
    /// A process.
    Process(Actor),
    /// The parent of a process.
    Parent(Actor),
    /// Each ancestor of a process.
    Ancestors(Actor),
    /// Each flow of a flow monitor event.
    Flows,
}

/// A prefix of field names and the record behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root {
    /// The prefix, without the dot behind it.
    pub(crate) name: &'static str,
    /// Name of the record's type.
    #[cfg_attr(not(test), expect(dead_code, reason = "the generated documentation groups fields by it"))]
    pub(crate) record: &'static str,
    /// The parts of the record.
    pub(crate) parts: &'static [Part],
    /// The way to the record.
    pub(crate) access: Access,
}

impl Root {
    const fn new<R: Record>(name: &'static str, access: Access) -> Self {
        Self { name, record: R::NAME, parts: R::PARTS, access }
    }

    /// The type of event that has it; `None`: every one.
    pub(crate) const fn event(&self) -> Option<EventKind> {
        match self.access {
            Access::Payload(kind) => Some(kind),
            Access::Process(actor) | Access::Parent(actor) | Access::Ancestors(actor) => match actor {
                Actor::Current => None,
                Actor::On(kind) => Some(kind),
                Actor::Tracee => Some(EventKind::Ptrace),
                Actor::SignalTarget => Some(EventKind::Signal),
                Actor::LimitTarget => Some(EventKind::Setrlimit),
                Actor::WriteTarget => Some(EventKind::ProcessVmWritev),
            },
            Access::Flows => Some(EventKind::FlowMonitor),
            Access::Context | Access::Packet => None,
        }
    }

    /// The iterator it is.
    pub(crate) fn iterator(&self) -> Option<IteratorId> {
        let position = ITERATORS.iter().position(|access| *access == self.access)?;
        u16::try_from(position).ok().map(IteratorId)
    }
}

/// The prefixes that iterate, in the order of their [`IteratorId`]s.
const ITERATORS: [Access; 6] = [
    Access::Ancestors(Actor::Current),
    Access::Ancestors(Actor::Tracee),
    Access::Ancestors(Actor::SignalTarget),
    Access::Ancestors(Actor::LimitTarget),
    Access::Flows,
    Access::Ancestors(Actor::WriteTarget),
];

/// The prefixes besides the names of event types.
const SHARED: [Root; 20] = {
    use Access::{Ancestors, Parent, Process as Itself};
    use Actor::{Current, LimitTarget, On, SignalTarget, Tracee, WriteTarget};
    [
        Root::new::<Context>("event", Access::Context),
        Root::new::<Packet>("network", Access::Packet),
        Root::new::<Process>("process", Itself(Current)),
        Root::new::<Process>("process.parent", Parent(Current)),
        Root::new::<Process>("process.ancestors", Ancestors(Current)),
        Root::new::<Process>("exec", Itself(On(EventKind::Exec))),
        Root::new::<Process>("exit", Itself(On(EventKind::Exit))),
        Root::new::<Process>("ptrace.tracee", Itself(Tracee)),
        Root::new::<Process>("ptrace.tracee.parent", Parent(Tracee)),
        Root::new::<Process>("ptrace.tracee.ancestors", Ancestors(Tracee)),
        Root::new::<Process>("signal.target", Itself(SignalTarget)),
        Root::new::<Process>("signal.target.parent", Parent(SignalTarget)),
        Root::new::<Process>("signal.target.ancestors", Ancestors(SignalTarget)),
        Root::new::<Process>("setrlimit.target", Itself(LimitTarget)),
        Root::new::<Process>("setrlimit.target.parent", Parent(LimitTarget)),
        Root::new::<Process>("setrlimit.target.ancestors", Ancestors(LimitTarget)),
        Root::new::<Process>("process_vm_writev.target", Itself(WriteTarget)),
        Root::new::<Process>("process_vm_writev.target.parent", Parent(WriteTarget)),
        Root::new::<Process>("process_vm_writev.target.ancestors", Ancestors(WriteTarget)),
        Root::new::<Flow>("network_flow_monitor.flows", Access::Flows),
    ]
};

const ROOT_COUNT: usize = EventKind::ALL.len() + SHARED.len();

/// Every prefix: the types of events, then the others.
pub(crate) static ROOTS: [Root; ROOT_COUNT] = ROOT_TABLE;

const ROOT_TABLE: [Root; ROOT_COUNT] = {
    let mut roots = [SHARED[0]; ROOT_COUNT];
    let mut index = 0;
    while index < ROOT_COUNT {
        roots[index] = if index < EventKind::ALL.len() {
            let kind = EventKind::ALL[index];
            Root {
                name: kind.name(),
                record: kind.record(),
                parts: kind.parts(),
                access: Access::Payload(kind),
            }
        } else {
            SHARED[index - EventKind::ALL.len()]
        };
        index += 1;
    }
    roots
};

/// Where a field is read.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The way to the record.
    access: Access,
    /// Number of the field within the record.
    index: u8,
    /// Whether the field has any number of values within one record.
    list: bool,
}

/// The number of fields.
pub(crate) const FIELD_COUNT: usize = {
    let mut total = 0;
    let mut root = 0;
    while root < ROOT_COUNT {
        total += count(ROOT_TABLE[root].parts);
        root += 1;
    }
    // Both numbers of a field are narrow.
    assert!(total < u16::MAX as usize && count(Process::PARTS) < u8::MAX as usize);
    total
};

static SLOTS: [Slot; FIELD_COUNT] = {
    let mut slots = [Slot { access: Access::Context, index: 0, list: false }; FIELD_COUNT];
    let mut root = 0;
    let mut next = 0;
    while root < ROOT_COUNT {
        next = fill(&mut slots, next, next, &ROOT_TABLE[root], ROOT_TABLE[root].parts);
        root += 1;
    }
    slots
};

/// Gives the fields of `parts` the slots from `next` on; `first` is the slot of the first field of the root.
const fn fill(
    slots: &mut [Slot; FIELD_COUNT],
    first: usize,
    mut next: usize,
    root: &Root,
    parts: &[Part],
) -> usize {
    let mut part = 0;
    while part < parts.len() {
        match &parts[part] {
            Part::Leaf(leaf) => {
                #[expect(clippy::cast_possible_truncation, reason = "FIELD_COUNT asserts that it fits")]
                let index = (next - first) as u8;
                slots[next] = Slot { access: root.access, index, list: leaf.list };
                next += 1;
            }
            Part::Nested { parts, .. } => next = fill(slots, first, next, root, parts),
        }
        part += 1;
    }
    next
}

/// Calls `visit` with every field in the order of their numbers: its root, its name without the root, its leaf.
pub(crate) fn each_field(mut visit: impl FnMut(&'static Root, &str, &'static Leaf)) {
    for root in &ROOTS {
        each_leaf(root.parts, "", &mut |name, leaf| visit(root, name, leaf));
    }
}

fn each_leaf(parts: &'static [Part], prefix: &str, visit: &mut dyn FnMut(&str, &'static Leaf)) {
    for part in parts {
        match part {
            Part::Leaf(leaf) => visit(&join(prefix, leaf.name), leaf),
            Part::Nested { name, parts, .. } => each_leaf(parts, &join(prefix, name), visit),
        }
    }
}

/// Both names with a dot between them; an empty one leaves the other alone.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}.{name}"),
    }
}

/// Whether the field has any number of values within one record, however many records there are.
pub(crate) fn is_list(field: FieldId) -> bool {
    SLOTS.get(usize::from(field.0)).is_some_and(|slot| slot.list)
}

/// The value of a field that is not below an iterator.
#[inline]
pub(crate) fn read(event: &Event, field: FieldId) -> Value<'_> {
    let Some(slot) = SLOTS.get(usize::from(field.0)) else { return Value::Absent };
    let index = usize::from(slot.index);
    match slot.access {
        Access::Process(actor) => of(process(event, actor), index),
        Access::Payload(kind) if kind == event.kind() => event.payload.read(index),
        Access::Parent(actor) => of(process(event, actor).and_then(|p| p.parent().map(AsRef::as_ref)), index),
        Access::Context => event.context.read(index),
        Access::Packet => of(event.packet.as_deref(), index),
        Access::Payload(_) | Access::Ancestors(_) | Access::Flows => Value::Absent,
    }
}

/// Whether `test` holds for the value of a field in one record: the one there is or, below an iterator, each one or the
/// one at `at`.
#[inline]
pub(crate) fn any<'e>(
    event: &'e Event,
    field: FieldId,
    at: Option<usize>,
    mut test: impl FnMut(Value<'e>) -> bool,
) -> bool {
    let Some(slot) = SLOTS.get(usize::from(field.0)) else { return false };
    let index = usize::from(slot.index);
    match slot.access {
        Access::Ancestors(actor) => {
            let mut ancestors = process(event, actor).into_iter().flat_map(Process::ancestors);
            match at {
                Some(at) => ancestors.nth(at).is_some_and(|process| test(process.read(index))),
                None => ancestors.any(|process| test(process.read(index))),
            }
        }
        Access::Flows => match at {
            Some(at) => flows(event).get(at).is_some_and(|flow| test(flow.read(index))),
            None => flows(event).iter().any(|flow| test(flow.read(index))),
        },
        _ => test(read(event, field)),
    }
}

/// The number of elements of an iterator.
pub(crate) fn len(event: &Event, iterator: IteratorId) -> usize {
    match ITERATORS.get(usize::from(iterator.0)) {
        Some(Access::Ancestors(actor)) => {
            process(event, *actor).map_or(0, |process| process.ancestors().count())
        }
        Some(Access::Flows) => flows(event).len(),
        _ => 0,
    }
}

#[inline]
fn of<R: Record>(record: Option<&R>, index: usize) -> Value<'_> {
    record.map_or(Value::Absent, |record| record.read(index))
}

#[inline]
fn process(event: &Event, actor: Actor) -> Option<&Process> {
    match (actor, &event.payload) {
        (Actor::Current, _) => Some(&event.process),
        (Actor::On(kind), payload) => (payload.kind() == kind).then_some(&*event.process),
        (Actor::Tracee, Payload::Ptrace(ptrace)) => ptrace.tracee.as_deref(),
        (Actor::SignalTarget, Payload::Signal(signal)) => signal.target.as_deref(),
        (Actor::LimitTarget, Payload::Setrlimit(setrlimit)) => setrlimit.target.as_deref(),
        (Actor::WriteTarget, Payload::ProcessVmWritev(write)) => write.target.as_deref(),
        _ => None,
    }
}

fn flows(event: &Event) -> &[Flow] {
    match &event.payload {
        Payload::FlowMonitor(monitor) => &monitor.flows,
        _ => &[],
    }
}
