//! What the tests share: starting, stopping and observing the two processes, and making things happen.

mod binaries;
mod child;
mod pair;
mod requirements;
mod setup;
mod signals;
mod trigger;

pub use binaries::built;
pub use pair::Pair;
pub use requirements::can_run;
pub use setup::Setup;
pub use signals::{Signal, Signals};
pub use trigger::{Trigger, ordinary_program};
