use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::shared_data;

#[test]
fn constants_are_those_of_cws() {
    let mut expected = BTreeSet::new();
    for row in shared_data::rows("secl/constants.tsv") {
        let (name, group, text) = (&row[0], &row[1], &row[2]);
        if group != "Boolean" {
            expected.insert(name.clone());
        }
        match group.as_str() {
            "Boolean" => continue,
            "special" => assert_eq!(name, MAP_NAMES),
            _ => {
                let expected: i64 = text.parse().unwrap();
                let ours = value(name).unwrap_or_else(|| panic!("{name} is missing"));
                // The list has the low 32 bits of these two groups; the kernel's masks are wider.
                let wide = group.starts_with("Capability") || group.starts_with("mmapFlag");
                if name == "PR_CAP_AMBIENT" {
                    assert_eq!(ours, 47, "the kernel's number, rather than that of PR_CAPBSET_READ");
                    continue;
                }
                let same = if wide { ours & 0xffff_ffff == expected & 0xffff_ffff } else { ours == expected };
                assert!(same || cfg!(target_arch = "aarch64"), "{name} is {ours}, not {expected}");
            }
        }
    }
    if expected.is_empty() {
        return;
    }
    let theirs = groups().filter(|group| !group.doc.contains("CWS does not have"));
    let ours: BTreeSet<_> = theirs.flat_map(Group::iter).map(|(name, _)| name.to_owned()).collect();
    let more: Vec<_> = ours.difference(&expected).collect();
    assert!(more.is_empty() || cfg!(target_arch = "aarch64"), "unknown to CWS: {more:?}");
    for (name, _) in groups().flat_map(Group::aarch64_only) {
        assert!(expected.contains(*name) || name.ends_with("MTETAGS"), "{name}");
    }
}

#[test]
fn a_name_has_one_value() {
    let mut values = BTreeMap::new();
    for (name, value) in groups().flat_map(Group::iter) {
        assert_eq!(*values.entry(name).or_insert(value), value, "{name}");
    }
}

#[test]
fn capabilities_keep_their_high_bits() {
    assert_eq!(value("CAP_CHECKPOINT_RESTORE"), Some(1 << 40));
    assert_eq!(value("CAP_SETFCAP"), Some(1 << 31));
}

#[test]
fn flags_are_named_by_the_widest_mask() {
    assert_eq!(OPEN_FLAGS.flag_names(0), ["O_RDONLY"]);
    assert_eq!(OPEN_FLAGS.flag_names(0o102 | 0o4_010_000), ["O_RDWR", "O_CREAT", "O_SYNC"]);
    assert_eq!(OPEN_FLAGS.flag_names(0o1_0000), ["O_DSYNC"]);
    assert_eq!(PROTECTION.flag_names(7), ["PROT_READ", "PROT_WRITE", "PROT_EXEC"]);
    assert_eq!(PROTECTION.flag_names(0x40 | 1), ["PROT_READ", "0x40"]);
    assert!(UNLINK_FLAGS.flag_names(0).is_empty());
}

#[test]
fn values_are_named_by_the_usual_name() {
    assert_eq!(ADDRESS_FAMILY.name(1), Some("AF_UNIX"));
    assert_eq!(ERRORS.name(-11), Some("EAGAIN"));
    assert_eq!(SIGNAL.name_or_number(64), "64");
}
