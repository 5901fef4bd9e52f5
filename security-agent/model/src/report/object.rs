//! JSON objects of a report: members declared once, for the writer and for the schema.

use serde_json::{Map, Value as Json, json};

use super::Scope;

/// An object of a report, written from a `T`.
pub(crate) struct Object<T: 'static> {
    /// Name in the schema.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) doc: &'static str,
    /// Its members.
    pub(crate) members: &'static [Member<T>],
}

/// A member of an object.
pub(crate) struct Member<T: 'static> {
    /// Its name; empty for the members of another object, taken over.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) doc: &'static str,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// Its type.
    pub(crate) ty: Type,
    /// Makes its value; `None`: it is left out.
    pub(crate) write: fn(&T, &Scope<'_>) -> Option<Json>,
}

/// Type of a member.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    /// A string.
    Str,
    /// An integer.
    Int,
    /// A boolean.
    Bool,
    /// RFC 3339.
    Time,
    /// Strings.
    Strs,
    /// Whatever the caller gives.
    Any,
    /// An object with members of any name.
    Free,
    /// An object.
    Object(&'static dyn Described),
    /// Objects.
    Objects(&'static dyn Described),
    /// The members of an object, taken over.
    Flat(&'static dyn Described),
}

/// An object without the type it is written from.
pub(crate) trait Described: Sync {
    /// Its name in the schema.
    fn name(&self) -> &'static str;
    /// Calls `visit` with the name, type and optionality of each of its members.
    fn each_member(&self, visit: &mut dyn FnMut(&'static str, Type, bool));
    /// Its schema: members, descriptions, which ones are always there.
    fn schema(&self) -> Json;
}

impl<T> Object<T> {
    /// The object for `value`.
    pub(crate) fn write(&self, value: &T, scope: &Scope<'_>) -> Json {
        Json::Object(self.write_map(value, scope))
    }

    /// The members for `value`.
    pub(crate) fn write_map(&self, value: &T, scope: &Scope<'_>) -> Map<String, Json> {
        let mut map = Map::new();
        for member in self.members {
            match ((member.write)(value, scope), member.ty) {
                (Some(Json::Object(members)), Type::Flat(_)) => map.extend(members),
                (Some(json), _) => drop(map.insert(member.name.to_owned(), json)),
                (None, _) => {}
            }
        }
        map
    }
}

impl<T> Described for Object<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn each_member(&self, visit: &mut dyn FnMut(&'static str, Type, bool)) {
        for member in self.members {
            match member.ty {
                Type::Flat(object) => {
                    object
                        .each_member(&mut |name, ty, optional| visit(name, ty, optional || member.optional));
                }
                ty => visit(member.name, ty, member.optional),
            }
        }
    }

    fn schema(&self) -> Json {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for member in self.members {
            if let Type::Flat(object) = member.ty {
                let mut schema = object.schema();
                if let Json::Object(taken) = schema["properties"].take() {
                    properties.extend(taken);
                }
                if let (Json::Array(taken), false) = (schema["required"].take(), member.optional) {
                    required.extend(taken);
                }
                continue;
            }
            let mut property = member.ty.schema();
            property["description"] = json!(member.doc.trim());
            properties.insert(member.name.to_owned(), property);
            if !member.optional {
                required.push(json!(member.name));
            }
        }
        let mut schema = json!({
            "type": "object", "description": self.doc.trim(), "properties": properties, "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = Json::Array(required);
        }
        schema
    }
}

impl Type {
    fn schema(self) -> Json {
        match self {
            Self::Str => json!({"type": "string"}),
            Self::Int => json!({"type": "integer"}),
            Self::Bool => json!({"type": "boolean"}),
            Self::Time => json!({"type": "string", "format": "date-time"}),
            Self::Strs => json!({"type": "array", "items": {"type": "string"}}),
            Self::Any => json!({"type": "array"}),
            Self::Free => json!({"type": "object"}),
            Self::Object(object) | Self::Flat(object) => json!({"$ref": reference(object)}),
            Self::Objects(object) => json!({"type": "array", "items": {"$ref": reference(object)}}),
        }
    }
}

fn reference(object: &dyn Described) -> String {
    format!("#/$defs/{}", object.name())
}

/// Declares objects: `/// doc  NAME: "SchemaName" of Type = |value, scope| { /// doc  "member" [type] = expression; … }`.
///
/// Types are `str`, `int`, `bool`, `time` (nanoseconds since 1970; 0 leaves the member out), `strs`, `free`, `any`,
/// `object OTHER` and `objects OTHER`. With `opt` before them, the expression is an `Option` of it. `flat OTHER` takes over
/// the members of another object.
macro_rules! objects {
    ($(
        $(#[doc = $doc:literal])+
        $NAME:ident: $name:literal of $Type:ty = |$value:ident, $scope:ident| { $(
            $(#[doc = $member_doc:literal])+
            $member:literal [$($kind:tt)+] = $expr:expr;
        )* }
    )*) => {$(
        $(#[doc = $doc])+
        pub(crate) static $NAME: $crate::report::object::Object<$Type> = $crate::report::object::Object {
            name: $name,
            doc: concat!($($doc, "\n"),+),
            members: &[$( $crate::report::object::Member {
                name: $member,
                doc: concat!($($member_doc, "\n"),+),
                optional: $crate::report::object::objects!(@optional $($kind)+),
                ty: $crate::report::object::objects!(@type $($kind)+),
                write: |$value: &$Type, $scope: &$crate::report::Scope<'_>| {
                    // Most members need only one of them.
                    let _ = ($value, $scope);
                    $crate::report::object::objects!(@write $expr, $scope, $($kind)+)
                },
            }, )*],
        };
    )*};
    (@optional opt $($kind:tt)+) => { true };
    (@optional time) => { true };
    (@optional $($kind:tt)+) => { false };
    (@type opt $($kind:tt)+) => { $crate::report::object::objects!(@type $($kind)+) };
    (@type str) => { $crate::report::object::Type::Str };
    (@type int) => { $crate::report::object::Type::Int };
    (@type bool) => { $crate::report::object::Type::Bool };
    (@type time) => { $crate::report::object::Type::Time };
    (@type strs) => { $crate::report::object::Type::Strs };
    (@type any) => { $crate::report::object::Type::Any };
    (@type free) => { $crate::report::object::Type::Free };
    (@type object $Other:ident) => { $crate::report::object::Type::Object(&$Other) };
    (@type objects $Other:ident) => { $crate::report::object::Type::Objects(&$Other) };
    (@type flat $Other:ident) => { $crate::report::object::Type::Flat(&$Other) };
    (@write $expr:expr, $scope:ident, opt object $Other:ident) => { $expr.map(|value| $Other.write(value, $scope)) };
    (@write $expr:expr, $scope:ident, object $Other:ident) => { Some($Other.write($expr, $scope)) };
    (@write $expr:expr, $scope:ident, opt flat $Other:ident) => { $expr.map(|value| $Other.write(value, $scope)) };
    (@write $expr:expr, $scope:ident, flat $Other:ident) => { Some($Other.write($expr, $scope)) };
    (@write $expr:expr, $scope:ident, opt objects $Other:ident) => {
        $expr.map(|values| values.iter().map(|value| $Other.write(value, $scope)).collect())
    };
    (@write $expr:expr, $scope:ident, time) => {
        $crate::report::time::rfc3339($expr).map(serde_json::Value::from)
    };
    (@write $expr:expr, $scope:ident, opt $kind:ident) => {{
        let value: Option<$crate::report::object::objects!(@rust $kind)> = $expr;
        value.map(serde_json::Value::from)
    }};
    (@write $expr:expr, $scope:ident, $kind:ident) => {{
        let value: $crate::report::object::objects!(@rust $kind) = $expr;
        Some(serde_json::Value::from(value))
    }};
    (@rust str) => { String };
    (@rust int) => { i64 };
    (@rust bool) => { bool };
    (@rust strs) => { Vec<String> };
    (@rust any) => { Vec<serde_json::Value> };
    (@rust free) => { serde_json::Map<String, serde_json::Value> };
}
pub(crate) use objects;
