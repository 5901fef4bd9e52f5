//! The kernel's functions that hooks can be at, and their forms: a form is what a program has to know to read the
//! arguments.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::BtfKind;
use libbpf_rs::btf::BtfType;
use libbpf_rs::btf::TypeId;
use libbpf_rs::btf::types::Func;
use libbpf_rs::btf::types::FuncProto;

/// Functions by name.
///
/// A form is written `path,dentry,->`: arguments, each the name of the structure that it points to or nothing, and
/// behind the arrow the same of the result. A function that the compiler has put into all its callers is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Functions(BTreeMap<String, String>);

impl Functions {
    /// Those of the running kernel; none if it does not describe its types.
    pub(super) fn read(wanted: &BTreeSet<&str>) -> Self {
        // One pass: looking up each by name would be one for each.
        Btf::from_vmlinux().map(|btf| Self::of(&btf, wanted)).unwrap_or_default()
    }

    fn of(btf: &Btf<'_>, wanted: &BTreeSet<&str>) -> Self {
        let functions = btf.type_by_kind::<Func<'_>>().filter_map(|function| {
            let name = function.name()?.to_str().filter(|name| wanted.contains(name))?.to_owned();
            let prototype = FuncProto::try_from(function.next_type()?).ok()?;
            Some((name, form(btf, &prototype)))
        });
        Self(functions.collect())
    }

    /// The form of a function, if there is such a function.
    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Says that a function has a form.
    #[cfg(test)]
    pub(crate) fn set(&mut self, name: &str, form: &str) {
        self.0.insert(name.to_owned(), form.to_owned());
    }
}

fn form(btf: &Btf<'_>, prototype: &FuncProto<'_>) -> String {
    let arguments = prototype.iter().map(|argument| pointed_to(btf, argument.ty)).collect::<Vec<_>>();
    let result = prototype.next_type().map(|result| result.type_id());
    format!("{}->{}", arguments.join(","), result.map(|result| pointed_to(btf, result)).unwrap_or_default())
}

/// The name of the structure that a pointer points to; empty for anything else.
fn pointed_to(btf: &Btf<'_>, id: TypeId) -> String {
    let name = || {
        let pointer = btf.type_by_id::<BtfType<'_>>(id)?.skip_mods_and_typedefs();
        let target = (pointer.kind() == BtfKind::Ptr).then(|| pointer.next_type())??.skip_mods_and_typedefs();
        let is_structure = matches!(target.kind(), BtfKind::Struct | BtfKind::Fwd);
        Some(is_structure.then(|| target.name())??.to_str()?.to_owned())
    };
    name().unwrap_or_default()
}

/// Whether programs inside the kernel run to their end on their CPU before another begins there: the memory in which
/// they build records is that of the CPU.
pub(super) fn undisturbed() -> Result<String, String> {
    let version = rustix::system::uname().version().to_string_lossy().into_owned();
    if !version.contains("PREEMPT") {
        return Ok("the kernel is not preemptible".to_owned());
    }
    let modes = ["sched/preempt", "sched_preempt"]
        .iter()
        .find_map(|name| std::fs::read_to_string(format!("/sys/kernel/debug/{name}")).ok());
    let Some(modes) = modes else {
        return Err("the kernel is preemptible, or does not say (debugfs: sched/preempt)".to_owned());
    };
    judge_modes(&modes)
}

/// The current one stands in parentheses.
fn judge_modes(modes: &str) -> Result<String, String> {
    let current = modes.split(['(', ')']).nth(1).unwrap_or_default();
    match current {
        "none" | "voluntary" => Ok(format!("preemption: {current}")),
        _ => Err(format!("the kernel is preemptible ({current})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel that the tests run on describes itself as the C sources know it.
    #[test]
    fn forms_name_what_pointers_point_to() {
        if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
            return println!("skipped: the kernel has no BTF");
        }
        let wanted = ["security_file_open", "do_sys_openat2", "vfs_unlink", "no_such_function"].into();
        let functions = Functions::read(&wanted);
        assert_eq!(functions.form("security_file_open"), Some("file->"));
        assert_eq!(functions.form("no_such_function"), None);
        if let Some(form) = functions.form("do_sys_openat2") {
            assert_eq!(form, ",,open_how->");
        }
        let unlink = functions.form("vfs_unlink").unwrap();
        assert!(unlink.contains("inode,dentry,") && unlink.ends_with("->"), "{unlink}");
        assert!(functions.form("vfs_rename").is_none(), "only what was asked for");
    }

    #[test]
    fn the_mode_in_parentheses_counts() {
        assert!(judge_modes("none (voluntary) full\n").is_ok());
        assert!(judge_modes("(none) voluntary full\n").is_ok());
        assert!(judge_modes("none voluntary (full)\n").is_err());
        assert!(judge_modes("full (lazy)\n").unwrap_err().contains("lazy"));
        assert!(judge_modes("").is_err());
    }
}
