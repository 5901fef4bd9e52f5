//! Tries a probe at the entry and one at the return of a function, both at once: what the first keeps, the second has to
//! find.

use std::mem::MaybeUninit;

use bpf::facts::FactsSkelBuilder;
use libbpf_rs::ProgramMut;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;

use super::programs::Outcome;
use super::programs::failed;
use super::programs::has_fired;
use super::programs::open_any_file;
use crate::libbpf_log;
use crate::plan::Side;
use crate::tracefs::Probe;
use crate::tracefs::ProbePlace;
use crate::tracefs::Tracefs;

/// A function that every kernel has, with a pointer as its argument.
const FUNCTION: &str = "security_file_open";
/// Both programs, with where they are put.
const PROGRAMS: [(&str, Side); 2] = [("fact_kprobe", Side::Entry), ("fact_kretprobe", Side::Return)];
/// Calls of the function that are under way.
const MAX_ACTIVE: u32 = 64;

/// How probes work, or why not.
pub(super) fn probes() -> Outcome {
    // What libbpf prints about a program that is expected to fail would only frighten.
    libbpf_log::capture(try_probes).0
}

fn try_probes() -> Outcome {
    let tracefs = Tracefs::open().map_err(|error| format!("tracefs: {error}"))?;
    let mut storage = MaybeUninit::uninit();
    let mut open = FactsSkelBuilder::default().open(&mut storage).map_err(|error| failed("open", &error))?;
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = PROGRAMS.iter().any(|(name, _)| program.name() == *name);
        program.set_autoload(wanted);
    }
    let skeleton = open.load().map_err(|error| failed("load", &error))?;
    let attached: Vec<_> = PROGRAMS
        .iter()
        .map(|(name, side)| {
            let program = skeleton.object().progs_mut().find(|program| program.name() == *name);
            let place = ProbePlace { name, function: FUNCTION, side: *side, max_active: MAX_ACTIVE };
            attach(&tracefs, &place, &program.ok_or("the object lacks it")?)
        })
        .collect::<Result<_, _>>()?;
    open_any_file().map_err(|reason| format!("attached, but it cannot be tried: {reason}"))?;
    let outcome = has_fired(&skeleton);
    drop(attached);
    if outcome {
        Ok(format!("tracefs at {}", tracefs.place()))
    } else {
        Err("attached, but what is kept at the entry of a function is not found at its return".to_owned())
    }
}

fn attach(
    tracefs: &Tracefs,
    place: &ProbePlace<'_>,
    program: &ProgramMut<'_>,
) -> Result<(libbpf_rs::Link, Probe), String> {
    let (probe, event) = tracefs.probe(place).map_err(|error| format!("{FUNCTION}: {error}"))?;
    let link = event.attach(program).map_err(|error| failed("attach", &error))?;
    Ok((link, probe))
}
