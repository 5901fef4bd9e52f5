//! Whether processes can use `io_uring`, and whether that can be seen.

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Typedef;

/// How, or why not. Nothing is set up: a kernel that has it looks at the parameters first, and there are none.
pub(super) fn available() -> Result<String, String> {
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: the call gets no memory to write to, and without entries and parameters it makes nothing.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, none) };
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        _ if result >= 0 => Ok(String::new()),
        Some(libc::ENOSYS) => Err("the kernel does not have it".to_owned()),
        // A limit on who may: kernel.io_uring_disabled is 2 (1 lets the privileged, who are asking here).
        Some(libc::EPERM) => Err("off by kernel.io_uring_disabled".to_owned()),
        _ => Ok(String::new()),
    }
}

/// Whether there are tracepoints at the beginning of a request and at its result, of the form that programs know.
pub(super) fn tracepoints() -> Result<String, String> {
    let btf = Btf::from_vmlinux().map_err(|error| error.to_string())?;
    for name in ["io_uring_submit_req", "io_uring_complete", "io_uring_cqe_overflow"] {
        let is_there = btf.type_by_name::<Typedef<'_>>(&format!("btf_trace_{name}")).is_some();
        if !is_there {
            return Err(format!("no tracepoint {name} (before 6.4)"));
        }
    }
    Ok(String::new())
}
