//! What an engine builds on: values, explanations, the order of matches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use secl::{Compiler, EventTypeId, FieldId, Kind, Limits, Macros, RuleSet, Scratch, Type, Value};
use support::event::FlatEvent;
use support::random;
use support::variables::FixedVariables;

fn variables() -> FixedVariables {
    FixedVariables {
        values: vec![
            ("count".into(), Value::Int(1)),
            ("key".into(), Value::Str(b"k".to_vec())),
            ("names".into(), Value::Strs(vec![b"x".to_vec(), b"y".to_vec()])),
        ],
    }
}

fn event() -> FlatEvent {
    let schema = random::schema();
    let mut event = FlatEvent::new(&schema, EventTypeId(0));
    let texts = |texts: &[&str]| Value::Strs(texts.iter().map(|text| text.as_bytes().to_vec()).collect());
    event.set(&schema, FieldId(0), Value::Int(6));
    event.set(&schema, FieldId(5), Value::Str(b"/merged/etc/shadow".to_vec()));
    event.set_alternative(FieldId(5), b"/etc/shadow");
    event.set(&schema, FieldId(7), texts(&["-l", "-a"]));
    event.set(&schema, FieldId(14), Value::Ints(vec![10, 20]));
    event.set(&schema, FieldId(15), texts(&["sh", "init"]));
    event
}

#[test]
fn values_are_computed() {
    let schema = random::schema();
    let variables = variables();
    let macros = Macros::new();
    let compiler =
        Compiler { schema: &schema, variables: &variables, macros: &macros, limits: Limits::default() };
    let value = |text: &str| {
        let expr = compiler.value(text, None).unwrap();
        let value = expr.eval(&event(), &variables, &mut Scratch::default(), 10);
        assert_eq!(value.ty(), expr.ty(), "{text}");
        value
    };
    assert_eq!(value("${count} + 1"), Value::Int(2));
    assert_eq!(value("\"${key}:${names}:%{e.int}\""), Value::Str(b"k:x,y:6".to_vec()));
    // The value is the field's own, not what else it matches with.
    assert_eq!(value("e.path"), Value::Str(b"/merged/etc/shadow".to_vec()));
    assert_eq!(value("e.args"), Value::Strs(vec![b"-l".to_vec(), b"-a".to_vec()]));
    assert_eq!(value("e.int == 6 && e.flag"), Value::Bool(false));
    assert_eq!(value("[1, 2]"), Value::Ints(vec![1, 2]));
    assert_eq!(value("p.anc.length"), Value::Int(2));
    assert_eq!(compiler.value("e.path", None).unwrap().as_field(), Some(FieldId(5)));
    for bad in ["~\"x*\"", "[1, \"x\"]", "p.anc[A].pid", "nosuch"] {
        assert!(compiler.value(bad, None).is_err(), "{bad}");
    }
    assert!(compiler.value("e.int", Some(EventTypeId(0))).is_ok());
}

#[test]
fn matches_are_explained() {
    let schema = random::schema();
    let variables = variables();
    let macros = Macros::new();
    let compiler =
        Compiler { schema: &schema, variables: &variables, macros: &macros, limits: Limits::default() };
    let text = "(e.flag || e.int & 4 > 0) && p.anc[A].comm == \"init\" && p.anc[A].pid != 10 \
                && e.path in [\"/etc/shadow\", \"/etc/passwd\"] && ${count} < 5";
    let rule = compiler.rule(text).unwrap();
    let reasons = rule.explain(&event(), &variables, &mut Scratch::default()).unwrap();
    let mut told: Vec<_> = reasons
        .iter()
        .map(|reason| {
            let values: Vec<_> =
                reason.values.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            (reason.span.of(text), reason.held, values.join(" "))
        })
        .collect();
    told.sort_unstable();
    let bytes = |text: &str| format!("{:?}", text.as_bytes());
    assert_eq!(
        told,
        [
            ("${count} < 5", true, "${count}=Int(1)".to_owned()),
            ("e.int & 4 > 0", true, "e.int=Int(6)".to_owned()),
            // The value that matched, of the two the field has.
            (
                "e.path in [\"/etc/shadow\", \"/etc/passwd\"]",
                true,
                format!("e.path=Str({})", bytes("/etc/shadow"))
            ),
            ("p.anc[A].comm == \"init\"", true, format!("p.anc.comm=Str({})", bytes("init"))),
            // Of the element that is bound.
            ("p.anc[A].pid != 10", false, "p.anc.pid=Ints([20])".to_owned()),
        ]
    );
    assert_eq!(
        rule.explain(&FlatEvent::new(&schema, EventTypeId(0)), &variables, &mut Scratch::default()),
        None
    );
}

#[test]
fn a_match_is_seen_by_the_rules_after_it() {
    let schema = random::schema();
    let mut variables = variables();
    let macros = Macros::new();
    let compiler =
        Compiler { schema: &schema, variables: &variables, macros: &macros, limits: Limits::default() };
    let rules: Vec<_> = [
        "e.int == 6 && ${count} == 1",
        "e.int == 6",
        "e.int == 6 && ${count} == 1",
        "${count} == 2 && e.int > 0",
    ]
    .iter()
    .map(|text| compiler.rule(text).unwrap())
    .collect();
    let set = RuleSet::new(&rules);
    let event = event();
    let mut scratch = Scratch::default();
    let mut matches = set.start(&event, &mut scratch);
    assert_eq!(matches.next(&event, &variables), Some(0));
    assert_eq!(matches.next(&event, &variables), Some(1));
    // What an action of the second rule would do.
    variables.values[0].1 = Value::Int(2);
    assert_eq!(matches.next(&event, &variables), Some(3));
    assert_eq!(matches.next(&event, &variables), None);
    assert_eq!(set.count(EventTypeId(0)), 4);
    assert_eq!(set.event_types().collect::<Vec<_>>(), [EventTypeId(0)]);
}

#[test]
fn unset_variables_read_as_zero() {
    let variables = FixedVariables::unset([
        ("ip".to_owned(), Type::scalar(Kind::Ip)),
        ("n".to_owned(), Type::list(Kind::Int)),
    ]);
    let schema = random::schema();
    let macros = Macros::new();
    let compiler =
        Compiler { schema: &schema, variables: &variables, macros: &macros, limits: Limits::default() };
    let event = event();
    for (text, expected) in
        [("e.int in ${n}", false), ("e.int not in ${n}", true), ("e.int > 0 && ${ip} == ::", true)]
    {
        let rule = compiler.rule(text).unwrap();
        assert_eq!(rule.matches(&event, &variables, &mut Scratch::default()), expected, "{text}");
    }
}
