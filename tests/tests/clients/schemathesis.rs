//! The admin API against its own OpenAPI document, by Schemathesis: requests that the document allows are done, others are
//! refused, and every answer is one that it describes.

use std::path::{Path, PathBuf};
use std::process::Command;

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::{Failed, Trial};

use crate::mosquitto_program::MosquittoProgram;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Requests for each operation in the phase that draws them.
const EXAMPLES_MAX: &str = "25";

/// For requests about something that is there: a client of `mosquitto_sub`, and what it has subscribed to.
const KNOWN: &str = "[parameters]\n\"path.client_id\" = \"known\"\n\"query.topic\" = \"known/topic\"\n";

pub(crate) fn trials() -> Vec<Trial> {
    let program = program();
    let is_missing = !program.exists();
    let trial = |name: &str, run: fn(&Path) -> Result<(), Failed>| {
        let program = program.clone();
        Trial::test(format!("schemathesis::{name}"), move || run(&program)).with_ignored_flag(is_missing)
    };
    vec![trial("every_operation_keeps_to_the_document", all), trial("what_is_there_is_as_described", known)]
}

/// Where `cargo xtask test-tools` puts it, if it can.
fn program() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-tools/schemathesis/bin/schemathesis")
}

fn all(program: &Path) -> Result<(), Failed> {
    let (ferry, directory) = broker();
    run(program, &ferry, &directory, &["--phases", "coverage,fuzzing", "--max-examples", EXAMPLES_MAX])?;
    ferry.stop();
    Ok(())
}

fn known(program: &Path) -> Result<(), Failed> {
    let (ferry, directory) = broker();
    directory.write("schemathesis.toml", KNOWN);
    let port = ferry.port(Transport::Tcp).to_string();
    let door = ["-h", "127.0.0.1", "-p", &port, "-V", "mqttv5", "-q", "1", "-t", "known/topic"];
    let mut subscriber = MosquittoProgram::start(
        Command::new("mosquitto_sub").args(door).args(["-i", "known", "-x", "3600", "-t", "known/#"]),
    );
    let published = Command::new("mosquitto_pub").args(door).args(["-r", "-m", "retained"]).status();
    assert!(published.expect("`cargo xtask test-tools` installs it").success());
    // It has its subscriptions.
    subscriber.wait_for("retained");
    let get = ["--include-method", "GET", "--mode", "positive", "--phases", "fuzzing", "--max-examples", "5"];
    run(program, &ferry, &directory, &get)?;
    ferry.stop();
    Ok(())
}

fn broker() -> (Ferry, ScratchDirectory) {
    let directory = ScratchDirectory::new();
    let secret = directory.write("secret", &format!("{SECRET}\n"));
    let ferry = Ferry::start(&format!(
        "[admin]\naddress = \"tcp://127.0.0.1:0\"\n\
         [[admin.token]]\nname = \"tests\"\nrole = \"admin\"\nfile = \"{}\"\n",
        secret.display()
    ));
    (ferry, directory)
}

fn run(
    program: &Path,
    ferry: &Ferry,
    directory: &ScratchDirectory,
    arguments: &[&str],
) -> Result<(), Failed> {
    ferry.wait_for_log("admin      tcp://");
    let log = ferry.log();
    let address = log.lines().find_map(|line| line.strip_prefix("admin      tcp://"));
    let address = address.and_then(|line| line.split_whitespace().next()).expect("the line has an address");
    let output = Command::new(program)
        .current_dir(directory.path(""))
        .args(["run", &format!("http://{address}/api/v1/openapi.json")])
        .args(["-H", &format!("Authorization: Bearer {SECRET}")])
        .args(["--checks", "all", "--generation-deterministic"])
        // It answers for as long as it is asked to.
        .args(["--exclude-path", "/api/v1/clients/{client_id}/trace"])
        .args(["--request-timeout", "30", "--warnings", "off", "--no-color"])
        .args(arguments)
        .output()
        .expect("it runs");
    if output.status.success() {
        return Ok(());
    }
    Err(Failed::from(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}
