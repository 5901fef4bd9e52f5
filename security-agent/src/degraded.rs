//! What the probe watches in part or not at all, told once a reason: on some kernels one reason holds for thirty observations.

/// What stands between two reasons for the same observation.
const NEXT_REASON: &str = "; not seen: ";

/// Reasons, each with the observations that it holds for, in the order in which they are first met.
pub(crate) fn by_reason<'p>(
    parts: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> Vec<(&'p str, Vec<&'p str>)> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (observation, reasons) in parts {
        for reason in split(reasons) {
            let found = told.iter_mut().find(|(other, _)| *other == reason);
            match found {
                // One observation is listed once for each kind of events that it gives.
                Some((_, names)) if names.contains(&observation) => {}
                Some((_, names)) => names.push(observation),
                None => told.push((reason, vec![observation])),
            }
        }
    }
    told
}

/// The single reasons; each but the first begins as [`NEXT_REASON`] does after its separator.
fn split(reasons: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(reasons);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(NEXT_REASON) else { return rest.take() };
        rest = text.get(end + 2..);
        text.get(..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_with_all_that_it_holds_for() {
        let told = by_reason([
            ("file.mount", "not seen: 32-bit"),
            ("file.splice", "not seen: 32-bit; not seen: rings"),
            // Twice: it gives two kinds of events.
            ("file.splice", "not seen: 32-bit; not seen: rings"),
            ("kernel.bpf", "load: refused; attach: refused"),
            ("file.link", "not seen: rings"),
        ]);
        assert_eq!(
            told,
            [
                ("not seen: 32-bit", vec!["file.mount", "file.splice"]),
                ("not seen: rings", vec!["file.splice", "file.link"]),
                ("load: refused; attach: refused", vec!["kernel.bpf"]),
            ]
        );
        assert_eq!(by_reason([("a", "")]), [("", vec!["a"])]);
        assert!(by_reason([]).is_empty());
    }
}
