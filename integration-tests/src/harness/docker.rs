//! A Docker daemon of one's own: started for a test, without network, and removed with everything it made.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::mount::{UnmountFlags, unmount};
use tempfile::TempDir;

use super::child::Running;
use super::trigger::Trigger;

/// How long the daemon may take to get ready.
const READY: Duration = Duration::from_secs(60);
/// The image of the tests: a registry with a port, a path and a tag, so that every part of a name is there.
pub const IMAGE: &str = "localhost:5000/team/cws-test:1.2";

/// A running daemon. It is stopped and its containers and images are removed when this is dropped.
#[derive(Debug)]
pub struct Docker {
    daemon: Running,
    directory: TempDir,
}

/// What is missing to run Docker here; `None`: nothing.
fn missing() -> Option<&'static str> {
    let is_there = |program: &str| {
        std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        })
    };
    if !is_there("dockerd") || !is_there("docker") {
        return Some("there is no Docker here (docker.io)");
    }
    if !Path::new("/bin/busybox").is_file() {
        return Some("there is no static busybox here (busybox-static)");
    }
    None
}

impl Docker {
    /// Starts a daemon and gives it [`IMAGE`]: busybox, and the trigger of that name as `/truth` if one is named. `None`,
    /// with the reason on standard output, where there is no Docker.
    ///
    /// # Errors
    /// If there is one and it does not start.
    pub fn start(trigger: Option<&str>) -> Result<Option<Self>> {
        if let Some(reason) = missing() {
            println!("skipped: {reason}");
            return Ok(None);
        }
        let directory = tempfile::Builder::new().prefix("cws-docker.").tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new("dockerd");
        command
            .arg("--host")
            .arg(format!("unix://{}", path("docker.sock").display()))
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            // Without networks it leaves the interfaces and the firewall of the machine alone.
            .args([
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--ip-masq=false",
            ]);
        let daemon = Running::start("dockerd", &mut command, &path("log"))?;
        let mut docker = Self { daemon, directory };
        let deadline = Instant::now() + READY;
        while docker.run(["version"]).is_err() {
            docker.daemon.check()?;
            ensure!(
                Instant::now() < deadline,
                "dockerd is not ready within {READY:?}\n{}",
                docker.daemon.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        docker.import(trigger)?;
        Ok(Some(docker))
    }

    fn import(&self, trigger: Option<&str>) -> Result<()> {
        let root = self.directory.path().join("root");
        for directory in ["bin", "etc", "tmp", "data"] {
            std::fs::create_dir_all(root.join(directory))?;
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))?;
        for applet in ["sh", "sleep", "cat", "true"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet))?;
        }
        std::fs::write(root.join("etc/lower"), "from the image\n")?;
        if let Some(name) = trigger {
            Trigger::compile(name, &root)?;
            std::fs::rename(root.join(name), root.join("truth"))?;
        }
        let archive = self.directory.path().join("image.tar");
        let tar = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status()?;
        ensure!(tar.success(), "tar: {tar}");
        self.run([OsStr::new("import"), archive.as_os_str(), OsStr::new(IMAGE)])?;
        Ok(())
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Runs a command of `docker` and returns what it prints.
    ///
    /// # Errors
    /// If it fails.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        Ok(self.call(arguments)?.0)
    }

    /// What a container has written to standard output, and then to standard error.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn log(&self, container: &str) -> Result<String> {
        let (stdout, stderr) = self.call(["logs", container])?;
        Ok(format!("{stdout}\n{stderr}"))
    }

    fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<(String, String)> {
        let output = Command::new("docker")
            // The configuration of whoever runs the tests has no part in them.
            .arg("--config")
            .arg(self.directory.path())
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("start docker")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let stderr = text(&output.stderr);
        ensure!(output.status.success(), "docker: {}: {stderr}", output.status);
        Ok((text(&output.stdout), stderr))
    }

    /// Starts a container in the background: `docker run` with these options, then the command in [`IMAGE`]. Returns its id.
    ///
    /// # Errors
    /// If it does not start.
    pub fn container(&self, options: &[&str], command: &[&str]) -> Result<String> {
        let mut arguments = vec!["run", "--detach", "--network=none"];
        arguments.extend_from_slice(options);
        arguments.push(IMAGE);
        arguments.extend_from_slice(command);
        self.run(arguments)
    }

    /// Process id of the first process of a container, as the host sees it.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn pid(&self, container: &str) -> Result<u64> {
        let pid = self.run(["inspect", "--format", "{{.State.Pid}}", container])?;
        pid.parse().with_context(|| format!("process id {pid:?}"))
    }

    fn remove_containers(&self) -> Result<()> {
        let ids = self.run(["ps", "--all", "--quiet"])?;
        if !ids.is_empty() {
            let arguments = ["rm", "--force", "--volumes"].into_iter().chain(ids.lines());
            self.run(arguments)?;
        }
        Ok(())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // Containers outlive their daemon. A daemon that is gone cannot be asked; what it left shows in the warnings.
        for result in [self.remove_containers(), self.daemon.stop().map(drop)] {
            if let Err(error) = result {
                eprintln!("docker: {error:#}");
            }
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = self.directory.path();
        let left = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|path| Path::new(path).starts_with(own));
        for path in left.collect::<Vec<_>>().into_iter().rev() {
            if let Err(error) = unmount(path, UnmountFlags::DETACH) {
                eprintln!("docker: cannot unmount {path}: {error}");
            }
        }
    }
}
