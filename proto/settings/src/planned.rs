//! Documented keys of the reference that have no effect here.

/// A feature of the reference with its keys.
#[derive(Debug)]
pub(crate) struct Feature {
    /// What it is.
    pub(crate) title: &'static str,
    /// Its keys, each with the version of the reference that introduced it.
    pub(crate) keys: &'static [(&'static str, &'static str)],
}

/// All of them.
pub(crate) const PLANNED: &[Feature] = &[];
