//! How much the kernel's tables hold; the numbers of `bpf/include/filter.h`, to which a test holds them.

/// Alternatives of one kind: bits of a word.
pub const ALTERNATIVES: usize = 64;
/// Bytes of a name that are compared, beside its length.
pub const NAME_START: usize = 28;
/// The longest name, and with it the longest that can be wanted (`NAME_MAX`).
pub const NAME_BYTES: usize = 255;
/// Names of all kinds together; the map holds two generations.
pub const NAMES: usize = 4096;
/// Bytes of a path that are compared; of a whole path its NUL is one of them.
pub const PATH_START: usize = 122;
/// Beginnings of paths of all kinds together; the map holds two generations.
pub const PATHS: usize = 4096;
/// Different sets of flags of one kind.
pub const MASKS: usize = 8;
/// Ranges of login user ids of one kind.
pub const RANGES: usize = 8;
/// Conditions on packets.
pub const PACKETS: usize = 32;
/// Ports, and networks, of one of them.
pub const PACKET_PARTS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_programs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../bpf/include/filter.h");
        let header = std::fs::read_to_string(path).unwrap();
        let value = |name: &str| -> usize {
            let line = header.lines().find(|line| line.starts_with(&format!("#define {name} "))).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!(value("FILTER_NAME_START"), NAME_START);
        assert_eq!(value("FILTER_NAMES_MAX"), 2 * NAMES);
        assert_eq!(value("FILTER_PATH_START"), PATH_START);
        assert_eq!(value("FILTER_PATHS_MAX"), 2 * PATHS);
        assert_eq!(value("FILTER_MASKS_MAX"), MASKS);
        assert_eq!(value("FILTER_RANGES_MAX"), RANGES);
        assert_eq!(value("FILTER_PACKETS_MAX"), PACKETS);
        assert_eq!(value("FILTER_PACKET_PARTS_MAX"), PACKET_PARTS);
    }
}
