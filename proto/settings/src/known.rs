//! What is known about each key: the entries of the table, and looking a name up among them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::node::Node;
use crate::planned::PLANNED;
use crate::value::Setting;
use crate::{agent, probe};

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// The reference has it since this version.
    Reference(&'static str),
    /// The reference does not have it.
    Own,
}

/// Which files a process takes a key from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// Its own: `system-probe.yaml` for system-probe, those given by `-c` for security-agent.
    Own,
    /// security-agent reads it; the reference reads it in system-probe. So that it works where users
    /// have it, security-agent also takes it from the `system-probe.yaml` beside its first file.
    Either,
}

/// One key of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The documented name, dotted.
    pub(crate) name: &'static str,
    /// Name of its type.
    pub(crate) type_name: &'static str,
    /// Its default as YAML.
    pub(crate) default: String,
    /// Smallest and largest value allowed, as YAML.
    pub(crate) range: Option<(String, String)>,
    /// Where it comes from.
    pub(crate) since: Since,
    /// Older or newer names that mean the same.
    pub(crate) also: &'static [&'static str],
    /// Variables that set it beside the one made from its name.
    pub(crate) environment: &'static [&'static str],
    /// Which files it is taken from.
    pub(crate) files: Files,
    /// What it does, as Markdown.
    pub(crate) doc: &'static str,
}

impl Key {
    /// All its names, the documented one first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.also.iter().copied())
    }

    /// All variables that set it, strongest first.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let made = self.names().map(variable);
        for name in made.chain(self.environment.iter().map(|&name| name.to_owned())) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}

/// The environment variable of a key.
pub(crate) fn variable(key: &str) -> String {
    format!("DD_{}", key.to_ascii_uppercase().replace('.', "_"))
}

/// A struct of settings made from entries of the table.
pub(crate) trait Group: Default {
    /// Heading in the documentation.
    const TITLE: &'static str;

    /// The entries.
    fn keys() -> Vec<Key>;

    /// The members of the struct, in the order of the entries.
    #[cfg(test)]
    fn members() -> &'static [&'static str];

    /// The keys with their values as YAML, secrets blotted out.
    fn values(&self) -> Vec<(&'static str, String)>;

    /// Sets `key`, by its documented name, to a value that is not null. `None`: not a key of this group.
    ///
    /// # Errors
    /// What was expected, when `value` is something else.
    fn set(&mut self, key: &str, value: &Node) -> Option<Result<(), String>>;
}

/// Everything that one process reads: all groups of it.
pub(crate) trait Process: Default {
    /// Name of the executable.
    const NAME: &'static str;

    /// Headings and entries, group by group.
    fn groups() -> Vec<(&'static str, Vec<Key>)>;

    /// Its members, each a group, with the members of that.
    #[cfg(test)]
    fn members() -> Vec<(&'static str, &'static [&'static str])>;

    /// As [`Group::set`].
    fn set(&mut self, key: &str, value: &Node) -> Option<Result<(), String>>;

    /// All entries.
    fn keys() -> Vec<Key> {
        Self::groups().into_iter().flat_map(|(_, keys)| keys).collect()
    }
}

/// Declares the settings of a process as its groups.
macro_rules! process {
    ($(#[doc = $doc:literal])+ $name:ident, $executable:literal; $($(#[doc = $field_doc:literal])+ $field:ident: $group:ident;)+) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $group,)+
        }

        impl $name {
            /// Every key with its value as YAML, secrets blotted out.
            #[must_use]
            pub fn values(&self) -> Vec<(&'static str, String)> {
                use $crate::known::Group;
                [$(self.$field.values()),+].concat()
            }
        }

        impl $crate::known::Process for $name {
            const NAME: &'static str = $executable;

            fn groups() -> Vec<(&'static str, Vec<$crate::known::Key>)> {
                use $crate::known::Group;
                vec![$(($group::TITLE, $group::keys())),+]
            }

            #[cfg(test)]
            fn members() -> Vec<(&'static str, &'static [&'static str])> {
                use $crate::known::Group;
                vec![$((stringify!($field), $group::members())),+]
            }

            fn set(&mut self, key: &str, value: &$crate::node::Node) -> Option<Result<(), String>> {
                use $crate::known::Group;
                None$(.or_else(|| self.$field.set(key, value)))+
            }
        }
    };
}
pub(crate) use process;

/// Sets one value, if it is of the type and in the range.
///
/// # Errors
/// What was expected.
pub(crate) fn assign<T: Setting>(
    slot: &mut T,
    value: &Node,
    range: Option<RangeInclusive<T>>,
) -> Result<(), String> {
    let Some(read) = T::read(value) else { return Err(T::EXPECTED.to_owned()) };
    if let Some(range) = range.filter(|range| !range.contains(&read)) {
        return Err(format!("{} from {} to {}", T::EXPECTED, range.start().render(), range.end().render()));
    }
    *slot = read;
    Ok(())
}

/// What a name in a file or a variable in the environment stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A key that this process reads.
    Mine {
        /// Its documented name.
        key: &'static str,
        /// Which files it is taken from.
        files: Files,
    },
    /// A key that the other process reads.
    Other {
        /// Name of that process' executable.
        process: &'static str,
        /// Which files it is taken from.
        files: Files,
    },
    /// A key of the reference that does nothing here.
    Planned {
        /// The feature that it belongs to.
        feature: &'static str,
    },
}

/// All names, seen from one process.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    names: BTreeMap<String, Meaning>,
}

impl Vocabulary {
    /// The names as `P` sees them.
    pub(crate) fn of<P: Process>() -> Self {
        let mut names = BTreeMap::new();
        for feature in PLANNED {
            for (key, _) in feature.keys {
                names.insert((*key).to_owned(), Meaning::Planned { feature: feature.title });
            }
        }
        let everybody = [
            (probe::ProbeSettings::NAME, probe::ProbeSettings::keys()),
            (agent::AgentSettings::NAME, agent::AgentSettings::keys()),
        ];
        for (process, keys) in everybody.iter().filter(|(process, _)| *process != P::NAME) {
            for key in keys {
                for name in key.names() {
                    names.insert(name.to_owned(), Meaning::Other { process, files: key.files });
                }
            }
        }
        for key in P::keys() {
            for name in key.names() {
                names.insert(name.to_owned(), Meaning::Mine { key: key.name, files: key.files });
            }
        }
        Self { names }
    }

    /// What `name`, in lower case, means.
    pub(crate) fn get(&self, name: &str) -> Option<&Meaning> {
        self.names.get(name)
    }

    /// Whether longer names begin with `section` and a dot.
    pub(crate) fn is_section(&self, section: &str) -> bool {
        let prefix = format!("{section}.");
        self.names.range(prefix.clone()..).next().is_some_and(|(name, _)| name.starts_with(&prefix))
    }

    /// All names with their meaning.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Meaning)> {
        self.names.iter().map(|(name, meaning)| (name.as_str(), meaning))
    }
}
