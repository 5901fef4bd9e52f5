//! Variables: what `set` actions write and expressions read as `${name}`.
//!
//! [`VariableTable`] holds the variables that a rule set declares, [`VariableStore`] their values, which outlive the rule
//! set, and [`View`] reads them on behalf of one event.

mod scopes;
mod store;
mod view;

use std::collections::HashMap;

use secl::{Schema, Type, Value, Variable, VariableId, VariableNames};

use crate::limits;
use crate::policy::action::Scope;

pub(crate) use scopes::named;
pub use scopes::{ProcessKey, Processes, Scopes, WrittenProcesses};
pub use store::{StoreStats, Target, VariableStore, Write};
pub use view::View;

/// A variable that a rule set declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Its name in expressions: with the scope before it, unless that is global.
    pub name: String,
    /// What it belongs to.
    pub scope: Scope,
    /// The type of its values.
    pub ty: Type,
    /// What it reads as before anything is written.
    pub default: Value,
    /// Processes read the value of their nearest ancestor that has one.
    pub inherited: bool,
    /// Its values are not part of reports.
    pub private: bool,
}

/// Variables that exist without being declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Builtin {
    /// `${process.pid}`: the pid of the event's process.
    ProcessPid,
    /// `${builtins.uuid4}`: a fresh random UUID.
    Uuid4,
}

/// Ids of built-in variables start here, above all declared ones.
const FIRST_BUILTIN: u32 = u32::MAX - 1;

impl Builtin {
    const ALL: [(&'static str, Builtin, Type); 2] = [
        ("process.pid", Builtin::ProcessPid, Type::scalar(secl::Kind::Int)),
        ("builtins.uuid4", Builtin::Uuid4, Type::scalar(secl::Kind::Str)),
    ];

    fn of(id: VariableId) -> Option<Self> {
        let index = usize::try_from(id.0.checked_sub(FIRST_BUILTIN)?).ok()?;
        Self::ALL.get(index).map(|(_, builtin, _)| *builtin)
    }
}

/// The variables of a rule set.
#[derive(Clone, Debug, Default)]
pub struct VariableTable {
    declarations: Vec<Declaration>,
    by_name: HashMap<String, u32>,
    /// The field that `${process.pid}` reads.
    pid_field: Option<secl::FieldId>,
}

/// Why a variable cannot be declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeclareError {
    /// It has another type already.
    #[error("conflicting types for variable `{name}`: it is {first} already, here it is {second}")]
    Type {
        /// The variable.
        name: String,
        /// The type that it has.
        first: Type,
        /// The type that it would get.
        second: Type,
    },
    /// The name means something else.
    #[error("variable `{name}` conflicts with {with} of the same name")]
    Taken {
        /// The variable.
        name: String,
        /// What has the name.
        with: &'static str,
    },
    /// There are too many.
    #[error("more than {} variables", limits::VARIABLES)]
    TooMany,
}

impl VariableTable {
    /// A table without variables.
    pub fn new(schema: &impl Schema) -> Self {
        let pid_field = schema.field("process.pid").map(|field| field.id);
        VariableTable { pid_field, ..VariableTable::default() }
    }

    /// Declares a variable, or the same one again.
    pub fn declare(
        &mut self,
        schema: &impl Schema,
        declaration: Declaration,
    ) -> Result<VariableId, DeclareError> {
        let name = declaration.name.as_str();
        let taken = |with| DeclareError::Taken { name: name.to_owned(), with };
        if Builtin::ALL.iter().any(|(builtin, ..)| *builtin == name) {
            return Err(taken("the built-in variable"));
        }
        if schema.field(name).is_some() {
            return Err(taken("the field"));
        }
        if schema.constant(name).is_some() {
            return Err(taken("the constant"));
        }
        if let Some(&id) = self.by_name.get(name) {
            let Some(present) = usize::try_from(id).ok().and_then(|index| self.declarations.get_mut(index))
            else {
                return Err(DeclareError::TooMany);
            };
            if present.ty != declaration.ty {
                return Err(DeclareError::Type {
                    name: name.to_owned(),
                    first: present.ty,
                    second: declaration.ty,
                });
            }
            present.inherited |= declaration.inherited;
            present.private |= declaration.private;
            return Ok(VariableId(id));
        }
        if self.declarations.len() >= limits::VARIABLES {
            return Err(DeclareError::TooMany);
        }
        let id = u32::try_from(self.declarations.len()).map_err(|_| DeclareError::TooMany)?;
        self.by_name.insert(declaration.name.clone(), id);
        self.declarations.push(declaration);
        Ok(VariableId(id))
    }

    /// The declaration of a variable that is not built in.
    pub fn get(&self, id: VariableId) -> Option<&Declaration> {
        self.declarations.get(usize::try_from(id.0).ok()?)
    }

    /// All declarations with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (VariableId, &Declaration)> {
        (0_u32..).map(VariableId).zip(&self.declarations)
    }

    /// The id of the variable of this name and type, if it is declared.
    fn find(&self, name: &str, ty: Type) -> Option<VariableId> {
        let id = VariableId(*self.by_name.get(name)?);
        self.get(id).filter(|declaration| declaration.ty == ty).map(|_| id)
    }
}

impl VariableNames for VariableTable {
    fn variable(&self, name: &str) -> Option<Variable> {
        if let Some(index) = Builtin::ALL.iter().position(|(builtin, ..)| *builtin == name) {
            let id = VariableId(FIRST_BUILTIN + u32::try_from(index).ok()?);
            return Some(Variable { id, ty: Builtin::ALL[index].2 });
        }
        let id = VariableId(*self.by_name.get(name)?);
        self.get(id).map(|declaration| Variable { id, ty: declaration.ty })
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        for declaration in &self.declarations {
            visit(&declaration.name);
        }
        for (name, ..) in Builtin::ALL {
            visit(name);
        }
    }
}
