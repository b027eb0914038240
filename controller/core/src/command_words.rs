//! Command lines that are run without a shell.

/// Most words of a command line.
const WORDS_MAX: usize = 1000;

/// The commands of a line: words divided by blanks, in quotes where they hold some; `&&` divides commands. What only a
/// shell could do is refused.
///
/// # Errors
/// What is wrong with it.
pub fn command_words(line: &str) -> Result<Vec<Vec<String>>, String> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    let end_word = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(word);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => end_word(&mut word, &mut commands),
            '\'' | '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => into.push(escaped),
                            Some(other) => into.extend(['\\', other]),
                            None => return Err("a quote is not closed".to_owned()),
                        },
                        Some('$' | '`') if c == '"' => return Err(shell_only("$ and ` in double quotes")),
                        Some(inside) if inside.is_control() => return Err("it holds control characters".to_owned()),
                        Some(inside) => into.push(inside),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(escaped) if !escaped.is_control() => word.get_or_insert_default().push(escaped),
                _ => return Err("it ends in a backslash".to_owned()),
            },
            '&' if chars.peek() == Some(&'&') => {
                chars.next();
                end_word(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '#' | '~'
                if word.is_none() || "|&;<>()$`*?".contains(c) =>
            {
                return Err(shell_only(&c.to_string()));
            }
            c if c.is_control() => return Err("it holds control characters".to_owned()),
            c => word.get_or_insert_default().push(c),
        }
    }
    end_word(&mut word, &mut commands);
    if commands.iter().any(Vec::is_empty) {
        return Err("a command is empty".to_owned());
    }
    if commands.iter().map(Vec::len).sum::<usize>() > WORDS_MAX {
        return Err(format!("it has more than {WORDS_MAX} words"));
    }
    Ok(commands)
}

fn shell_only(what: &str) -> String {
    format!("{what} would need a shell; commands are run without one: put them into a script of the repository")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        command_words(line).unwrap()
    }

    #[test]
    fn lines_become_words() {
        assert_eq!(words("npm install"), [["npm", "install"]]);
        assert_eq!(words(" npm ci && npm run 'build all' "), [vec!["npm", "ci"], vec!["npm", "run", "build all"]]);
        assert_eq!(
            words(r#"echo "a \"b\" \\ c" d\ e '' x~y a#b"#),
            [["echo", r#"a "b" \ c"#, "d e", "", "x~y", "a#b"]]
        );
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        for bad in [
            "", " ", "a && ", "&& a", "a | b", "a; b", "a > b", "a & b", "$(id)", "`id`", "a $B", "a \"$B\"", "ls *",
            "a 'b", "a \"b", "a \\", "# a", "~/x", "(a)", "a\nb", "a 'b\nc'",
        ] {
            assert!(command_words(bad).is_err(), "{bad:?}");
        }
    }
}
