//! The one table of events, fields and constants that rules, reports and documentation derive from.
