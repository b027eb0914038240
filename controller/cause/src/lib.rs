//! An error with its causes, on one line. Errors of ours do not print their source; whoever shows or logs one does.
//!
//! A crate of its own because every program shows errors, and no other crate is below all of them.

#![forbid(unsafe_code)]

use std::error::Error;

/// An error and all its causes: `what was done: why not: why that`. A cause that the text before already holds is left
/// out, since many errors of others do print their source.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Nested(&'static str, Option<Box<Nested>>);

    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Nested {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    fn nested(texts: &[&'static str]) -> Nested {
        let (first, rest) = texts.split_first().unwrap();
        Nested(first, (!rest.is_empty()).then(|| Box::new(nested(rest))))
    }

    #[test]
    fn every_cause_is_told_once() {
        for (texts, expect) in [
            (&["reading a file"][..], "reading a file"),
            (&["reading a file", "it is not there"], "reading a file: it is not there"),
            (&["a", "b", "c"], "a: b: c"),
            (&["reading: refused", "refused", "by the kernel"], "reading: refused: by the kernel"),
        ] {
            assert_eq!(chain(&nested(texts)), expect);
        }
    }
}
