//! Kernel activity, from the system call to the signal: everything that the signal says is compared to what the trigger did
//! and to what `/proc` says of the processes.

mod capabilities;
mod modules;
mod policy;
mod refused;
mod selinux;
mod watch;

use anyhow::{Context, Result};
use integration_tests::harness::truth::file;
use serde_json::{Value, json};

use watch::{Watch, target};

#[test]
fn tracing() -> Result<()> {
    let Some(mut watch) = Watch::of("ptrace", "ptrace.request == PTRACE_SEIZE")? else { return Ok(()) };
    let done = watch.act(&["ptrace"])?;
    let signal = watch.signal(&done)?;
    target(&signal, "ptrace.tracee", &done)?;
    watch.check(
        &signal,
        &done,
        vec![(
            "ptrace",
            json!({"request": "PTRACE_SEIZE", "address": "0x0", "tracee": signal.at("ptrace.tracee")}),
        )],
    )
}

#[test]
fn signals() -> Result<()> {
    let Some(mut watch) = Watch::of("signal", "signal.type == SIGURG")? else { return Ok(()) };
    let done = watch.act(&["signal"])?;
    let signal = watch.signal(&done)?;
    target(&signal, "signal.target", &done)?;
    let child = done.truth["child"].clone();
    let expected = json!({"type": "SIGURG", "pid": child, "target": signal.at("signal.target")});
    watch.check(&signal, &done, vec![("signal", expected)])
}

#[test]
fn limits() -> Result<()> {
    let condition = "setrlimit.resource == RLIMIT_NOFILE && setrlimit.target.comm == \"kernel\"";
    let Some(mut watch) = Watch::of("setrlimit", condition)? else { return Ok(()) };
    let done = watch.act(&["setrlimit"])?;
    let signal = watch.signal(&done)?;
    target(&signal, "setrlimit.target", &done)?;
    let target = signal.at("setrlimit.target");
    let expected = json!({"resource": "RLIMIT_NOFILE", "rlim_cur": 100, "rlim_max": 200, "target": target});
    watch.check(&signal, &done, vec![("setrlimit", expected)])
}

#[test]
fn memory_of_other_processes() -> Result<()> {
    let condition = "process_vm_writev.retval == 4 && process_vm_writev.target.file.name == \"kernel\"";
    let Some(mut watch) = Watch::of("process_vm_writev", condition)? else { return Ok(()) };
    let done = watch.act(&["process_vm_writev"])?;
    let signal = watch.signal(&done)?;
    target(&signal, "process_vm_writev.target", &done)?;
    let target = signal.at("process_vm_writev.target");
    let address = format!("{:#x}", done.truth["address"].as_u64().context("address")?);
    let expected = json!({"address": address, "pid": done.truth["child"], "target": target});
    watch.check(&signal, &done, vec![("process_vm_writev", expected)])
}

#[test]
fn ebpf_maps() -> Result<()> {
    let condition = "bpf.cmd == BPF_MAP_CREATE && bpf.map.name == \"a_map\"";
    let Some(mut watch) = Watch::of("bpf", condition)? else { return Ok(()) };
    let done = watch.act(&["bpf-map"])?;
    let signal = watch.signal(&done)?;
    let map = json!({"name": "a_map", "map_type": "BPF_MAP_TYPE_HASH"});
    watch.check(&signal, &done, vec![("bpf", json!({"cmd": "BPF_MAP_CREATE", "map": map}))])
}

#[test]
fn ebpf_programs() -> Result<()> {
    let condition = "bpf.cmd == BPF_PROG_LOAD && bpf.prog.helpers == BPF_GET_PRANDOM_U32";
    let Some(mut watch) = Watch::of("bpf", condition)? else { return Ok(()) };
    let done = watch.act(&["bpf-program"])?;
    let signal = watch.signal(&done)?;
    let program = json!({
        "name": "a_program",
        "tag": fdinfo(&done.truth, "prog_tag")?,
        "program_type": "BPF_PROG_TYPE_SOCKET_FILTER",
        // 0 has this name in the kernel and none in CWS.
        "attach_type": "0",
        "helpers": ["BPF_GET_PRANDOM_U32"],
    });
    watch.check(&signal, &done, vec![("bpf", json!({"cmd": "BPF_PROG_LOAD", "program": program}))])
}

/// What the kernel says of the descriptor that was made.
fn fdinfo(truth: &Value, key: &str) -> Result<String> {
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{}", truth["pid"], truth["result"]))?;
    let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    Ok(line.context("no such line")?.trim().to_owned())
}

#[test]
fn mapped_files() -> Result<()> {
    let condition = "mmap.protection & PROT_EXEC > 0 && mmap.file.name == \"library\"";
    let Some(mut watch) = Watch::of("mmap", condition)? else { return Ok(()) };
    let library = watch.pair.path("library");
    std::fs::write(&library, vec![0; 16384])?;
    let path = library.to_str().context("path")?;
    let done = watch.act(&["mmap", path])?;
    let signal = watch.signal(&done)?;
    let address = format!("{:#x}", done.truth["result"].as_u64().context("address")?);
    let expected = json!({
        "address": address, "offset": 4096, "length": 8192, "protection": "PROT_READ | PROT_EXEC", "flags": "MAP_PRIVATE",
    });
    let shown = file(&library, path.as_bytes(), std::process::id().into())?;
    watch.check(&signal, &done, vec![("mmap", expected), ("file", shown)])
}

#[test]
fn changed_protection() -> Result<()> {
    let condition = "mprotect.req_protection & (VM_WRITE|VM_EXEC) == (VM_WRITE|VM_EXEC)";
    let Some(mut watch) = Watch::of("mprotect", condition)? else { return Ok(()) };
    let done = watch.act(&["mprotect"])?;
    let signal = watch.signal(&done)?;
    let start = done.truth["address"].as_u64().context("address")?;
    let before = signal.at("mprotect.vm_protection").clone();
    // Shared memory that may be read, and may be written and executed too if somebody asks.
    for flag in ["VM_READ", "VM_SHARED", "VM_MAYREAD", "VM_MAYWRITE", "VM_MAYEXEC", "VM_MAYSHARE"] {
        assert!(
            before.as_str().unwrap_or_default().split(" | ").any(|name| name == flag),
            "{flag}: {before}"
        );
    }
    let expected = json!({
        "vm_start": format!("{start:#x}"),
        "vm_end": format!("{:#x}", start + 4096),
        "vm_protection": before,
        "req_protection": "VM_READ | VM_WRITE | VM_EXEC",
    });
    watch.check(&signal, &done, vec![("mprotect", expected)])
}

#[test]
fn names_of_threads() -> Result<()> {
    let Some(mut watch) = Watch::of("prctl", "prctl.option == PR_SET_NAME")? else { return Ok(()) };
    let done = watch.act(&["prctl"])?;
    let signal = watch.signal(&done)?;
    let expected = json!({"option": "PR_SET_NAME", "new_name": "a-name-of-more-", "is_name_truncated": true});
    watch.check(&signal, &done, vec![("prctl", expected)])
}

#[test]
fn namespaces_that_are_left() -> Result<()> {
    let Some(mut watch) = Watch::of("unshare", "unshare.flags & CLONE_NEWUTS > 0")? else { return Ok(()) };
    let done = watch.act(&["unshare"])?;
    let signal = watch.signal(&done)?;
    watch.check(&signal, &done, vec![("unshare", json!({"flags": "CLONE_NEWUTS | CLONE_NEWIPC"}))])
}

#[test]
fn namespaces_that_are_entered() -> Result<()> {
    let Some(mut watch) = Watch::of("setns", "setns.flags == CLONE_NEWUTS")? else { return Ok(()) };
    let done = watch.act(&["setns"])?;
    let signal = watch.signal(&done)?;
    let link = std::fs::read_link("/proc/self/ns/uts")?;
    let number: u64 = link
        .to_str()
        .and_then(|link| link.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok())
        .context("link")?;
    watch.check(&signal, &done, vec![("setns", json!({"flags": "CLONE_NEWUTS", "namespace": number}))])
}

#[test]
fn an_exchanged_root() -> Result<()> {
    let Some(mut watch) = Watch::of("pivot_root", "pivot_root.syscall.path != \"\"")? else { return Ok(()) };
    let root = watch.pair.path("root");
    std::fs::create_dir(&root)?;
    let path = root.to_str().context("path")?;
    let done = watch.act(&["pivot_root", path])?;
    let signal = watch.signal(&done)?;
    let expected = [
        ("evt.name", json!("pivot_root")),
        ("evt.category", json!("Kernel Activity")),
        ("evt.outcome", json!("Success")),
        ("file", Value::Null),
        ("syscall", json!({"pivot_root": {"path": path, "destination_path": format!("{path}/old")}})),
    ];
    assert_eq!(signal.differences(&expected), "");
    Ok(())
}

#[test]
fn descriptors_that_exploits_use() -> Result<()> {
    for (event, condition, action, expected) in [
        (
            "memfd_create",
            "memfd_create.name == \"in memory\"",
            "memfd_create",
            json!({"name": "in memory", "flags": "MFD_CLOEXEC"}),
        ),
        (
            "userfaultfd",
            "userfaultfd.flags & UFFD_USER_MODE_ONLY > 0",
            "userfaultfd",
            json!({"flags": "UFFD_USER_MODE_ONLY | UFFD_CLOEXEC"}),
        ),
        (
            "io_uring_setup",
            "io_uring_setup.entries == 4",
            "io_uring_setup",
            json!({"entries": 4, "flags": "IORING_SETUP_CLAMP"}),
        ),
    ] {
        let Some(mut watch) = Watch::of(event, condition)? else { return Ok(()) };
        let done = watch.act(&[action])?;
        if done.truth["result"].as_i64().is_none_or(|made| made < 0) {
            println!("skipped: this kernel gives no descriptor for {event}");
            continue;
        }
        let signal = watch.signal(&done)?;
        watch.check(&signal, &done, vec![(event, expected)]).with_context(|| event)?;
    }
    Ok(())
}

#[test]
fn parameters_of_the_kernel() -> Result<()> {
    let condition = "sysctl.action == SYSCTL_WRITE && sysctl.value == \"second\"";
    let Some(mut watch) = Watch::of("sysctl", condition)? else { return Ok(()) };
    let done = watch.act(&["sysctl"])?;
    let signal = watch.signal(&done)?;
    let expected = json!({
        "action": "SYSCTL_WRITE", "name": "kernel/domainname", "value": "second", "old_value": "first",
    });
    watch.check(&signal, &done, vec![("sysctl", expected)])
}

#[test]
fn processes_that_are_moved() -> Result<()> {
    let Some(root) = watch::cgroups() else { return Ok(()) };
    let condition = "cgroup_write.file.name == \"cgroup.procs\"";
    let Some(mut watch) = Watch::of("cgroup_write", condition)? else { return Ok(()) };
    let group = root.join(format!("cws-kernel-{}", std::process::id()));
    std::fs::create_dir(&group)?;
    let procs = group.join("cgroup.procs");
    let path = procs.to_str().context("path")?.to_owned();
    let mut done = watch.act(&["cgroup_write", &path])?;
    let result = watch.signal(&done).and_then(|signal| {
        let shown = file(&procs, path.as_bytes(), std::process::id().into())?;
        let expected = json!({"file": shown, "pid": done.truth["child"]});
        watch.check(&signal, &done, vec![("cgroup_write", expected), ("file", shown)])
    });
    done.live.end()?;
    watch::remove_group(&group)?;
    result
}
