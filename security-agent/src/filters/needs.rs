//! What an event needs, in terms of the kernel.

use std::collections::BTreeSet;

use super::join::sets;
use bytes::Bytes;
use proto::v1::{Alternative, FileCondition, IdRange, OpenFlags};

/// Which file of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that it is about.
    File,
    /// Where it goes.
    Destination,
}

/// A path that is wanted, or what it begins with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    /// Just this one.
    Whole(Vec<u8>),
    /// All that begin so.
    Prefix(Vec<u8>),
}

/// Of a file; `None` needs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNeeds {
    /// One of these names.
    pub(super) names: Option<BTreeSet<Vec<u8>>>,
    /// One of these paths.
    pub(super) paths: Option<BTreeSet<Path>>,
    /// A path was added that says nothing.
    any_path: bool,
}

/// One of these flags of an open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flags {
    /// `O_*`
    pub(super) any_of: u32,
    /// Or for reading alone.
    pub(super) read_only: bool,
}

/// All that is present.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Needs {
    pub(super) file: FileNeeds,
    pub(super) destination: FileNeeds,
    pub(super) flags: Option<Flags>,
    /// From and to, inclusive.
    pub(super) auids: Option<BTreeSet<(u32, u32)>>,
    pub(super) in_upper_layer: Option<bool>,
    /// From and to, inclusive.
    pub(super) ports: Option<BTreeSet<(u32, u32)>>,
}

impl FileNeeds {
    pub(super) fn of_names(names: BTreeSet<Vec<u8>>) -> Self {
        Self { names: Some(names), ..Self::default() }
    }

    /// One more path that is wanted, with its name.
    pub(super) fn add(&mut self, name: Option<Vec<u8>>, path: Option<Path>) {
        if let Some(name) = name {
            self.names.get_or_insert_default().insert(name);
        }
        match path {
            Some(path) => {
                self.paths.get_or_insert_default().insert(path);
            }
            None => self.any_path = true,
        }
    }

    /// The needs, when all paths are added.
    pub(super) fn finish(mut self) -> Self {
        if std::mem::take(&mut self.any_path) {
            self.paths = None;
        }
        self
    }

    pub(super) fn on(self, side: Side) -> Needs {
        match side {
            Side::File => Needs { file: self, ..Needs::default() },
            Side::Destination => Needs { destination: self, ..Needs::default() },
        }
    }

    fn is_nothing(&self) -> bool {
        self.names.is_none() && self.paths.is_none()
    }

    /// Either.
    pub(super) fn united(left: &Self, right: &Self) -> Self {
        Self {
            names: sets(left.names.as_ref(), right.names.as_ref()),
            paths: sets(left.paths.as_ref(), right.paths.as_ref()),
            any_path: false,
        }
    }

    /// Both. `None` if that cannot be.
    fn and(&self, other: &Self) -> Option<Self> {
        let names = match (&self.names, &other.names) {
            (Some(left), Some(right)) => {
                let both: BTreeSet<_> = left.intersection(right).cloned().collect();
                if both.is_empty() {
                    return None;
                }
                Some(both)
            }
            (left, right) => left.as_ref().or(right.as_ref()).cloned(),
        };
        // Paths have another way to be compared, without the mount point: they are not intersected.
        let fewer = |paths: &&BTreeSet<Path>| paths.len();
        let paths = [&self.paths, &other.paths].into_iter().flatten().min_by_key(fewer).cloned();
        Some(Self { names, paths, any_path: false })
    }

    fn into_wire(self) -> Option<FileCondition> {
        if self.is_nothing() {
            return None;
        }
        let (mut paths, mut path_prefixes) = (Vec::new(), Vec::new());
        for path in self.paths.into_iter().flatten() {
            match path {
                Path::Whole(path) => paths.push(Bytes::from(path)),
                Path::Prefix(prefix) => path_prefixes.push(Bytes::from(prefix)),
            }
        }
        let names = self.names.into_iter().flatten().map(Bytes::from).collect();
        Some(FileCondition { names, paths, path_prefixes })
    }
}

impl Needs {
    /// Whether any event will do.
    pub(super) fn is_nothing(&self) -> bool {
        self.file.is_nothing()
            && self.destination.is_nothing()
            && self.flags.is_none()
            && self.auids.is_none()
            && self.in_upper_layer.is_none()
            && self.ports.is_none()
    }

    /// Which files' names and paths it looks at.
    pub(super) fn shape(&self) -> [bool; 4] {
        [
            self.file.names.is_some(),
            self.file.paths.is_some(),
            self.destination.names.is_some(),
            self.destination.paths.is_some(),
        ]
    }

    /// Both; the two are about different fields. `None` if that cannot be.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        Some(Self {
            file: self.file.and(&other.file)?,
            destination: self.destination.and(&other.destination)?,
            flags: self.flags.or(other.flags),
            auids: self.auids.clone().or_else(|| other.auids.clone()),
            in_upper_layer: self.in_upper_layer.or(other.in_upper_layer),
            ports: self.ports.clone().or_else(|| other.ports.clone()),
        })
    }

    /// For the probe.
    pub(super) fn into_wire(self) -> Alternative {
        let ranges = |ranges: Option<BTreeSet<(u32, u32)>>| {
            ranges.into_iter().flatten().map(|(from, to)| IdRange { from, to }).collect()
        };
        Alternative {
            file: self.file.into_wire(),
            destination: self.destination.into_wire(),
            flags: self.flags.map(|flags| OpenFlags { any_of: flags.any_of, read_only: flags.read_only }),
            auids: ranges(self.auids),
            ports: ranges(self.ports),
            in_upper_layer: self.in_upper_layer,
            packet: None,
        }
    }
}
