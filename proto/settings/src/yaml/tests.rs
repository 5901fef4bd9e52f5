use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn fails(text: &str) -> Malformed {
    parse(text).unwrap_err()
}

#[test]
fn empty_documents_are_null() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~", "null", "\u{feff}"] {
        assert_eq!(parse(text).unwrap().kind, Kind::Null, "{text:?}");
    }
}

#[test]
fn a_quoted_null_is_text() {
    assert_eq!(parse("'null'").unwrap().kind, Kind::Scalar("null".to_owned()));
    assert_eq!(parse("''").unwrap().kind, Kind::Scalar(String::new()));
}

#[test]
fn positions_are_those_of_an_editor() {
    let Kind::Mapping(pairs) = parse("a: 1\nb:\n  - x\n  - \"y\"\n").unwrap().kind else {
        panic!("not a mapping")
    };
    let (key, value) = &pairs[1];
    assert_eq!(key.position, Position { line: 2, column: 1 });
    let Kind::Sequence(items) = &value.kind else { panic!("not a sequence") };
    assert_eq!(items[1].position, Position { line: 4, column: 5 });
}

#[test]
fn only_the_first_document_counts() {
    assert_eq!(parse("a\n---\nb\n").unwrap().kind, Kind::Scalar("a".to_owned()));
}

#[test]
fn syntax_errors_say_where() {
    assert_eq!(fails("a: 1\nb: [1,\nc: 2\n").position.line, 3);
    assert_eq!(fails("a: *nothing\n").position.line, 1);
}

#[test]
fn aliases_repeat_their_anchor() {
    let Kind::Mapping(pairs) = parse("a: &x [1, 2]\nb: *x\n").unwrap().kind else { panic!("not a mapping") };
    assert_eq!(pairs[1].1.kind, pairs[0].1.kind);
    assert_eq!(pairs[1].1.position.line, 2);
}

#[test]
fn an_alias_within_its_own_anchor_is_refused() {
    assert!(fails("&a [*a]").message.contains("contains it"));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{below}]").unwrap();
    }
    assert!(fails(&bomb).message.contains("more than 100000 values"));
}

#[test]
fn deep_nesting_is_refused() {
    for opening in ["[", "- ", "{a: ", "? "] {
        let message = fails(&opening.repeat(10_000)).message;
        // Which limit is met first, ours or the scanner's of 255 brackets, depends on how far it reads ahead.
        assert!(message.contains("64 levels") || message.contains("recursion limit"), "{opening}: {message}");
    }
    assert!(fails(&format!("{}{}", "[".repeat(65), "]".repeat(65))).message.contains("64 levels"));
    assert!(parse(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _result = parse(&text);
    }

    #[test]
    fn no_text_of_yaml_characters_panics(text in "[-a0:,\\[\\]{}&*!|>'\"%@`#? \n\t~<.]{0,60}") {
        let _result = parse(&text);
    }
}
