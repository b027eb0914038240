//! What a container is started with, as the kubelet must be told: see [`slipway_engine::command`].

use slipway_core::ProcessType;
use slipway_core::build::BuildKind;
use slipway_engine::command::{self, BUILDPACK_START, ContainerCommand};

use crate::image::ImageFacts;

/// What [`BUILDPACK_START`] is in images from Cloud Native Buildpacks. Source: Buildpacks platform specification 0.13,
/// `launcher`.
pub const LAUNCHER_START: &str = "/cnb/lifecycle/launcher";

/// Where such images have a link to the launcher for each of their processes, which starts it without a shell: an image
/// need not have one. Source: as above.
const LAUNCHER_LINKS: &str = "/cnb/process/";

/// The program that starts processes in an image that buildpacks made: which kind they were of, the image tells.
#[must_use]
pub fn start_program(image: &ImageFacts) -> &'static str {
    if image.is_launched { LAUNCHER_START } else { BUILDPACK_START }
}

/// What a process of a type is started with.
#[must_use]
pub fn process_command(
    kind: BuildKind,
    start: &str,
    process_type: &ProcessType,
    line: Option<&str>,
) -> ContainerCommand {
    kubelet(start, command::process_command(kind, process_type, line))
}

/// What a container is started with to run a line.
#[must_use]
pub fn line_command(kind: BuildKind, start: &str, line: &str) -> ContainerCommand {
    kubelet(start, command::line_command(kind, line))
}

/// What runs a line beside a process. The kubelet leaves what is run in a container as it is.
#[must_use]
pub fn hook_command(kind: BuildKind, start: &str, line: &str) -> Vec<String> {
    let command = command::line_command(kind, line);
    let words = command.command.into_iter().chain(command.args).flatten();
    words.map(|word| if word == BUILDPACK_START { start.to_owned() } else { word }).collect()
}

/// The kubelet turns `$$` into `$`, and `$(NAME)` into a variable. What users write is for their own shell. The program
/// itself holds no such thing of the user's.
fn kubelet(start: &str, command: ContainerCommand) -> ContainerCommand {
    let is_start = command.command.as_deref().is_some_and(|program| program == [BUILDPACK_START]);
    if start == LAUNCHER_START
        && is_start
        && let Some([link]) = command.args.as_deref()
        && link.strip_prefix(LAUNCHER_LINKS).is_some_and(|name| ProcessType::new(name).is_ok())
    {
        return ContainerCommand { command: command.args, args: None };
    }
    let args = command.args.map(|args| args.iter().map(|word| word.replace('$', "$$")).collect());
    let command = if is_start { Some(vec![start.to_owned()]) } else { command.command };
    ContainerCommand { command, args }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_substituted() {
        let line = line_command(BuildKind::Image, BUILDPACK_START, "echo $(A) $$");
        assert_eq!(line.args.unwrap(), ["echo $$(A) $$$$"]);
        let words = process_command(BuildKind::Image, BUILDPACK_START, &ProcessType::cmd(), Some("serve '$PORT'"));
        assert_eq!(words.args.unwrap(), ["serve", "$$PORT"]);
    }

    #[test]
    fn what_cloud_native_buildpacks_made_is_started_by_their_launcher() {
        let image = ImageFacts { is_launched: true, ..ImageFacts::unknown("a", "b") };
        assert_eq!(start_program(&ImageFacts::unknown("a", "b")), BUILDPACK_START);
        let start = start_program(&image);
        let web = process_command(BuildKind::Buildpack, start, &ProcessType::web(), Some("/cnb/process/web"));
        assert_eq!(web.command.unwrap(), ["/cnb/process/web"]);
        assert_eq!(web.args, None);
        // What a Procfile says over it is a line for a shell, as is what somebody runs once.
        for line in ["serve -p $PORT", "/cnb/process/web -v", "/cnb/process/../../bin/sh"] {
            let own = process_command(BuildKind::Buildpack, start, &ProcessType::web(), Some(line));
            assert_eq!(own.command.unwrap(), [LAUNCHER_START]);
            assert_eq!(own.args.unwrap(), [line.replace('$', "$$")]);
        }
        let run = line_command(BuildKind::Buildpack, start, "/cnb/process/web");
        assert_eq!(run.command.unwrap(), ["/cnb/process/web"]);
    }
}
