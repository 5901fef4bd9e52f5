//! What holds for all expressions and events.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use std::cell::RefCell;

use proptest::prelude::*;
use secl::ast::Expr;
use secl::partial::{Approver, Filterable, Kinds, alternatives, approvers, cannot_match};
use secl::{Compiler, Event, FieldId, IpNet, Limits, Macros, Rule, RuleSet, Scratch, interpret, parse};
use support::event::FlatEvent;
use support::random;
use support::schema::TableSchema;
use support::variables::FixedVariables;

/// Compiles a generated rule, which has to compile.
fn compiled(schema: &TableSchema, variables: &FixedVariables, text: &str) -> (Expr, Rule) {
    let macros = Macros::new();
    let compiler = Compiler { schema, variables, macros: &macros, limits: Limits::default() };
    let render = |found: Vec<secl::Diagnostic>| found.iter().map(|d| d.render(text)).collect::<String>();
    let rule = compiler.rule(text).unwrap_or_else(|found| panic!("{}", render(found)));
    (parse(text, &Limits::default()).unwrap(), rule)
}

fn oracle(schema: &TableSchema, variables: &FixedVariables, expr: &Expr, event: &FlatEvent) -> bool {
    let macros = Macros::new();
    let compiler = Compiler { schema, variables, macros: &macros, limits: Limits::default() };
    interpret(&compiler, expr, event, variables).unwrap()
}

/// Whether a value of a field, or one of the values it also matches with, is approved.
fn approved(schema: &TableSchema, event: &FlatEvent, field: FieldId, wanted: &[Approver]) -> bool {
    let spec = schema.fields[usize::from(field.0)].1;
    let int = |x: i64| {
        wanted.iter().any(|approver| match approver {
            Approver::Int(y) => x == *y,
            Approver::Mask(mask) => x & mask != 0,
            Approver::Range(from, to) => (*from..=*to).contains(&x),
            _ => false,
        })
    };
    let bool = |x: bool| wanted.contains(&Approver::Bool(x));
    let text = |x: &[u8]| {
        let fold = spec.matching == secl::Matching::CaseInsensitive;
        let x = if fold { x.to_ascii_lowercase() } else { x.to_vec() };
        wanted.iter().any(|approver| match approver {
            Approver::Text(y) => x == *y,
            Approver::Pattern(pattern) => {
                // By the language itself: a rule of just this pattern.
                let pattern = String::from_utf8(pattern.clone()).unwrap();
                let name = &schema.fields[usize::from(field.0)].0;
                let rule = Compiler::new(schema).condition(&format!("{name} =~ \"{pattern}\"")).unwrap();
                rule.matches(event, &secl::NoVariables, &mut Scratch::default())
            }
            _ => false,
        })
    };
    let own = match (spec.kind, spec.list) {
        (secl::Kind::Int, false) => int(event.int(field)),
        (secl::Kind::Int, true) => event.any_int(field, None, int),
        (secl::Kind::Bool, false) => bool(event.bool(field)),
        (secl::Kind::Bool, true) => event.any_bool(field, None, bool),
        (secl::Kind::Str, false) => text(event.str(field)),
        (secl::Kind::Str, true) => event.any_str(field, None, text),
        (secl::Kind::Ip, _) => false,
    };
    own || (spec.alternatives && event.any_alternative(field, None, text))
}

proptest! {
    #[test]
    fn printing_and_parsing_is_stable(text in random::rule()) {
        let tree = parse(&text, &Limits::default()).unwrap();
        let printed = tree.to_string();
        prop_assert_eq!(&parse(&printed, &Limits::default()).unwrap(), &tree, "{}", printed);
        prop_assert_eq!(parse(&printed, &Limits::default()).unwrap().to_string(), printed);
    }

    #[test]
    fn compiled_rules_and_rule_sets_agree_with_the_interpreter(
        texts in prop::collection::vec(random::rule(), 1..24),
        variables in random::variables(),
        events in prop::collection::vec(random::event(&random::schema()), 1..6),
    ) {
        let schema = random::schema();
        let rules: Vec<_> = texts.iter().map(|text| compiled(&schema, &variables, text)).collect();
        let set = RuleSet::new(rules.iter().map(|(_, rule)| rule));
        let mut scratch = Scratch::default();
        for event in &events {
            let mut expected = Vec::new();
            for (position, (expr, rule)) in rules.iter().enumerate() {
                let wanted = oracle(&schema, &variables, expr, event);
                prop_assert_eq!(rule.matches(event, &variables, &mut scratch), wanted, "{}", texts[position]);
                prop_assert_eq!(rule.explain(event, &variables, &mut scratch).is_some(), wanted);
                expected.extend(wanted.then_some(position));
            }
            let mut found = Vec::new();
            let mut matches = set.start(event, &mut scratch);
            while let Some(position) = matches.next(event, &variables) {
                found.push(position);
            }
            prop_assert_eq!(found, expected, "{:#?}", texts);
        }
    }

    #[test]
    fn approvers_let_every_match_through(
        texts in prop::collection::vec(random::rule(), 1..4),
        variables in random::variables(),
        events in prop::collection::vec(random::event(&random::schema()), 1..6),
        chosen in prop::collection::vec((0..18u16, any::<[bool; 5]>(), 0..3u32), 1..8),
    ) {
        let schema = random::schema();
        let rules: Vec<_> = texts.iter().map(|text| compiled(&schema, &variables, text).1).collect();
        let filterable: Vec<_> = chosen
            .iter()
            .map(|(field, [scalar, pattern, glob, bitmask, range], weight)| Filterable {
                field: FieldId(*field),
                kinds: Kinds { scalar: *scalar, pattern: *pattern, glob: *glob, bitmask: *bitmask, range: *range },
                weight: *weight,
                bounds: (i64::MIN, i64::MAX),
                accepts: &|_| true,
            })
            .collect();
        if let Some(found) = approvers(&rules, &filterable) {
            for event in &events {
                let matches = rules.iter().any(|rule| rule.matches(event, &variables, &mut Scratch::default()));
                let through =
                    found.values.iter().any(|(field, values)| approved(&schema, event, *field, values));
                prop_assert!(through || !matches, "{:?} {:?}", texts, found);
            }
        }
    }

    #[test]
    fn every_match_satisfies_an_alternative(
        text in random::rule(),
        variables in random::variables(),
        events in prop::collection::vec(random::event(&random::schema()), 1..6),
        chosen in prop::collection::vec((0..18u16, any::<[bool; 5]>()), 1..8),
        limit in 1..9usize,
    ) {
        let schema = random::schema();
        let (_, rule) = compiled(&schema, &variables, &text);
        let filterable: Vec<_> = chosen
            .iter()
            .map(|(field, [scalar, pattern, glob, bitmask, range])| Filterable {
                field: FieldId(*field),
                kinds: Kinds { scalar: *scalar, pattern: *pattern, glob: *glob, bitmask: *bitmask, range: *range },
                weight: 0,
                bounds: (i64::MIN, i64::MAX),
                accepts: &|_| true,
            })
            .collect();
        let found = alternatives(&rule, &filterable, limit);
        prop_assert!(found.len() <= limit, "{} {:?}", text, found);
        for event in &events {
            let matches = rule.matches(event, &variables, &mut Scratch::default());
            let through = found.iter().any(|alternative| {
                alternative.iter().all(|(field, values)| approved(&schema, event, *field, values))
            });
            prop_assert!(through || !matches, "{} {:?}", text, found);
        }
    }

    #[test]
    fn discarders_discard_nothing_that_matches(
        text in random::rule(),
        variables in random::variables(),
        event in random::event(&random::schema()),
        others in prop::collection::vec(random::event(&random::schema()), 1..6),
    ) {
        let schema = random::schema();
        let (_, rule) = compiled(&schema, &variables, &text);
        for (_, field) in &schema.fields {
            if !cannot_match(&rule, field.id, &event) {
                continue;
            }
            for other in &others {
                // Another event with the same value of this field.
                let mut other = other.clone();
                other.copy_field(&schema, &event, field.id);
                let matches = rule.matches(&other, &variables, &mut Scratch::default());
                prop_assert!(!matches, "{} by {:?}", text, field.id);
            }
        }
    }
}

#[test]
fn random_rules_match_and_filter_often_enough_to_test_anything() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let schema = random::schema();
    let counts = RefCell::new([0; 3]);
    for _ in 0..400 {
        let text = random::rule().new_tree(&mut runner).unwrap().current();
        let variables = random::variables().new_tree(&mut runner).unwrap().current();
        let event = random::event(&schema).new_tree(&mut runner).unwrap().current();
        let (_, rule) = compiled(&schema, &variables, &text);
        let mut counts = counts.borrow_mut();
        counts[0] += usize::from(rule.matches(&event, &variables, &mut Scratch::default()));
        counts[1] +=
            usize::from(schema.fields.iter().any(|(_, field)| cannot_match(&rule, field.id, &event)));
        let all = Kinds { scalar: true, pattern: true, glob: true, bitmask: true, range: true };
        let filterable: Vec<_> = schema
            .fields
            .iter()
            .map(|(_, field)| Filterable {
                field: field.id,
                kinds: all,
                weight: 0,
                bounds: (0, 9),
                accepts: &|_| true,
            })
            .collect();
        counts[2] += usize::from(approvers([&rule], &filterable).is_some());
    }
    let counts = counts.into_inner();
    assert!(counts.iter().all(|count| (40..360).contains(count)), "{counts:?}");
    // The zero address is what an event without one has.
    assert_eq!(IpNet::UNSPECIFIED.to_string(), "::");
}
