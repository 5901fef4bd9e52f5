//! Files that describe the types of kernels that do not do so themselves (BTF).

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::IntoRawFd as _;
use std::path::Path;
use std::path::PathBuf;

/// What to do on a kernel whose types are not known.
pub(crate) const ADVICE: &str = "set system_probe_config.btf_path to a file made of the kernel's debug information \
     (pahole --btf_encode_detached FILE vmlinux), or to a directory with ID/VERSION_ID/ARCHITECTURE/RELEASE.btf or \
     RELEASE.btf, as BTFHub has them (.btf.tar.xz, too)";

/// The first bytes of such a file, of this machine's order.
const MAGIC: [u8; 2] = 0xeb9f_u16.to_ne_bytes();

/// The end of the name of a packed file.
const PACKED: &str = ".tar.xz";

/// Memory that unpacking may take, in KiB; the highest preset of xz takes 65 MiB.
const XZ_MEMORY_KIB: u32 = 128 << 10;

/// Bytes that a packed file may have; those of distributions have up to 6 MB.
const UNPACKED_MAX: u64 = 64 << 20;

/// The kernel that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    /// As uname tells it.
    kernel: String,
    machine: String,
    /// `ID` of os-release, then those of `ID_LIKE`; none if unknown.
    distributions: Vec<String>,
    /// `VERSION_ID`; empty if unknown.
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
            distributions: distributions(&text),
            version: value(&text, "VERSION_ID"),
        }
    }

    /// Where an archive has the files of this machine's distribution, below its directory; the last is that directory.
    ///
    /// BTFHub has a directory for each minor version of some distributions and for each major one of others, and none
    /// for those that take their kernels from another.
    fn directories(&self) -> Vec<PathBuf> {
        let major = self.version.split_once('.').map(|(major, _)| major);
        let versions: Vec<&str> = std::iter::once(self.version.as_str()).chain(major).collect();
        let mut directories = Vec::new();
        for distribution in &self.distributions {
            for version in &versions {
                let place = Path::new(distribution).join(version);
                directories.extend(self.machines().map(|machine| place.join(machine)));
            }
        }
        directories.push(PathBuf::new());
        directories.dedup();
        directories
    }

    /// Names of this machine's kind: BTFHub says x86_64 and arm64.
    fn machines(&self) -> [&str; 2] {
        [if self.machine == "aarch64" { "arm64" } else { &self.machine }, &self.machine]
    }

    /// Names of the file.
    fn files(&self) -> [String; 2] {
        ["", PACKED].map(|end| format!("{}.btf{end}", self.kernel))
    }

    /// The file of this kernel in an archive: where its distribution has it, else where any has it, since the release
    /// tells one kernel from another.
    fn find_in(&self, archive: &Path) -> Option<PathBuf> {
        let places = self.directories().into_iter().map(|directory| archive.join(directory));
        let others = subdirectories(archive).into_iter().flat_map(|place| subdirectories(&place));
        let others = others.flat_map(|place| self.machines().map(|machine| place.join(machine)));
        let files = self.files();
        places
            .chain(others)
            .find_map(|place| files.iter().map(|file| place.join(file)).find(|file| file.is_file()))
    }
}

/// Directories in one, in the order of their names.
fn subdirectories(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// What os-release calls this distribution, and those that it is like.
fn distributions(text: &str) -> Vec<String> {
    let like = value(text, "ID_LIKE");
    let names = [value(text, "ID")].into_iter().chain(like.split_ascii_whitespace().map(str::to_owned));
    names.filter(|name| !name.is_empty()).collect()
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
    release.find_in(path).map(checked).transpose()?.map(Some).ok_or_else(|| {
        let [file, _] = release.files();
        let [machine, _] = release.machines();
        let looked: Vec<_> = release
            .directories()
            .iter()
            .map(|directory| path.join(directory).join(&file).display().to_string())
            .chain([format!("{}/*/*/{machine}", path.display())])
            .collect();
        format!("no file for this kernel, packed or not: {}", looked.join(", "))
    })
}

/// `file`, or what is packed in it, if that describes types.
fn checked(file: PathBuf) -> Result<PathBuf, String> {
    let unpacked =
        file.to_str().is_some_and(|name| name.ends_with(PACKED)).then(|| unpack(&file)).transpose();
    let readable =
        unpacked.map_err(|error| format!("{}: {error}", file.display()))?.unwrap_or_else(|| file.clone());
    let mut start = [0; 2];
    let read = File::open(&readable).and_then(|mut opened| opened.read_exact(&mut start));
    match read {
        Ok(()) if start == MAGIC || start == *b"\x7fE" => Ok(readable),
        Ok(()) => Err(format!("{}: no BTF", file.display())),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

/// Unpacks the `.btf` of an archive into memory. The path that is returned is this process's alone, and lasts as long as
/// it does.
fn unpack(archive: &Path) -> io::Result<PathBuf> {
    let reader =
        lzma_rust2::XzReader::new_mem_limit(io::BufReader::new(File::open(archive)?), true, XZ_MEMORY_KIB);
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.extension().is_none_or(|extension| extension != "btf") {
            continue;
        }
        if entry.size() > UNPACKED_MAX {
            return Err(io::Error::other(format!("{} bytes of types", entry.size())));
        }
        let mut memory = File::from(rustix::fs::memfd_create("types", rustix::fs::MemfdFlags::CLOEXEC)?);
        io::copy(&mut entry.take(UNPACKED_MAX), &mut memory)?;
        return Ok(format!("/proc/self/fd/{}", memory.into_raw_fd()).into());
    }
    Err(io::Error::other("no .btf in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        let text = "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"8\"\n";
        Release {
            kernel: "4.18.0-80.el8.x86_64".into(),
            machine: "x86_64".into(),
            distributions: distributions(text),
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

    /// As os-release has them, and where BTFHub has the files of such a kernel.
    #[test]
    fn archives_differ_in_how_they_name_versions_and_distributions() {
        for (text, place) in [
            ("ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.0\"", "rhel/8/x86_64"),
            ("ID=\"rhel\"\nVERSION_ID=\"8.0\"", "rhel/8.0/x86_64"),
            ("ID=\"ol\"\nVERSION_ID=\"7.9\"", "ol/7/x86_64"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"8.4\"", "centos/8/x86_64"),
            ("ID=\"sles\"\nVERSION_ID=\"12.5\"", "sles/12.5/x86_64"),
            ("ID=\"amzn\"\nVERSION_ID=\"2\"", "amzn/2/x86_64"),
            ("ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID=\"20.1\"", "ubuntu/20.04/x86_64"),
            ("", "rhel/8/x86_64"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let release = Release {
                distributions: distributions(text),
                version: value(text, "VERSION_ID"),
                ..release()
            };
            // Another machine's is not taken.
            for (place, content) in [("rhel/8/arm64", "text".as_bytes()), (place, &MAGIC)] {
                std::fs::create_dir_all(dir.path().join(place)).unwrap();
                std::fs::write(dir.path().join(place).join("4.18.0-80.el8.x86_64.btf"), content).unwrap();
            }
            let file = dir.path().join(place).join("4.18.0-80.el8.x86_64.btf");
            assert_eq!(find(Some(dir.path()), &release), Ok(Some(file)), "{text}");
        }
    }

    #[test]
    fn the_own_distribution_comes_before_others() {
        let dir = tempfile::tempdir().unwrap();
        for (place, content) in [("centos/8/x86_64", &MAGIC[..]), ("almalinux/8/x86_64", b"text")] {
            std::fs::create_dir_all(dir.path().join(place)).unwrap();
            std::fs::write(dir.path().join(place).join("4.18.0-80.el8.x86_64.btf"), content).unwrap();
        }
        assert!(find(Some(dir.path()), &release()).is_ok());
    }

    /// `name` with `content`, packed as BTFHub does.
    fn packed(name: &str, content: &[u8]) -> Vec<u8> {
        use std::io::Write as _;

        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_data(&mut header, name, content).unwrap();
        let options = lzma_rust2::XzOptions::with_preset(1);
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        xz.write_all(&tar.into_inner().unwrap()).unwrap();
        xz.finish().unwrap()
    }

    #[test]
    fn a_packed_file_is_unpacked_into_memory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("centos/8/x86_64/4.18.0-80.el8.x86_64.btf.tar.xz");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let types = [&MAGIC[..], b"the rest"].concat();
        std::fs::write(&file, packed("./4.18.0-80.el8.x86_64.btf", &types)).unwrap();
        let found = find(Some(dir.path()), &release()).unwrap().unwrap();
        assert!(found.starts_with("/proc/self/fd"), "{found:?}");
        assert_eq!(std::fs::read(&found).unwrap(), types);
        assert_eq!(
            find(Some(&file), &release()).map(|found| std::fs::read(found.unwrap()).unwrap()),
            Ok(types)
        );
    }

    #[test]
    fn a_packed_file_of_something_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("4.18.0-80.el8.x86_64.btf.tar.xz");
        let whole = packed("types.btf", &MAGIC);
        for (content, expected) in [
            (packed("readme", &MAGIC), "no .btf in it"),
            (packed("types.btf", b"text"), "no BTF"),
            (whole[..whole.len() / 2].to_vec(), "tar.xz: "),
            (b"text".to_vec(), "tar.xz: "),
            (Vec::new(), "tar.xz: "),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = find(Some(dir.path()), &release()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn this_machine_has_a_release() {
        let release = Release::of_this_machine("/".as_ref());
        assert!(!release.kernel.is_empty() && !release.machine.is_empty());
    }
}
