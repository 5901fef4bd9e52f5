//! `/proc/PID/stat`, proc_pid_stat(5).

use proto::wire::layout;

/// `PF_KTHREAD`, linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;
/// `PF_FORKNOEXEC`, linux/sched.h.
const PF_FORKNOEXEC: u32 = 0x0000_0040;

/// Major numbers of Unix98 pseudo-terminals, Documentation/admin-guide/devices.txt.
const PTS_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;
/// Consoles and serial lines.
const TTY_MAJOR: u32 = 4;
/// Minors of `TTY_MAJOR` from here on are serial lines.
const SERIAL_MINOR: u32 = 64;

/// The fields that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::snapshot) struct Stat {
    /// Task name, NUL-padded.
    pub(super) comm: [u8; layout::TASK_COMM_SIZE as usize],
    state: u8,
    pub(super) parent: u32,
    tty: u32,
    flags: u32,
    threads: u32,
    /// Start after boot, in clock ticks.
    pub(in crate::snapshot) start_ticks: u64,
}

impl Stat {
    /// None if it is not a line of that format.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        // The name may hold spaces and parentheses: it ends at the last one.
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let name = line.get(open + 1..close)?;
        let mut comm = [0; layout::TASK_COMM_SIZE as usize];
        let length = name.len().min(comm.len());
        comm[..length].copy_from_slice(&name[..length]);

        // Numbered as in the manual, where the state is field 3.
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            comm,
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            // Printed signed; its bits are a device number.
            tty: field(7)?.parse::<i32>().ok()?.cast_unsigned(),
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
        })
    }

    pub(super) fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    pub(super) fn never_called_exec(&self) -> bool {
        self.flags & PF_FORKNOEXEC != 0
    }

    /// It ended and waits for its parent. A leader that ended before its other threads is not dead.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }

    /// Name of the controlling terminal as the kernel has it ("pts0"), NUL-padded.
    pub(super) fn tty_name(&self) -> [u8; layout::TTY_NAME_SIZE as usize] {
        // Encoded as new_encode_dev() of linux/kdev_t.h: minor in bits 0-7 and 20-31, major in 8-19.
        let major = (self.tty >> 8) & 0xfff;
        let minor = (self.tty & 0xff) | ((self.tty >> 12) & 0xf_ff00);
        let text = match major {
            major if PTS_MAJORS.contains(&major) => {
                // 256 for each major; today's kernels use the first major alone, with large minors.
                format!("pts{}", (major - PTS_MAJORS.start()) * 256 + minor)
            }
            TTY_MAJOR if minor < SERIAL_MINOR => format!("tty{minor}"),
            TTY_MAJOR => format!("ttyS{}", minor - SERIAL_MINOR),
            _ => String::new(),
        };
        let mut name = [0; layout::TTY_NAME_SIZE as usize];
        let length = text.len().min(name.len() - 1);
        name[..length].copy_from_slice(&text.as_bytes()[..length]);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "4242 (a) b (c) S 17 4242 4242 34817 4242 4194368 1 2 3 4 5 6 7 8 20 0 3 0 987654 1 2 3";

    fn tty(number: i32) -> String {
        let line = LINE.replace("34817", &number.to_string());
        let name = Stat::parse(line.as_bytes()).unwrap().tty_name();
        String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned()
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read_whole() {
        let stat = Stat::parse(LINE.as_bytes()).unwrap();
        assert_eq!(&stat.comm, b"a) b (c\0\0\0\0\0\0\0\0\0");
        assert_eq!((stat.parent, stat.start_ticks, stat.threads), (17, 987_654, 3));
        assert!(stat.never_called_exec() && !stat.is_kernel_thread() && !stat.is_dead());
    }

    #[test]
    fn terminals_have_the_kernels_names() {
        assert_eq!(tty(34817), "pts1");
        assert_eq!(tty((136 << 8) | 0x10_0000 | 0x05), "pts261");
        assert_eq!(tty(0x0401), "tty1");
        assert_eq!(tty(0x0440), "ttyS0");
        assert_eq!(tty(0), "");
        assert_eq!(tty(-1), "");
    }

    #[test]
    fn a_dead_leader_of_living_threads_is_not_dead() {
        let zombie = |threads: &str| {
            let line = LINE.replace(" S ", " Z ").replace(" 20 0 3 ", &format!(" 20 0 {threads} "));
            Stat::parse(line.as_bytes()).unwrap().is_dead()
        };
        assert!(zombie("1"));
        assert!(!zombie("2"));
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["", "1 (x", "1 )x( S", "1 (x) S 2 3", "1 (x) S a b c d e f g h i j k l m n o p q r s t"]
        {
            assert_eq!(Stat::parse(line.as_bytes()), None, "{line}");
        }
    }
}
