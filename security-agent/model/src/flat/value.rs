//! Values of a written event.

use super::{FieldInfo, FlatEventError, IpAddr, Json, Kind};
use crate::constants;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Single {
    /// Of an integer field.
    Int(i64),
    /// Of a boolean field.
    Bool(bool),
    /// Of a string field.
    Str(Vec<u8>),
    /// Of an address field.
    Ip(IpAddr),
}

impl Single {
    /// The empty string.
    pub(super) const EMPTY: &Self = &Self::Str(Vec::new());

    pub(super) fn int(&self) -> i64 {
        if let Self::Int(value) = self { *value } else { 0 }
    }

    pub(super) fn bool(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(super) fn str(&self) -> &[u8] {
        if let Self::Str(value) = self { value } else { b"" }
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        if let Self::Ip(value) = self { Some(*value) } else { None }
    }
}

/// What a field is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// A field with one value.
    Single(Single),
    /// An array field.
    List(Vec<Single>),
    /// A field below an iterator: for each element, its values.
    Each(Vec<Vec<Single>>),
}

impl Values {
    /// Reads the JSON value of a field.
    pub(super) fn parse(field: &FieldInfo, value: &Json, now: i64) -> Result<Self, FlatEventError> {
        let single = |value: &Json| parse_single(field, value, now);
        let list = |value: &Json| match value {
            Json::Array(values) if field.leaf.list => values.iter().map(single).collect(),
            value => Ok(vec![single(value)?]),
        };
        Ok(match value {
            Json::Array(elements) if field.iterator.is_some() => {
                Self::Each(elements.iter().map(list).collect::<Result<_, _>>()?)
            }
            value if field.iterator.is_some() => Self::Each(vec![list(value)?]),
            value if field.leaf.list => Self::List(list(value)?),
            value => Self::Single(single(value)?),
        })
    }
}

fn parse_single(field: &FieldInfo, value: &Json, now: i64) -> Result<Single, FlatEventError> {
    let wrong = || FlatEventError::WrongType {
        field: field.name.clone(),
        expected: field.type_name(),
        value: value.to_string(),
    };
    match (field.leaf.kind, value) {
        (Kind::Int, Json::Number(number)) => {
            let value = number.as_i64().or_else(|| number.as_u64().map(u64::cast_signed));
            value.map(Single::Int).ok_or_else(wrong)
        }
        (Kind::Int, Json::String(text)) => match text.strip_prefix("@now") {
            Some(offset) => {
                parse_offset(offset).map(|o| Single::Int(now.saturating_add(o))).ok_or_else(wrong)
            }
            None => parse_constants(field, text).map(Single::Int),
        },
        (Kind::Bool, Json::Bool(value)) => Ok(Single::Bool(*value)),
        (Kind::Str, Json::String(text)) => Ok(Single::Str(text.clone().into_bytes())),
        (Kind::Ip, Json::String(text)) => text.parse().map(Single::Ip).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `""`, `-5s`, `+2m`: nanoseconds.
fn parse_offset(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (sign, amount) = match text.split_at_checked(1)? {
        ("-", amount) => (-1, amount),
        ("+", amount) => (1, amount),
        _ => return None,
    };
    let unit = amount.find(|c: char| !c.is_ascii_digit())?;
    let nanoseconds: i64 = match &amount[unit..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    amount[..unit].parse::<i64>().ok()?.checked_mul(nanoseconds)?.checked_mul(sign)
}

/// `O_CREAT|O_WRONLY`, `EACCES`, `0x1ff`: the bits of all of them.
fn parse_constants(field: &FieldInfo, text: &str) -> Result<i64, FlatEventError> {
    text.split('|').map(str::trim).try_fold(0, |bits, name| {
        let number = || {
            let digits = name.strip_prefix("0x").or_else(|| name.strip_prefix("0X"));
            digits.map_or_else(|| name.parse().ok(), |digits| i64::from_str_radix(digits, 16).ok())
        };
        let value = constants::value(name).or_else(number).ok_or_else(|| {
            FlatEventError::UnknownConstant { field: field.name.clone(), constant: name.to_owned() }
        })?;
        Ok(bits | value)
    })
}
