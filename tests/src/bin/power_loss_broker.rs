//! `ferry serve --config FILE --data DIRECTORY`, on a disk that loses what was not synced when the process is killed.

use std::process::ExitCode;

use ferry_broker::Broker;
use ferry_broker::config::{Config, Flags, Sources};
use ferry_store::FileDisk;
use ferry_tests::crash::LosingDisk;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--config").skip(1);
    let (file, directory) = (arguments.next(), arguments.nth(1));
    let flags = Flags { data_directory: directory.map(Into::into), ..Flags::default() };
    match serve(&Sources { file: file.map(Into::into), environment: Vec::new(), flags }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(sources: &Sources) -> Result<(), String> {
    let config = Config::load(sources).map_err(|problems| problems.to_string())?.config;
    let directory = config.storage.directory().ok_or("no data directory")?;
    let disk = FileDisk::open(directory).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let kind = tokio::signal::unix::SignalKind::terminate();
        let mut terminate = tokio::signal::unix::signal(kind).map_err(|error| error.to_string())?;
        let broker = Broker::builder(config).disk(LosingDisk::new(disk)).start();
        let broker = broker.map_err(|error| error.to_string())?;
        terminate.recv().await;
        broker.shutdown();
        broker.join();
        Ok(())
    })
}
