//! Random expressions that compile, and random events, over a schema of every kind of field and an alphabet so small that they often match.

use proptest::prelude::*;
use secl::{EventTypeId, FieldId, Kind, Value};

use super::event::{FlatEvent, NOW};
use super::schema::TableSchema;
use super::variables::FixedVariables;

pub fn schema() -> TableSchema {
    TableSchema::small(&[
        "e.int int - e -",
        "e.other int - e -",
        "e.time int - e -",
        "e.flag bool - e -",
        "e.name string - e symlink_name",
        "e.path string - e glob",
        "e.host string - e icase",
        "e.args string[] - e -",
        "e.nums int[] - e -",
        "e.bools bool[] - e -",
        "e.ip ip - e -",
        "e.ips ip[] - e -",
        "p.uid int - * -",
        "p.comm string - * -",
        "p.anc.pid int p.anc * -",
        "p.anc.comm string p.anc * -",
        "p.anc.path string p.anc * glob",
        "p.anc.is bool p.anc * -",
    ])
}

pub fn variables() -> impl Strategy<Value = FixedVariables> {
    let texts = prop::collection::vec(text(), 0..3);
    let ints = prop::collection::vec(0..4i64, 0..3);
    (0..4i64, any::<bool>(), text(), ints, texts).prop_map(|(int, bool, text, ints, texts)| FixedVariables {
        values: vec![
            ("int".into(), Value::Int(int)),
            ("bool".into(), Value::Bool(bool)),
            ("text".into(), Value::Str(text.into_bytes())),
            ("ints".into(), Value::Ints(ints)),
            ("p.texts".into(), Value::Strs(texts.into_iter().map(String::into_bytes).collect())),
        ],
    })
}

fn text() -> impl Strategy<Value = String> {
    "[abA]{0,3}"
}

fn path() -> impl Strategy<Value = String> {
    "(/[ab]{1,2}){1,3}|"
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof!["10\\.0\\.0\\.[0-3]", Just("::1".to_owned())]
}

/// An event with a value for most fields.
pub fn event(schema: &TableSchema) -> impl Strategy<Value = FlatEvent> + use<> {
    let fields: Vec<_> = schema.fields.iter().map(|(_, field)| *field).collect();
    let elements = 0..4usize;
    let all = (elements, any::<prop::sample::Index>()).prop_flat_map(move |(elements, _)| {
        let one = |field: &secl::Field| value(field, elements);
        fields.iter().map(one).collect::<Vec<_>>()
    });
    let empty = FlatEvent::new(schema, EventTypeId(0));
    let small = super::random::schema();
    (all, prop::option::of(text()), prop::option::of(path())).prop_map(move |(values, name, path)| {
        let mut event = empty.clone();
        for ((_, field), value) in small.fields.iter().zip(values) {
            event.set(&small, field.id, value);
        }
        for (field, value) in [(FieldId(4), name), (FieldId(5), path)] {
            if let Some(value) = value {
                event.set_alternative(field, value.as_bytes());
            }
        }
        event
    })
}

fn value(field: &secl::Field, elements: usize) -> BoxedStrategy<Value> {
    let count = if field.iterator.is_some() { elements..=elements } else { 0..=2 };
    let is_path = field.matching == secl::Matching::Path;
    let bytes = move || {
        let texts = if is_path { path().boxed() } else { text().boxed() };
        texts.prop_map(String::into_bytes)
    };
    let is_time = field.id == FieldId(2);
    let ints = move || if is_time { (NOW - 4..NOW + 1).boxed() } else { (0..5i64).boxed() };
    let nets = || address().prop_map(|text| text.parse().unwrap());
    match (field.kind, field.list) {
        (Kind::Int, false) => ints().prop_map(Value::Int).boxed(),
        (Kind::Int, true) => prop::collection::vec(ints(), count).prop_map(Value::Ints).boxed(),
        (Kind::Bool, false) => any::<bool>().prop_map(Value::Bool).boxed(),
        (Kind::Bool, true) => prop::collection::vec(any::<bool>(), count).prop_map(Value::Bools).boxed(),
        (Kind::Str, false) => bytes().prop_map(Value::Str).boxed(),
        (Kind::Str, true) => prop::collection::vec(bytes(), count).prop_map(Value::Strs).boxed(),
        (Kind::Ip, false) => nets().prop_map(Value::Ip).boxed(),
        (Kind::Ip, true) => prop::collection::vec(nets(), count).prop_map(Value::Ips).boxed(),
    }
}

fn pick(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(choices).prop_map(str::to_owned)
}

/// An integer that is no list.
fn int() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => pick(&["e.int", "e.other", "p.uid", "${int}", "%{e.int}"]),
        1 => pick(&["p.anc.length", "e.name.length", "${p.texts.length}", "${text.length}"]),
        2 => (0..5i64).prop_map(|n| n.to_string()),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            (inner.clone(), pick(&["&", "|", "^"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), pick(&["+", "-"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (pick(&["-", "^"]), inner).prop_map(|(op, a)| format!("({op}{a})")),
        ]
    })
    .boxed()
}

fn int_list() -> impl Strategy<Value = String> {
    pick(&[
        "e.nums",
        "p.anc.pid",
        "p.anc[A].pid",
        "${ints}",
        "p.anc.comm.length",
        "(e.nums & 3)",
        "(p.anc[A].pid + 1)",
    ])
}

fn text_source() -> impl Strategy<Value = String> {
    pick(&[
        "e.name",
        "e.host",
        "p.comm",
        "${text}",
        "e.args",
        "p.anc.comm",
        "p.anc[A].comm",
        "${p.texts}",
        "%{p.comm}",
        "\"${text}\"",
        "\"a${int}${p.texts}\"",
    ])
}

fn path_source() -> impl Strategy<Value = String> {
    pick(&["e.path", "p.anc.path", "p.anc[A].path"])
}

fn text_literal() -> BoxedStrategy<String> {
    prop_oneof![
        3 => text().prop_map(|text| format!("\"{text}\"")),
        1 => Just("\"${text}\"".to_owned()),
        1 => Just("~\"${text}*\"".to_owned()),
        3 => "\\*?([ab]{1,2}\\*){0,2}[abA]{0,2}".prop_map(|text| format!("~\"{text}\"")),
        1 => "[ab]{1,2}[.]?[ab]?".prop_map(|text| format!("r\"{text}\"")),
    ]
    .boxed()
}

fn path_literal() -> BoxedStrategy<String> {
    prop_oneof![
        3 => path().prop_map(|text| format!("\"{text}\"")),
        3 => "(/\\*\\*)?(/[ab]?\\*[ab]?|/[ab]){1,3}".prop_map(|text| format!("~\"{text}\"")),
        1 => "(/[ab]){1,2}/\\*\\*".prop_map(|text| format!("~\"{text}\"")),
        1 => "\\*\\*/[ab]".prop_map(|text| format!("~\"{text}\"")),
        1 => Just("\"/${text}\"".to_owned()),
    ]
    .boxed()
}

fn net() -> impl Strategy<Value = String> {
    prop_oneof![address(), "10\\.0\\.0\\.[0-3]/(29|30|31)"]
}

fn list(member: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    prop::collection::vec(member, 1..7).prop_map(|members| format!("[{}]", members.join(", ")))
}

/// A comparison.
fn test() -> BoxedStrategy<String> {
    let compare = || pick(&["==", "!=", "<", "<=", ">", ">="]);
    let equal = || pick(&["==", "!="]);
    let contained = || pick(&["in", "not in"]);
    let like = || pick(&["==", "!=", "=~", "!~"]);
    let any_int = || prop_oneof![int(), int_list()];
    let joined = |(a, op, b): (String, String, String)| format!("{a} {op} {b}");
    let bools = || pick(&["e.flag", "e.bools", "${bool}", "p.anc.is", "p.anc[A].is", "true"]);
    let pattern = || text_literal().prop_filter("patterns only behind =~", |text| !text.starts_with('r'));
    prop_oneof![
        bools(),
        (bools(), equal(), bools()).prop_map(joined),
        (any_int(), compare(), int()).prop_map(joined),
        (int(), compare(), any_int()).prop_map(joined),
        (any_int(), contained(), list((0..5i64).prop_map(|n| n.to_string()).boxed())).prop_map(joined),
        (int(), contained(), pick(&["e.nums", "p.anc.pid", "${ints}", "p.anc[A].pid"])).prop_map(joined),
        (pick(&["e.int", "e.int & 3", "e.other"]), compare(), 0..5i64)
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (pick(&["<", "<=", ">", ">="]), 0..3i64).prop_map(|(op, n)| format!("e.time {op} {n}ms")),
        (text_source(), equal(), text_source()).prop_map(joined),
        (text_source(), equal(), text_literal()).prop_map(joined),
        (text_source(), like(), pattern()).prop_map(joined),
        (text_literal(), equal(), pick(&["e.name", "e.args", "e.host", "p.anc[A].comm"])).prop_map(joined),
        (text_source(), contained(), list(text_literal())).prop_map(joined),
        (text_source(), contained(), pick(&["e.args", "p.anc.comm", "${p.texts}"])).prop_map(joined),
        (path_source(), like(), path_literal()).prop_map(joined),
        (path_source(), contained(), list(path_literal())).prop_map(joined),
        (pick(&["e.ip", "e.ips"]), equal(), pick(&["e.ip", "e.ips"])).prop_map(joined),
        (pick(&["e.ip", "e.ips"]), equal(), net()).prop_map(joined),
        (pick(&["e.ip", "e.ips"]), pick(&["in", "not in", "allin"]), list(net().boxed())).prop_map(joined),
    ]
    .boxed()
}

/// A rule.
pub fn rule() -> BoxedStrategy<String> {
    let condition = test().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), pick(&["&&", "||"]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), pick(&["&&", "||"]), inner.clone(), pick(&["&&", "||"]), inner.clone())
                .prop_map(|(a, op, b, op2, c)| format!("({a} {op} {b}) {op2} {c}")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), pick(&["==", "!="]), inner).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
        ]
    });
    // Without a field of the event it would be no rule.
    condition
        .prop_map(|text| {
            if text.contains("e.") && !text.contains("p.") {
                text
            } else {
                format!("({text}) && e.other >= 0")
            }
        })
        .boxed()
}
