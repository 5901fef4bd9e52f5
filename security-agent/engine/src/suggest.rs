//! "Did you mean".

/// Longest name that is compared: the work grows with the square of it.
const LONGEST: usize = 64;

/// The candidate that is closest to what was written, if one is close enough to be meant.
pub(crate) fn closest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let written: Vec<char> = written.to_lowercase().chars().collect();
    if written.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&written, candidate), candidate))
        .min()
        .filter(|&(distance, candidate)| distance * 3 <= candidate.len().max(written.len()))
        .map(|(_, candidate)| candidate)
}

/// The help text of a diagnostic about a name that does not exist.
pub(crate) fn did_you_mean<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    closest(written, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// How many characters have to be inserted, removed or replaced.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, &right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_typo_finds_the_name_and_nonsense_finds_nothing() {
        let names = ["expression", "description", "disabled"];
        assert_eq!(closest("expresion", names), Some("expression"));
        assert_eq!(closest("Disabld", names), Some("disabled"));
        assert_eq!(closest("colour", names), None);
        assert_eq!(closest(&"x".repeat(1000), names), None);
    }
}
