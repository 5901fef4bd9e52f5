//! What the programs of the object for old kernels are told: an array of one element, as there is no global data.

use anyhow::Context;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::Object;

use super::Options;

/// Port of metadata services.
const METADATA_PORT: u16 = 80;

/// Writes `struct old_settings` (bpf/include/settings.h).
pub(super) fn write(object: &Object, options: &Options) -> anyhow::Result<()> {
    let map = object.maps().find(|map| map.name() == "old_settings");
    let map = map.context("the BPF object has no settings")?;
    map.update(&0_u32.to_ne_bytes(), &encode(options), MapFlags::ANY).context("cannot write the settings")
}

fn encode(options: &Options) -> Vec<u8> {
    let packets = options.packets;
    let mut bytes = Vec::with_capacity(56);
    bytes.extend(options.deferred_release.to_ne_bytes());
    bytes.extend(options.own_pid.to_ne_bytes());
    // As they stand in a packet.
    bytes.extend(packets.metadata_ipv4.map_or([0; 4], |ip| ip.octets()));
    bytes.extend(packets.metadata_ipv6.map_or([0; 16], |ip| ip.octets()));
    bytes.extend(packets.name_ports.iter().flat_map(|port| port.to_ne_bytes()));
    bytes.extend(METADATA_PORT.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(options.thread_size.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A size that differs from the map's is refused by libbpf, so order is what is left to look at.
    #[test]
    fn settings_lie_as_the_programs_read_them() {
        let options =
            Options { deferred_release: 1, own_pid: 2, thread_size: 1 << 16, ..Options::of_a_test(0) };
        let bytes = encode(&options);
        assert_eq!(bytes.len(), 56);
        assert_eq!((bytes[0], bytes[8]), (1, 2));
        assert_eq!(bytes[48..50], 80_u16.to_ne_bytes());
        assert_eq!(bytes[52..], (1_u32 << 16).to_ne_bytes());
    }
}
