//! The types that members of records may have.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use secl::Kind;

#[cfg(test)]
use super::sample;
use super::{Record, Strs, Value};
use crate::text::{Text, TextList};

/// A member that holds a record, or may.
pub(crate) trait Nested {
    /// The record.
    type Record: Record;

    /// The record, if it is there.
    fn record(&self) -> Option<&Self::Record>;

    /// The record; it is made if it is not there.
    #[cfg(test)]
    fn record_mut(&mut self) -> &mut Self::Record;
}

impl<T: Nested + Default> Nested for Option<T> {
    type Record = T::Record;

    fn record(&self) -> Option<&T::Record> {
        self.as_ref().and_then(T::record)
    }

    #[cfg(test)]
    fn record_mut(&mut self) -> &mut T::Record {
        self.get_or_insert_default().record_mut()
    }
}

impl<T: Nested + Clone> Nested for Arc<T> {
    type Record = T::Record;

    fn record(&self) -> Option<&T::Record> {
        (**self).record()
    }

    #[cfg(test)]
    fn record_mut(&mut self) -> &mut T::Record {
        Arc::make_mut(self).record_mut()
    }
}

/// A record that comes later than the one that holds it.
impl<T: Nested + Default> Nested for OnceLock<T> {
    type Record = T::Record;

    fn record(&self) -> Option<&T::Record> {
        self.get().and_then(T::record)
    }

    #[cfg(test)]
    fn record_mut(&mut self) -> &mut T::Record {
        self.get_or_init(T::default);
        self.get_mut().unwrap().record_mut()
    }
}

impl<T: Nested> Nested for Box<T> {
    type Record = T::Record;

    fn record(&self) -> Option<&T::Record> {
        (**self).record()
    }

    #[cfg(test)]
    fn record_mut(&mut self) -> &mut T::Record {
        (**self).record_mut()
    }
}

/// A member type that rules can read as it is.
pub(crate) trait Member {
    /// Kind of its value or values.
    const KIND: Kind;
    /// Whether it has any number of values.
    const LIST: bool = false;

    /// Its value.
    fn value(&self) -> Value<'_>;

    /// A value that no other member has.
    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self;
}

macro_rules! int_members {
    ($($ty:ty),*) => {$(
        impl Member for $ty {
            const KIND: Kind = Kind::Int;

            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Int(i64::from(*self))
            }

            #[cfg(test)]
            fn sample(sample: &mut sample::Sample) -> Self {
                let number = sample.number();
                // Narrow types repeat themselves, which only makes the test weaker.
                Self::try_from(number).unwrap_or_else(|_| Self::try_from(number % 251).unwrap())
            }
        }
    )*};
}
int_members!(u8, u16, u32, i32, i64);

impl Member for u64 {
    const KIND: Kind = Kind::Int;

    /// Keeps the bits: rules have one integer type.
    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Int(self.cast_signed())
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        sample.number().into()
    }
}

impl Member for bool {
    const KIND: Kind = Kind::Bool;

    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Bool(*self)
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        sample.number().is_multiple_of(2)
    }
}

impl Member for Text {
    const KIND: Kind = Kind::Str;

    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Str(self)
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        format!("text{}", sample.number()).into()
    }
}

impl Member for Option<IpAddr> {
    const KIND: Kind = Kind::Ip;

    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Ip(*self)
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        Some(std::net::Ipv4Addr::from_bits(0x0800_0000 + sample.number()).into())
    }
}

impl Member for TextList {
    const KIND: Kind = Kind::Str;
    const LIST: bool = true;

    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Strs(Strs::From(self, 0))
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        (0..2).map(|_| format!("element{}", sample.number())).collect()
    }
}

impl Member for Box<[i64]> {
    const KIND: Kind = Kind::Int;
    const LIST: bool = true;

    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Ints(self)
    }

    #[cfg(test)]
    fn sample(sample: &mut sample::Sample) -> Self {
        [sample.number().into(), sample.number().into()].into()
    }
}
