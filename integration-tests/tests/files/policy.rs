//! Rules on files of the default policy, on the real kernel. What they are about is made in a file system in memory
//! that only the trigger sees, mounted over the directory of the real one.

use std::fs;
use std::path::Path;

use anyhow::Result;
use integration_tests::harness::call::{Arg, Calls, Made, b, n, r, s, w, x};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use libc::{AT_FDCWD, MS_BIND, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

use crate::mounts::{mount_tmpfs, number, own_namespace};

const NOBODY: u32 = 65534;

/// Calls in a file system of their own at `top`, with these directories.
fn at(top: &str, directories: &[&str]) -> Calls {
    let mounted = mount_tmpfs(own_namespace(), Path::new(top));
    directories.iter().fold(mounted, |calls, name| calls.then(libc::SYS_mkdir, [s(name), n(0o755)]))
}

fn open(calls: Calls, path: impl AsRef<Path>, flags: i32) -> Calls {
    calls.then(libc::SYS_openat, [n(AT_FDCWD), s(path.as_ref()), n(flags), n(0o644)])
}

fn create(calls: Calls, path: impl AsRef<Path>) -> Calls {
    calls.then(libc::SYS_mknod, [s(path.as_ref()), n(0o100_644), n(0)])
}

/// The flags of the last buffer of a pipe were those of a write; a page of the file behind `path` replaces it.
fn dirty_pipe(path: &Path) -> Calls {
    Calls::new()
        .then(libc::SYS_pipe2, [b(8), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(path), n(O_RDONLY)])
        .then(libc::SYS_write, [w(0, 0, 4), s("hello"), n(5)])
        .then(libc::SYS_read, [w(0, 0, 0), b(5), n(5)])
        .then(libc::SYS_splice, [r(1), n(0), w(0, 0, 4), n(0), n(1), n(0)])
}

/// A pipe is emptied in part into a file of root's, by who was root when it was opened. The flags of the pipe are those that
/// an overwritten page leaves.
fn half_emptied_pipe(path: &Path) -> Calls {
    open(Calls::new().then(libc::SYS_pipe2, [b(8), n(0)]), path, O_WRONLY)
        .then(libc::SYS_write, [w(0, 0, 4), s("hello"), n(5)])
        .then(libc::SYS_setresuid, [n(NOBODY), n(NOBODY), n(NOBODY)])
        .then(libc::SYS_splice, [w(0, 0, 0), n(0), r(1), n(0), n(2), n(0)])
}

/// Mounts `file` over another one, whose directory is a file system of its own.
fn covered(calls: Calls, file: &Path, path: &str) -> Calls {
    create(calls, path).then(libc::SYS_mount, [s(file), s(path), n(0), n(number(MS_BIND)), n(0)])
}

/// `security.capability` with CAP_NET_RAW: revision 2, effective.
fn capability() -> Arg {
    let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0];
    x(&words.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<_>>())
}

/// What must match which rules.
fn hostile(place: &Path) -> Vec<(&'static str, Calls)> {
    let file = |name: &str| place.join(name);
    let creates = O_CREAT | O_WRONLY;
    let made = |name: &str| create(Calls::new(), file(name));
    vec![
        ("password_hashes_read", open(create(at("/etc", &[]), "/etc/shadow"), "/etc/shadow", O_RDONLY)),
        ("accounts_file_changed", open(at("/etc", &[]), "/etc/passwd", creates | O_APPEND)),
        ("ssh_authorized_keys_changed", open(Calls::new(), file("authorized_keys"), creates)),
        ("ssh_private_key_read", open(made("id_ed25519"), file("id_ed25519"), O_RDONLY)),
        (
            "sensitive_file_linked",
            Calls::new().then(libc::SYS_symlink, [s("/etc/shadow"), s(file("harmless"))]),
        ),
        ("cron_job_changed", open(at("/etc", &["/etc/cron.d"]), "/etc/cron.d/job", creates)),
        (
            "service_definition_changed",
            create(at("/etc", &["/etc/systemd", "/etc/systemd/system"]), "/etc/new")
                .then(libc::SYS_rename, [s("/etc/new"), s("/etc/systemd/system/new.service")]),
        ),
        (
            "login_configuration_changed",
            create(at("/etc", &[]), "/etc/nsswitch.conf")
                .then(libc::SYS_chmod, [s("/etc/nsswitch.conf"), n(0o600)]),
        ),
        (
            "sudoers_changed",
            create(at("/etc", &["/etc/sudoers.d"]), "/etc/sudoers.d/x")
                .then(libc::SYS_unlink, [s("/etc/sudoers.d/x")]),
        ),
        (
            "shell_profile_changed",
            made(".bashrc").then(libc::SYS_utimensat, [n(AT_FDCWD), s(file(".bashrc")), n(0), n(0)]),
        ),
        ("dynamic_linker_configured", open(at("/etc", &[]), "/etc/ld.so.preload", creates)),
        ("system_program_changed", open(at("/usr/local/bin", &[]), "/usr/local/bin/ls", creates)),
        (
            "log_deleted",
            create(at("/var/log", &[]), "/var/log/wtmp").then(libc::SYS_unlink, [s("/var/log/wtmp")]),
        ),
        ("log_truncated", open(at("/var/log", &[]), "/var/log/auth.log", creates | O_TRUNC)),
        (
            "shell_history_redirected",
            Calls::new().then(libc::SYS_symlink, [s("/dev/null"), s(file(".bash_history"))]),
        ),
        ("process_hidden_by_mount", mount_tmpfs(own_namespace(), Path::new("/proc/1"))),
        // Opened, and nothing written.
        ("kernel_helper_changed", open(Calls::new(), "/proc/sys/kernel/core_pattern", O_WRONLY)),
        ("cgroup_release_agent_changed", open(Calls::new(), file("release_agent"), creates)),
        ("container_runtime_overwritten", open(made("runc"), file("runc"), O_WRONLY | O_APPEND)),
        ("process_memory_written", open(Calls::new(), "/proc/self/mem", O_RDWR)),
        ("set_user_id_bit_set", made("tool").then(libc::SYS_chmod, [s(file("tool")), n(0o4755)])),
        (
            "file_capabilities_set",
            made("capable").then(
                libc::SYS_setxattr,
                [s(file("capable")), s("security.capability"), capability(), n(20), n(0)],
            ),
        ),
        (
            "link_put_where_code_starts",
            create(at("/etc", &["/etc/sudoers.d"]), "/etc/new")
                .then(libc::SYS_link, [s("/etc/new"), s("/etc/sudoers.d/new")]),
        ),
        (
            "symbolic_link_put_where_code_starts",
            at("/etc", &["/etc/systemd", "/etc/systemd/system", "/etc/systemd/system/a.target.wants"]).then(
                libc::SYS_symlink,
                [s("/tmp/x.service"), s("/etc/systemd/system/a.target.wants/x.service")],
            ),
        ),
        ("sensitive_file_covered_by_mount", covered(at("/etc", &[]), &file("plain"), "/etc/passwd")),
        ("log_covered_by_mount", covered(at("/var/log", &[]), &file("plain"), "/var/log/auth.log")),
        (
            "log_moved",
            create(at("/var/log", &[]), "/var/log/auth.log")
                .then(libc::SYS_rename, [s("/var/log/auth.log"), s("/var/log/a")]),
        ),
        ("ransom_note_written", open(Calls::new(), file("HOW_TO_RECOVER_your_files.txt"), creates)),
    ]
}

/// What must match which rules where a program of this name does it, or one that this one has started.
fn hostile_by_name(place: &Path) -> Vec<(&'static str, &'static str, Calls)> {
    let creates = O_CREAT | O_WRONLY;
    let credentials = create(at("/root", &["/root/.aws"]), "/root/.aws/credentials");
    let history = place.join(".zsh_history");
    let hole = open(create(at("/var/log", &[]), "/var/log/wtmp"), "/var/log/wtmp", O_RDWR);
    let opened = hole.count() - 1;
    vec![
        (
            "kernel_module_file_changed",
            "cp",
            open(at("/usr/lib", &["/usr/lib/modules"]), "/usr/lib/modules/rootkit.ko", creates),
        ),
        ("cloud_credentials_read", "cat", open(credentials, "/root/.aws/credentials", O_RDONLY)),
        (
            "shell_history_file_removed",
            "rm",
            create(Calls::new(), &history).then(libc::SYS_unlink, [s(&history)]),
        ),
        (
            "static_pod_changed",
            "cp",
            open(
                at("/etc", &["/etc/kubernetes", "/etc/kubernetes/manifests"]),
                "/etc/kubernetes/manifests/p.yaml",
                creates,
            ),
        ),
        (
            "trusted_certificates_changed",
            "cp",
            open(at("/etc", &["/etc/ssl", "/etc/ssl/certs"]), "/etc/ssl/certs/own.pem", creates),
        ),
        (
            "agent_configuration_changed",
            "bash",
            open(
                at("/etc", &["/etc/datadog-agent"]),
                "/etc/datadog-agent/security-agent.yaml",
                creates | O_TRUNC,
            ),
        ),
        ("web_server_wrote_script", "php-fpm8.2", open(Calls::new(), place.join("x.php"), creates)),
        // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
        (
            "login_records_written",
            "fallocate",
            hole.then(libc::SYS_fallocate, [r(opened), n(3), n(0), n(384)]),
        ),
    ]
}

/// What is close to that and must match none.
fn harmless(place: &Path) -> Vec<Calls> {
    let file = |name: &str| place.join(name);
    vec![
        open(create(at("/etc", &[]), "/etc/passwd"), "/etc/passwd", O_RDONLY),
        open(create(at("/etc", &["/etc/cron.d"]), "/etc/cron.d/job"), "/etc/cron.d/job", O_RDONLY),
        open(at("/etc", &[]), "/etc/hostname", O_CREAT | O_WRONLY),
        open(create(at("/var/log", &[]), "/var/log/auth.log"), "/var/log/auth.log", O_WRONLY | O_APPEND),
        open(Calls::new(), "/proc/sys/kernel/core_pattern", O_RDONLY),
        open(Calls::new(), "/proc/self/mem", O_RDONLY),
        create(Calls::new(), file("tool.sh")).then(libc::SYS_chmod, [s(file("tool.sh")), n(0o755)]),
        Calls::new().then(libc::SYS_symlink, [s("/usr/bin/vi"), s(file("editor"))]),
        open(create(Calls::new(), file("id_ed25519.pub")), file("id_ed25519.pub"), O_RDONLY),
        dirty_pipe(Path::new("/etc/hostname")),
        open(create(Calls::new(), file("authorized_keys2")), file("authorized_keys2"), O_RDONLY),
        open(create(Calls::new(), file(".zshrc")), file(".zshrc"), O_RDONLY),
        open(create(at("/etc", &["/etc/sudoers.d"]), "/etc/sudoers.d/x"), "/etc/sudoers.d/x", O_RDONLY),
        open(create(at("/usr/local/bin", &[]), "/usr/local/bin/ls"), "/usr/local/bin/ls", O_RDONLY),
        open(
            create(at("/usr/lib", &["/usr/lib/modules"]), "/usr/lib/modules/a.ko"),
            "/usr/lib/modules/a.ko",
            O_RDONLY,
        ),
        open(create(Calls::new(), file("release_agent.old")), file("release_agent.old"), O_WRONLY),
        create(at("/etc", &["/etc/sudoers.d"]), "/etc/sudoers.d/x")
            .then(libc::SYS_symlink, [s("/etc/sudoers.d/x"), s("/etc/who")]),
        at("/etc", &["/etc/systemd", "/etc/systemd/system"])
            .then(libc::SYS_symlink, [s("/dev/null"), s("/etc/systemd/system/masked.service")]),
        covered(at("/etc", &[]), &file("plain"), "/etc/resolv.conf"),
        covered(at("/var/log", &[]), &file("plain"), "/var/log/app.log"),
        create(at("/var/log", &[]), "/var/log/app.log")
            .then(libc::SYS_rename, [s("/var/log/app.log"), s("/var/log/app.log.1")]),
        open(create(at("/var/log", &[]), "/var/log/wtmp"), "/var/log/wtmp", O_RDONLY),
    ]
}

/// What is no matter where a program of this name does it.
fn harmless_by_name(place: &Path) -> Vec<(&'static str, Calls)> {
    let file = |name: &str| place.join(name);
    let creates = O_CREAT | O_WRONLY;
    let at_release = open(create(Calls::new(), file("release_agent")), file("release_agent"), O_RDONLY);
    vec![
        ("cloud-init", open(Calls::new(), file("authorized_keys"), creates)),
        ("visudo", open(at("/etc", &["/etc/sudoers.d"]), "/etc/sudoers.d/x", creates)),
        ("vim", open(Calls::new(), file(".bashrc"), creates)),
        ("dpkg", open(at("/usr/local/bin", &[]), "/usr/local/bin/ls", creates)),
        ("depmod", open(at("/usr/lib", &["/usr/lib/modules"]), "/usr/lib/modules/modules.dep", creates)),
        ("cat", at_release.then(libc::SYS_unlink, [s(file("release_agent"))])),
        (
            "systemctl",
            at("/etc", &["/etc/systemd", "/etc/systemd/system"])
                .then(libc::SYS_symlink, [s("/usr/lib/x.service"), s("/etc/systemd/system/x.service")]),
        ),
        (
            "logrotate",
            create(at("/var/log", &[]), "/var/log/secure")
                .then(libc::SYS_rename, [s("/var/log/secure"), s("/var/log/secure.1")]),
        ),
        ("sshd", open(at("/var/log", &[]), "/var/log/lastlog", creates)),
        ("rsync", open(Calls::new(), file("uploaded.php"), creates)),
    ]
}

/// The rules on files of the default policy that what `made` did has matched. That the trigger is executed in a
/// directory of everybody's is a matter of another rule.
fn matched<'p>(pair: &'p Pair, made: &Made) -> Vec<&'p str> {
    let of = |signal: &&Signal| {
        signal.at("process.pid") == made.pid()
            && signal.at("agent.policy_name") == "default.policy"
            && signal.at("evt.category") == "File Activity"
    };
    pair.signals.all().iter().filter(of).map(Signal::rule).collect()
}

#[test]
fn the_default_policy_sees_what_is_hostile_and_not_what_is_close_to_it() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy");
    let mut pair = Pair::start(&Setup::new().policy_file(&policy))?;
    let trigger = pair.trigger("call")?;
    let place = pair.path("place");
    let programs = pair.path("programs");
    for directory in [&place, &programs] {
        fs::create_dir(directory)?;
    }
    fs::write(place.join("plain"), "")?;

    let mut done = Vec::new();
    for (rule, calls) in hostile(&place) {
        done.push((Some(rule), calls.make(&trigger)?.succeeded()?));
    }
    for (rule, name, calls) in hostile_by_name(&place) {
        done.push((Some(rule), calls.make(&trigger.named(name, &programs)?)?.succeeded()?));
    }
    // Pages of a file of root's, by someone who is not root.
    done.push((
        Some("file_page_spliced_into_used_pipe"),
        dirty_pipe(Path::new("/etc/hostname")).make_as(NOBODY, &trigger)?,
    ));
    done.push((
        Some("file_page_made_writable_by_pipe"),
        half_emptied_pipe(&place.join("plain")).make(&trigger)?.succeeded()?,
    ));
    // What was left behind is not what is meant.
    fs::remove_file(place.join("release_agent"))?;
    for calls in harmless(&place) {
        done.push((None, calls.make(&trigger)?.succeeded()?));
    }
    for (name, calls) in harmless_by_name(&place) {
        done.push((None, calls.make(&trigger.named(name, &programs)?)?.succeeded()?));
    }
    pair.settle()?;
    for (number, (rule, made)) in done.iter().enumerate() {
        let matched = matched(&pair, made);
        match rule {
            Some(rule) => assert!(matched.contains(rule), "{rule}: {matched:?}\n{}", pair.logs()),
            None => assert!(matched.is_empty(), "harmless case {number}: {matched:?}"),
        }
    }
    Ok(())
}
