use crate::privileges::Identity;
use crate::process_limits::OpenFiles;
use crate::running_broker::RunningBroker;

/// What is said once at start: version, listeners, storage, limits.
pub(crate) fn start_block(broker: &RunningBroker, identity: &Identity, open_files: OpenFiles) -> String {
    let mut config = broker.config().clone();
    for (listener, address) in config.listeners.iter_mut().zip(broker.local_addresses()) {
        listener.address = address.clone();
    }
    let admin_address = broker.admin_addresses().iter().find(|address| address.unix_path().is_none());
    config.admin.address = admin_address.cloned();
    let shards = broker.shard_count();
    let threads = if shards == 1 { "1 shard".to_owned() } else { format!("{shards} shards") };
    let user = identity.line().map(|line| format!("{line}\n")).unwrap_or_default();
    format!(
        "Ferry {} ({}), {threads}, process {}\n{}\n{user}process    {}",
        env!("CARGO_PKG_VERSION"),
        config.server.name,
        std::process::id(),
        config.summary(),
        open_files_line(open_files, config.limits.connections_max),
    )
}

fn open_files_line(open_files: OpenFiles, connections_max: u32) -> String {
    let Some(now) = open_files.now else { return "no limit of open files".to_owned() };
    let raised = match open_files.before {
        Some(before) if before < now => format!(" (raised from {before})"),
        _ => String::new(),
    };
    // Listeners, epoll, standard streams and the like need a few.
    let short = if now < u64::from(connections_max) + 64 {
        format!(
            "; limits.connections_max = {connections_max} cannot be reached, raise the limit with `ulimit -Hn` or \
             LimitNOFILE= of systemd"
        )
    } else {
        String::new()
    };
    format!("{now} open files{raised}{short}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_holds_and_what_to_do() {
        let line = |before, now, connections_max| {
            open_files_line(OpenFiles { before: Some(before), now }, connections_max)
        };
        assert_eq!(line(1024, None, 100), "no limit of open files");
        assert_eq!(line(1024, Some(1024), 100), "1024 open files");
        assert_eq!(line(1024, Some(4096), 100), "4096 open files (raised from 1024)");
        assert!(line(1024, Some(1024), 1000).contains("cannot be reached, raise the limit with"));
    }
}
