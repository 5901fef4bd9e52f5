//! Finding what cargo has built.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The directory of the executables, where it is not that of the test: `make test` builds what is tested as its users get
/// it, and the tests, which take far longer to build so, without optimisation.
const PROGRAMS: &str = "CWS_BIN_DIR";

/// The executable `name` of this workspace: in the directory of `CWS_BIN_DIR`, else built with the profile of the running
/// test.
///
/// # Errors
/// If it was not built: cargo builds the executables of a package only for the tests of that package.
pub fn built(name: &str) -> Result<PathBuf> {
    let programs =
        std::env::var_os(PROGRAMS).map_or_else(beside_the_test, |directory| Ok(directory.into()))?;
    let path = programs.join(name);
    ensure!(path.is_file(), "{} is not built: cargo build -p system-probe -p security-agent", path.display());
    Ok(path)
}

/// A test is at `PROFILE/deps/NAME-HASH`.
fn beside_the_test() -> Result<PathBuf> {
    let test = std::env::current_exe().context("the path of the running test")?;
    Ok(test.ancestors().nth(2).context("the test is not in a target directory")?.to_path_buf())
}
