//! Many rules at once.
//!
//! Rules are kept by event type. A test that several rules share is evaluated once per event, and only rules whose guard is in the
//! event are evaluated at all, see [`guard`]. So the cost of an event hardly depends on the number of rules.

mod gate;
mod guard;
mod merge;

use rustc_hash::FxHashMap;

use self::guard::Wanted;
use crate::compiler::{BOUND_ELEMENTS, Rule, Scratch};
use crate::eval::Scene;
use crate::ir::{Cond, FieldRef, Source};
use crate::program::{CompiledTest, IntOperand, Steps, Tests};
use crate::schema::{Event, EventTypeId, IteratorId, NoVariables, Variables};
use crate::text::folded;
use crate::text::index::{IndexBuilder, TextIndex};
use crate::value::Kind;

/// A set of compiled rules.
#[derive(Debug)]
pub struct RuleSet {
    /// By event type.
    buckets: FxHashMap<EventTypeId, Bucket>,
}

/// The rules of one event type.
#[derive(Debug)]
struct Bucket {
    rules: Vec<BucketRule>,
    steps: Steps,
    tests: Vec<CompiledTest>,
    /// Fields whose values are looked up, and which rules each value gives a chance to.
    lookups: Vec<Lookup>,
    /// Rules without guard, by a test that all of them need to have a certain result.
    gates: Vec<Gate>,
    /// Rules with neither.
    always: Vec<u32>,
}

#[derive(Debug)]
struct BucketRule {
    /// Position among the rules the set was made of.
    position: usize,
    /// Where its condition begins.
    start: u32,
    bound: Option<IteratorId>,
}

#[derive(Debug)]
struct Lookup {
    source: Source,
    index: LookupIndex,
}

#[derive(Debug)]
enum LookupIndex {
    Text { index: Box<TextIndex>, ignore_case: bool },
    Int(IntOperand, FxHashMap<i64, Vec<u32>>),
}

#[derive(Debug)]
struct Gate {
    test: u32,
    result: bool,
    rules: Vec<u32>,
}

impl RuleSet {
    /// Makes a set of rules. Conditions without event type are left out, as no event could satisfy them.
    #[must_use]
    pub fn new<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Self {
        let mut by_type: FxHashMap<EventTypeId, Vec<(usize, &Rule)>> = FxHashMap::default();
        for (position, rule) in rules.into_iter().enumerate() {
            if let Some(event) = rule.event_type() {
                by_type.entry(event).or_default().push((position, rule));
            }
        }
        let buckets = by_type.into_iter().map(|(event, rules)| (event, Bucket::new(&rules))).collect();
        Self { buckets }
    }

    /// The event types that rules of the set are about, in no order.
    pub fn event_types(&self) -> impl Iterator<Item = EventTypeId> {
        self.buckets.keys().copied()
    }

    /// Number of rules about an event type.
    #[must_use]
    pub fn count(&self, event: EventTypeId) -> usize {
        self.buckets.get(&event).map_or(0, |bucket| bucket.rules.len())
    }

    /// Begins the evaluation of an event. Its matches are taken one by one, so that what a match does to variables is seen by the rules
    /// after it.
    pub fn start<'a, E: Event>(&'a self, event: &E, scratch: &'a mut Scratch) -> Matches<'a> {
        let bucket = self.buckets.get(&event.event_type());
        if let Some(bucket) = bucket {
            bucket.find_candidates(event, scratch);
        }
        Matches { bucket, scratch, word: 0 }
    }
}

/// The matches of one event, in the order of the rules.
#[derive(Debug)]
pub struct Matches<'a> {
    bucket: Option<&'a Bucket>,
    scratch: &'a mut Scratch,
    /// Candidates are looked for from here on, 64 at a time.
    word: usize,
}

impl Matches<'_> {
    /// The position of the next rule that the event satisfies, among the rules the set was made of. `event` has to be the one that
    /// evaluation began with.
    pub fn next<E: Event, V: Variables>(&mut self, event: &E, variables: &V) -> Option<usize> {
        let bucket = self.bucket?;
        loop {
            let bits = self.scratch.candidates.get_mut(self.word)?;
            if *bits == 0 {
                self.word += 1;
                continue;
            }
            let number = self.word * 64 + bits.trailing_zeros() as usize;
            // The lowest bit is done with.
            *bits &= *bits - 1;
            let rule = bucket.rules.get(number)?;
            if bucket.holds(rule, event, variables, self.scratch) {
                return Some(rule.position);
            }
        }
    }
}

impl Bucket {
    fn new(rules: &[(usize, &Rule)]) -> Self {
        let (mut tests, mut steps) = (Tests::default(), Steps::default());
        let mut guards = Vec::new();
        let mut gates: Vec<Gate> = Vec::new();
        let mut always = Vec::new();
        let mut compiled = Vec::with_capacity(rules.len());
        for ((position, rule), number) in rules.iter().zip(0u32..) {
            let cond = merge::merged(&rule.cond);
            let node = tests.add(&cond, rule.regex_bytes);
            let guard = guard::guard(&cond);
            let gate = gate::gate(&cond, &node);
            let gate_is_better = match (&guard, &gate) {
                (Some(guard), Some(gate)) => {
                    gate.is_telling() && (!guard.telling || (guard.is_expensive() && gate.is_rare()))
                }
                (None, _) => true,
                (Some(_), None) => false,
            };
            if let Some(guard) = guard.filter(|_| !gate_is_better) {
                guards.extend(guard.entries.into_iter().map(|entry| (entry, number)));
            } else if let Some(gate::Needed { test, result, .. }) = gate {
                match gates.iter_mut().find(|gate| gate.test == test && gate.result == result) {
                    Some(gate) => gate.rules.push(number),
                    None => gates.push(Gate { test, result, rules: vec![number] }),
                }
            } else if rule.cond != Cond::Const(false) {
                always.push(number);
            }
            compiled.push(BucketRule { position: *position, start: steps.add(&node), bound: rule.register });
        }
        let (steps, tests) = (steps.finish(), tests.finish());
        Self { rules: compiled, steps, tests, lookups: lookups(guards), gates, always }
    }

    fn find_candidates<E: Event>(&self, event: &E, scratch: &mut Scratch) {
        scratch.begin(self.rules.len(), self.tests.len());
        let Scratch { buffer, candidates, memo, generation, .. } = scratch;
        let mut add = |number: u32| {
            candidates[number as usize / 64] |= 1 << (number % 64);
            // There may be more.
            false
        };
        let scene = Scene { event, variables: &NoVariables, at: None, buffer };
        for Lookup { source, index } in &self.lookups {
            match index {
                LookupIndex::Text { index, ignore_case: false } => {
                    scene.any_string(source, |value| index.find(value, &mut add));
                }
                LookupIndex::Text { index, ignore_case: true } => {
                    scene.any_string(source, |value| folded(value, |value| index.find(value, &mut add)));
                }
                LookupIndex::Int(operand, index) => {
                    scene.any_int(operand, |value| {
                        index.get(&value).into_iter().flatten().copied().any(&mut add)
                    });
                }
            }
        }
        for gate in &self.gates {
            // Gates read no variables, so these results are good for the whole event.
            let result = scene.test(&self.tests[gate.test as usize].kind);
            memo[gate.test as usize] = remembered(*generation, result);
            if result == gate.result {
                gate.rules.iter().copied().any(&mut add);
            }
        }
        self.always.iter().copied().any(add);
    }

    fn holds<E: Event, V: Variables>(
        &self,
        rule: &BucketRule,
        event: &E,
        variables: &V,
        scratch: &mut Scratch,
    ) -> bool {
        let Scratch { buffer, memo, generation, .. } = scratch;
        let mut holds = |at| {
            let scene = Scene { event, variables, at, buffer };
            self.steps.holds(rule.start, |number| {
                let Some(test) = self.tests.get(number as usize) else { return false };
                if test.volatile {
                    return scene.test(&test.kind);
                }
                let Some(known) = memo.get_mut(number as usize) else { return false };
                if *known >> 1 != *generation {
                    *known = remembered(*generation, scene.test(&test.kind));
                }
                *known & 1 == 1
            })
        };
        match rule.bound {
            None => holds(None),
            Some(iterator) => (0..event.len(iterator).min(BOUND_ELEMENTS)).any(|at| holds(Some(at))),
        }
    }
}

/// A result with the event it belongs to.
const fn remembered(generation: u32, result: bool) -> u32 {
    generation << 1 | result as u32
}

fn lookups(guards: Vec<(guard::Entry, u32)>) -> Vec<Lookup> {
    let mut texts: Vec<(FieldRef, bool, IndexBuilder)> = Vec::new();
    let mut ints: Vec<(FieldRef, FxHashMap<i64, Vec<u32>>)> = Vec::new();
    for (entry, rule) in guards {
        if entry.field.kind == Kind::Int {
            let at = position(
                &mut ints,
                |(field, _)| *field == entry.field,
                || (entry.field, FxHashMap::default()),
            );
            if let Wanted::Int(value) = entry.wanted {
                let rules = ints[at].1.entry(value).or_default();
                if rules.last() != Some(&rule) {
                    rules.push(rule);
                }
            }
            continue;
        }
        let at = position(
            &mut texts,
            |(field, ignore_case, _)| *field == entry.field && *ignore_case == entry.ignore_case,
            || (entry.field, entry.ignore_case, IndexBuilder::default()),
        );
        match entry.wanted {
            Wanted::Text(text) => texts[at].2.literal(&text, rule),
            Wanted::Pattern(text, style) => texts[at].2.pattern(&text, style, rule),
            Wanted::Int(_) => {}
        }
    }
    let texts = texts.into_iter().map(|(field, ignore_case, builder)| Lookup {
        source: Source::Field(field),
        index: LookupIndex::Text { index: Box::new(builder.build()), ignore_case },
    });
    let ints = ints.into_iter().map(|(field, index)| {
        let source = Source::Field(field);
        Lookup { source, index: LookupIndex::Int(IntOperand::source(source), index) }
    });
    texts.chain(ints).collect()
}

/// Position of the element that satisfies `test`, added if there is none.
fn position<T>(list: &mut Vec<T>, test: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    list.iter().position(test).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    })
}
