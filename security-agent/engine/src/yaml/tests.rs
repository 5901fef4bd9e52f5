use super::{Node, Value, parse};
use crate::source::{LineColumn, Sources};

fn parsed(text: &str) -> (Sources, Node) {
    let mut sources = Sources::default();
    let file = sources.add("t.policy", text);
    let document = parse(file, text).expect("YAML").expect("a document");
    (sources, document.root)
}

fn error(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("t.policy", text);
    let error = match parse(file, text) {
        Err(error) => error,
        Ok(document) => document.expect("a document").wrong.remove(0),
    };
    let LineColumn { line, column } = sources.line_column(error.at);
    format!("{line}:{column}: {}", error.message)
}

fn get<'n>(node: &'n Node, key: &str) -> &'n Node {
    let Value::Map(entries) = &node.value else { panic!("not a mapping: {node:?}") };
    let entry = entries.iter().find(|entry| entry.key.as_str() == key);
    &entry.unwrap_or_else(|| panic!("no {key}")).value
}

/// Where `needle`, found in the value of `key`, stands in the file.
fn place(text: &str, key: &str, needle: &str) -> (u32, u32) {
    let (sources, root) = parsed(text);
    let Value::Text(value) = &get(&root, key).value else { panic!("not a string") };
    let offset = value.as_str().find(needle).unwrap_or_else(|| panic!("{needle} not in {value:?}"));
    let LineColumn { line, column } = sources.line_column(value.locate(&sources, offset));
    (line, column)
}

#[test]
fn offsets_in_plain_scalars_lead_back_to_the_file() {
    assert_eq!(place("é: 1\nk: exec.uid == 0\n", "k", "=="), (2, 13));
    assert_eq!(place("k: a &&\n  b || c\n", "k", "|| c"), (2, 5));
    assert_eq!(place("k: é && é\n", "k", "&& é"), (1, 6));
}

#[test]
fn offsets_in_quoted_scalars_count_escapes_as_written() {
    assert_eq!(place("k: 'it''s x'\n", "k", "x"), (1, 11));
    assert_eq!(place(r#"k: "a \"b\" \x41 \u00e9 zz""#, "k", "zz"), (1, 25));
    assert_eq!(place("k: \"a \\\n   b c\"\n", "k", "b c"), (2, 4));
    assert_eq!(place("k: \"a && \\n( b in [\\\"x\\\"\\\n  , ~\\\"y\\\"]\"\n", "k", "~\"y"), (2, 5));
    assert_eq!(place("k: \"a\n\n  b\"\n", "k", "b"), (3, 3));
    assert_eq!(place("k: !!str \"a b\"\n", "k", "b"), (1, 13));
}

#[test]
fn offsets_in_block_scalars_count_their_indentation() {
    assert_eq!(place("k: |\n   one\n     two\n", "k", "two"), (3, 6));
    assert_eq!(place("k: >-\n  one &&\n  two\n\n  three\n", "k", "two"), (3, 3));
    assert_eq!(place("k: >-\n  one &&\n  two\n\n  three\n", "k", "three"), (5, 3));
    assert_eq!(place("k: >\n  a\n    more\n  b\n", "k", "more"), (3, 5));
    assert_eq!(place("k: |+2\r\n    one\r\n  two\r\n", "k", "two"), (3, 3));
}

#[test]
fn plain_scalars_have_types_and_quoted_ones_are_strings() {
    let (_, root) =
        parsed("[~, true, 12, -0x1f, 0o17, 017, 1_000, 1.5, 12h, '12', !!str 12, yes, 9223372036854775808]");
    let Value::List(items) = &root.value else { panic!("not a list") };
    let shown: Vec<String> = items
        .iter()
        .map(|item| match &item.value {
            Value::Null => "null".into(),
            Value::Bool(value, _) => value.to_string(),
            Value::Int(value, _) => value.to_string(),
            Value::Text(text) => format!("{:?}", text.as_str()),
            _ => panic!("not a scalar"),
        })
        .collect();
    let expected = [
        "null",
        "true",
        "12",
        "-31",
        "15",
        "15",
        "1000",
        "\"1.5\"",
        "\"12h\"",
        "\"12\"",
        "\"12\"",
        "\"yes\"",
        "\"9223372036854775808\"",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    let (_, root) = parsed("base: &b {x: 1, y: 2}\nlist: &l [1]\nm: {<<: *b, y: 3, z: *l}\n");
    let merged = get(&root, "m");
    assert!(matches!(get(merged, "x").value, Value::Int(1, _)));
    assert!(matches!(get(merged, "y").value, Value::Int(3, _)), "written beats merged");
    assert!(matches!(get(merged, "z").value, Value::List(_)));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [item.as_str(); 10].join(", ")));
    }
    assert_eq!(error(&text), "6:20: more than 400000 YAML nodes");
}

#[test]
fn errors_say_where() {
    assert_eq!(error("a: 1\na: 2\n"), "2:1: the key `a` appears twice in this mapping, the first counts");
    assert_eq!(error("a: [1, 2\nb: 3\n").split(": ").next(), Some("2:2"));
    assert!(error(&"[".repeat(40)).contains("nested deeper than 32 levels"));
    assert!(error("a: &a [*a]").contains("an alias of a collection that it is part of"));
    assert!(error("<<: 3").contains("needs a mapping"));
    assert!(error("[a]: 1").contains("must be a scalar"));
}

#[test]
fn a_file_without_a_document_has_no_root() {
    for text in ["", "\n\n", "# only a comment\n"] {
        let mut sources = Sources::default();
        let file = sources.add("t.policy", text);
        assert!(parse(file, text).expect("YAML").is_none(), "{text:?}");
    }
}

#[test]
fn tabs_may_stand_between_a_key_and_its_value() {
    assert_eq!(place("k:\t\texec.uid ==\t0\n", "k", "=="), (1, 14));
    let (_, root) = parsed("rules:\n  - id:\tr\n    expression:\texec.comm == \"a\tb\"\n");
    let Value::List(rules) = &get(&root, "rules").value else { panic!("not a list") };
    assert_eq!(
        get(&rules[0], "expression").value.as_text().map(crate::text::Text::as_str),
        Some("exec.comm == \"a\tb\"")
    );
    // Tabs do not indent, and mistakes are told where they are.
    assert_eq!(error("rules:\n\t- id: r\n"), "2:2: tabs disallowed within this context (block indentation)");
    assert!(error("k:\tv\nl: [\n").starts_with("3:"), "{}", error("k:\tv\nl: [\n"));
}
