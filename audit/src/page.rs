//! A page of the log, the newest records first: for whoever reads on from where they are, beside a running writer.

use crate::error::Error;
use crate::selection::Selection;
use crate::stored::{Gone, Item, Items, Stored, records_before};
use crate::tail::signed;
use std::path::Path;

/// Records that are looked at for one page: a selection that takes few of them costs no more than that at a time.
pub const LOOKED_MAX: usize = 8 * 4096;

/// Some records that a selection takes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// The newest first. A line that is no record may be any record, so it is among them, with the number that it should have.
    pub records: Vec<Result<Stored, u64>>,
    /// Where the next page begins, as the `before` of [`page`]; `None` when the first record was looked at.
    pub next: Option<u64>,
    /// Which of those that were looked at were pruned: nobody knows whether the selection takes them.
    pub gone: Option<Gone>,
    /// How many records are signed.
    pub signed: u64,
}

/// At most `count` of the signed records that `selection` takes, newest first, from the one before number `before` on. A page
/// may have fewer of them, or none, and a next one all the same: see [`LOOKED_MAX`]. Pages that go on from each other leave out
/// nothing and repeat nothing, whatever is written meanwhile. One segment at a time is held in memory.
///
/// # Errors
/// `Absent` when nothing was ever signed there; `Broken` when the copy of the newest checkpoint is none; `Io`.
pub fn page(dir: &Path, selection: &Selection, before: Option<u64>, count: usize) -> Result<Page, Error> {
    let signed = signed(dir)?;
    let mut page = Page { records: Vec::new(), next: None, gone: None, signed };
    let end = before.map_or(signed, |before| before.min(signed));
    for item in Items(records_before(dir, end)?).take(LOOKED_MAX) {
        let (seq, taken) = match item {
            Ok(Item::Record(record)) => (record.seq, selection.takes(&record).then_some(Ok(*record))),
            Ok(Item::Pruned(seq, _)) => {
                Gone::see(&mut page.gone, seq);
                (seq, None)
            }
            Err(Error::Broken { at, .. }) => (at, Some(Err(at))),
            Err(error) => return Err(error),
        };
        page.records.extend(taken);
        page.next = (seq > 0).then_some(seq);
        if page.records.len() >= count {
            break;
        }
    }
    Ok(page)
}
