//! The programs that are in the kernel.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;

use anyhow::Context;
use anyhow::anyhow;
use libbpf_rs::ProgramMut;

use super::Maps;
use super::instance;
use super::instance::Instance;
use super::instance::MapSource;
use super::instance::Open;
use super::instance::Options;
use super::instance::Refusals;

/// The instances of the object.
#[derive(Debug)]
pub(crate) struct Programs {
    /// It made the maps.
    first: Instance,
    /// Loaded on demand, with its maps.
    later: Vec<Instance>,
    /// What the kernel does not take. It is not asked again: the answer would be the same.
    refused: Refusals,
    /// What could not be loaded for another reason the last time that was tried.
    unloaded: Refusals,
    open: Open,
}

impl Programs {
    /// Makes the maps and loads the programs to start with.
    ///
    /// # Errors
    ///
    /// If not even the maps can be made.
    pub(crate) fn load(wanted: BTreeSet<&str>, options: Options) -> anyhow::Result<Self> {
        Self::load_with(wanted, options, instance::open)
    }

    pub(super) fn load_with(wanted: BTreeSet<&str>, options: Options, open: Open) -> anyhow::Result<Self> {
        let (first, refused) = Instance::load(wanted, MapSource::New(options), open)?;
        Ok(Self { first, later: Vec::new(), refused, unloaded: Refusals::new(), open })
    }

    /// Loads those of the wanted programs that are not there yet. What can't be loaded has a [`Self::refusal`].
    /// Tells whether the kernel was asked for anything.
    pub(super) fn add(&mut self, mut wanted: BTreeSet<&str>) -> bool {
        wanted.retain(|program| !self.refused.contains_key(*program) && self.find(program).is_none());
        self.unloaded.clear();
        if wanted.is_empty() {
            return false;
        }
        tracing::debug!(?wanted, "loading programs");
        match Instance::load(wanted.clone(), MapSource::Shared(&self.first), self.open) {
            Ok((instance, refused)) => {
                self.refused.extend(refused);
                if !instance.is_empty() {
                    self.later.push(instance);
                }
            }
            Err(error) => {
                let reason = format!("{error:#}");
                self.unloaded = wanted.iter().map(|name| ((*name).to_owned(), reason.clone())).collect();
            }
        }
        true
    }

    /// Takes programs for not loaded, so that they are loaded anew when they are needed. What nobody needs any more leaves the
    /// kernel, but for those of the first load, which has the maps.
    pub(super) fn forget(&mut self, programs: &BTreeSet<&str>) {
        for instance in std::iter::once(&mut self.first).chain(&mut self.later) {
            instance.forget(programs);
        }
        self.later.retain(|instance| !instance.is_empty());
    }

    /// Why a program was asked for and could not be loaded, if so.
    pub(super) fn refusal(&self, program: &str) -> Option<&str> {
        self.refused.get(program).or_else(|| self.unloaded.get(program)).map(String::as_str)
    }

    /// What the kernel said when it refused a program for good, if it did.
    pub(super) fn refused(&self, program: &str) -> Option<&str> {
        self.refused.get(program).map(String::as_str)
    }

    /// Calls `attach` with a loaded program.
    pub(super) fn attach<L>(
        &self,
        program: &str,
        attach: impl FnOnce(&ProgramMut<'_>) -> anyhow::Result<L>,
    ) -> anyhow::Result<L> {
        if let Some(reason) = self.refusal(program) {
            return Err(anyhow!("{reason}"));
        }
        let found = self.find(program).and_then(|instance| instance.program(program));
        attach(&found.with_context(|| format!("the program {program} is not loaded"))?)
    }

    /// A descriptor of a loaded program.
    pub(super) fn descriptor(&self, program: &str) -> Option<OwnedFd> {
        let program = self.find(program)?.program(program)?;
        program.as_fd().try_clone_to_owned().ok()
    }

    /// Instructions that the verifier went through for each loaded program, where the kernel tells (5.16).
    pub(super) fn verified(&self) -> BTreeMap<String, u64> {
        std::iter::once(&self.first).chain(&self.later).flat_map(Instance::verified).collect()
    }

    /// Calls of one function that a probe at the return can wait for at one time.
    pub(super) fn max_active(&self) -> u32 {
        self.first.options().max_active
    }

    /// The maps of all instances.
    pub(super) fn maps(&self) -> anyhow::Result<Maps> {
        self.first.maps()
    }

    fn find(&self, program: &str) -> Option<&Instance> {
        std::iter::once(&self.first).chain(&self.later).find(|instance| instance.has(program))
    }
}

#[cfg(test)]
impl Programs {
    /// How many times the object is in the kernel.
    pub(super) fn loads(&self) -> usize {
        1 + self.later.len()
    }

    /// Whether a program is in the kernel.
    pub(super) fn has(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    /// From now on.
    pub(super) fn open_with(&mut self, open: Open) {
        self.open = open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_are_those_of_the_first_load() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: loading BPF programs needs root");
        }
        let options = Options { own_pid: 7, ..Options::of_a_test(1 << 16) };
        let mut programs = Programs::load(BTreeSet::new(), options).unwrap();
        assert!(programs.add(["exit_mkdir"].into()));
        let ids = programs.first.map_ids();
        assert!(ids.len() > 5, "{ids:?}");
        assert_eq!(programs.later[0].map_ids(), ids);
        assert!(!programs.add(["exit_mkdir"].into()), "it is there");
        let verified = programs.verified();
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let version: Vec<u32> = release.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        if version >= vec![5, 16] {
            assert_eq!(verified.keys().collect::<Vec<_>>(), ["exit_mkdir"], "{verified:?}");
            assert!(verified["exit_mkdir"] > 100, "{verified:?}");
        } else {
            assert!(verified.is_empty(), "{verified:?}");
        }
    }

    #[test]
    fn what_the_object_does_not_have_can_not_be_attached() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: loading BPF programs needs root");
        }
        let options = Options { preemptible: true, ..Options::of_a_test(1 << 16) };
        let programs = Programs::load(["nonsense"].into(), options).unwrap();
        assert!(programs.attach::<()>("nonsense", |_| unreachable!()).is_err());
    }
}
