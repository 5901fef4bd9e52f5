//! Packet filter expressions in the language of tcpdump (pcap-filter(7)): a parser with positions, and an evaluator over the bytes of
//! a packet.
//!
//! There is no published parser of this language in Rust, only bindings to libpcap, which compiles to classic BPF and says nothing about
//! where an expression is wrong. [`Filter::parse`] understands what can be told from a packet alone; what needs the interface it came
//! from (`inbound`, `ip broadcast`), a name service (`host example.com`) or link layers other than Ethernet and raw IP is refused with a
//! reason rather than never matched.
//!
//! ```
//! use pcap_filter::{Filter, LinkType, Packet};
//!
//! let filter = Filter::parse("tcp dst port 443 and not net 10.0.0.0/8")?;
//! assert!(!filter.matches(&Packet::new(LinkType::Raw, b"")));
//! assert_eq!(Filter::parse("tcp prot 443").unwrap_err().span, 4..8);
//! # Ok::<(), pcap_filter::Error>(())
//! ```

pub mod ast;
mod bounds;
mod error;
mod eval;
mod lexer;
mod names;
mod packet;
mod parser;
mod print;

pub use bounds::{BOUNDS_MAX, Bound, Network, PARTS_MAX, Ports, Version};
pub use error::Error;
pub use packet::{LinkType, Packet};

/// Longest expression, in bytes.
pub const LONGEST: usize = 4096;

/// Deepest nesting of parentheses and negations.
pub const DEEPEST: usize = 64;

/// An expression that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    expr: ast::Expr,
}

impl Filter {
    /// Parses an expression. An empty one matches every packet, as in the reference.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parser::parse(text).map(|expr| Self { expr })
    }

    /// The expression.
    #[must_use]
    pub const fn expr(&self) -> &ast::Expr {
        &self.expr
    }

    /// What a packet of [`LinkType::Raw`] has to be to match: one of these. They say too little, never too much; none at all: no such
    /// packet matches.
    #[must_use]
    pub fn bounds(&self) -> Vec<Bound> {
        bounds::of(&self.expr)
    }

    /// Whether a packet matches.
    ///
    /// As in the reference, a packet too short for what the expression reads of it does not match, whatever else the expression says.
    /// Does not allocate.
    #[must_use]
    pub fn matches(&self, packet: &Packet<'_>) -> bool {
        eval::matches(&self.expr, packet)
    }
}

impl std::fmt::Display for Filter {
    /// The expression with every shorthand written out and every parenthesis that is needed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.expr.fmt(f)
    }
}

impl std::str::FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}
