//! The BPF object in the kernel, with some of its programs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::Context;
use bpf::CwsSkel;
use bpf::CwsSkelBuilder;
use bpf::OpenCwsSkel;
use libbpf_rs::MapCore as _;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::OpenObject;
use libbpf_rs::ProgramAttachType;
use libbpf_rs::ProgramMut;
use libbpf_rs::ProgramType;
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;

use super::Maps;
use super::branches;
use super::old_settings;
use super::stages;
use crate::facts::OldPrograms;
use crate::libbpf_log;

/// What is set before loading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Size of the ring buffer, bytes: a power of two, at least a page.
    pub(crate) ring_bytes: u32,
    /// Address of the kernel's `____fput`; 0 if unknown.
    pub(crate) deferred_release: u64,
    /// Process whose file events are not reported: this one. 0: report everyone's.
    pub(crate) own_pid: u32,
    /// Bytes of a thread's stack in the kernel, at the end of which are the registers of its call.
    pub(crate) thread_size: u32,
    /// Which packets are told.
    pub(crate) packets: PacketOptions,
    /// Programs at functions can be preempted, so that each needs memory of its own.
    pub(crate) preemptible: bool,
    /// Kinds that programs at functions report, 32-bit calls included: a bit for each, in the order of the numbers.
    pub(crate) kinds_at_functions: [u64; 2],
    /// Programs at functions are put there by probes.
    pub(crate) by_probes: bool,
    /// Calls of one function that a probe at the return can wait for at one time.
    pub(crate) max_active: u32,
    /// Programs see requests of rings, so that these need memory.
    pub(crate) file_requests: bool,
    /// The object for old kernels.
    pub(crate) old: Option<OldPrograms>,
    /// A file that describes the kernel's types, if the kernel does not.
    pub(crate) types: Option<&'static Path>,
}

/// Which packets are those of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketOptions {
    /// Ports of name services; 0 ends the list.
    pub(crate) name_ports: [u16; 8],
    /// Addresses of metadata services.
    pub(crate) metadata_ipv4: Option<Ipv4Addr>,
    pub(crate) metadata_ipv6: Option<Ipv6Addr>,
}

#[cfg(test)]
impl Options {
    /// As most tests want them.
    pub(crate) const fn of_a_test(ring_bytes: u32) -> Self {
        let packets = PacketOptions { name_ports: [0; 8], metadata_ipv4: None, metadata_ipv6: None };
        Self {
            ring_bytes,
            deferred_release: 0,
            own_pid: 0,
            thread_size: 16 << 10,
            packets,
            preemptible: false,
            kinds_at_functions: [0; 2],
            by_probes: false,
            max_active: 16,
            file_requests: false,
            old: None,
            types: None,
        }
    }
}

/// Places in the memory of a CPU: for what is not preempted, and for this process itself; and so many for others.
const COMMON_SLOTS: u32 = 2;
const PREEMPTIBLE_SLOTS: u32 = 4;

/// Requests of rings that are under way at one time, of which each takes the room of two paths; and where nothing is meant
/// to see them, which may still turn out to be the only way.
const REQUESTS: u32 = 512;
const FEW_REQUESTS: u32 = 16;

/// Calls of functions that are under way at one time, of which probes at the return want the arguments; and where there
/// are no probes.
const KEPT_ARGUMENTS: u32 = 16_384;
const NO_KEPT_ARGUMENTS: u32 = 1;

/// Where an instance has its maps from, constants included.
#[derive(Clone, Copy, Debug)]
pub(super) enum MapSource<'a> {
    /// They are made.
    New(Options),
    /// They are those of another instance.
    Shared(&'a Instance),
}

impl MapSource<'_> {
    fn options(&self) -> Options {
        match self {
            Self::New(options) => *options,
            Self::Shared(instance) => instance.options,
        }
    }
}

/// Opens the object with just the named programs set to be loaded.
pub(super) type Open = fn(&BTreeSet<&str>, MapSource<'_>) -> anyhow::Result<Opened>;

/// One of the two objects, not loaded yet.
pub(super) enum Opened {
    /// With a ring buffer and typed tracepoints.
    Young(Box<OpenCwsSkel<'static>>),
    /// For kernels without.
    Old(OpenObject, Options),
}

/// One of the two objects in the kernel.
enum Loaded {
    Young(Box<CwsSkel<'static>>),
    Old(Object),
}

impl Opened {
    pub(super) fn object_mut(&mut self) -> &mut OpenObject {
        match self {
            Self::Young(skeleton) => skeleton.open_object_mut(),
            Self::Old(object, _) => object,
        }
    }

    fn load(self) -> anyhow::Result<Loaded> {
        match self {
            Self::Young(skeleton) => Ok(Loaded::Young(Box::new(skeleton.load()?))),
            Self::Old(mut object, options) => {
                if options.old == Some(OldPrograms::PerfEvents) {
                    branches::settle(&mut object)?;
                }
                let object = object.load()?;
                old_settings::write(&object, &options)?;
                stages::put(&object)?;
                Ok(Loaded::Old(object))
            }
        }
    }
}

impl Loaded {
    fn object(&self) -> &Object {
        match self {
            Self::Young(skeleton) => skeleton.object(),
            Self::Old(object) => object,
        }
    }
}

/// Programs that the kernel did not take, with its reason.
pub(super) type Refusals = BTreeMap<String, String>;

/// One load of the object.
pub(super) struct Instance {
    loaded: Loaded,
    /// Those that it was first loaded with.
    options: Options,
    /// The programs that were loaded and are of use; the object has more.
    programs: BTreeSet<String>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("programs", &self.programs).finish_non_exhaustive()
    }
}

impl Instance {
    /// Loads the wanted programs, or as many as the kernel takes.
    ///
    /// # Errors
    ///
    /// What has nothing to do with one program.
    pub(super) fn load(
        wanted: BTreeSet<&str>,
        maps: MapSource<'_>,
        open: Open,
    ) -> anyhow::Result<(Self, Refusals)> {
        let mut programs: BTreeSet<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let options = maps.options();
        let (loaded, refused) =
            load_what_the_kernel_takes(wanted, |wanted| open(wanted, maps), Opened::load)?;
        programs.retain(|name| !refused.contains_key(name));
        Ok((Self { loaded, options, programs }, refused))
    }

    /// Whether a program was loaded with this instance.
    pub(super) fn has(&self, program: &str) -> bool {
        self.programs.contains(program)
    }

    /// Takes some of its programs for not loaded.
    pub(super) fn forget(&mut self, programs: &BTreeSet<&str>) {
        self.programs.retain(|program| !programs.contains(program.as_str()));
    }

    /// Whether no program of it is left, or it was loaded with none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// A program, by its name in the object.
    pub(super) fn program(&self, name: &str) -> Option<ProgramMut<'_>> {
        self.loaded.object().progs_mut().find(|program| program.name() == name)
    }

    /// What each program has cost the verifier, by its name in the object. Empty before Linux 5.16, which does not tell.
    pub(super) fn verified(&self) -> impl Iterator<Item = (String, u64)> {
        let loaded = self.loaded.object().progs_mut().filter(|program| program.autoload());
        loaded.filter_map(|program| {
            let name = program.name().to_str()?.to_owned();
            Some((name, verified_instructions(program.as_fd())?))
        })
    }

    /// The kernel's numbers of the maps.
    #[cfg(test)]
    pub(super) fn map_ids(&self) -> BTreeSet<u32> {
        self.loaded.object().maps().map(|map| map.info().unwrap().info.id).collect()
    }

    /// What it was loaded with.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The maps, with descriptors of their own.
    pub(super) fn maps(&self) -> anyhow::Result<Maps> {
        Maps::of(self.loaded.object(), self.options.ring_bytes)
    }
}

/// Instructions that the verifier has gone through for a program: `verified_insns` of `proc_pid_fdinfo(5)`.
fn verified_instructions(program: BorrowedFd<'_>) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("verified_insns:"))?.trim().parse().ok()
}

/// Loads an object with the wanted programs, or as many as the kernel takes; gives the others with its reason. `open`
/// opens it with just these set to be loaded.
///
/// # Errors
///
/// What has nothing to do with one program.
fn load_what_the_kernel_takes<Open, Loaded>(
    mut wanted: BTreeSet<&str>,
    open: impl Fn(&BTreeSet<&str>) -> anyhow::Result<Open>,
    load: impl Fn(Open) -> anyhow::Result<Loaded>,
) -> anyhow::Result<(Loaded, BTreeMap<String, String>)> {
    let mut refused = BTreeMap::new();
    loop {
        let opened = open(&wanted)?;
        let (result, messages) = libbpf_log::capture(|| load(opened));
        let error = match result {
            Ok(loaded) => return Ok((loaded, refused)),
            Err(error) => error,
        };
        // Each turn leaves one program out, so this ends.
        for message in &messages {
            tracing::trace!("{message}");
        }
        match libbpf_log::refused_program(&messages) {
            Some((program, reason)) if wanted.remove(program.as_str()) => {
                tracing::debug!(program, reason, "the kernel refused a program");
                refused.insert(program, reason);
            }
            // One of those that the others do not work without.
            Some((program, reason)) => {
                return Err(error
                    .context(format!("{program}: {reason}"))
                    .context("cannot load the BPF object"));
            }
            None => {
                // What went wrong, and what that led to.
                let said = messages.get(messages.len().saturating_sub(3)..).unwrap_or_default().join("; ");
                return Err(error.context(said).context("cannot load the BPF object"));
            }
        }
    }
}

/// Opens the object as it is.
pub(super) fn open(wanted: &BTreeSet<&str>, maps: MapSource<'_>) -> anyhow::Result<Opened> {
    let mut opened = if maps.options().old.is_some() {
        open_old(maps.options())?
    } else {
        Opened::Young(Box::new(open_young(maps)?))
    };
    choose(opened.object_mut(), wanted);
    if maps.options().by_probes {
        make_probes(opened.object_mut());
    }
    match maps {
        MapSource::Shared(other) => share(opened.object_mut(), other)?,
        MapSource::New(Options { old: Some(form), .. }) => stages::choose(opened.object_mut(), form),
        MapSource::New(_) => {}
    }
    Ok(opened)
}

fn open_old(options: Options) -> anyhow::Result<Opened> {
    let mut builder = ObjectBuilder::default();
    builder.name("cws_old").context("cannot name the BPF object")?;
    if let Some(types) = options.types {
        builder.btf_custom_path(types).context("cannot use the file of types")?;
    }
    let opened = builder.open_memory(bpf::OLD_OBJECT).context("cannot open the BPF object")?;
    Ok(Opened::Old(opened, options))
}

fn open_young(maps: MapSource<'_>) -> anyhow::Result<OpenCwsSkel<'static>> {
    // The skeleton borrows the place of the object for as long as it lives, which is as long as the process. Each
    // load takes another of these, a pointer's worth of memory: as many as there are programs, at most.
    let storage = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut builder = CwsSkelBuilder::default();
    if let Some(types) = maps.options().types {
        builder.obj_builder.btf_custom_path(types).context("cannot use the file of types")?;
    }
    let mut open = builder.open(storage).context("cannot open the BPF object")?;
    if let MapSource::New(options) = maps {
        open.maps.events.set_max_entries(options.ring_bytes).context("cannot size the ring buffer")?;
        let rodata = open.maps.rodata_data.as_deref_mut().context("the BPF object has no constants")?;
        rodata.fput_callback = options.deferred_release;
        rodata.own_pid = options.own_pid;
        rodata.thread_size = options.thread_size;
        rodata.kinds_at_functions = options.kinds_at_functions;
        let packets = options.packets;
        rodata.name_ports = packets.name_ports;
        // As they stand in a packet.
        rodata.metadata_ipv4 = packets.metadata_ipv4.map_or(0, |ip| u32::from_ne_bytes(ip.octets()));
        let ipv6 = packets.metadata_ipv6.unwrap_or(Ipv6Addr::UNSPECIFIED).octets();
        for (word, bytes) in rodata.metadata_ipv6.iter_mut().zip(ipv6.chunks_exact(4)) {
            *word = bytes.try_into().map_or(0, u32::from_ne_bytes);
        }
        rodata.functions_by_probes = options.by_probes;
        let kept = if options.by_probes { KEPT_ARGUMENTS } else { NO_KEPT_ARGUMENTS };
        open.maps.kept_arguments.set_max_entries(kept).context("cannot size the map of kept arguments")?;
        let requests = if options.file_requests { REQUESTS } else { FEW_REQUESTS };
        open.maps.requests.set_max_entries(requests).context("cannot size the map of requests")?;
        let preemptible = if options.preemptible { PREEMPTIBLE_SLOTS } else { 0 };
        rodata.preemptible_slots = preemptible;
        let slots = COMMON_SLOTS + preemptible;
        for map in [
            &mut open.maps.record_scratch,
            &mut open.maps.path_scratch,
            &mut open.maps.walk_scratch,
            &mut open.maps.call_scratch,
            &mut open.maps.request_scratch,
        ] {
            map.set_max_entries(slots).context("cannot size the scratch memory")?;
        }
    }
    Ok(open)
}

/// Has the object use all maps of another instance.
fn share(object: &mut OpenObject, other: &Instance) -> anyhow::Result<()> {
    for mut map in object.maps_mut() {
        let same = other.loaded.object().maps().find(|other| other.name() == map.name());
        let same = same.with_context(|| format!("no map {} to share", map.name().display()))?;
        let reused = map.reuse_fd(same.as_fd());
        reused.with_context(|| format!("cannot share the map {}", map.name().display()))?;
    }
    Ok(())
}

/// Sets which programs are loaded.
fn choose(object: &mut OpenObject, wanted: &BTreeSet<&str>) {
    for mut program in object.progs_mut() {
        let wanted = program.name().to_str().is_some_and(|name| wanted.contains(name));
        program.set_autoload(wanted);
    }
}

/// Has the programs at functions loaded as such of probes; see `bpf/include/function.h`.
fn make_probes(object: &mut OpenObject) {
    for mut program in object.progs_mut() {
        let section = program.section().to_string_lossy();
        if section.starts_with("fentry/") || section.starts_with("fexit/") {
            program.set_prog_type(ProgramType::Kprobe);
            // 0, as of any program of a type that has but one way to be attached.
            program.set_attach_type(ProgramAttachType::CgroupInetIngress);
        }
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
        let facts = Facts::probe("/proc".as_ref(), &crate::plan::functions());
        let programs = [
            (Capability::TpBtf, "fact_tp_btf"),
            (Capability::Fentry, "fact_fentry"),
            (Capability::IterTask, "fact_iter_task"),
            (Capability::Fexit, "fact_fexit"),
        ];
        let wanted = programs.iter().map(|(_, name)| *name).collect();
        let result = load_what_the_kernel_takes(
            wanted,
            |wanted| {
                let storage = Box::leak(Box::new(MaybeUninit::uninit()));
                let mut open = FactsSkelBuilder::default().open(storage)?;
                choose(open.open_object_mut(), wanted);
                Ok(open)
            },
            |open| Ok(open.load()?),
        );
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
