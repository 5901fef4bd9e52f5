//! What the object for old kernels sees less of, in the words of `status`.

use super::table::Observation;

/// Looking up a path takes more instructions than a program may have there.
const TEXT: &str =
    "links in paths that are given as text are not followed, and nothing is known of the file behind";
/// Only the head of a segment is where a tracepoint of network devices finds it.
const SEGMENTS: &str = "not seen: what TCP carries behind the first bytes of a segment";
/// They take the rest of what one program may have.
const NEW_MOUNTS: &str = "not seen: fsmount, open_tree and move_mount";

/// Of one observation, if there is something to say.
pub(super) fn limits(observation: &Observation) -> Vec<&'static str> {
    match observation.name {
        "file.mount" => vec![TEXT, NEW_MOUNTS],
        "network.dns" | "network.imds" => vec![SEGMENTS],
        // By descriptor, or by objects of the kernel.
        "file.splice" => Vec::new(),
        name if name.starts_with("file.") => vec![TEXT],
        _ => Vec::new(),
    }
}
