//! Whether there is anything to do.

use crate::table::Module;

/// What the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enablement {
    /// Nothing: the process says so and ends with status 0, so that no supervisor restarts it.
    Nothing,
    /// The rules about files only.
    FilesOnly,
    /// All rules.
    Everything,
}

impl Module {
    /// What the two switches ask for together.
    #[must_use]
    pub fn enablement(&self) -> Enablement {
        match (self.enabled, self.fim_enabled) {
            (true, _) => Enablement::Everything,
            (false, true) => Enablement::FilesOnly,
            (false, false) => Enablement::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabled_includes_the_rules_about_files() {
        let enablement = |enabled, fim_enabled| Module { enabled, fim_enabled }.enablement();
        assert_eq!(enablement(true, false), Enablement::Everything);
        assert_eq!(enablement(true, true), Enablement::Everything);
        assert_eq!(enablement(false, true), Enablement::FilesOnly);
        assert_eq!(enablement(false, false), Enablement::Nothing);
    }
}
