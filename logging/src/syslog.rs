//! The log in the system's log: the Unix socket on which a syslog daemon or systemd's journal listens.
//!
//! Only local sockets: system-probe opens no other, and a daemon that forwards is what a network needs anyway. A line is a
//! message without a connection, so the daemon may be restarted at any time, and sending never waits for it.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// `local4`, which the reference logs to.
const FACILITY: u8 = 20;
/// Where daemons listen.
const USUAL: [&str; 2] = ["/dev/log", "/var/run/syslog"];

/// The socket of a daemon.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    /// What lines begin with after their priority, as glibc's syslog(3) writes it but for the time, which the daemon knows.
    tag: String,
    socket: UnixDatagram,
    /// Whether lines that it cannot take are on standard error in any case.
    console: bool,
    /// Whether it took the last line: only the first one in a row that it does not take is told.
    took_last: AtomicBool,
}

impl Syslog {
    /// That at `uri`, `unix://PATH`; empty: where daemons usually listen.
    ///
    /// # Errors
    /// If it is no Unix socket, or the process can have no more sockets.
    pub(crate) fn new(uri: &str, name: &str, console: bool) -> anyhow::Result<Self> {
        let path = match uri {
            "" => {
                let found = USUAL.into_iter().map(Path::new).find(|path| path.exists());
                found.unwrap_or(Path::new(USUAL[0])).to_owned()
            }
            uri => {
                let place = uri.strip_prefix("unixgram://").or_else(|| uri.strip_prefix("unix://"));
                let path = PathBuf::from(place.unwrap_or(uri));
                ensure!(path.is_absolute(), "syslog_uri: {uri}: expected unix://PATH, a local socket");
                path
            }
        };
        let socket = UnixDatagram::unbound().context("a socket for syslog")?;
        socket.set_nonblocking(true).context("a socket for syslog")?;
        let tag = format!("{name}[{}]: ", std::process::id());
        Ok(Self { path, tag, socket, console, took_last: AtomicBool::new(true) })
    }

    fn send(&self, level: Level, line: &[u8]) {
        let priority = format!("<{}>", FACILITY * 8 + severity(level));
        let line = line.trim_ascii_end();
        let message = [priority.as_bytes(), self.tag.as_bytes(), line].concat();
        let Err(error) = self.socket.send_to(&message, &self.path) else {
            return self.took_last.store(true, Ordering::Relaxed);
        };
        let mut stderr = std::io::stderr().lock();
        if self.took_last.swap(false, Ordering::Relaxed) {
            // Nobody is left to tell.
            let _lost = writeln!(stderr, "cannot log to syslog at {}: {error}", self.path.display());
        }
        if !self.console {
            let _lost = stderr.write_all(&[line, b"\n"].concat());
        }
    }
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Writes the lines of one level.
#[derive(Debug)]
pub(crate) struct AtLevel<'s>(&'s Syslog, Level);

impl Write for AtLevel<'_> {
    /// The subscriber hands over whole lines.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.send(self.1, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Syslog {
    type Writer = AtLevel<'w>;

    fn make_writer(&'w self) -> Self::Writer {
        AtLevel(self, Level::INFO)
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Self::Writer {
        AtLevel(self, *metadata.level())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use super::*;

    fn received(server: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = server.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_line_is_a_message_with_its_level() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        for uri in [format!("unix://{}", path.display()), path.display().to_string()] {
            let syslog = Syslog::new(&uri, "a-process", true).unwrap();
            let pid = std::process::id();
            for (level, priority) in
                [(Level::ERROR, 163), (Level::WARN, 164), (Level::INFO, 166), (Level::TRACE, 167)]
            {
                AtLevel(&syslog, level).write_all(b"what happened\n").unwrap();
                assert_eq!(received(&server), format!("<{priority}>a-process[{pid}]: what happened"));
            }
        }
    }

    #[test]
    fn a_daemon_that_is_away_or_does_not_read_holds_nothing_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let syslog = Syslog::new(&path.display().to_string(), "x", true).unwrap();
        syslog.send(Level::INFO, b"lost");
        assert!(!syslog.took_last.load(Ordering::Relaxed));
        let server = UnixDatagram::bind(&path).unwrap();
        syslog.send(Level::INFO, b"there");
        assert!(syslog.took_last.load(Ordering::Relaxed));
        assert!(received(&server).ends_with(": there"));
        // Its queue is full at some point; sending returns all the same.
        for _ in 0..10_000 {
            syslog.send(Level::INFO, b"too much");
        }
        assert!(!syslog.took_last.load(Ordering::Relaxed));
    }

    #[test]
    fn only_local_sockets_are_taken() {
        for uri in ["udp://127.0.0.1:514", "unix://relative", "x"] {
            let error = Syslog::new(uri, "x", true).unwrap_err().to_string();
            assert!(error.contains(uri) && error.contains("unix://PATH"), "{error}");
        }
    }
}
