//! The tarball for hosts without deb and rpm: built from the programs under test, installed, used, upgraded and removed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{built, can_run};

#[test]
fn the_tarball_installs_upgrades_and_leaves_nothing_behind() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    for tool in ["dpkg-deb", "rpmbuild", "xz", "unshare"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output()?;
        if !found.status.success() {
            println!("skipped: building packages needs {tool}");
            return Ok(());
        }
    }
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let directory = tempfile::tempdir()?;
    let programs = built("security-agent")?;
    built("system-probe")?;
    let output = Command::new(packaging.join("package/build.sh"))
        .arg("tarball")
        .env("CWS_BIN_DIR", programs.parent().context("a directory")?)
        .env("CWS_PACKAGES_DIR", directory.path())
        .output()?;
    ensure!(output.status.success(), "build.sh: {}", String::from_utf8_lossy(&output.stderr));
    let tarball = std::fs::read_dir(directory.path())?.flatten().next().context("a tarball")?.path();
    let output = Command::new(packaging.join("tarball/test.sh")).arg(&tarball).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // Each part says that it came to its end.
    for part in ["installed, turned on, and used", "upgraded", "uninstalled", "purged, with nothing left"] {
        ensure!(said.contains(part), "{part} is not in {said}");
    }
    Ok(())
}
