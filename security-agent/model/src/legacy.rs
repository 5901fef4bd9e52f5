//! Names of fields that older releases of CWS used. Rules that use them still load.

/// Prefixes below which `filename` and `basename` stood for what is now `file.path` and `file.name`.
const FILE_OWNERS: [&str; 12] = [
    "chmod",
    "chown",
    "open",
    "mkdir",
    "rmdir",
    "unlink",
    "utimes",
    "setxattr",
    "removexattr",
    "exec",
    "process",
    "process.ancestors",
];

/// Prefixes of whole groups of fields that got another name.
const PREFIXES: [(&str, &str); 7] = [
    ("rename.old.", "rename.file."),
    ("rename.new.", "rename.file.destination."),
    ("link.source.", "link.file."),
    ("link.target.", "link.file.destination."),
    ("container.", "process.container."),
    ("cgroup.", "process.cgroup."),
    ("connect.server.addr.", "connect.addr."),
];

/// Single fields that got another name.
const NAMES: [(&str, &str); 16] = [
    ("async", "event.async"),
    ("chmod.mode", "chmod.file.destination.mode"),
    ("open.mode", "open.file.destination.mode"),
    ("mkdir.mode", "mkdir.file.destination.mode"),
    ("chown.uid", "chown.file.destination.uid"),
    ("chown.gid", "chown.file.destination.gid"),
    ("chown.user", "chown.file.destination.user"),
    ("chown.group", "chown.file.destination.group"),
    ("setxattr.name", "setxattr.file.destination.name"),
    ("setxattr.namespace", "setxattr.file.destination.namespace"),
    ("removexattr.name", "removexattr.file.destination.name"),
    ("removexattr.namespace", "removexattr.file.destination.namespace"),
    ("exec.name", "exec.comm"),
    ("process.name", "process.comm"),
    ("process.ancestors.name", "process.ancestors.comm"),
    ("dns.question.size", "dns.question.length"),
];

/// The name that replaced `name`, if it is an old one. The result need not name a field.
pub fn current_name(name: &str) -> Option<String> {
    if let Some((_, current)) = NAMES.iter().find(|(old, _)| *old == name) {
        return Some((*current).to_owned());
    }
    for (old, current) in PREFIXES {
        if let Some(rest) = name.strip_prefix(old) {
            return Some(format!("{current}{}", file_field(rest).unwrap_or(rest)));
        }
    }
    let (owner, field) = name.rsplit_once('.')?;
    if field == "async" && crate::EventKind::from_name(owner).is_some() {
        return Some("event.async".to_owned());
    }
    let field = file_field(field).filter(|_| FILE_OWNERS.contains(&owner))?;
    Some(format!("{owner}.file.{field}"))
}

fn file_field(old: &str) -> Option<&'static str> {
    match old {
        "filename" => Some("path"),
        "basename" => Some("name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use secl::Schema;

    use super::*;

    #[test]
    fn old_names_lead_to_fields() {
        let mut old: Vec<String> = NAMES.iter().map(|(old, _)| (*old).to_owned()).collect();
        for owner in FILE_OWNERS {
            old.extend([format!("{owner}.filename"), format!("{owner}.basename")]);
        }
        old.extend(
            ["rename.old.filename", "rename.new.basename", "link.source.filename", "link.target.inode"]
                .map(str::to_owned),
        );
        old.extend(["container.id", "container.tags", "cgroup.id", "cgroup.file.inode"].map(str::to_owned));
        old.extend(["connect.server.addr.port", "open.async"].map(str::to_owned));
        for name in old {
            let current = current_name(&name).unwrap();
            let field = crate::Fields::default().field(&name).unwrap_or_else(|| panic!("{name} → {current}"));
            assert_eq!(crate::Fields::default().field(&current), Some(field), "{name} → {current}");
            assert_eq!(current_name(&current), None, "{current}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in ["open.file.path", "splice.filename", "x", "process.random_name", "nothing.async"] {
            assert_eq!(current_name(name), None);
        }
    }
}
