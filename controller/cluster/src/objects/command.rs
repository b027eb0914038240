//! What a container is started with, as the kubelet must be told: see [`slipway_engine::command`].

use slipway_core::ProcessType;
use slipway_core::build::BuildKind;
use slipway_engine::command::{self, ContainerCommand};

/// What a process of a type is started with.
#[must_use]
pub fn process_command(kind: BuildKind, process_type: &ProcessType, line: Option<&str>) -> ContainerCommand {
    literal(command::process_command(kind, process_type, line))
}

/// What a container is started with to run a line.
#[must_use]
pub fn line_command(kind: BuildKind, line: &str) -> ContainerCommand {
    literal(command::line_command(kind, line))
}

/// The kubelet turns `$$` into `$`, and `$(NAME)` into a variable. What users write is for their own shell. The program
/// itself holds no such thing of the user's.
fn literal(command: ContainerCommand) -> ContainerCommand {
    let args = command.args.map(|args| args.iter().map(|word| word.replace('$', "$$")).collect());
    ContainerCommand { args, ..command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_substituted() {
        let line = line_command(BuildKind::Image, "echo $(A) $$");
        assert_eq!(line.args.unwrap(), ["echo $$(A) $$$$"]);
        let words = process_command(BuildKind::Image, &ProcessType::cmd(), Some("serve '$PORT'"));
        assert_eq!(words.args.unwrap(), ["serve", "$$PORT"]);
    }
}
