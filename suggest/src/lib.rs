//! "Did you mean": when an unknown name is close enough to a known one to be a misspelling of it.
//!
//! One policy for keys of the configuration, of policies, and for names in expressions, so that the same slip gets the same answer
//! everywhere.

/// Longest name that is compared, in bytes: the work grows with the square of it, and nobody misspells a longer one.
pub const LONGEST: usize = 128;

/// Finds the nearest of many names, which are offered one by one.
#[derive(Debug)]
pub struct Nearest<'w> {
    written: &'w str,
    folded: String,
    /// Edits that are forgiven.
    allowed: usize,
    /// The best so far, with the edits it needs.
    best: Option<(usize, String)>,
}

impl<'w> Nearest<'w> {
    /// Looks for what `written` was meant to be.
    #[must_use]
    pub fn new(written: &'w str) -> Self {
        // One edit in four characters, so that short names do not turn into each other.
        let allowed = (written.len() / 4).clamp(1, 4);
        Self { written, folded: written.to_ascii_lowercase(), allowed, best: None }
    }

    /// Considers a name. Of equally near ones the first offered stays.
    pub fn offer(&mut self, name: &str) {
        // Each edit changes the length by at most one character, which is up to four bytes.
        if self.written.len() > LONGEST || name.len().abs_diff(self.written.len()) > 4 * self.allowed {
            return;
        }
        if name.eq_ignore_ascii_case(self.written) {
            // The case alone is wrong: nothing is nearer.
            self.best = Some((0, name.to_owned()));
            return;
        }
        let distance = strsim::osa_distance(&self.folded, &name.to_ascii_lowercase());
        if distance <= self.allowed && self.best.as_ref().is_none_or(|(least, _)| distance < *least) {
            self.best = Some((distance, name.to_owned()));
        }
    }

    /// The nearest name, if one is near enough.
    #[must_use]
    pub fn found(self) -> Option<String> {
        self.best.map(|(_, name)| name)
    }
}

/// The candidate that `written` is most likely a misspelling of.
pub fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let mut nearest = Nearest::new(written);
    candidates.into_iter().for_each(|candidate| nearest.offer(candidate));
    nearest.found()
}

/// The help text of a diagnostic about a name that does not exist.
pub fn did_you_mean<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(written, candidates).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_the_name_that_was_meant() {
        let names = ["open.flags", "open.file.path", "O_CREAT", "expression", "disabled", "description"];
        for (written, meant) in [
            ("open.flgas", "open.flags"),
            ("open.fle.path", "open.file.path"),
            ("O_CRAET", "O_CREAT"),
            ("o_creat", "O_CREAT"),
            ("expresion", "expression"),
            ("Disabld", "disabled"),
        ] {
            assert_eq!(nearest(written, names).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(did_you_mean("expresion", names).as_deref(), Some("did you mean `expression`?"));
    }

    #[test]
    fn the_nearest_of_several_wins() {
        let keys = ["runtime_security_config.enabled", "runtime_security_config.socket"];
        assert_eq!(nearest("runtime_security_config.enable", keys).as_deref(), Some(keys[0]));
        assert_eq!(nearest("runtime_securty_config.sockt", keys).as_deref(), Some(keys[1]));
        assert_eq!(nearest("logs_config.enabled", keys), None);
    }

    #[test]
    fn nonsense_finds_nothing() {
        let names = ["expression", "every", "id"];
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
        assert_eq!(nearest("é", ["è"]).as_deref(), Some("è"));
    }
}
