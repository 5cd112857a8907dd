//! The rows of a table of comma-separated values, RFC 4180.

/// A row that is not empty.
pub struct Row {
    /// The line that it begins on, from 1.
    pub number: u64,
    /// Its cells, or why it has none.
    pub cells: Result<Vec<Vec<u8>>, String>,
}

/// The rows of a table. Lines may end with LF alone.
pub fn rows(bytes: &[u8]) -> impl Iterator<Item = Row> {
    let (mut rest, mut next) = (bytes, 1);
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let (number, before) = (next, rest);
            let cells = row(&mut rest);
            let taken = &before[..before.len() - rest.len()];
            next += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
            if !taken.trim_ascii().is_empty() {
                return Some(Row { number, cells });
            }
        }
    })
}

/// Takes one row. One that makes no sense is taken to the end of its line.
fn row(rest: &mut &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut cells = Vec::new();
    loop {
        let quoted = rest.first() == Some(&b'"');
        let cell = if quoted { quoted_cell(rest)? } else { plain_cell(rest) };
        let strange = !quoted && cell.contains(&b'"');
        cells.push(cell);
        let end = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        match (end, rest.first()) {
            _ if strange => {}
            (Some(after), _) => {
                *rest = after;
                return Ok(cells);
            }
            (None, None) => return Ok(cells),
            (None, Some(b',')) => {
                *rest = &rest[1..];
                continue;
            }
            (None, Some(_)) => {}
        }
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        *rest = &rest[line..];
        return Err(
            "a quote stands inside a cell; put the whole cell in quotes, and write each quote in it twice"
                .into(),
        );
    }
}

/// Up to a comma or the end of the line.
fn plain_cell(rest: &mut &[u8]) -> Vec<u8> {
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'\n')).unwrap_or(rest.len());
    let is_last = rest.get(end) != Some(&b',');
    let (cell, after) = rest.split_at(end);
    *rest = after;
    let cell = if is_last { cell.strip_suffix(b"\r").unwrap_or(cell) } else { cell };
    cell.to_vec()
}

/// Up to the quote that closes it.
fn quoted_cell(rest: &mut &[u8]) -> Result<Vec<u8>, String> {
    let mut cell = Vec::new();
    *rest = &rest[1..];
    while let Some(end) = rest.iter().position(|byte| *byte == b'"') {
        cell.extend_from_slice(&rest[..end]);
        *rest = &rest[end + 1..];
        if rest.first() != Some(&b'"') {
            return Ok(cell);
        }
        cell.push(b'"');
        *rest = &rest[1..];
    }
    *rest = &[];
    Err("a quote is not closed, and all that follows was taken for a part of the cell".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Row> {
        rows(bytes).collect()
    }

    /// Whatever of a few letters is accepted is the same again with every cell in quotes, and no row hides another.
    #[test]
    fn every_short_table_is_read_as_it_would_be_written() {
        const LETTERS: &[u8] = b"\",\r\na";
        let mut accepted = 0;
        for number in 0..5_u32.pow(7) {
            let mut text: Vec<u8> = (0..7).map(|at| LETTERS[(number / 5_u32.pow(at) % 5) as usize]).collect();
            text.extend_from_slice(b"\nb");
            let table = read(&text);
            assert!(table.is_sorted_by(|row, next| row.number < next.number), "{}", text.escape_ascii());
            let Ok(cells) = table.into_iter().map(|row| row.cells).collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            assert_eq!(cells.last(), Some(&vec![b"b".to_vec()]), "{}", text.escape_ascii());
            let mut written = Vec::new();
            for row in &cells {
                for cell in row {
                    let quoted = String::from_utf8_lossy(cell).replace('"', "\"\"");
                    written.extend_from_slice(format!("\"{quoted}\",").as_bytes());
                }
                written.pop();
                written.extend_from_slice(b"\r\n");
            }
            let again: Vec<_> = read(&written).into_iter().filter_map(|row| row.cells.ok()).collect();
            assert_eq!(again, cells, "{}", text.escape_ascii());
            accepted += 1;
        }
        assert!(accepted > 5_000, "{accepted}");
    }
}
