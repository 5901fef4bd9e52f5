//! What users are told about mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use expect_test::{Expect, expect};
use secl::{Code, Compiler, Limits, Macros, NoVariables};
use support::random;

fn check(text: &str, expected: &Expect) {
    let schema = random::schema();
    let limits = Limits::default();
    let mut macros = Macros::new();
    macros.define("SHELLS", "[\"bash\", ~\"*sh\"]", &limits).unwrap();
    macros.define("BROKEN", "e.int == \"x\"", &limits).unwrap();
    macros.define("LOOP", "LOOP && e.flag", &limits).unwrap();
    let compiler = Compiler { schema: &schema, variables: &NoVariables, macros: &macros, limits };
    let found = match compiler.rule(text) {
        Ok(rule) => rule.warnings().to_vec(),
        Err(found) => found,
    };
    expected.assert_eq(&found.iter().map(|diagnostic| diagnostic.render(text)).collect::<String>());
}

#[test]
fn all_mistakes_are_told_at_once() {
    check(
        "e.nmae == \"x\"\n  && e.int =~ \"1*\" && e.path == \"etc/x\" && ${v}",
        &expect![[r#"
            error[E0201]: unknown field, constant or macro `e.nmae`
             --> 1:1
              |
            1 | e.nmae == "x"
              | ^^^^^^
              = help: did you mean `e.name`?
            error[E0301]: `=~` cannot be applied to int and string
             --> 2:6
              |
            2 |   && e.int =~ "1*" && e.path == "etc/x" && ${v}
              |      ^^^^^^^^^^^^^
            error[E0403]: invalid path `etc/x`: paths have to be absolute, or begin with `*`
             --> 2:33
              |
            2 |   && e.int =~ "1*" && e.path == "etc/x" && ${v}
              |                                 ^^^^^^^
            error[E0202]: unknown variable `v`
             --> 2:44
              |
            2 |   && e.int =~ "1*" && e.path == "etc/x" && ${v}
              |                                            ^^^^
              = help: a variable is known once a rule of the same set has an action that sets it
        "#]],
    );
}

#[test]
fn mistakes_in_macros_are_told_where_the_macro_is_used() {
    check(
        "e.flag && (BROKEN || LOOP)",
        &expect![[r#"
            error[E0301]: in macro `BROKEN`: `==` cannot be applied to int and string
             --> 1:12
              |
            1 | e.flag && (BROKEN || LOOP)
              |            ^^^^^^
            error[E0206]: in macro `LOOP`: macro `LOOP` refers to itself
             --> 1:22
              |
            1 | e.flag && (BROKEN || LOOP)
              |                      ^^^^
        "#]],
    );
}

#[test]
fn lists_have_operators_of_their_own() {
    check(
        "e.name == SHELLS || e.name in \"bash\" || e.int in [1, \"x\", e.other]",
        &expect![[r#"
            error[E0304]: `==` compares with one value
             --> 1:1
              |
            1 | e.name == SHELLS || e.name in "bash" || e.int in [1, "x", e.other]
              | ^^^^^^^^^^^^^^^^
              = help: use `in` or `not in` with a list
            error[E0303]: the right side of `in` has to be a list, found string
             --> 1:31
              |
            1 | e.name == SHELLS || e.name in "bash" || e.int in [1, "x", e.other]
              |                               ^^^^^^
              = help: write `[ … ]`, or compare with `==`
            error[E0301]: expected an int constant, found string
             --> 1:54
              |
            1 | e.name == SHELLS || e.name in "bash" || e.int in [1, "x", e.other]
              |                                                      ^^^
            error[E0301]: expected an int constant, found one that depends on the event
             --> 1:59
              |
            1 | e.name == SHELLS || e.name in "bash" || e.int in [1, "x", e.other]
              |                                                           ^^^^^^^
        "#]],
    );
}

#[test]
fn one_element_can_be_bound() {
    check(
        "e.flag && p.anc[_].pid == 1 && p.anc[A].pid == 1 && p.anc[B].pid == 2 && e[A].int == 1",
        &expect![[r#"
            error[E0204]: an element needs a name other than `_`
             --> 1:11
              |
            1 | e.flag && p.anc[_].pid == 1 && p.anc[A].pid == 1 && p.anc[B].pid == 2 && e[A].int == 1
              |           ^^^^^^^^^^^^
              = help: write `p.anc[A]…`, with the same letter for the same element
            error[E0205]: a rule can bind one element only, and binds `A` already, of another iterator or by another name
             --> 1:53
              |
            1 | e.flag && p.anc[_].pid == 1 && p.anc[A].pid == 1 && p.anc[B].pid == 2 && e[A].int == 1
              |                                                     ^^^^^^^^^^^^
            error[E0203]: `e` is not an iterator
             --> 1:74
              |
            1 | e.flag && p.anc[_].pid == 1 && p.anc[A].pid == 1 && p.anc[B].pid == 2 && e[A].int == 1
              |                                                                          ^^^^^^^^
        "#]],
    );
}

#[test]
fn tests_that_cannot_hold_are_told() {
    check(
        "e.int & 4 == 2 || e.flag",
        &expect![[r#"
            warning[W0701]: this never holds, whatever the event
             --> 1:1
              |
            1 | e.int & 4 == 2 || e.flag
              | ^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "p.uid == 0",
        &expect![[r#"
            error[E0501]: no field of the rule belongs to an event type
             --> 1:1
              |
            1 | p.uid == 0
              | ^^^^^^^^^^
              = help: add a condition on a field of the event, such as `exec.file.name != ""`
        "#]],
    );
}

#[test]
fn expansion_of_macros_is_bounded() {
    let schema = random::schema();
    let limits = Limits::default();
    let mut macros = Macros::new();
    macros.define("M0", "e.flag && e.flag", &limits).unwrap();
    for n in 1..64 {
        let last = n - 1;
        macros.define(&format!("M{n}"), &format!("M{last} && M{last}"), &limits).unwrap();
    }
    let compiler = Compiler { schema: &schema, variables: &NoVariables, macros: &macros, limits };
    let found = compiler.rule("M63").unwrap_err();
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::TooLarge]);
    // Deep rather than large.
    let mut macros = Macros::new();
    macros.define("M0", "e.flag", &limits).unwrap();
    for n in 1..500 {
        let body = format!("{}M{}{}", "(".repeat(50), n - 1, ")".repeat(50));
        macros.define(&format!("M{n}"), &body, &limits).unwrap();
    }
    let compiler = Compiler { schema: &schema, variables: &NoVariables, macros: &macros, limits };
    let found = compiler.rule("M499").unwrap_err();
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::TooDeep]);
}

#[test]
fn the_deepest_expressions_allowed_are_compiled_and_evaluated() {
    let schema = random::schema();
    let compiler = Compiler::new(&schema);
    let deepest = |levels: usize| {
        format!("{}e.flag{}", "!(e.int == 0 && (e.flag || ".repeat(levels), "))".repeat(levels))
    };
    let levels = (1..).take_while(|levels| compiler.rule(&deepest(*levels)).is_ok()).last().unwrap();
    assert!(levels > 10, "{levels}");
    let rule = compiler.rule(&deepest(levels)).unwrap();
    let event = support::event::FlatEvent::new(&schema, rule.event_type().unwrap());
    rule.matches(&event, &NoVariables, &mut secl::Scratch::default());
    assert_eq!(compiler.rule(&deepest(levels + 1)).unwrap_err()[0].code, Code::TooDeep);
}
