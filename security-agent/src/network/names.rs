//! Which names the answers of name services gave an address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use model::{Text, TextList};

use super::dns::Message;

const SECOND: u64 = 1_000_000_000;
/// Names of one address; beyond this, the one that was answered longest ago is forgotten.
const NAMES_MAX: usize = 8;
/// Aliases that lead from a question to an address.
const ALIASES_MAX: usize = 16;
/// How long an answer counts, whatever it says: programs ask, and connect a moment later, or keep an address for long.
const SHORTEST: u64 = 60;
const LONGEST: u64 = 86_400;

#[derive(Debug)]
struct Known {
    /// Each with the time at which it ends, in nanoseconds of the stream; the latest answer last.
    names: Vec<(Text, u64)>,
    /// Its place in the order of answers.
    order: u64,
}

/// Addresses and their names.
#[derive(Debug)]
pub(super) struct Names {
    known: HashMap<IpAddr, Known>,
    /// The address whose answer is oldest comes first.
    order: BTreeMap<u64, IpAddr>,
    next: u64,
    max: usize,
    evicted: u64,
}

impl Names {
    pub(super) fn new(max: usize) -> Self {
        Self { known: HashMap::new(), order: BTreeMap::new(), next: 0, max: max.max(1), evicted: 0 }
    }

    /// Names that were forgotten because there were too many, of an address or at all.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The names of an address: the latest answer first.
    pub(super) fn of(&self, address: IpAddr, now_ns: u64) -> TextList {
        let names = self.known.get(&address).map(|known| known.names.as_slice()).unwrap_or_default();
        TextList::new(names.iter().rev().filter(|(_, end)| *end > now_ns).map(|(name, _)| name))
    }

    /// Learns from an answer. Only what the aliases in it lead to from the question is believed: it could name any other
    /// address as well.
    pub(super) fn learn(&mut self, message: &Message, now_ns: u64) {
        if message.code != Some(0) {
            return;
        }
        for question in &message.questions {
            let mut chain = vec![&question.name];
            while let Some(last) = chain.last().filter(|_| chain.len() <= ALIASES_MAX) {
                let next =
                    message.aliases.iter().find(|(owner, _)| same(owner, last)).map(|(_, target)| target);
                match next.filter(|next| !chain.iter().any(|seen| same(seen, next))) {
                    Some(next) => chain.push(next),
                    None => break,
                }
            }
            for (owner, address, ttl) in &message.addresses {
                if chain.iter().any(|name| same(name, owner)) {
                    let end = now_ns + u64::from(*ttl).clamp(SHORTEST, LONGEST) * SECOND;
                    // The question last, as it is what the program meant.
                    chain.iter().rev().for_each(|name| self.add(*address, name, end));
                }
            }
        }
    }

    fn add(&mut self, address: IpAddr, name: &Text, end_ns: u64) {
        if name.is_empty() {
            return;
        }
        self.next += 1;
        let order = self.next;
        let known = self.known.entry(address).or_insert_with(|| Known { names: Vec::new(), order });
        self.order.remove(&known.order);
        known.order = order;
        known.names.retain(|(known, _)| !same(known, name));
        known.names.push((name.clone(), end_ns));
        if known.names.len() > NAMES_MAX {
            known.names.remove(0);
            self.evicted += 1;
        }
        self.order.insert(order, address);
        while self.known.len() > self.max {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            let forgotten = self.known.remove(&oldest).map_or(0, |known| known.names.len());
            self.evicted += forgotten as u64;
        }
    }
}

fn same(left: &Text, right: &Text) -> bool {
    left.as_bytes().eq_ignore_ascii_case(right.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: &str, aliases: &[(&str, &str)], addresses: &[(&str, &str, u32)]) -> Message {
        let text = |text: &str| Text::from(text);
        Message {
            code: Some(0),
            questions: vec![super::super::dns::Question { name: text(question), ..Default::default() }],
            aliases: aliases.iter().map(|(from, to)| (text(from), text(to))).collect(),
            addresses: addresses.iter().map(|(of, ip, ttl)| (text(of), ip.parse().unwrap(), *ttl)).collect(),
            ..Message::default()
        }
    }

    fn names(names: &Names, address: &str, now_ns: u64) -> Vec<String> {
        let found = names.of(address.parse().unwrap(), now_ns);
        found.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    #[test]
    fn every_address_has_the_question_and_its_aliases() {
        let mut known = Names::new(10);
        let aliases = [("WWW.example.com", "cdn.example.net"), ("cdn.example.net", "edge.example.org")];
        let addresses = [("edge.example.org", "192.0.2.1", 300), ("EDGE.example.org", "2001:db8::1", 300)];
        known.learn(&answer("www.example.com", &aliases, &addresses), 0);
        for address in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(names(&known, address, 1), ["www.example.com", "cdn.example.net", "edge.example.org"]);
        }
        assert_eq!(names(&known, "192.0.2.1", 301 * SECOND), [""; 0], "it has ended");
    }

    #[test]
    fn what_nobody_asked_for_is_not_believed() {
        let mut known = Names::new(10);
        known.learn(&answer("a.test", &[], &[("bank.test", "192.0.2.1", 300)]), 0);
        let failed = Message { code: Some(3), ..answer("a.test", &[], &[("a.test", "192.0.2.1", 300)]) };
        known.learn(&failed, 0);
        assert_eq!(names(&known, "192.0.2.1", 1), [""; 0]);
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let mut known = Names::new(10);
        let circle = [("a.test", "b.test"), ("b.test", "a.test")];
        known.learn(&answer("a.test", &circle, &[("b.test", "192.0.2.1", 300)]), 0);
        assert_eq!(names(&known, "192.0.2.1", 1), ["a.test", "b.test"]);
    }

    #[test]
    fn both_dimensions_are_bounded() {
        let mut known = Names::new(2);
        for last in 1..=3 {
            known.learn(&answer("a.test", &[], &[("a.test", &format!("192.0.2.{last}"), 1)]), 0);
        }
        assert_eq!(names(&known, "192.0.2.1", 1), [""; 0]);
        assert_eq!(names(&known, "192.0.2.3", 59 * SECOND), ["a.test"], "a short life counts a minute");
        for number in 0..20 {
            let name = format!("n{number}.test");
            known.learn(&answer(&name, &[], &[(&name, "192.0.2.3", 300)]), 0);
        }
        let found = names(&known, "192.0.2.3", 1);
        assert_eq!((found.len(), found[0].as_str(), found[7].as_str()), (8, "n19.test", "n12.test"));
        assert_eq!((known.known.len(), known.order.len()), (2, 2));
        // The name of the first address, and those of the last one but eight.
        assert_eq!(known.evicted(), 1 + 13);
    }
}
