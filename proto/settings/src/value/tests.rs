use proptest::prelude::*;

use super::*;

fn read<T: Setting>(text: &str) -> Option<T> {
    T::read(&Node::from_environment(text))
}

fn list(text: &str) -> Option<Vec<String>> {
    Vec::<String>::read(&yaml::parse(text).unwrap())
}

#[test]
fn booleans_take_the_words_of_yaml_and_of_the_environment() {
    for word in ["true", "True", "TRUE", "yes", "on", "1", "t", " true "] {
        assert_eq!(read::<bool>(word), Some(true), "{word}");
    }
    for word in ["false", "no", "off", "0", "F"] {
        assert_eq!(read::<bool>(word), Some(false), "{word}");
    }
    for word in ["", "2", "enabled", "truee"] {
        assert_eq!(read::<bool>(word), None, "{word}");
    }
}

#[test]
fn numbers_are_whole_and_fit() {
    assert_eq!(read::<u32>("4294967295"), Some(u32::MAX));
    for text in ["4294967296", "-1", "1.5", "", "many"] {
        assert_eq!(read::<u32>(text), None, "{text}");
    }
}

#[test]
fn durations_take_gos_notation_and_seconds() {
    for (text, millis) in [
        ("5", 5_000),
        ("0.5", 500),
        ("5s", 5_000),
        ("1m30s", 90_000),
        ("1.5h", 5_400_000),
        ("250ms", 250),
        ("0", 0),
    ] {
        assert_eq!(read::<Duration>(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "s", "5 s", "5d", "-5s", "5s5", ".", "1e300", "99999999999999999999999h"] {
        assert_eq!(read::<Duration>(text), None, "{text}");
    }
}

#[test]
fn sizes_are_multiples_of_1024() {
    for (text, bytes) in [("0", 0), ("1024", 1024), ("10Mb", 10 << 20), ("10 MiB", 10 << 20), ("1g", 1 << 30)]
    {
        assert_eq!(read::<Bytes>(text), Some(Bytes(bytes)), "{text}");
    }
    for text in ["", "MiB", "1.5MiB", "-1", "1TiB", "18446744073709551615g"] {
        assert_eq!(read::<Bytes>(text), None, "{text}");
    }
}

#[test]
fn lists_take_sequences_json_spaces_and_commas() {
    for text in ["[a, b]", "- a\n- b", "'[\"a\", \"b\"]'", "a b", "a,b", "' a ,  b '"] {
        assert_eq!(list(text), Some(vec!["a".to_owned(), "b".to_owned()]), "{text}");
    }
    assert_eq!(list("[]"), Some(Vec::new()));
    for text in ["{a: b}", "[[a]]", "[a, {b: c}]", "'[a'"] {
        assert_eq!(list(text), None, "{text}");
    }
}

#[test]
fn paths_are_absolute() {
    assert_eq!(read::<PathBuf>("/run/x"), Some(PathBuf::from("/run/x")));
    assert_eq!(read::<PathBuf>("run/x"), None);
    assert_eq!(read::<PathBuf>(""), None);
    assert_eq!(read::<Option<PathBuf>>(""), Some(None));
    assert_eq!(read::<Option<PathBuf>>("x"), None);
}

#[test]
fn levels_have_their_documented_names() {
    assert_eq!(read::<LogLevel>("WARNING"), Some(LogLevel::Warn));
    assert_eq!(read::<LogLevel>("loud"), None);
    for (level, name) in LogLevel::NAMES {
        assert_eq!(read::<LogLevel>(name), Some(level));
        assert!(LogLevel::EXPECTED.contains(name), "{name} is missing in the diagnostic");
    }
    assert_eq!(LogLevel::Critical.directive(), "error");
}

proptest! {
    #[test]
    fn what_is_rendered_reads_back(
        text in any::<String>(), items in proptest::collection::vec(any::<String>(), 0..5),
        size in any::<u64>(), number in any::<u32>(), millis in 0_u64..1_000_000_000_000,
    ) {
        fn reads_back<T: Setting + std::fmt::Debug>(value: T) -> Result<(), TestCaseError> {
            let yaml = value.render();
            let node = yaml::parse(&yaml).map_err(|error| TestCaseError::fail(format!("{yaml}: {error:?}")))?;
            prop_assert_eq!(T::read(&node), Some(value), "{}", yaml);
            Ok(())
        }
        reads_back(text)?;
        reads_back(items)?;
        reads_back(Bytes(size))?;
        reads_back(number)?;
        reads_back(Duration::from_millis(millis))?;
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _read = read::<bool>(&text);
        let _read = read::<Duration>(&text);
        let _read = read::<Bytes>(&text);
        let _read = read::<Vec<String>>(&text);
        let _read = read::<LogLevel>(&text);
    }
}
