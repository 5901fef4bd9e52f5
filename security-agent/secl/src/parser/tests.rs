use super::*;

fn tree(text: &str) -> Expr {
    parse(text, &Limits::default()).unwrap_or_else(|found| panic!("{text}: {found:?}"))
}

fn codes(text: &str) -> Vec<Code> {
    parse(text, &Limits::default()).unwrap_err().iter().map(|found| found.code).collect()
}

/// Printing and parsing again gives the same tree, and the text is the expected one.
fn prints_as(text: &str, expected: &str) {
    let parsed = tree(text);
    assert_eq!(parsed.to_string(), expected);
    assert_eq!(tree(expected), parsed, "{expected}");
}

#[test]
fn printing_keeps_the_meaning() {
    prints_as("a and not b or c", "a && !b || c");
    prints_as("(a && b) || c", "(a && b) || c");
    prints_as("a == b == c", "a == b == c");
    prints_as("(a == b) == c", "(a == b) == c");
    prints_as("a not in [ 1,2 ] ", "a not in [1, 2]");
    prints_as("a & (b|c) > 0", "a & (b | c) > 0");
    prints_as("(a + 1) & 1 == - 5 - -x", "(a + 1) & 1 == -5 - -x");
    prints_as("-(5) == ^ 0", "-(5) == ^0");
    prints_as(r#"a =~ "x\n\"\xff" || b in ~"\"q" "#, r#"a =~ "x\n\"\xff" || b in ~"\"q""#);
    prints_as(r#"x[A].y =~ r"\d\"" "#, r#"x[A].y =~ r"\d\"""#);
    prints_as("a < 90s && b in fc00::1/7", "a < 90s && b in fc00::/7");
    prints_as("${a.b} == %{c}", "${a.b} == %{c}");
}

#[test]
fn negation_binds_to_one_operand() {
    prints_as("!a == b", "!a == b");
    assert_ne!(tree("!a == b"), tree("!(a == b)"));
}

#[test]
fn independent_mistakes_are_found_at_once() {
    assert_eq!(
        codes("a == && (b <> 1 || c ==) && d === 2"),
        [Code::UnexpectedToken, Code::UnexpectedToken, Code::UnexpectedToken, Code::UnexpectedCharacter]
    );
    assert_eq!(codes("a == 1)"), [Code::UnexpectedToken]);
    assert_eq!(codes("(a == 1"), [Code::UnexpectedToken]);
    assert_eq!(codes("a b"), [Code::UnexpectedToken]);
    assert_eq!(codes(""), [Code::Empty]);
    assert_eq!(codes("# nothing"), [Code::Empty]);
}

#[test]
fn nesting_is_bounded() {
    for text in [
        format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000)),
        "!".repeat(20_000) + "a",
        "-".repeat(20_000) + "a",
        "a == ".repeat(20_000) + "a",
        "[".repeat(20_000),
        "a && b || ".repeat(2_000) + "c",
    ] {
        assert!(codes(&text).contains(&Code::TooDeep), "{}…", &text[..20]);
    }
    // A long chain of one operator is no nesting.
    tree(&("a && ".repeat(20_000) + "a"));
    tree(&("1 | ".repeat(20_000) + "1 == 1"));
}

#[test]
fn sizes_are_bounded() {
    assert_eq!(codes(&" ".repeat(1 << 20)), [Code::TooLarge]);
    assert_eq!(codes(&format!("a in [{}]", "1,".repeat(20_000))), [Code::ListTooLong]);
    assert_eq!(codes(&format!("a =~ ~\"{}\"", "x".repeat(9_000))), [Code::PatternTooLarge]);
}
