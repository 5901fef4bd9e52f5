//! The BPF object in the kernel.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::mem::MaybeUninit;

use anyhow::Context;
use anyhow::anyhow;
use bpf::CwsSkel;
use bpf::CwsSkelBuilder;
use bpf::OpenCwsSkel;
use libbpf_rs::Link;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::OpenObject;
use libbpf_rs::ProgramMut;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;
use proto::wire::Kind;

use crate::libbpf_log;
use crate::plan::Plan;
use crate::plan::Program;

/// `FILTER_KEEP_ALL` and `FILTER_KEEP_NONE` of bpf/include/filter.h.
const FILTER_KEEP_ALL: u32 = 0;
const FILTER_KEEP_NONE: u32 = 2;

/// What is set before loading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Size of the ring buffer, bytes: a power of two, at least a page.
    pub(crate) ring_bytes: u32,
    /// Address of the kernel's `____fput`; 0 if unknown.
    pub(crate) deferred_release: u64,
    /// Process whose file events are not reported: this one. 0: report everyone's.
    pub(crate) own_pid: u32,
}

/// The object with those of the planned programs that the kernel took.
pub(crate) struct Loaded {
    skeleton: CwsSkel<'static>,
    /// The others, with the kernel's reason.
    refused: BTreeMap<String, String>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("refused", &self.refused).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Loads the planned programs; those that the kernel refuses are left out.
    ///
    /// # Errors
    ///
    /// If not even the maps can be made.
    pub(crate) fn load(plan: &Plan, options: Options) -> anyhow::Result<Self> {
        let wanted = plan.programs().map(|program| program.name).collect();
        let (skeleton, refused) = load_what_the_kernel_takes(wanted, |wanted| open(wanted, options))?;
        Ok(Self { skeleton, refused })
    }

    /// Why the kernel did not take a program, if it did not.
    pub(crate) fn refusal(&self, program: &str) -> Option<&str> {
        self.refused.get(program).map(String::as_str)
    }

    /// Calls `attach` with a loaded program.
    pub(crate) fn attach(
        &self,
        program: &Program,
        attach: impl FnOnce(&ProgramMut<'_>) -> anyhow::Result<Link>,
    ) -> anyhow::Result<Link> {
        if let Some(reason) = self.refusal(program.name) {
            return Err(anyhow!("{reason}"));
        }
        let mut programs = self.skeleton.object().progs_mut();
        let found = programs.find(|found| found.name() == program.name);
        attach(&found.with_context(|| format!("the BPF object has no program {}", program.name))?)
    }

    /// Whether the programs send records of a kind that is watched on demand.
    pub(crate) fn keep_kind(&self, kind: Kind, keep: bool) -> libbpf_rs::Result<()> {
        let keep: u32 = if keep { FILTER_KEEP_ALL } else { FILTER_KEEP_NONE };
        // struct filter: what is kept, and the ways to open that are kept when not all are.
        let value = [keep.to_ne_bytes(), 0u32.to_ne_bytes()].concat();
        self.skeleton.maps.filters.update(&kind.number().to_ne_bytes(), &value, MapFlags::ANY)
    }

    /// The ring buffer, with a descriptor of its own.
    pub(crate) fn events(&self) -> anyhow::Result<MapHandle> {
        MapHandle::try_from(&self.skeleton.maps.events).context("cannot use the map events")
    }

    /// The counters of records that found the ring full.
    pub(crate) fn losses(&self) -> anyhow::Result<MapHandle> {
        MapHandle::try_from(&self.skeleton.maps.losses).context("cannot use the map losses")
    }

    /// Size of the ring buffer, bytes.
    pub(crate) fn ring_bytes(&self) -> u64 {
        u64::from(self.skeleton.maps.events.max_entries())
    }
}

/// Loads an object with the wanted programs, or as many as the kernel takes; gives the others with its reason. `open`
/// opens it with just these set to be loaded.
///
/// # Errors
///
/// What has nothing to do with one program.
fn load_what_the_kernel_takes<Open: OpenSkel<'static>>(
    mut wanted: BTreeSet<&str>,
    open: impl Fn(&BTreeSet<&str>) -> anyhow::Result<Open>,
) -> anyhow::Result<(Open::Output, BTreeMap<String, String>)> {
    let mut refused = BTreeMap::new();
    loop {
        let opened = open(&wanted)?;
        let (result, messages) = libbpf_log::capture(|| opened.load());
        let error = match result {
            Ok(loaded) => return Ok((loaded, refused)),
            Err(error) => error,
        };
        // Each turn leaves one program out, so this ends.
        match libbpf_log::refused_program(&messages) {
            Some((program, reason)) if wanted.remove(program.as_str()) => {
                tracing::debug!(program, reason, "the kernel refused a program");
                refused.insert(program, reason);
            }
            _ => {
                let said = messages.last().cloned().unwrap_or_default();
                return Err(anyhow!(error).context(said).context("cannot load the BPF object"));
            }
        }
    }
}

fn open(wanted: &BTreeSet<&str>, options: Options) -> anyhow::Result<OpenCwsSkel<'static>> {
    // The skeleton borrows the place of the object for as long as it lives, which is as long as the process.
    // A program that is refused costs another of these: a pointer's worth of memory.
    let storage = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = CwsSkelBuilder::default().open(storage).context("cannot open the BPF object")?;
    choose(open.open_object_mut(), wanted);
    open.maps.events.set_max_entries(options.ring_bytes).context("cannot size the ring buffer")?;
    let rodata = open.maps.rodata_data.as_deref_mut().context("the BPF object has no constants")?;
    rodata.fput_callback = options.deferred_release;
    rodata.own_pid = options.own_pid;
    Ok(open)
}

/// Sets which programs are loaded.
fn choose(object: &mut OpenObject, wanted: &BTreeSet<&str>) {
    for mut program in object.progs_mut() {
        let wanted = program.name().to_str().is_some_and(|name| wanted.contains(name));
        program.set_autoload(wanted);
    }
}

#[cfg(test)]
mod tests {
    use bpf::facts::FactsSkelBuilder;

    use super::*;
    use crate::facts::Capability;
    use crate::facts::Facts;

    /// The facts' programs, because on most kernels some of them are refused.
    #[test]
    fn a_refused_program_fails_alone_and_with_a_reason() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: loading BPF programs needs root");
        }
        let facts = Facts::probe("/proc".as_ref());
        let programs = [
            (Capability::TpBtf, "fact_tp_btf"),
            (Capability::Fentry, "fact_fentry"),
            (Capability::IterTask, "fact_iter_task"),
            (Capability::Fexit, "fact_fexit"),
        ];
        let wanted = programs.iter().map(|(_, name)| *name).collect();
        let result = load_what_the_kernel_takes(wanted, |wanted| {
            let storage = Box::leak(Box::new(MaybeUninit::uninit()));
            let mut open = FactsSkelBuilder::default().open(storage)?;
            choose(open.open_object_mut(), wanted);
            Ok(open)
        });
        let (loaded, refused) = result.unwrap();
        for (capability, name) in programs {
            let program = loaded.object().progs_mut().find(|program| program.name() == name).unwrap();
            // Unloaded programs can't be attached.
            assert_eq!(program.attach().is_ok(), facts.has(capability), "{name}");
            assert_eq!(refused.contains_key(name), !facts.has(capability), "{name}: {refused:?}");
        }
        assert!(refused.values().all(|reason| reason.contains("failed")), "{refused:?}");
    }
}
