//! Declares the variables that `set` actions write, before any rule is compiled: a rule may read what a later one sets.

use secl::{Compiler, Kind, Schema, Type, Value};

use super::compile::language_reports;
use crate::diagnostic::{Report, codes};
use crate::policy::action::{ActionKind, SetDefinition, SetSource};
use crate::policy::{Literal, RuleDefinition};
use crate::variables::{Declaration, DeclareError, VariableTable};

/// Declares the variables of a rule. Returns what is wrong with its `set` actions, by their position among the actions.
pub(super) fn variables(
    schema: &impl Schema,
    table: &mut VariableTable,
    rule: &RuleDefinition,
) -> Vec<(usize, Vec<Report>)> {
    let mut wrong = Vec::new();
    for (position, action) in rule.actions.iter().enumerate() {
        if let ActionKind::Set(set) = &action.kind
            && let Err(reports) = variable(schema, table, set)
        {
            wrong.push((position, reports));
        }
    }
    wrong
}

fn variable(schema: &impl Schema, table: &mut VariableTable, set: &SetDefinition) -> Result<(), Vec<Report>> {
    let (ty, default) = type_of(schema, set)?;
    let declaration = Declaration {
        name: format!("{}{}", set.scope.prefix(), set.name.as_str()),
        scope: set.scope,
        ty,
        default,
        inherited: set.inherited,
        private: set.private,
    };
    match table.declare(schema, declaration) {
        Ok(_) => Ok(()),
        Err(error) => {
            let code = match &error {
                DeclareError::Type { .. } => codes::VARIABLE_CONFLICT,
                DeclareError::Taken { .. } => codes::VARIABLE_NAME,
                DeclareError::TooMany => codes::TOO_MANY,
            };
            Err(vec![Report::error(code, &set.name, error.to_string())])
        }
    }
}

/// The type of the variable and what it reads as while it is unset.
fn type_of(schema: &impl Schema, set: &SetDefinition) -> Result<(Type, Value), Vec<Report>> {
    let wrong = |message: String| vec![Report::error(codes::VARIABLE_TYPE, &set.name, message)];
    let written = match &set.source {
        SetSource::Value(literal) => literal.value.ty(),
        SetSource::Field(field) => Compiler::new(schema)
            .value(field.as_str(), None)
            .map_err(|found| language_reports(&found, field))?
            .ty(),
        // The reader made sure that there is a default where there is an expression.
        SetSource::Expression(_) => set.default_value.as_ref().map_or(Type::scalar(Kind::Str), literal_type),
    };
    let default = set.default_value.as_ref();
    if let Some(default) = default.filter(|default| literal_type(default).kind != written.kind) {
        return Err(wrong(format!(
            "`default_value` is of type {}, but what is written to `{}` is of type {written}",
            literal_type(default),
            set.name.as_str(),
        )));
    }
    let ty = Type { kind: written.kind, list: written.list || set.append };
    if ty == Type::list(Kind::Bool) {
        return Err(wrong(format!(
            "`{}` would be a list of booleans, which is not supported",
            set.name.as_str()
        )));
    }
    let default = default.filter(|default| literal_type(default) == ty).map(|default| default.value.clone());
    Ok((ty, default.unwrap_or_else(|| Value::zero(ty))))
}

fn literal_type(literal: &Literal) -> Type {
    literal.value.ty()
}
