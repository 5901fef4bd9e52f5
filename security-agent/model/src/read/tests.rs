use std::sync::Arc;

use secl::{Event as _, Kind};

use crate::event::{Context, Event, EventKind, Payload};
use crate::network::{Flow, Packet};
use crate::process::{Lineage, Process};
use crate::record::Record;
use crate::record::sample::Sample;
use crate::schema::{FieldInfo, fields, iterators};
use crate::{Arguments, FlatEvent};

/// A process in which every field has a value of its own, and the names by which it should be read.
fn process(prefixes: &[&str], pid: u32, nearest: Option<Arc<Process>>, sample: &mut Sample) -> Arc<Process> {
    let mut process = Process::default();
    let number = sample.number();
    let image = Arc::make_mut(&mut process.image);
    image.file.path = format!("/bin/program{number}.sh").into();
    image.file.upper_layer = Some(number.is_multiple_of(2));
    image.interpreter =
        Some(Box::new(crate::File { path: format!("/bin/sh{number}").into(), ..Default::default() }));
    image.arguments =
        Arguments::new([format!("name{number}"), format!("-x{number}"), "value".into()].iter().collect());
    process.start_time = pid.into();
    process.lineage = Lineage::new(nearest);
    for (index, prefix) in prefixes.iter().enumerate() {
        if index == 0 {
            process.fill(prefix, sample);
        } else {
            // The same process by another name: read back what was filled in.
            let first = format!("{}.", prefixes[0]);
            let same: Vec<_> = sample.fields.iter().filter(|(name, _)| name.starts_with(&first)).collect();
            let same: Vec<_> = same
                .into_iter()
                .filter_map(|(name, value)| {
                    let name = format!("{prefix}.{}", &name[first.len()..]);
                    let told = crate::field(&name).filter(|field| field.iterator.is_none());
                    told.map(|_| (name, value.clone()))
                })
                .collect();
            sample.fields.extend(same);
        }
    }
    Arc::new(process)
}

/// A process, its parent and its ancestors, under a prefix. The parent is the nearest ancestor.
fn family(prefix: &str, other: Option<&str>, sample: &mut Sample) -> Arc<Process> {
    let ancestors = format!("{prefix}.ancestors");
    let parent = format!("{prefix}.parent");
    let mut grandparent = Sample::default();
    let oldest = process(&[&ancestors], 1, None, &mut grandparent);
    let mut nearest = Sample::default();
    // Other values than those of the grandparent.
    nearest.skip(1000);
    let parent_process = process(&[&ancestors], 2, Some(oldest), &mut nearest);
    // Nearest first: what the parent tells comes before what its parent tells.
    for (name, values) in nearest.fields {
        let further = grandparent.fields.remove(&name).unwrap();
        let all = [values.as_array().unwrap().clone(), further.as_array().unwrap().clone()].concat();
        let field = name.replace(&ancestors, &parent);
        sample.fields.insert(field, all[0].clone());
        sample.fields.insert(name, all.into());
    }
    let prefixes: Vec<_> = std::iter::once(prefix).chain(other).collect();
    process(&prefixes, 3, Some(parent_process), sample)
}

fn event(kind: EventKind) -> (Event, Sample) {
    let mut sample = Sample::default();
    let same = Some(kind.name()).filter(|_| matches!(kind, EventKind::Exec | EventKind::Exit));
    let process = family("process", same, &mut sample);
    let mut context = Context::default();
    context.fill("event", &mut sample);
    let mut payload = Payload::zero(kind);
    payload.fill(kind.name(), &mut sample);
    match &mut payload {
        Payload::Ptrace(ptrace) => ptrace.tracee = Some(family("ptrace.tracee", None, &mut sample)),
        Payload::Signal(signal) => signal.target = Some(family("signal.target", None, &mut sample)),
        Payload::Setrlimit(limit) => limit.target = Some(family("setrlimit.target", None, &mut sample)),
        Payload::ProcessVmWritev(write) => {
            write.target = Some(family("process_vm_writev.target", None, &mut sample));
        }
        Payload::FlowMonitor(monitor) => {
            monitor.flows = Box::new([Flow::default(), Flow::default()]);
            monitor.flows.iter_mut().for_each(|flow| flow.fill("network_flow_monitor.flows", &mut sample));
        }
        _ => {}
    }
    let mut packet = Packet::default();
    packet.fill("network", &mut sample);
    (Event { context, process, packet: Some(Box::new(packet)), payload }, sample)
}

/// All values of a field, whatever its type, in order.
fn values(event: &impl secl::Event, field: &FieldInfo, at: Option<usize>) -> Vec<String> {
    let id = field.id;
    let mut seen = Vec::new();
    let mut take = |value: String| {
        seen.push(value);
        false
    };
    let _ = match (field.leaf.kind, field.is_list()) {
        (Kind::Int, false) => take(event.int(id).to_string()),
        (Kind::Bool, false) => take(event.bool(id).to_string()),
        (Kind::Str, false) => take(String::from_utf8(event.str(id).to_vec()).unwrap()),
        (Kind::Ip, false) => take(format!("{:?}", event.ip(id))),
        (Kind::Int, true) => event.any_int(id, at, |value| take(value.to_string())),
        (Kind::Bool, true) => event.any_bool(id, at, |value| take(value.to_string())),
        (Kind::Str, true) => event.any_str(id, at, |value| take(String::from_utf8(value.to_vec()).unwrap())),
        (Kind::Ip, true) => event.any_ip(id, at, |value| take(value.to_string())),
    };
    seen
}

#[test]
fn events_read_as_what_is_written_down_of_them() {
    for kind in EventKind::ALL {
        let (event, sample) = event(*kind);
        let mut flat = FlatEvent::from_json(&sample.fields.clone().into(), event.now()).unwrap();
        flat.set_kind(*kind);
        assert_eq!(event.event_type(), flat.event_type());
        for (name, id) in iterators() {
            assert_eq!(event.len(id), flat.len(id), "length of {name} in {kind:?}");
        }
        for field in fields() {
            let expected_here = field.event.is_none_or(|of| of == *kind);
            assert_eq!(sample.fields.contains_key(&field.name), expected_here, "{} in {kind:?}", field.name);
            let at: &[Option<usize>] =
                if field.iterator.is_some() { &[None, Some(0), Some(1), Some(2)] } else { &[None] };
            for at in at {
                assert_eq!(
                    values(&event, field, *at),
                    values(&flat, field, *at),
                    "{} at {at:?} in {kind:?}",
                    field.name
                );
            }
        }
    }
}

#[test]
fn fields_that_are_not_there_read_as_zero() {
    let event = Event::new(Context::default(), Arc::default(), Payload::zero(EventKind::Ptrace));
    let flat = FlatEvent::new(0);
    for field in fields().iter().filter(|field| field.event != Some(EventKind::Ptrace)) {
        let constant = ["event.origin", "event.os", "event.source"].contains(&field.name.as_str());
        // Nobody is not user 0.
        let is_unset = field.name == "auid" || field.name.ends_with(".auid");
        if !constant && !is_unset {
            assert_eq!(values(&event, field, None), values(&flat, field, None), "{}", field.name);
        }
    }
}

#[test]
fn ids_of_no_field_read_as_zero() {
    let (event, _) = event(EventKind::FlowMonitor);
    for number in 0..=u16::MAX {
        let id = secl::FieldId(number);
        // The wrong type of an existing field must not matter either.
        let _ = (event.int(id), event.bool(id), event.str(id).len(), event.ip(id));
        for at in [None, Some(0), Some(usize::MAX)] {
            let _ = event.any_int(id, at, |_| false) || event.any_bool(id, at, |_| false);
            let _ = event.any_str(id, at, |_| false) || event.any_ip(id, at, |_| false);
            let _ = event.any_alternative(id, at, |_| false);
        }
        if usize::from(number) >= fields().len() {
            assert!(
                event.int(id) == 0 && !event.bool(id) && event.str(id).is_empty() && event.ip(id).is_none()
            );
        }
    }
    assert_eq!(event.len(secl::IteratorId(u16::MAX)), 0);
}
