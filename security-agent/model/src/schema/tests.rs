use std::collections::{BTreeMap, BTreeSet};

use secl::Matching;

use super::*;
use crate::shared_data;

/// Fields as rows of the shared table: name → (type, iterator, event type, matching).
type Rows = BTreeMap<String, [String; 4]>;

fn ours() -> Rows {
    let mut rows = Rows::new();
    for field in fields() {
        let iterator = field.iterator.unwrap_or_default().to_owned();
        let event = field.event.map_or("*", EventKind::name).to_owned();
        let matching = match field.leaf.matching {
            Matching::Path => "glob",
            Matching::CheckedPath => "path-validated",
            Matching::CaseInsensitive => "icase",
            Matching::PacketFilter => "pcap",
            Matching::Plain if field.leaf.alternatives => "symlink_name",
            Matching::Plain => "",
        };
        if field.leaf.length {
            let row = [
                type_name(secl::Kind::Int, field.is_list()),
                iterator.clone(),
                event.clone(),
                matching.into(),
            ];
            rows.insert(format!("{}.length", field.name), row);
        }
        rows.insert(field.name.clone(), [field.type_name(), iterator, event, matching.into()]);
    }
    for root in ROOTS.iter().filter(|root| root.iterator().is_some()) {
        let event = root.event().map_or("*", EventKind::name).to_owned();
        rows.insert(format!("{}.length", root.name), ["int".into(), String::new(), event, String::new()]);
    }
    rows
}

#[test]
fn fields_are_those_of_cws() {
    let theirs: Rows = shared_data::rows("secl/fields.tsv")
        .into_iter()
        .map(|row| (row[0].clone(), [row[1].clone(), row[2].clone(), row[3].clone(), row[4].clone()]))
        .collect();
    if theirs.is_empty() {
        return;
    }
    // Fields of events that CWS does not have, and fields that we add to its own.
    let is_own = |field: &FieldInfo| {
        field.leaf.since == "none" || field.event.is_some_and(|event| event.since() == "none")
    };
    let own_fields: BTreeSet<_> =
        fields().iter().filter(|field| is_own(field)).map(|field| field.name.as_str()).collect();
    let own = |name: &str| {
        let of_own_event = EventKind::ALL
            .iter()
            .any(|kind| kind.since() == "none" && name.split('.').next() == Some(kind.name()));
        of_own_event || own_fields.contains(name)
    };
    let ours: Rows = ours().into_iter().filter(|(name, _)| !own(name)).collect();
    let names = |rows: &Rows| rows.keys().cloned().collect::<BTreeSet<_>>();
    let (our_names, their_names) = (names(&ours), names(&theirs));
    assert_eq!(their_names.difference(&our_names).collect::<Vec<_>>(), Vec::<&String>::new(), "missing");
    assert_eq!(
        our_names.difference(&their_names).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "unknown to CWS"
    );
    for (name, row) in theirs {
        assert_eq!(ours[&name], row, "{name}");
    }
}

#[test]
fn ids_names_and_slots_agree() {
    assert_eq!(fields().len(), layout::FIELD_COUNT);
    let names: BTreeSet<_> = fields().iter().map(|field| &field.name).collect();
    assert_eq!(names.len(), fields().len(), "a name is declared twice");
    for info in fields() {
        assert_eq!(field(&info.name).unwrap().id, info.id);
        assert_eq!(layout::is_list(info.id), info.leaf.list, "{}", info.name);
    }
}

#[test]
fn every_field_is_documented() {
    for field in fields() {
        let doc = field.leaf.doc.trim();
        assert!(doc.ends_with('.') && doc.len() > 10, "{}: {doc:?}", field.name);
        let ours = field.event.is_some_and(|event| event.since() == "none");
        let since = field.leaf.since;
        assert!(since.starts_with("7.") || since == "none" || ours, "{}: {since}", field.name);
    }
}

#[test]
fn packets_are_read_on_packet_events_only() {
    let schema = Fields::default();
    let usable = |name: &str, event: &str| {
        schema.usable_in(schema.field(name).unwrap().id, schema.event_type(event).unwrap())
    };
    assert!(usable("network.size", "dns"));
    assert!(!usable("network.size", "open"));
    assert!(usable("process.pid", "open"));
    assert_eq!(schema.event_type("fork"), None);
}
