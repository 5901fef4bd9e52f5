//! Files that describe the types of kernels that do not do so themselves (BTF).

use std::path::Path;
use std::path::PathBuf;

/// What to do on a kernel whose types are not known.
pub(crate) const ADVICE: &str = "set system_probe_config.btf_path to a file made of the kernel's debug information \
     (pahole --btf_encode_detached FILE vmlinux), or to a directory with ID/VERSION_ID/ARCHITECTURE/RELEASE.btf or \
     RELEASE.btf, as BTFHub has them (unpacked)";

/// The first bytes of such a file, of this machine's order.
const MAGIC: [u8; 2] = 0xeb9f_u16.to_ne_bytes();

/// The kernel that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    /// As uname tells it.
    kernel: String,
    machine: String,
    /// `ID` and `VERSION_ID` of os-release; empty if unknown.
    distribution: String,
    version: String,
}

impl Release {
    /// Of the machine whose files are below `root`.
    pub(crate) fn of_this_machine(root: &Path) -> Self {
        let uname = rustix::system::uname();
        let text = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|file| std::fs::read_to_string(root.join(file)).ok())
            .unwrap_or_default();
        Self {
            kernel: uname.release().to_string_lossy().into_owned(),
            machine: uname.machine().to_string_lossy().into_owned(),
            distribution: value(&text, "ID"),
            version: value(&text, "VERSION_ID"),
        }
    }

    /// Where an archive has the file of this kernel.
    fn places(&self) -> [PathBuf; 3] {
        let file = format!("{}.btf", self.kernel);
        // BTFHub says x86_64 and arm64.
        let machine = if self.machine == "aarch64" { "arm64" } else { &self.machine };
        let distribution = Path::new(&self.distribution).join(&self.version);
        [distribution.join(machine).join(&file), distribution.join(&self.machine).join(&file), file.into()]
    }
}

/// The value of a line `KEY=value` or `KEY="value"`.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
}

/// The file that `path` gives for a kernel: itself, or the one of an archive. None without a path.
///
/// # Errors
///
/// There is no such file, or it is of something else.
pub(crate) fn find(path: Option<&Path>, release: &Release) -> Result<Option<PathBuf>, String> {
    let Some(path) = path else { return Ok(None) };
    if !path.is_dir() {
        return checked(path.to_owned()).map(Some);
    }
    match release.places().into_iter().map(|place| path.join(place)).find(|file| file.is_file()) {
        Some(file) => checked(file).map(Some),
        None => {
            let looked = release.places().map(|place| path.join(place).display().to_string());
            Err(format!("no file for this kernel: {}", looked.join(", ")))
        }
    }
}

fn checked(file: PathBuf) -> Result<PathBuf, String> {
    use std::io::Read as _;

    let mut start = [0; 2];
    let read = std::fs::File::open(&file).and_then(|mut opened| opened.read_exact(&mut start));
    match read {
        Ok(()) if start == MAGIC || start == *b"\x7fE" => Ok(file),
        Ok(()) => Err(format!("{}: no BTF", file.display())),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        let text = "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"8\"\n";
        Release {
            kernel: "4.18.0-80.el8.x86_64".into(),
            machine: "x86_64".into(),
            distribution: value(text, "ID"),
            version: value(text, "VERSION_ID"),
        }
    }

    #[test]
    fn a_file_is_taken_if_it_is_btf() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
        std::fs::write(&good, MAGIC).unwrap();
        std::fs::write(&bad, "text").unwrap();
        assert_eq!(find(Some(&good), &release()), Ok(Some(good)));
        assert!(find(Some(&bad), &release()).unwrap_err().contains("no BTF"));
        assert!(find(Some(&dir.path().join("none")), &release()).unwrap_err().contains("none"));
        assert_eq!(find(None, &release()), Ok(None));
    }

    #[test]
    fn an_archive_is_searched_as_btfhub_lays_it_out() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(Some(dir.path()), &release()).unwrap_err();
        assert!(error.contains("centos/8/x86_64/4.18.0-80.el8.x86_64.btf"), "{error}");
        let plain = dir.path().join("4.18.0-80.el8.x86_64.btf");
        std::fs::write(&plain, MAGIC).unwrap();
        assert_eq!(find(Some(dir.path()), &release()), Ok(Some(plain)));
        let nested = dir.path().join("centos/8/x86_64/4.18.0-80.el8.x86_64.btf");
        std::fs::create_dir_all(nested.parent().unwrap()).unwrap();
        std::fs::write(&nested, MAGIC).unwrap();
        assert_eq!(find(Some(dir.path()), &release()), Ok(Some(nested)));
    }

    #[test]
    fn this_machine_has_a_release() {
        let release = Release::of_this_machine("/".as_ref());
        assert!(!release.kernel.is_empty() && !release.machine.is_empty());
    }
}
