//! What goes wrong with an engine.

use slipway_engine::EngineError;

/// Longest text of an engine that is passed on, in characters.
const TEXT_MAX: usize = 1024;

/// Why an engine did not do or tell something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It said no.
    #[error("the engine answered {status}: {text}")]
    Refused { status: u16, text: String },
    /// It cannot be reached, or what it says is no answer.
    #[error("{0}")]
    Away(String),
    /// It took too long.
    #[error("the engine did not answer in time")]
    TimedOut,
}

impl Failure {
    /// Whether what was asked about is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the engine said no.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether it is so already: Docker answers 304 to starting what runs.
    pub(crate) fn is_so_already(&self) -> bool {
        matches!(self, Self::Refused { status: 304, .. })
    }
}

/// Why the engine said no, as it is shown.
fn reason(text: &str) -> String {
    let reason = shown(text);
    if reason.is_empty() { "without a reason".to_owned() } else { reason }
}

/// An engine's text as it is shown: on one line, and not endless.
pub(crate) fn shown(text: &str) -> String {
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(TEXT_MAX).collect();
    text.trim().to_owned()
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            // 500 is how engines say that a container cannot be made or started as it is wanted.
            Failure::Refused { status, text }
                if (400..=500).contains(&status) && !matches!(status, 408 | 409 | 429) =>
            {
                Self::Rejected(format!("the node's engine refused it: {}", reason(&text)))
            }
            Failure::Refused { status, text } => Self::Unavailable {
                public: "the node's engine cannot do it now".to_owned(),
                context: format!("{status}: {}", reason(&text)),
            },
            Failure::Away(context) => {
                Self::Unavailable { public: "the node's engine cannot be reached".to_owned(), context: shown(&context) }
            }
            Failure::TimedOut => Self::Unavailable {
                public: "the node's engine did not answer in time".to_owned(),
                context: "no answer in time".to_owned(),
            },
        }
    }
}
