//! Fields whose values are known when a rule is compiled, such as those about the rule itself.

use std::net::IpAddr;

use crate::compiler::{Rule, Scratch};
use crate::eval::Scene;
use crate::ir::{Cond, FieldRef, Source, Test, TextExpr};
use crate::program::Program;
use crate::schema::{Event, EventTypeId, FieldId, IteratorId, NoVariables};

/// Why the values of a field cannot be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotALiteral;

impl Rule {
    /// Fills in the values of a list of strings: each test of it becomes true or false. The rule then does not read the
    /// field any more, so it can share its other tests with rules for which the values differ.
    ///
    /// # Errors
    /// If the rule compares the field with something other than literals.
    pub fn with_known(mut self, field: FieldId, values: &[String]) -> Result<Self, NotALiteral> {
        if self.field_name(field).is_none() {
            return Ok(self);
        }
        self.cond = filled_in(self.cond, &Known { field, values }, self.regex_bytes)?;
        self.forget_field(field);
        Ok(self)
    }
}

fn filled_in(cond: Cond, known: &Known<'_>, regex_bytes: usize) -> Result<Cond, NotALiteral> {
    let each = |parts: Vec<Cond>| -> Result<Vec<Cond>, NotALiteral> {
        parts.into_iter().map(|part| filled_in(part, known, regex_bytes)).collect()
    };
    Ok(match cond {
        Cond::Const(_) => cond,
        Cond::Not(inner) => filled_in(*inner, known, regex_bytes)?.negate(),
        Cond::All(parts) => Cond::all(each(parts)?),
        Cond::Any(parts) => Cond::any(each(parts)?),
        Cond::Test(ref test, _) if known.is_read_by(test) => {
            let alone = matches!(test, Test::TextIn(TextExpr::Source(source), _) if known.is(source));
            if !alone {
                return Err(NotALiteral);
            }
            let scratch = Scratch::default();
            let scene = Scene { event: known, variables: &NoVariables, at: None, buffer: &scratch.buffer };
            Cond::Const(Program::new(&cond, regex_bytes).holds(&scene))
        }
        Cond::Test(..) => cond,
    })
}

/// An event with nothing but this field.
#[derive(Debug)]
struct Known<'a> {
    field: FieldId,
    values: &'a [String],
}

impl Known<'_> {
    fn is(&self, source: &Source) -> bool {
        matches!(source, Source::Field(FieldRef { id, .. }) if *id == self.field)
    }

    fn is_read_by(&self, test: &Test) -> bool {
        let mut read = false;
        test.each_source(&mut |source| read |= self.is(source));
        read
    }
}

impl Event for Known<'_> {
    fn event_type(&self) -> EventTypeId {
        EventTypeId(0)
    }

    fn now(&self) -> i64 {
        0
    }

    fn int(&self, _: FieldId) -> i64 {
        0
    }

    fn bool(&self, _: FieldId) -> bool {
        false
    }

    fn str(&self, _: FieldId) -> &[u8] {
        b""
    }

    fn ip(&self, _: FieldId) -> Option<IpAddr> {
        None
    }

    fn len(&self, _: IteratorId) -> usize {
        0
    }

    fn any_int(&self, _: FieldId, _: Option<usize>, _: impl FnMut(i64) -> bool) -> bool {
        false
    }

    fn any_bool(&self, _: FieldId, _: Option<usize>, _: impl FnMut(bool) -> bool) -> bool {
        false
    }

    fn any_str(&self, field: FieldId, _: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        field == self.field && self.values.iter().any(|value| test(value.as_bytes()))
    }

    fn any_ip(&self, _: FieldId, _: Option<usize>, _: impl FnMut(IpAddr) -> bool) -> bool {
        false
    }
}
