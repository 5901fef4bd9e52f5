//! The packet filters of the rules in force.

use std::collections::BTreeSet;

use engine::ruleset::RuleSet;
use model::{EventKind, Text};
use pcap_filter::{Filter, LinkType, Packet};
use secl::partial::{self, Approver, Filterable, Kinds};
use secl::{EventTypeId, Schema as _};

/// Ways of a rule to match that are told apart.
const ALTERNATIVES_MAX: usize = 64;

/// Each filter, with the text by which rules know it.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<(Text, Option<Filter>)>);

/// The texts of the filters that a rule about packets names. One that names none looks at every packet, by the empty filter.
fn texts_of(rule: &secl::Rule) -> BTreeSet<Vec<u8>> {
    let Some(field) = model::Fields::default().field("packet.filter") else { return BTreeSet::new() };
    let filterable = Filterable {
        field: field.id,
        kinds: Kinds { scalar: true, ..Kinds::default() },
        weight: 0,
        bounds: (0, 0),
        accepts: &|_| true,
    };
    let mut texts = BTreeSet::new();
    for alternative in partial::alternatives(rule, std::slice::from_ref(&filterable), ALTERNATIVES_MAX) {
        match alternative.get(&field.id) {
            None => {
                texts.insert(Vec::new());
            }
            Some(values) => texts.extend(values.iter().filter_map(|value| match value {
                Approver::Text(text) => Some(text.to_vec()),
                _ => None,
            })),
        }
    }
    texts
}

fn parse(text: &[u8]) -> Option<Filter> {
    Filter::parse(&String::from_utf8_lossy(text)).ok()
}

/// The filters that a rule about packets names; `None`: one that cannot be understood, and matches nothing.
pub(crate) fn filters_of(rule: &secl::Rule) -> Vec<Option<Filter>> {
    texts_of(rule).iter().map(|text| parse(text)).collect()
}

impl Filters {
    /// All filters that any rule about packets names.
    pub(super) fn of(rules: &RuleSet) -> Self {
        let about_packets = rules.rules_about(EventTypeId(EventKind::Packet as u16));
        let texts: BTreeSet<_> = about_packets.flat_map(|(_, rule)| texts_of(rule)).collect();
        Self(texts.into_iter().map(|text| (Text::new(&text), parse(&text))).collect())
    }

    /// The texts of those that a packet matches.
    pub(super) fn matching<'s>(&'s self, data: &'s [u8], length: u32) -> impl Iterator<Item = &'s Text> {
        let packet = Packet::new(LinkType::Raw, data).with_length(length);
        let matching = self
            .0
            .iter()
            .filter(move |(_, filter)| filter.as_ref().is_some_and(|filter| filter.matches(&packet)));
        matching.map(|(text, _)| text)
    }
}
