//! Keys about secrets that are kept elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use super::v;
use crate::known::{Files, Group, Key, assign};
use crate::node::Node;
use crate::value::{Bytes, Setting};

group! {
    /// Secrets kept elsewhere
    SecretBackend, Files::Own;

    /// Program that knows secrets: of a key whose value is `ENC[handle]` it is asked, once at start, what the handle stands
    /// for. It gets `{"version": "1.0", "secrets": ["handle"]}` on standard input and answers with
    /// `{"handle": {"value": "…", "error": null}}`. It runs as the user that the process is, must belong to that user, and
    /// nobody else may have any right to it. Empty: none, and such a value is an error.
    command: Option<PathBuf> = None, "secret_backend_command", since(v("7.27"));

    /// Its arguments.
    arguments: Vec<String> = Vec::new(), "secret_backend_arguments", since(v("7.27"));

    /// How long it may take to answer.
    timeout: Duration = Duration::from_secs(30), "secret_backend_timeout", since(v("7.27")),
        range(Duration::from_millis(100) => Duration::from_secs(600));

    /// Most bytes that it may answer with.
    output_max_size: Bytes = Bytes::mib(1), "secret_backend_output_max_size", since(v("7.27")),
        range(Bytes(1) => Bytes::mib(64));

    /// Lets the group of that program read and execute it (mode 750), and root own it.
    group_may_execute: bool = false, "secret_backend_command_allow_group_exec_perm", since(v("7.27"));

    /// Cuts line breaks off the end of each secret.
    trim_line_break: bool = false, "secret_backend_remove_trailing_line_break", since(v("7.36"));
}
