//! Files that commands write.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes a new file that only the user can read: at `path`, or with a name of its own in the directory for temporary
/// files. A file that is there already is left alone, and so is what a link would lead to.
pub(super) fn write_new(
    path: Option<&Path>,
    name: &str,
    ending: &str,
    content: &[u8],
) -> io::Result<PathBuf> {
    let path = path.map_or_else(|| temporary(name, ending), Path::to_owned);
    let describe = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(describe)?;
    file.write_all(content).map_err(describe)?;
    Ok(path)
}

fn temporary(name: &str, ending: &str) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    std::env::temp_dir().join(format!("{name}-{}-{}.{ending}", now.as_nanos(), std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_new_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        assert_eq!(write_new(Some(&path), "", "", b"1").unwrap(), path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(Some(&path), "", "", b"2").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"1");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
        assert!(write_new(Some(&link), "", "", b"2").is_err());
    }
}
