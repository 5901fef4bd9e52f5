//! Any text: parsing, printing and compiling it does not panic, printing is stable, and what compiles means what the interpreter says.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run rule fuzz/corpus fuzz/seeds -- -dict=fuzz/secl.dict` in the directory of the crate.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use secl::{Compiler, EventTypeId, Limits, Macros, RuleSet, Scratch, Type, Kind, Value, interpret, parse};
use support::event::FlatEvent;
use support::schema::TableSchema;
use support::variables::FixedVariables;

static SCHEMA: LazyLock<TableSchema> = LazyLock::new(support::random::schema);

static VARIABLES: LazyLock<FixedVariables> = LazyLock::new(|| FixedVariables {
    values: vec![
        ("int".into(), Value::Int(2)),
        ("bool".into(), Value::Bool(true)),
        ("text".into(), Value::Str(b"ab*".to_vec())),
        ("ints".into(), Value::Ints(vec![1, 2])),
        ("p.texts".into(), Value::Strs(vec![b"a".to_vec(), b"b".to_vec()])),
        ("ip".into(), Value::zero(Type::scalar(Kind::Ip))),
    ],
});

/// An event with something in every field.
static EVENT: LazyLock<FlatEvent> = LazyLock::new(|| {
    let mut event = FlatEvent::new(&SCHEMA, EventTypeId(0));
    for (_, field) in &SCHEMA.fields {
        let path = field.matching == secl::Matching::Path;
        let text = if path { b"/a/b".to_vec() } else { b"ab".to_vec() };
        let net = "10.0.0.1".parse().unwrap();
        let value = match (field.kind, field.list) {
            (Kind::Int, false) => Value::Int(2),
            (Kind::Bool, false) => Value::Bool(true),
            (Kind::Str, false) => Value::Str(text),
            (Kind::Ip, false) => Value::Ip(net),
            (Kind::Int, true) => Value::Ints(vec![1, 2]),
            (Kind::Bool, true) => Value::Bools(vec![true, false]),
            (Kind::Str, true) => Value::Strs(vec![text.clone(), text]),
            (Kind::Ip, true) => Value::Ips(vec![net, net]),
        };
        event.set(&SCHEMA, field.id, value);
    }
    event
});

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    let mut macros = Macros::new();
    macros.define("M", "[\"a\", ~\"b*\"]", &limits).unwrap();
    // A second line is another macro, possibly in terms of itself.
    let (text, body) = text.split_once("\n\n").unwrap_or((text, "e.flag"));
    let defined = macros.define("N", body, &limits);
    for diagnostic in defined.err().into_iter().flatten() {
        drop(diagnostic.render(body));
    }
    let compiler = Compiler { schema: &*SCHEMA, variables: &*VARIABLES, macros: &macros, limits };
    drop(compiler.value(text, None));
    drop(compiler.check_macro("N"));
    drop(secl::fim::expand("r", text, support::policy::WRITES));
    let Ok(expr) = parse(text, &limits) else {
        let found = compiler.rule(text).unwrap_err();
        assert!(!found.is_empty());
        found.iter().for_each(|diagnostic| drop(diagnostic.render(text)));
        return;
    };
    let printed = expr.to_string();
    // A text close to the limit may not fit it once spelled out.
    if printed.len() < limits.source_bytes / 2 {
        assert_eq!(parse(&printed, &limits).expect("what is printed parses"), expr, "{printed}");
    }
    match compiler.rule(text) {
        Err(found) => {
            assert!(!found.is_empty());
            found.iter().for_each(|diagnostic| drop(diagnostic.render(text)));
        }
        Ok(rule) => {
            let mut scratch = Scratch::default();
            let matches = rule.matches(&*EVENT, &*VARIABLES, &mut scratch);
            assert_eq!(interpret(&compiler, &expr, &*EVENT, &*VARIABLES), Ok(matches), "{text}");
            assert_eq!(rule.explain(&*EVENT, &*VARIABLES, &mut scratch).is_some(), matches);
            let set = RuleSet::new([&rule]);
            assert_eq!(set.start(&*EVENT, &mut scratch).next(&*EVENT, &*VARIABLES).is_some(), matches, "{text}");
        }
    }
});
