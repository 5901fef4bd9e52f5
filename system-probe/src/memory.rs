//! Keeping the process small.

/// Default size of the ring buffer for each processor, bytes.
const RING_BYTES_PER_CPU: u64 = 1 << 20;
/// Bounds of the default. The reader maps the buffer twice, and both count as its resident memory.
const RING_BYTES: std::ops::RangeInclusive<u64> = (2 << 20)..=(16 << 20);
/// Bound of what can be configured: the ring's size is 32 bits wide, and a power of two.
const RING_BYTES_MAX: u64 = 1 << 30;

/// Size of the ring buffer: as configured, or by the number of processors if that is 0.
pub(crate) fn ring_bytes(configured: u64) -> u32 {
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
    ring_bytes_for(configured, cpus, rustix::param::page_size() as u64)
}

fn ring_bytes_for(configured: u64, cpus: u64, page: u64) -> u32 {
    let wanted = match configured {
        0 => (cpus * RING_BYTES_PER_CPU).clamp(*RING_BYTES.start(), *RING_BYTES.end()),
        bytes => bytes,
    };
    // Rounded up to what the kernel takes.
    let bytes = wanted.clamp(page, RING_BYTES_MAX).next_power_of_two();
    u32::try_from(bytes).unwrap_or(1 << 30)
}

/// Returns memory to the system that loading needed once: libbpf reads the kernel's types, some megabytes.
pub(crate) fn give_back() {
    // SAFETY: malloc_trim takes no pointers and may be called at any time, from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_grows_with_the_machine_within_bounds() {
        assert_eq!(ring_bytes_for(0, 1, 4096), 2 << 20);
        assert_eq!(ring_bytes_for(0, 6, 4096), 8 << 20);
        assert_eq!(ring_bytes_for(0, 512, 4096), 16 << 20);
    }

    #[test]
    fn any_configured_size_becomes_one_that_the_kernel_takes() {
        assert_eq!(ring_bytes_for(1, 2, 4096), 4096);
        assert_eq!(ring_bytes_for(1, 2, 65_536), 65_536);
        assert_eq!(ring_bytes_for((4 << 20) + 1, 2, 4096), 8 << 20);
        assert_eq!(ring_bytes_for(u64::MAX, 2, 4096), 1 << 30);
    }
}
