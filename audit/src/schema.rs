//! What an entry of the schema is: a type of record for whoever reads the log, a variant of `Event` for whoever writes it.

use crate::token::Kind;

/// One event type of the schema.
#[derive(Debug)]
pub struct Type {
    /// Its name, the `type` of the record.
    pub name: &'static str,
    /// The record must name an object.
    pub object: bool,
    /// The record must name a job.
    pub job: bool,
    /// The fields of `d`. All of them must be there.
    pub fields: &'static [(&'static str, Kind)],
    /// What happened, in words: the text that stands above it below.
    pub about: &'static str,
    /// What each of the fields means, in their order.
    pub meanings: &'static [&'static str],
}

/// The enum `Event`, whose every variant is a type of record, and the list `SCHEMA` of those types. A field of text does not
/// compile: `Field` has no implementation for it.
macro_rules! events {
    ($( $(#[doc = $doc:literal])* $name:literal $([$($need:ident)+])? $variant:ident {
        $( $(#[doc = $fdoc:literal])* $field:ident: $ty:ty ),* $(,)?
    } )*) => {
        /// An event of the log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event { $( $(#[doc = $doc])* $variant { $( $(#[doc = $fdoc])* $field: $ty ),* } ),* }

        /// Every event type there is.
        pub static SCHEMA: &[Type] = &[ $( Type {
            name: $name,
            object: $crate::schema::has(&[$($(stringify!($need)),+)?], "object"),
            job: $crate::schema::has(&[$($(stringify!($need)),+)?], "job"),
            fields: &[ $( (stringify!($field), <$ty as $crate::token::Field>::KIND) ),* ],
            about: concat!($($doc),*),
            meanings: &[ $( concat!($($fdoc),*) ),* ],
        } ),* ];

        impl Event {
            /// The event's name, the `type` of its record.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name ),* }
            }

            /// The fields with their canonical JSON values, in the order of the schema.
            pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
                match self { $( Self::$variant { $( $field ),* } => {
                    #[allow(unused_mut)]
                    let mut all: Vec<(&'static str, String)> = Vec::new();
                    $( let mut text = String::new(); $crate::token::Field::put($field, &mut text); all.push((stringify!($field), text)); )*
                    all
                } ),* }
            }
        }
    };
}

/// Whether `wanted` is among the `needs` of an entry.
pub(crate) const fn has(needs: &[&str], wanted: &str) -> bool {
    let (mut i, mut found) = (0, false);
    while i < needs.len() {
        found |= needs[i].len() == wanted.len() && needs[i].as_bytes()[0] == wanted.as_bytes()[0];
        i += 1;
    }
    found
}

pub(crate) use events;
