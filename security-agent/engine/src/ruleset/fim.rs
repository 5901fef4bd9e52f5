//! `fim.write`: one rule about files that are written stands for a rule for each way to write one.

use secl::fim::{FimTarget, expand};

/// What the fields that are expanded begin with.
const PREFIX: &str = "fim.write.file.";

/// The ways to write a file, those of the reference.
const TARGETS: &[FimTarget<'static>] = &[
    FimTarget {
        name: "open",
        file: "open.file",
        condition: Some("open.flags & (O_CREAT|O_TRUNC|O_APPEND|O_RDWR|O_WRONLY) > 0"),
    },
    FimTarget { name: "chmod", file: "chmod.file", condition: None },
    FimTarget { name: "chown", file: "chown.file", condition: None },
    FimTarget { name: "link", file: "link.file", condition: None },
    FimTarget { name: "rename", file: "rename.file", condition: None },
    FimTarget { name: "rename_destination", file: "rename.file.destination", condition: None },
    FimTarget { name: "unlink", file: "unlink.file", condition: None },
    FimTarget { name: "utimes", file: "utimes.file", condition: None },
];

/// One of the expressions that a rule's expression stands for.
pub(super) struct Variant {
    /// The expression.
    pub(super) text: String,
    target: FimTarget<'static>,
}

/// The expressions that a rule stands for, if it is about `fim.write`.
pub(super) fn variants(id: &str, text: &str) -> Option<Vec<Variant>> {
    let expansions = expand(id, text, TARGETS)?;
    let variant = |(expansion, target): (secl::fim::Expansion, &FimTarget<'static>)| Variant {
        text: expansion.expression,
        target: *target,
    };
    Some(expansions.into_iter().zip(TARGETS).map(variant).collect())
}

impl Variant {
    /// Where a byte of the variant stands in the rule's own expression.
    pub(super) fn original_offset(&self, original: &str, offset: usize) -> usize {
        let file = format!("{}.", self.target.file);
        let mut there = 0;
        let mut here = usize::from(self.target.condition.is_some());
        while here < offset && there < original.len() {
            let (rest, own) = (original.get(there..).unwrap_or(""), self.text.get(here..).unwrap_or(""));
            if rest.starts_with(PREFIX) && own.starts_with(&file) {
                if offset < here + file.len() {
                    return there;
                }
                there += PREFIX.len();
                here += file.len();
            } else {
                there += 1;
                here += 1;
            }
        }
        there.min(original.len())
    }
}

#[cfg(test)]
mod tests {
    use secl::fim::expand;

    use super::{TARGETS, variants};

    #[test]
    fn rules_expand_as_the_shared_cases_say() {
        let root = std::env::var("CWS_SHARED")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
        let Ok(cases) = std::fs::read_to_string(format!("{root}/secl/fim_expansion_cases.jsonl")) else {
            println!("skipped: no shared cases");
            return;
        };
        for line in cases.lines() {
            let case: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
            let expanded =
                expand(&text(&case["rule_id"]), &text(&case["expr"]), TARGETS).expect("a fim rule");
            let expected = case["expanded"].as_array().expect("rules");
            assert_eq!(expanded.len(), expected.len());
            for (rule, expected) in expanded.iter().zip(expected) {
                let parsed = |text: &str| secl::parse(text, &secl::Limits::default()).expect("an expression");
                assert_eq!(rule.id, text(&expected["id"]));
                assert_eq!(parsed(&rule.expression), parsed(&text(&expected["expr"])), "{}", rule.expression);
            }
        }
    }

    #[test]
    fn offsets_lead_back_to_the_rule() {
        let rule = r#"fim.write.file.path == "/a" && fim.write.file.nme == "b""#;
        for variant in variants("r", rule).expect("a fim rule") {
            for needle in ["\"/a\"", "&&", "\"b\""] {
                let offset = variant.text.find(needle).expect(needle);
                assert_eq!(
                    variant.original_offset(rule, offset),
                    rule.find(needle).expect(needle),
                    "{}",
                    variant.text
                );
            }
            let name = variant.text.find("nme").expect("nme") - 5;
            assert_eq!(variant.original_offset(rule, name), rule.find("fim.write.file.nme").expect("name"));
            assert!(variant.original_offset(rule, 10_000) <= rule.len());
        }
        assert!(variants("r", "open.file.path == \"fim.write.file.path\"").is_none());
    }
}
