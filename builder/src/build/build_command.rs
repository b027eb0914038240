//! The command of a build that an app names itself, after its buildpack.

use slipway_core::command_words::command_words;

use super::BuildError;
use super::buildpack::Compile;

/// The config value that holds it: commands with `&&` between them, run without a shell.
pub const BUILD_COMMAND: &str = "SLIPWAY_BUILD_COMMAND";

/// Runs the command, if there is one.
///
/// # Errors
/// [`BuildError::Failed`] when it cannot be run, or ends with an error.
pub(super) async fn run(cx: &Compile<'_>) -> Result<(), BuildError> {
    let Some(line) = cx.env.get(BUILD_COMMAND).map(|line| line.expose().trim()).filter(|line| !line.is_empty()) else {
        return Ok(());
    };
    let commands = command_words(line).map_err(|reason| BuildError::Failed(format!("{BUILD_COMMAND}: {reason}")))?;
    for words in commands {
        let Some((program, arguments)) = words.split_first() else { continue };
        cx.step(&format!("Running {}", words.join(" "))).await;
        let tool = match cx.find(program) {
            Some(tool) => tool,
            // A program of the repository.
            None if program.contains('/')
                && !program.starts_with('/')
                && !program.split('/').any(|part| part == "..") =>
            {
                cx.tool(cx.source.dir().join(program))
            }
            None => return Err(BuildError::Failed(format!("{BUILD_COMMAND}: there is no program {program} here"))),
        };
        cx.run(tool.args(arguments), program).await?;
    }
    Ok(())
}
