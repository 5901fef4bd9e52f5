//! Fewer alternatives that let through the same, or a little more where there are too many.

use std::collections::BTreeSet;

use super::needs::{FileNeeds, Flags, Needs};

/// Joins alternatives until there are at most `limit`.
pub(super) fn join(all: Vec<Needs>, limit: usize) -> Vec<Needs> {
    let mut joined = exactly(all);
    // What is given up first costs least: few rules look at the later ones, and most events are told apart by the first.
    let coarser: [fn(&mut Needs); 6] = [
        |needs| needs.auids = None,
        |needs| needs.in_upper_layer = None,
        |needs| needs.file.paths = None,
        |needs| needs.destination.paths = None,
        |needs| needs.ports = None,
        |needs| needs.flags = None,
    ];
    if joined.len() > limit {
        joined = alike(joined);
    }
    for coarsen in coarser {
        if joined.len() <= limit {
            break;
        }
        joined.iter_mut().for_each(coarsen);
        joined = alike(exactly(joined));
    }
    if joined.len() > limit { vec![Needs::default()] } else { joined }
}

/// Joins those that differ in one thing, which lets through just what the two do.
fn exactly(all: Vec<Needs>) -> Vec<Needs> {
    let mut joined: Vec<Needs> = Vec::new();
    for mut new in all {
        // What is joined may be joined again.
        while let Some(position) = joined.iter().position(|known| union(known, &new, 1).is_some()) {
            let known = joined.swap_remove(position);
            if let Some(both) = union(&known, &new, 1) {
                new = both;
            }
        }
        joined.push(new);
    }
    joined.sort_unstable();
    joined
}

/// Joins those that look at the same things and differ in names and paths alone.
fn alike(all: Vec<Needs>) -> Vec<Needs> {
    let mut joined: Vec<Needs> = Vec::new();
    for new in all {
        let same = |known: &Needs| {
            known.flags == new.flags
                && known.auids == new.auids
                && known.in_upper_layer == new.in_upper_layer
                && known.ports == new.ports
                && known.shape() == new.shape()
        };
        match joined.iter_mut().find(|known| same(known)) {
            Some(known) => {
                if let Some(both) = union(known, &new, usize::MAX) {
                    *known = both;
                }
            }
            None => joined.push(new),
        }
    }
    joined
}

/// What lets through what either does, if they differ in at most `differences` things or one is wider than the other.
fn union(left: &Needs, right: &Needs, differences: usize) -> Option<Needs> {
    let widened = Needs {
        file: FileNeeds::united(&left.file, &right.file),
        destination: FileNeeds::united(&left.destination, &right.destination),
        flags: left.flags.zip(right.flags).map(|(left, right)| Flags {
            any_of: left.any_of | right.any_of,
            read_only: left.read_only || right.read_only,
        }),
        auids: sets(left.auids.as_ref(), right.auids.as_ref()),
        in_upper_layer: left.in_upper_layer.filter(|_| left.in_upper_layer == right.in_upper_layer),
        ports: sets(left.ports.as_ref(), right.ports.as_ref()),
    };
    let different = [
        left.file.names != right.file.names,
        left.file.paths != right.file.paths,
        left.destination.names != right.destination.names,
        left.destination.paths != right.destination.paths,
        left.flags != right.flags,
        left.auids != right.auids,
        left.in_upper_layer != right.in_upper_layer,
        left.ports != right.ports,
    ];
    let different = different.into_iter().filter(|different| *different).count();
    (different <= differences || widened == *left || widened == *right).then_some(widened)
}

/// One of either; anything, if one of the two is content with that.
pub(super) fn sets<T: Ord + Clone>(
    left: Option<&BTreeSet<T>>,
    right: Option<&BTreeSet<T>>,
) -> Option<BTreeSet<T>> {
    left.zip(right).map(|(left, right)| left.union(right).cloned().collect())
}
