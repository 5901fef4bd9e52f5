//! The named constants of rules, in groups.
//!
//! Numbers are those of the Linux interface (x86-64, or aarch64 where it differs), of the IANA registries, or of CWS.

mod bpf;
mod dns;
mod file;
mod kernel;
mod network;
mod process;
mod socket_option;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

pub use bpf::*;
pub use dns::*;
pub use file::*;
pub use kernel::*;
pub use network::*;
pub use process::*;
pub use socket_option::*;

/// A group of constants that belong together.
#[derive(Debug)]
pub struct Group {
    /// Name of the group in the documentation.
    pub title: &'static str,
    /// What the constants are.
    pub doc: &'static str,
    /// Names and values on every architecture. Of several names with one value, the first is the one that reports use.
    values: &'static [(&'static str, i64)],
    /// Names that x86-64 alone has, or gives another value.
    x86_64: &'static [(&'static str, i64)],
    /// Names that aarch64 alone has, or gives another value.
    aarch64: &'static [(&'static str, i64)],
}

/// Name of the list of eBPF maps that the probe itself uses.
pub const MAP_NAMES: &str = "CWS_MAP_NAMES";

impl Group {
    /// Names and values on the architecture this is built for.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let native = if cfg!(target_arch = "aarch64") { self.aarch64 } else { self.x86_64 };
        self.values.iter().chain(native).copied()
    }

    /// Names and values that all architectures share, for the documentation.
    pub fn common(&self) -> &'static [(&'static str, i64)] {
        self.values
    }

    /// Names and values on aarch64 only, for the documentation.
    pub fn aarch64_only(&self) -> &'static [(&'static str, i64)] {
        self.aarch64
    }

    /// Names and values on x86-64 only, for the documentation.
    pub fn x86_64_only(&self) -> &'static [(&'static str, i64)] {
        self.x86_64
    }

    /// The value of a name.
    pub fn value(&self, name: &str) -> Option<i64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The name of a value.
    pub fn name(&self, value: i64) -> Option<&'static str> {
        self.iter().find(|(_, known)| *known == value).map(|(name, _)| name)
    }

    /// The name of a value, or the number where it has none.
    pub fn name_or_number(&self, value: i64) -> String {
        self.name(value).map_or_else(|| value.to_string(), str::to_owned)
    }

    /// The names of the bits that are set in `value`, most significant mask first where masks overlap; bits without name
    /// as one hexadecimal number. The name of 0, if there is one, stands for no bits.
    pub fn flag_names(&self, value: i64) -> Vec<String> {
        let mut masks: Vec<_> =
            self.iter().filter(|(name, mask)| *mask != 0 && !FIELD_MASKS.contains(name)).collect();
        // Stable: of two names of one mask, the first stays first.
        masks.sort_by_key(|(_, mask)| std::cmp::Reverse(mask.count_ones()));
        let mut rest = value;
        let mut found = Vec::new();
        for (name, mask) in masks {
            if rest & mask == mask {
                rest &= !mask;
                found.push((mask, name.to_owned()));
            }
        }
        found.sort_by_key(|(mask, _)| *mask);
        let mut names: Vec<_> = found.into_iter().map(|(_, name)| name).collect();
        if rest != 0 {
            names.push(format!("{rest:#x}"));
        }
        if names.is_empty() {
            names.extend(self.name(0).map(str::to_owned));
        }
        names
    }
}

/// Names of masks that select a part of a value and are no flags themselves.
const FIELD_MASKS: [&str; 5] = ["O_ACCMODE", "S_IFMT", "S_IRWXU", "S_IRWXG", "S_IRWXO"];

macro_rules! constants {
    ($(
        #[doc = $doc:literal]
        $GROUP:ident, $title:literal, { $($name:tt = $value:expr,)* },
        x86_64 { $($x86_name:tt = $x86_value:expr,)* }, aarch64 { $($arm_name:tt = $arm_value:expr,)* };
    )*) => {$(
        #[doc = $doc]
        pub static $GROUP: super::Group = super::Group {
            title: $title,
            doc: $doc,
            values: &[$((constants!(@name $name), $value),)*],
            x86_64: &[$((constants!(@name $x86_name), $x86_value),)*],
            aarch64: &[$((constants!(@name $arm_name), $arm_value),)*],
        };
    )*

        /// The groups of this family.
        pub(super) static GROUPS: &[&super::Group] = &[$(&$GROUP,)*];
    };
    (@name $name:ident) => { stringify!($name) };
    (@name $name:literal) => { $name };
}
use constants;

/// Every group.
pub fn groups() -> impl Iterator<Item = &'static Group> {
    [
        file::GROUPS,
        process::GROUPS,
        kernel::GROUPS,
        bpf::GROUPS,
        network::GROUPS,
        dns::GROUPS,
        socket_option::GROUPS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The value of a constant. Where two groups share a name, they give it the same value (a test sees to it).
pub fn value(name: &str) -> Option<i64> {
    static VALUES: LazyLock<FxHashMap<&str, i64>> =
        LazyLock::new(|| groups().flat_map(Group::iter).collect());
    VALUES.get(name).copied()
}

#[cfg(test)]
mod tests;
