//! Tells the service manager how the service is (`Type=notify`, sd_notify(3)).

use sd_notify::NotifyState;

/// The socket is there.
pub(crate) fn ready() {
    send(&[NotifyState::Ready]);
}

/// There is nothing to do: it ends at once, and well. Without READY=1 systemd would take that for a failure.
pub(crate) fn nothing_to_do() {
    send(&[NotifyState::Ready, NotifyState::Status("nothing is enabled")]);
}

/// It will end soon.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot tell the service manager");
    }
}
