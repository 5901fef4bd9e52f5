//! "Did you mean": the known name nearest to an unknown one.

/// The candidate that `name` is most likely a misspelling of, if any is near enough.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longest name worth comparing; a longer one is not a misspelled key.
    const LONGEST: usize = 200;
    if name.len() > LONGEST {
        return None;
    }
    // Known names are ASCII; an unknown one that is not is hardly a misspelling of them.
    let allowed = (name.len() / 6).clamp(1, 4);
    candidates
        .into_iter()
        // Each edit changes the length by one at most.
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // rows[i][j] is the distance of the first i characters of `a` to the first j of `b`.
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| {
        rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(usize::MAX / 2)
    };
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = cell(&rows, i, j) + usize::from(from != to);
            let deleted = cell(&rows, i, j + 1) + 1;
            let inserted = row.last().map_or(usize::MAX, |left| left + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            let swapped = if swapped { cell(&rows, i - 1, j - 1) + 1 } else { usize::MAX };
            row.push(replaced.min(deleted).min(inserted).min(swapped));
        }
        rows.push(row);
    }
    cell(&rows, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_edit_distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("levle", "level", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let keys = ["runtime_security_config.enabled", "runtime_security_config.socket"];
        assert_eq!(nearest("runtime_security_config.enable", keys), Some(keys[0]));
        assert_eq!(nearest("runtime_securty_config.sockt", keys), Some(keys[1]));
        assert_eq!(nearest("logs_config.enabled", keys), None);
    }
}
