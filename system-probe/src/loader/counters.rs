//! Counters of the programs, read without a system call.
//!
//! While a bpf(2) call looks at a map, the kernel runs no program of a tracepoint on that CPU, whatever else gets to run
//! there (`bpf_disable_instrumentation`). What is read twice a second must not do that.

use std::ffi::c_void;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use libbpf_rs::MapCore as _;
use libbpf_rs::MapHandle;

/// An array of 64-bit counters that was made with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub(super) struct Counters {
    start: NonNull<AtomicU64>,
    entries: usize,
    bytes: usize,
    /// Keeps the map while this lives; the mapping alone would too.
    _map: MapHandle,
}

// SAFETY: the memory is shared with the kernel anyway and is only read, atomically.
unsafe impl Send for Counters {}

impl Counters {
    /// # Errors
    ///
    /// If the map is no such array, or there is no room.
    pub(super) fn of(map: MapHandle) -> io::Result<Self> {
        let entries = usize::try_from(map.max_entries()).map_err(io::Error::other)?;
        if map.value_size() != 8 {
            return Err(io::Error::other("not an array of 64-bit counters"));
        }
        let bytes = (entries * 8).next_multiple_of(rustix::param::page_size());
        let descriptor = map.as_fd().as_raw_fd();
        // SAFETY: a new mapping, at an address of the kernel's choice, of a descriptor that is open.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ, libc::MAP_SHARED, descriptor, 0)
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self { start, entries, bytes, _map: map })
    }

    /// One of them; 0 beyond the end.
    pub(super) fn get(&self, index: u32) -> u64 {
        let Some(index) = usize::try_from(index).ok().filter(|index| *index < self.entries) else { return 0 };
        // SAFETY: below `entries`, so within the mapping, which is page-aligned and lives as long as this.
        unsafe { self.start.add(index).as_ref() }.load(Ordering::Relaxed)
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, with this size, and nothing refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast::<c_void>(), self.bytes) };
    }
}
