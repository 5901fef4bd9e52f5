//! Perf events of tracepoints and probes, to attach programs to.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::fd::FromRawFd as _;
use std::os::fd::IntoRawFd as _;
use std::os::fd::OwnedFd;

use libbpf_rs::Link;
use libbpf_rs::ProgramMut;
use libbpf_rs::libbpf_sys::PERF_TYPE_TRACEPOINT;
use libbpf_rs::libbpf_sys::perf_event_attr;

/// `PERF_FLAG_FD_CLOEXEC`, linux/perf_event.h.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// An event that a program can be attached to.
#[derive(Debug)]
pub(crate) struct Event(OwnedFd);

impl Event {
    /// That of the tracepoint with this number.
    pub(super) fn open(id: u64) -> io::Result<Self> {
        let attributes = perf_event_attr {
            type_: PERF_TYPE_TRACEPOINT,
            size: u32::try_from(size_of::<perf_event_attr>()).map_err(io::Error::other)?,
            config: id,
            ..Default::default()
        };
        // All processes; a program on a tracepoint runs on every CPU, whichever the event was opened for.
        let (pid, cpu, group) = (-1, 0, -1);
        // SAFETY: the kernel reads `size` bytes of the attributes, which live until the call returns.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                pid,
                cpu,
                group,
                PERF_FLAG_FD_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the call has just made this descriptor, and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Attaches a program to it, for as long as the link lives.
    ///
    /// # Errors
    ///
    /// Those of the kernel.
    pub(crate) fn attach(self, program: &ProgramMut<'_>) -> libbpf_rs::Result<Link> {
        let link = program.attach_perf_event(self.0.as_raw_fd())?;
        // From here on the link closes it.
        let _ = self.0.into_raw_fd();
        Ok(link)
    }
}
