//! Whether the end-to-end tests can run here.

/// True if they can. Otherwise prints why not, in the form that `make test` counts as skipped.
#[must_use]
pub fn can_run() -> bool {
    let missing = missing();
    if let Some(reason) = missing {
        println!("skipped: {reason}");
    }
    missing.is_none()
}

fn missing() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("loading eBPF programs needs root");
    }
    if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("the kernel has no BTF");
    }
    None
}
