//! The Unix socket that the agent connects to: made safely, and open to root and the agent's user only.
//!
//! The directory may belong to the agent's user, who then can rename and replace things in it at any moment. So
//! nothing is done through the path that could be diverted to another file: the mode comes from the umask at
//! creation, and the group is set through a descriptor that was checked to be a socket.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::identity::User;

/// Bits that a new socket does not get: it ends up as 0660.
const UMASK: u32 = 0o117;
/// Of a directory that is made for the socket.
const DIRECTORY_MODE: u32 = 0o755;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// Somebody listens on it.
    #[error("{0}: another process listens on this socket; is system-probe running already?")]
    InUse(PathBuf),
    /// A file that is none of ours to remove.
    #[error("{0} exists and is not a socket; remove it or set runtime_security_config.socket")]
    NotASocket(PathBuf),
    /// Any step failed.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The socket or its directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A socket that is listened on. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
    /// To tell whether the path still is this socket at the end.
    inode: u64,
}

impl Socket {
    /// Makes the socket, mode 0660, in the group of `agent`. A stale one, on which nobody listens, is replaced.
    pub(crate) fn create(path: &Path, agent: Option<User>) -> Result<Self, SocketError> {
        let failed = |action| move |source| SocketError::Io { path: path.to_owned(), action, source };
        make_directory(path)?;
        remove_stale(path)?;
        let umask = rustix::process::umask(Mode::from_raw_mode(UMASK));
        let listener = UnixListener::bind(path);
        rustix::process::umask(umask);
        let listener = listener.map_err(failed("listen"))?;
        let inode = set_group(path, agent).map_err(failed("set the group of"))?;
        listener.set_nonblocking(true).map_err(failed("set up"))?;
        Ok(Self { path: path.to_owned(), listener, inode })
    }

    /// A second handle to listen with; the socket stays in place while `self` lives.
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        use std::os::unix::fs::MetadataExt as _;
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            // Not in the way of the next start, which replaces it.
            tracing::debug!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

fn make_directory(path: &Path) -> Result<(), SocketError> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    made.map_err(|source| SocketError::Io { path: directory.to_owned(), action: "create", source })
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let failed = |action| move |source| SocketError::Io { path: path.to_owned(), action, source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed("remove the stale"))
        }
        Err(error) => Err(failed("see whether anybody listens on")(error)),
    }
}

/// Gives the socket to the agent's group. Gives its inode number.
fn set_group(path: &Path, agent: Option<User>) -> io::Result<u64> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(io::Error::other("it was replaced by something else"));
    }
    if let Some(agent) = agent.filter(|agent| agent.gid != stat.st_gid) {
        rustix::fs::chownat(&file, "", None, Some(Gid::from_raw(agent.gid)), AtFlags::EMPTY_PATH)?;
    }
    Ok(stat.st_ino)
}

/// Who may connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerPolicy {
    /// Root, the user that this process runs as, and the agent's user if there is one.
    admitted: [Option<u32>; 3],
}

impl PeerPolicy {
    /// Root, the user of this process, and the agent's.
    pub(crate) fn new(agent: Option<User>) -> Self {
        let own = rustix::process::geteuid().as_raw();
        Self { admitted: [Some(0), Some(own), agent.map(|agent| agent.uid)] }
    }

    /// No one.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self { admitted: [None; 3] }
    }

    pub(crate) fn admits(&self, uid: u32) -> bool {
        self.admitted.contains(&Some(uid))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn the_socket_is_for_owner_and_group_and_goes_away_with_the_process() {
        let directory = directory();
        let path = directory.path().join("below/socket");
        let socket = Socket::create(&path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn the_group_is_the_agents() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: only root can give files away");
        }
        let directory = directory();
        let path = directory.path().join("socket");
        let _socket = Socket::create(&path, Some(User { uid: 12_345, gid: 23_456 })).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (0, 23_456));
    }

    #[test]
    fn a_stale_socket_is_replaced_and_one_in_use_is_not() {
        let directory = directory();
        let path = directory.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let socket = Socket::create(&path, None).unwrap();
        assert!(matches!(Socket::create(&path, None), Err(SocketError::InUse(_))));
        UnixStream::connect(&path).unwrap();
        drop(socket);
    }

    #[test]
    fn nothing_but_a_socket_is_removed() {
        let directory = directory();
        let path = directory.path().join("socket");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::create(&path, None), Err(SocketError::NotASocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        // A link is not followed, neither to remove what it names nor to make the socket there.
        let link = directory.path().join("link");
        symlink(directory.path().join("elsewhere"), &link).unwrap();
        assert!(matches!(Socket::create(&link, None), Err(SocketError::NotASocket(_))));
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn a_socket_of_a_successor_is_left_alone() {
        let directory = directory();
        let path = directory.path().join("socket");
        let first = Socket::create(&path, None).unwrap();
        fs::remove_file(&path).unwrap();
        // Something in between, so that the inode number is not used again at once.
        fs::write(directory.path().join("other"), "").unwrap();
        let _second = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn root_and_the_agent_may_connect_and_nobody_else() {
        let own = rustix::process::geteuid().as_raw();
        let agent = User { uid: 54_321, gid: 12_345 };
        let policy = PeerPolicy::new(Some(agent));
        assert!(policy.admits(0) && policy.admits(own) && policy.admits(agent.uid));
        assert!(!policy.admits(agent.gid) && !policy.admits(u32::MAX));
        assert!(!PeerPolicy::new(None).admits(agent.uid));
    }
}
