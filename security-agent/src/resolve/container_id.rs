//! The container id in the path of a control group.
//!
//! Every runtime puts the id of the container into the path of its control group, each with its own decoration
//! (`docker-ID.scope`, `…:cri-containerd:ID`, `libpod-ID`). The decoration is not looked at: an id is recognised by its
//! own form, which works for runtimes that nobody has heard of yet. Three forms exist:
//!
//! - 64 hexadecimal digits: Docker, containerd, CRI-O, Podman;
//! - 32 hexadecimal digits, a dash and decimal digits: Amazon ECS tasks;
//! - groups of 8, 4, 4, 4 and 4 hexadecimal digits with dashes between: Garden (Cloud Foundry). A UUID differs by its
//!   last group of 12.
//!
//! A form only counts if no further hexadecimal digit touches it. Of several ids the last one counts: that is the
//! innermost container.
//!
//! Whoever may create control groups can forge such a path; the id is as trustworthy as the administrator of the
//! host's control groups.

/// Longest id that is believed in, bytes. Garden and the common form are fixed; an ECS id ends in a number.
const MAX_LENGTH: usize = 64;

/// The runs of hexadecimal digits that an id is made of, with the length of each.
const GARDEN: [usize; 5] = [8, 4, 4, 4, 4];

/// The id of the innermost container in `cgroup_path`, if it is the path of a container.
#[must_use]
pub fn container_id(cgroup_path: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut at = 0;
    while at < cgroup_path.len() {
        let run = hex_run(cgroup_path, at);
        if run == 0 {
            at += 1;
            continue;
        }
        let length = id_length(cgroup_path, at, run);
        if let Some(length) = length {
            found = cgroup_path.get(at..at + length);
        }
        at += length.unwrap_or(run);
    }
    found
}

/// Length of the id that begins at `at`, where a run of `run` hexadecimal digits begins.
fn id_length(path: &[u8], at: usize, run: usize) -> Option<usize> {
    match run {
        64 => Some(64),
        32 => ecs_length(path, at),
        8 => garden_length(path, at),
        _ => None,
    }
}

fn ecs_length(path: &[u8], at: usize) -> Option<usize> {
    let dash = at + 32;
    if path.get(dash) != Some(&b'-') {
        return None;
    }
    let digits = hex_run(path, dash + 1);
    let number = path.get(dash + 1..dash + 1 + digits)?;
    let is_number = digits > 0 && number.iter().all(u8::is_ascii_digit);
    Some(33 + digits).filter(|length| is_number && *length <= MAX_LENGTH)
}

fn garden_length(path: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for (index, group) in GARDEN.into_iter().enumerate() {
        if index > 0 {
            if path.get(end) != Some(&b'-') {
                return None;
            }
            end += 1;
        }
        if hex_run(path, end) != group {
            return None;
        }
        end += group;
    }
    Some(end - at)
}

fn hex_run(path: &[u8], at: usize) -> usize {
    path.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::shared_lines;

    fn id(path: &str) -> String {
        String::from_utf8(container_id(path.as_bytes()).unwrap_or_default().to_vec()).unwrap()
    }

    #[test]
    fn shared_cases_pass() {
        for case in shared_lines("secl/container_id_cases.jsonl") {
            assert_eq!(id(case["cgroup_path"].as_str().unwrap()), case["container_id"], "{case}");
        }
    }

    #[test]
    fn the_innermost_of_nested_containers_counts() {
        let (outer, inner) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(id(&format!("/docker/{outer}/docker/{inner}/init.scope")), inner);
    }

    #[test]
    fn forms_that_are_almost_ids_are_none() {
        let hex63 = "a".repeat(63);
        for path in [
            hex63.as_str(),
            "/task/0123456789aAbBcCdDeEfF0123456789-",
            "/task/0123456789aAbBcCdDeEfF0123456789-abcdef6789",
            "/task/0123456789aAbBcCdDeEfF0123456789-12a",
            "/garden/01234567-0123-4567-890a-bcd",
            "/garden/01234567-0123-4567-890a",
            "/garden/f01234567-0123-4567-890a-bcde",
            "",
        ] {
            assert_eq!(id(path), "", "{path}");
        }
        assert_eq!(id("/garden/01234567-0123-4567-890a-bcde"), "01234567-0123-4567-890a-bcde");
        let endless = format!("/ecs/{}-{}", "a".repeat(32), "1".repeat(40));
        assert_eq!(id(&endless), "", "no id is that long");
    }

    #[test]
    fn paths_seen_from_another_cgroup_namespace_work() {
        let id64 = "c".repeat(64);
        assert_eq!(id(&format!("/../../docker/{id64}")), id64);
    }
}
