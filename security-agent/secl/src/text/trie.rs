//! A byte trie: all keys that some text begins with, in one walk that stops at the first byte no key goes on with.

/// Maps byte strings to numbers.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// A bit for each byte that a key begins with: most text is done with after one look.
    starts: [u64; 4],
    /// There is an empty key.
    always: bool,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by byte.
    edges: Vec<(u8, u32)>,
    values: Vec<u32>,
}

impl Trie {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn insert(&mut self, key: impl Iterator<Item = u8>, value: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut key = key.peekable();
        match key.peek() {
            Some(first) => self.starts[usize::from(first / 64)] |= 1 << (first % 64),
            None => self.always = true,
        }
        let mut at = 0;
        for b in key {
            let slot = self.nodes[at].edges.binary_search_by_key(&b, |edge| edge.0);
            at = match slot {
                Ok(slot) => self.nodes[at].edges[slot].1 as usize,
                Err(slot) => {
                    let new = self.nodes.len();
                    // Keys are bounded by the limits of expressions; 4 G nodes do not fit memory.
                    let Ok(id) = u32::try_from(new) else { return };
                    self.nodes[at].edges.insert(slot, (b, id));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        self.nodes[at].values.push(value);
    }

    /// Calls `found` with the values of all keys that `text` begins with.
    pub(crate) fn prefixes(&self, text: impl Iterator<Item = u8>, mut found: impl FnMut(u32)) {
        let mut text = text.peekable();
        let begins = |first: &u8| self.starts[usize::from(first / 64)] >> (first % 64) & 1 == 1;
        if !self.always && !text.peek().is_some_and(begins) {
            return;
        }
        let Some(mut node) = self.nodes.first() else { return };
        node.values.iter().copied().for_each(&mut found);
        for b in text {
            // Inner nodes mostly have one edge; the search degenerates to one comparison.
            let Ok(slot) = node.edges.binary_search_by_key(&b, |edge| edge.0) else { return };
            node = &self.nodes[node.edges[slot].1 as usize];
            node.values.iter().copied().for_each(&mut found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_prefixes_are_found() {
        let mut trie = Trie::default();
        for (value, key) in (0..).zip(["/etc", "/", "/etc/cron", "/usr", "", "/etc"]) {
            trie.insert(key.bytes(), value);
        }
        let mut found = Vec::new();
        trie.prefixes("/etc/cro".bytes(), |value| found.push(value));
        assert_eq!(found, [4, 1, 0, 5]);
    }
}
