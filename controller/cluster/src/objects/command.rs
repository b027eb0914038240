//! What a container is started with. Source: `drycc-v2.md` §4.3.

use slipway_core::ProcessType;
use slipway_core::build::BuildKind;

/// The program in images from buildpacks that sets up the environment of the app and becomes the line it is given.
pub const BUILDPACK_START: &str = "/slipway/start";

/// Hands a line to bash where the image has it, else to its shell: the contract says bash, and small images have none.
/// The line is data (`$0`), never part of this text.
const SHELL: &str = r#"if [ -x /bin/bash ]; then exec /bin/bash -c "$0"; else exec /bin/sh -c "$0"; fi"#;

/// `command` and `args` of a container; `None` leaves the image's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerCommand {
    /// Instead of the image's entrypoint.
    pub command: Option<Vec<String>>,
    /// Instead of the image's command.
    pub args: Option<Vec<String>>,
}

/// A word as the kubelet must be given it: it turns `$$` into `$`, and `$(NAME)` into a variable.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}

/// What a process of a type is started with.
///
/// - Buildpacks: [`BUILDPACK_START`] with the line. Without a line, the image's own entrypoint.
/// - Other images, type `cmd`: the image's own entrypoint, with the line's words as arguments if there is a line.
/// - Other images, any other type: the line in a shell; without a line the arguments `start <type>`.
#[must_use]
pub fn process_command(kind: BuildKind, process_type: &ProcessType, line: Option<&str>) -> ContainerCommand {
    let is_cmd = *process_type == ProcessType::cmd();
    match (kind, line) {
        (BuildKind::Buildpack, Some(_)) => line.map(|line| line_command(kind, line)).unwrap_or_default(),
        (BuildKind::Buildpack, None) => ContainerCommand::default(),
        (BuildKind::Image | BuildKind::Dockerfile, Some(line)) if is_cmd => {
            ContainerCommand { command: None, args: Some(words(line).iter().map(|word| literal(word)).collect()) }
        }
        (BuildKind::Image | BuildKind::Dockerfile, Some(line)) => line_command(kind, line),
        (BuildKind::Image | BuildKind::Dockerfile, None) if is_cmd => ContainerCommand::default(),
        (BuildKind::Image | BuildKind::Dockerfile, None) => {
            ContainerCommand { command: None, args: Some(vec!["start".to_owned(), process_type.to_string()]) }
        }
    }
}

/// What a container is started with to run a line: a one-off process, or a type with a Procfile entry.
#[must_use]
pub fn line_command(kind: BuildKind, line: &str) -> ContainerCommand {
    match kind {
        BuildKind::Buildpack => {
            ContainerCommand { command: Some(vec![BUILDPACK_START.to_owned()]), args: Some(vec![line.to_owned()]) }
        }
        BuildKind::Image | BuildKind::Dockerfile => ContainerCommand {
            command: Some(["/bin/sh", "-c", SHELL].map(str::to_owned).into()),
            args: Some(vec![literal(line)]),
        },
    }
}

/// The words of a line, by the rules of a POSIX shell for quotes and backslashes. A quote that is not closed goes to
/// the end.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let word = word.get_or_insert_default();
                match letters.next() {
                    Some(next) => {
                        if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                            word.push('\\');
                        }
                        word.push(next);
                    }
                    None => word.push('\\'),
                }
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        for (line, expected) in [
            ("", vec![]),
            ("  serve  --port 80 ", vec!["serve", "--port", "80"]),
            (r#"a 'b c' "d \" e" f\ g '' "\n""#, vec!["a", "b c", "d \" e", "f g", "", "\\n"]),
            ("a'b'c", vec!["abc"]),
            ("'never closed", vec!["never closed"]),
            ("end\\", vec!["end\\"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn each_kind_has_its_start() {
        let (web, cmd) = (ProcessType::web(), ProcessType::cmd());
        let own = ContainerCommand::default();
        assert_eq!(process_command(BuildKind::Image, &cmd, None), own);
        assert_eq!(process_command(BuildKind::Buildpack, &web, None), own);
        let kept = process_command(BuildKind::Dockerfile, &cmd, Some("serve 'a b'"));
        assert_eq!(kept, ContainerCommand { command: None, args: Some(vec!["serve".into(), "a b".into()]) });
        let start = process_command(BuildKind::Image, &web, None);
        assert_eq!(start.args.unwrap(), ["start", "web"]);
        let line = process_command(BuildKind::Image, &web, Some("echo $PORT"));
        assert_eq!(line.args.unwrap(), ["echo $$PORT"]);
        let substituted = line_command(BuildKind::Image, "echo $(A) $$");
        assert_eq!(substituted.args.unwrap(), ["echo $$(A) $$$$"]);
        assert_eq!(line.command.unwrap()[..2], ["/bin/sh", "-c"]);
        let built = process_command(BuildKind::Buildpack, &web, Some("echo $PORT"));
        assert_eq!(built.command.unwrap(), [BUILDPACK_START]);
    }
}
