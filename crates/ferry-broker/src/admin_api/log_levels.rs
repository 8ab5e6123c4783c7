//! `/api/v1/log`: how much is logged, by module, until the next reload.

use hyper::StatusCode;

use super::answer::Answer;
use super::clients::done;
use super::problem::Problem;
use super::request::Call;

/// Sets the levels.
///
/// # Errors
/// They are no levels, or the program keeps its log to itself.
pub(super) fn set(call: &Call) -> Result<Answer, Problem> {
    let body = call.body.object(&["levels"])?;
    let remedy = "give a level for all, and others for modules, such as \"info,ferry_broker::driver=debug\"";
    let Some(levels) = body.text("levels")? else {
        return Err(Problem::bad_request("there are no levels", remedy));
    };
    match call.state.set_log_levels(&levels) {
        Some(Ok(())) => Ok(done("log levels set")),
        Some(Err(error)) => Err(Problem::bad_request(format!("{levels:?}: {error}"), remedy)),
        None => Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "no-log",
            "The log is not the broker's",
            "this broker was started by a program that keeps its log to itself",
            "set the levels in that program",
        )),
    }
}
