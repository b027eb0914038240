//! A view that is drawn over and over, beside what the terminal showed before.

use anstream::adapter::strip_str;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};

use super::log::safe;
use super::progress::Quiet;
use super::width::cut;
use crate::error::Result;
use crate::terminal;

/// The whole terminal, until this is dropped: then it shows what it showed before.
#[derive(Debug)]
pub struct Screen {
    _quiet: Quiet,
    /// What is drawn, and the size of then.
    drawn: Option<((usize, usize), Vec<String>)>,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter() -> Result<Self> {
        let quiet = Quiet::new();
        write(|out| queue!(out, EnterAlternateScreen, Hide))?;
        Ok(Self { _quiet: quiet, drawn: None })
    }

    /// Columns and lines that can be drawn on.
    pub fn size() -> (usize, usize) {
        terminal::size().map_or((80, 24), |(width, height)| (usize::from(width), usize::from(height)))
    }

    /// Draws these lines, cut to the terminal's size, in place of all others.
    pub fn draw(&mut self, lines: Vec<String>) -> Result {
        let (columns, rows) = Self::size();
        let wanted = Some(((columns, rows), lines));
        if self.drawn == wanted {
            return Ok(());
        }
        self.drawn = wanted;
        let lines = self.drawn.as_ref().map_or(&[][..], |(_, lines)| lines);
        write(|out| {
            for (row, line) in (0..).zip(lines.iter().take(rows)) {
                // Colours would be counted, and could be cut in two.
                let line = strip_str(&safe(line)).to_string();
                // Cleared before: behind a line that is as wide as the terminal its last character would be lost.
                queue!(out, MoveTo(0, row), Clear(ClearType::UntilNewLine), Print(cut(&line, columns)))?;
            }
            if lines.len() < rows {
                let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
                queue!(out, MoveTo(0, row), Clear(ClearType::FromCursorDown))?;
            }
            Ok(())
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = write(|out| queue!(out, Show, LeaveAlternateScreen));
    }
}

/// Writes what `fill` makes in one piece, so that nothing half-drawn is seen.
fn write(fill: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result {
    let mut out = Vec::new();
    fill(&mut out)?;
    super::raw(&out)
}
