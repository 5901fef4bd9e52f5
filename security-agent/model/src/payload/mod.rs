//! What each type of event carries besides its process.

mod file;
mod isolation;
mod kernel;
mod network;
mod process;

pub use file::*;
pub use isolation::*;
pub use kernel::*;
pub use network::*;
pub use process::*;

use crate::constants::ERRORS;
use crate::record::record;

record! {
    /// The result of a system call.
    pub struct Call {
        leaf {
            /// What the system call returned: a negative error, or 0 or more on success.
            retval: i64 = "retval", "7.27", {
                constants: Some(&ERRORS), example: Some(r#"open.file.path == "/etc/shadow" && open.retval == EACCES"#),
            };
        }
    }
}
