//! A trie of byte strings: all keys that some text begins or ends with, in one walk. Bytes that no key parts at are compared at once, so
//! a walk takes a step per branch rather than per byte.

/// Which end of the text keys are looked for at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Front,
    Back,
}

/// Maps byte strings to numbers.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    /// The first is the root.
    nodes: Vec<Node>,
    /// First byte of the label of each node, nodes with the same parent next to each other.
    firsts: Vec<u8>,
    /// Labels of all nodes, as they stand in the text.
    labels: Vec<u8>,
    values: Vec<u32>,
    /// For nodes with many children: which of them a byte leads to, from 1 on, and 0 for none.
    tables: Vec<[u16; 256]>,
    back: bool,
}

#[derive(Debug, Default, Clone)]
struct Node {
    /// What has to follow after the label of the parent: a part of the labels.
    label: (u32, u32),
    /// The nodes below, without a gap.
    children: (u32, u32),
    /// The values of the key that ends here.
    values: (u32, u32),
    /// Which of the tables is its own, from 1 on.
    table: u32,
}

/// Fewer children are compared one by one.
const MANY: usize = 3;

fn part<T>(all: &[T], (from, to): (u32, u32)) -> &[T] {
    all.get(from as usize..to as usize).unwrap_or_default()
}

/// Keys that a node is still to be made of: where it goes, which keys, and how much of them is done with.
struct Work {
    node: usize,
    keys: std::ops::Range<usize>,
    depth: usize,
}

impl Trie {
    /// A trie of these keys. `None` if it had more than 4 GiB.
    pub(crate) fn new(mut keys: Vec<(Vec<u8>, u32)>, end: End) -> Option<Self> {
        let back = end == End::Back;
        if back {
            keys.iter_mut().for_each(|(key, _)| key.reverse());
        }
        keys.sort_unstable();
        let mut trie = Self { back, ..Self::default() };
        if keys.is_empty() {
            return Some(trie);
        }
        trie.add_node(&[], 0)?;
        let mut work = vec![Work { node: 0, keys: 0..keys.len(), depth: 0 }];
        while let Some(Work { node, keys: range, depth }) = work.pop() {
            let own = keys[range.clone()].iter().take_while(|(key, _)| key.len() == depth).count();
            let first_value = u32::try_from(trie.values.len()).ok()?;
            trie.values.extend(keys[range.start..range.start + own].iter().map(|(_, value)| *value));
            trie.nodes[node].values = (first_value, u32::try_from(trie.values.len()).ok()?);
            let first_child = u32::try_from(trie.nodes.len()).ok()?;
            let mut at = range.start + own;
            while at < range.end {
                let byte = keys[at].0[depth];
                let count = keys[at..range.end].iter().take_while(|(key, _)| key[depth] == byte).count();
                // Keys are sorted, so what the first and the last have in common all have.
                let (first, last) = (&keys[at].0, &keys[at + count - 1].0);
                let common =
                    depth + first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
                let child = trie.add_node(&first[depth..common], byte)?;
                work.push(Work { node: child, keys: at..at + count, depth: common });
                at += count;
            }
            trie.nodes[node].children = (first_child, u32::try_from(trie.nodes.len()).ok()?);
            let firsts = part(&trie.firsts, trie.nodes[node].children);
            if firsts.len() >= MANY {
                let mut table = [0; 256];
                for (number, first) in (1..).zip(firsts) {
                    table[usize::from(*first)] = number;
                }
                trie.tables.push(table);
                trie.nodes[node].table = u32::try_from(trie.tables.len()).ok()?;
            }
        }
        Some(trie)
    }

    fn add_node(&mut self, label: &[u8], first: u8) -> Option<usize> {
        let from = u32::try_from(self.labels.len()).ok()?;
        self.labels.extend_from_slice(label);
        if self.back {
            self.labels[from as usize..].reverse();
        }
        let to = u32::try_from(self.labels.len()).ok()?;
        self.nodes.push(Node { label: (from, to), ..Node::default() });
        self.firsts.push(first);
        Some(self.nodes.len() - 1)
    }

    /// Calls `found` with the values of all keys that `text` has at the end that the trie is for, until it returns true; returns whether
    /// it did.
    #[inline]
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(u32) -> bool) -> bool {
        let Some(mut node) = self.nodes.first() else { return false };
        let mut rest = text;
        loop {
            if node.values.0 != node.values.1
                && part(&self.values, node.values).iter().copied().any(&mut found)
            {
                return true;
            }
            let Some(first) = self.first(rest) else { return false };
            let Some(child) = self.child(node, first) else { return false };
            let label = part(&self.labels, child.label);
            // Most labels are short, and their first byte is known to fit.
            let stripped = match label {
                [_] if self.back => rest.split_last().map(|(_, rest)| rest),
                [_] => rest.split_first().map(|(_, rest)| rest),
                label if self.back => rest.strip_suffix(label),
                label => rest.strip_prefix(label),
            };
            let Some(shorter) = stripped else { return false };
            (node, rest) = (child, shorter);
        }
    }

    #[inline]
    fn child(&self, node: &Node, first: u8) -> Option<&Node> {
        let at = match self.tables.get((node.table as usize).wrapping_sub(1)) {
            Some(table) => usize::from(table[usize::from(first)]).checked_sub(1)?,
            None => part(&self.firsts, node.children).iter().position(|byte| *byte == first)?,
        };
        self.nodes.get(node.children.0 as usize + at)
    }

    #[inline]
    fn first(&self, rest: &[u8]) -> Option<u8> {
        if self.back { rest.last().copied() } else { rest.first().copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(keys: &[&str], end: End, text: &str) -> Vec<u32> {
        let trie =
            Trie::new((0..).zip(keys).map(|(value, key)| (key.as_bytes().to_vec(), value)).collect(), end)
                .unwrap();
        let mut found = Vec::new();
        trie.find(text.as_bytes(), |value| {
            found.push(value);
            false
        });
        found
    }

    #[test]
    fn all_keys_at_an_end_are_found() {
        let keys = ["/etc", "/", "/etc/cron", "/usr", "", "/etc"];
        assert_eq!(found(&keys, End::Front, "/etc/cro"), [4, 1, 0, 5]);
        assert_eq!(found(&[".so", "o", ".o", "libc.so"], End::Back, "/lib/libc.so"), [1, 0, 3]);
        assert_eq!(found(&[], End::Front, "x"), []);
    }

    proptest! {
        #[test]
        fn finds_what_each_finds_alone(keys in prop::collection::vec("[ab]{0,5}", 0..20), text in "[ab]{0,8}") {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            for end in [End::Front, End::Back] {
                let mut values = found(&keys, end, &text);
                values.sort_unstable();
                let has = |key: &str| if end == End::Front { text.starts_with(key) } else { text.ends_with(key) };
                let expected: Vec<u32> =
                    (0..).zip(&keys).filter(|(_, key)| has(key)).map(|(value, _)| value).collect();
                prop_assert_eq!(values, expected);
            }
        }
    }
}
