//! Finding what cargo has built.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The executable `name` of this workspace, built with the profile of the running test.
///
/// # Errors
/// If it was not built: cargo builds the executables of a package only for the tests of that package.
pub fn built(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("the path of the running test")?;
    // A test is at PROFILE/deps/NAME-HASH.
    let profile = test.ancestors().nth(2).context("the test is not in a target directory")?;
    let path = profile.join(name);
    ensure!(path.is_file(), "{} is not built: cargo build -p system-probe -p security-agent", path.display());
    Ok(path)
}
