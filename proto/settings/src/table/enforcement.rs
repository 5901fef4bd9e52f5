//! Keys about actions that change what happens.

use std::time::Duration;

use super::{strings, v};
use crate::known::{Files, Group, Key, assign};
use crate::node::Node;
use crate::value::Setting;

group! {
    /// Enforcement
    Enforcement, Files::Either;

    /// Lets rules send signals to processes (`kill`). Both processes must have it on: system-probe sends none otherwise.
    enabled: bool = true, "runtime_security_config.enforcement.enabled", since(v("7.60"));
}

group! {
    /// What is never killed
    Spared, Files::Own;

    /// Programs that get no signal from rules, whatever a rule says: paths as `/proc/PID/exe` shows them.
    binaries: Vec<String> = strings(&[]), "runtime_security_config.enforcement.exclude_binaries", since(v("7.60"));
}

group! {
    /// Safeguards of enforcement
    Disarmers, Files::Either;

    /// Disarms a rule that would kill in too many containers: it is probably wrong.
    containers: bool = true, "runtime_security_config.enforcement.disarmer.container.enabled", since(v("7.60"));

    /// Containers in which a rule may kill within the period.
    containers_max: u32 = 5, "runtime_security_config.enforcement.disarmer.container.max_allowed", since(v("7.60")),
        range(1 => 1_000);

    /// That period, and how long a disarmed rule stays so.
    containers_period: Duration = Duration::from_secs(60),
        "runtime_security_config.enforcement.disarmer.container.period", since(v("7.60")),
        range(Duration::from_secs(1) => Duration::from_secs(86_400));

    /// Disarms a rule that would kill processes of too many programs.
    executables: bool = true, "runtime_security_config.enforcement.disarmer.executable.enabled", since(v("7.60"));

    /// Programs of which a rule may kill processes within the period.
    executables_max: u32 = 5, "runtime_security_config.enforcement.disarmer.executable.max_allowed", since(v("7.60")),
        range(1 => 1_000);

    /// That period, and how long a disarmed rule stays so.
    executables_period: Duration = Duration::from_secs(60),
        "runtime_security_config.enforcement.disarmer.executable.period", since(v("7.60")),
        range(Duration::from_secs(1) => Duration::from_secs(86_400));
}
