//! "Did you mean": the known name closest to an unknown one.

/// The closest of the names that `each` visits, if one is close enough to be what was meant.
pub(crate) fn closest(wanted: &str, each: impl FnOnce(&mut dyn FnMut(&str))) -> Option<String> {
    /// Longer names are not worth the quadratic comparison.
    const LONGEST: usize = 128;
    if wanted.len() > LONGEST {
        return None;
    }
    let limit = (wanted.len() / 4).clamp(1, 4);
    let mut best: Option<(usize, String)> = None;
    each(&mut |name| {
        if name.len().abs_diff(wanted.len()) > limit {
            return;
        }
        let distance = distance(wanted.as_bytes(), name.as_bytes());
        if distance <= limit && best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, name.to_owned()));
        }
    });
    best.map(|(_, name)| name)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut cost = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(wanted: &str) -> Option<String> {
        closest(wanted, |visit| ["open.flags", "open.file.path", "O_CREAT"].into_iter().for_each(visit))
    }

    #[test]
    fn typos_are_recognised() {
        assert_eq!(suggestion("open.flgas").as_deref(), Some("open.flags"));
        assert_eq!(suggestion("open.fle.path").as_deref(), Some("open.file.path"));
        assert_eq!(suggestion("O_CRAET").as_deref(), Some("O_CREAT"));
    }

    #[test]
    fn far_names_are_not_suggested() {
        assert_eq!(suggestion("exec.pid"), None);
        assert_eq!(suggestion(&"x".repeat(10_000)), None);
    }
}
