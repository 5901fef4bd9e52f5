//! The programs of the object for old kernels that go on with what others have built (`bpf/src/stages.bpf.c`): they are loaded
//! with its maps, and put where tail calls find them.

use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;

use anyhow::Context;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::Object;
use libbpf_rs::OpenObject;

use crate::facts::OldPrograms;

/// Types of programs that have stages, as their sections begin, and the maps that these are in.
const TRACEPOINTS: (&str, &str) = ("tracepoint", "stages_of_tracepoints");
const RAW_TRACEPOINTS: (&str, &str) = ("raw_tp", "stages_of_raw_tracepoints");

/// Where a program is to be found by others, by its section.
#[derive(Debug, Eq, PartialEq)]
struct Place {
    map: &'static str,
    number: u32,
    /// It is there for others alone. Otherwise it is attached as well, and run again by what has followed it.
    is_stage: bool,
}

fn place(section: &str) -> Option<Place> {
    [TRACEPOINTS, RAW_TRACEPOINTS].into_iter().find_map(|(kind, map)| {
        let (what, number) = section.strip_prefix(kind)?.strip_prefix('/')?.split_once('/')?;
        let is_stage = match what {
            "stage" => true,
            "again" => false,
            _ => return None,
        };
        Some(Place { map, number: number.parse().ok()?, is_stage })
    })
}

/// Has those loaded that programs of this form can be followed by.
pub(super) fn choose(object: &mut OpenObject, form: OldPrograms) {
    for mut program in object.progs_mut() {
        let place = program.section().to_str().and_then(place);
        let map = place.filter(|place| place.is_stage).map(|place| place.map);
        let wanted = match form {
            OldPrograms::RawTracepoints => map.is_some(),
            OldPrograms::PerfEvents => map == Some(TRACEPOINTS.1),
        };
        if wanted {
            program.set_autoload(true);
        }
    }
}

/// Puts those that have been loaded into their maps. There they stay as long as this object lives.
///
/// # Errors
///
/// Those of the kernel.
pub(super) fn put(object: &Object) -> anyhow::Result<()> {
    for program in object.progs_mut().filter(|program| program.autoload()) {
        let Some(Place { map, number, .. }) = program.section().to_str().and_then(place) else { continue };
        let map = object.maps().find(|found| found.name() == map).context("the BPF object has no stages")?;
        let descriptor = program.as_fd().as_raw_fd().to_ne_bytes();
        map.update(&number.to_ne_bytes(), &descriptor, MapFlags::ANY)
            .with_context(|| format!("cannot put {} in its place", program.name().display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use libbpf_rs::ObjectBuilder;

    use super::*;

    /// A hole would be the end of every record that comes by there.
    #[test]
    fn each_type_of_programs_has_every_stage() {
        let object = ObjectBuilder::default().open_file(bpf::OLD_OBJECT_PATH).unwrap();
        let mut stages = BTreeMap::<_, BTreeSet<u32>>::new();
        for program in object.progs() {
            if let Some(Place { map, number, .. }) = program.section().to_str().and_then(place) {
                assert!(stages.entry(map).or_default().insert(number), "{}", program.name().display());
            }
        }
        for (_, map) in [TRACEPOINTS, RAW_TRACEPOINTS] {
            let room = object.maps().find(|found| found.name() == map).unwrap().max_entries();
            assert_eq!(stages[map], (1..room).collect(), "{map}");
        }
        assert_eq!(place("tracepoint/syscalls/sys_enter_open"), None);
        assert!(place("tracepoint/stage/1").is_some_and(|place| place.is_stage));
        assert!(place("tracepoint/again/14").is_some_and(|place| !place.is_stage));
    }
}
