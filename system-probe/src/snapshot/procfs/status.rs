//! `/proc/PID/status`, proc_pid_status(5).

/// Bytes that are read: with thousands of supplementary groups the file gets long, but these lie behind most of
/// the fields that are used, and NSpid and the capabilities right behind them.
pub(super) const SIZE_MAX: usize = 1 << 20;

/// The fields that are used; one that is missing is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// Real, effective, saved, file system.
    pub(super) uids: [u32; 4],
    pub(super) gids: [u32; 4],
    /// Pid in its own pid namespace.
    pub(super) ns_pid: u32,
    /// Pid of who traces it; 0 if nobody does.
    pub(super) tracer: u32,
    pub(super) cap_effective: u64,
    pub(super) cap_permitted: u64,
}

impl Status {
    pub(super) fn parse(file: &[u8]) -> Self {
        let mut status = Self::default();
        // The name may be anything; all other lines are ASCII.
        for line in String::from_utf8_lossy(file).lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key {
                "Uid" => status.uids = numbers(value),
                "Gid" => status.gids = numbers(value),
                // From the outermost namespace to the innermost.
                "NSpid" => {
                    status.ns_pid = value.rsplit('\t').next().and_then(|pid| pid.parse().ok()).unwrap_or(0)
                }
                "TracerPid" => status.tracer = value.parse().unwrap_or(0),
                "CapEff" => status.cap_effective = u64::from_str_radix(value, 16).unwrap_or(0),
                "CapPrm" => status.cap_permitted = u64::from_str_radix(value, 16).unwrap_or(0),
                _ => {}
            }
        }
        status
    }
}

fn numbers<const N: usize>(text: &str) -> [u32; N] {
    let mut numbers = [0; N];
    for (slot, word) in numbers.iter_mut().zip(text.split_ascii_whitespace()) {
        *slot = word.parse().unwrap_or(0);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_read() {
        let file = b"Name:\tx: \xff\nTracerPid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t300\t20\t1\n\
            CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n";
        let expected = Status {
            uids: [1, 2, 3, 4],
            gids: [5, 6, 7, 8],
            ns_pid: 1,
            tracer: 9,
            cap_effective: 0x400,
            cap_permitted: 0x1ff_ffff_ffff,
        };
        assert_eq!(Status::parse(file), expected);
    }

    #[test]
    fn damage_gives_zeros() {
        assert_eq!(Status::parse(b"Uid:\nGid:\tx\nNSpid:\nCapEff:\tzz\n\xff\xfe"), Status::default());
    }
}
