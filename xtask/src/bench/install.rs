//! Peers that cargo can install.

use crate::Outcome;
use crate::progress::run;
use crate::workspace::{cargo, target_directory};

/// Installs rumqttd under the directory that cargo builds into, if it is not there.
pub(super) fn install_peers() -> Outcome {
    let tools = target_directory().join("tools");
    if tools.join("bin/rumqttd").exists() {
        return Ok(());
    }
    println!("installing rumqttd");
    // Not --locked: with the versions that it was published with, current compilers refuse one of its dependencies.
    run(cargo().args(["install", "rumqttd", "--root"]).arg(tools))
}
