//! Columns, aligned, and cut to the terminal's width where there is one.

use std::io::IsTerminal as _;

use super::line;
use super::width::{cut, width};
use crate::error::Result;

/// Writes rows in columns, cut to the width of a terminal. A pipe or file gets everything, with tabs between.
pub fn rows(rows: &[Vec<String>]) -> Result {
    if !std::io::stdout().is_terminal() {
        for row in rows {
            line(row.iter().map(|cell| flat(cell)).collect::<Vec<_>>().join("\t"))?;
        }
        return Ok(());
    }
    let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    for text in aligned(rows, "  ", columns) {
        line(text)?;
    }
    Ok(())
}

/// Writes rows between lines, the first one as a heading: as upstream's client shows certificates, to a pipe too.
pub fn ruled(rows: &[Vec<String>]) -> Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for (at, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| if at == 0 { format!("{cell:^width$}") } else { format!("{:width$}", flat(cell)) });
        line(format!("  {}", cells.collect::<Vec<_>>().join(" | ")).trim_end())?;
        if at == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            line(format_args!("+{}+", rule.join("+")))?;
        }
    }
    Ok(())
}

fn flat(cell: &str) -> String {
    cell.replace(['\n', '\r', '\t'], " ")
}

/// Writes names with their values, the values below each other. Lines of a value after its first are indented alike.
pub fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Result {
    pairs_apart(6, pairs)
}

/// The same with `gap` blanks behind the longest name, in place of six.
pub fn pairs_apart<'a>(gap: usize, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Result {
    let pairs: Vec<(&str, String)> = pairs.into_iter().collect();
    let widest = gap + pairs.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, value) in &pairs {
        let pad = " ".repeat(widest - width(name));
        let mut lines = value.split('\n');
        line(format_args!("{name}{pad}{}", lines.next().unwrap_or_default()).to_string().trim_end())?;
        for more in lines {
            line(format_args!("{}{more}", " ".repeat(widest)).to_string().trim_end())?;
        }
    }
    Ok(())
}

fn aligned(rows: &[Vec<String>], gap: &str, columns: Option<usize>) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let cell = width(&flat(cell));
            match widths.get_mut(column) {
                Some(widest) => *widest = cell.max(*widest),
                None => widths.push(cell),
            }
        }
    }
    rows.iter()
        .map(|row| {
            let mut text = String::new();
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    text.push_str(gap);
                }
                let cell = flat(cell);
                text.push_str(&cell);
                if column + 1 < row.len() {
                    text.push_str(&" ".repeat(widths[column] - width(&cell)));
                }
            }
            cut(text.trim_end(), columns.unwrap_or(0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_line_up() {
        let rows = [row(&["v10", "now", "bob deployed"]), row(&["v9", "then", "über\nline"])];
        assert_eq!(aligned(&rows, "  ", None), ["v10  now   bob deployed", "v9   then  über line"]);
    }

    #[test]
    fn a_terminal_cuts_what_is_too_long() {
        let rows = [row(&["v1", "a long summary"]), row(&["v2", "short"])];
        assert_eq!(aligned(&rows, " ", Some(10)), ["v1 a long…", "v2 short"]);
        assert_eq!(aligned(&rows, " ", Some(0)).len(), 2);
        let rows = [row(&["你好", "x"]), row(&["abc", "grüße an alle"])];
        assert_eq!(aligned(&rows, " ", Some(10)), ["你好 x", "abc  grüß…"]);
    }
}
