//! What the tests share: starting, stopping and observing the two processes, and making things happen.

mod binaries;
pub mod call;
mod child;
mod docker;
mod file_truth;
mod live;
mod pair;
mod probe;
mod requirements;
mod setup;
mod signals;
pub mod times;
mod trigger;
pub mod truth;
mod whole;

pub use binaries::built;
pub use docker::{Docker, IMAGE};
pub use file_truth::FileTruth;
pub use live::Live;
pub use pair::Pair;
pub use requirements::can_run;
pub use setup::{MARK_RULE, Setup, agent_ids};
pub use signals::{Signal, Signals};
pub use trigger::{Trigger, ordinary_program};
pub use truth::Truth;
pub use whole::Expected;
