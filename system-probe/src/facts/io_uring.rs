//! Whether processes can use `io_uring`.

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
