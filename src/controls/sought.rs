//! Whether a kept prompt or a name stands in the clear beside the log, where nobody is to write any: looked for in its folder and
//! in that of what was found.

use super::reading::{Read, timed, why};
use super::site::{Room, Site};
use crate::paths::open_regular;
use darkroom::{Darkroom, Error, Sought, Who};
use evidence::Reason;
use rustix::fs::{OFlags, SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// Bytes that are looked through at once.
const PIECE_BYTES: usize = 1 << 20;
const DEPTH_MAX: usize = 8;
/// What has no text in it at the top of the folder of the log, and much that is random: hashes, a key, space that is set aside.
const NOT_TEXT_OF_LOG: [&str; 3] = ["tile", "epoch.key", "reserve"];
/// The same of the other folder: answers of authorities, who have names.
const NOT_TEXT_OF_EVIDENCE: [&str; 1] = ["stamps"];

/// The controls that are tried here.
pub fn tried(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    now: &dyn Fn() -> u64,
) -> [(&'static str, Read); 2] {
    let mut looked_for = |sought: fn(&Darkroom, &Who) -> Result<Sought, Error>,
                          none: [Reason; 2],
                          facts: [&'static str; 2]| {
        timed(now, |reading| {
            let who = who.ok_or(Reason::Locked)?;
            let sought = room.with(|darkroom| sought(darkroom, who)).map_err(|error| why(&error))?;
            let (count, found) = look(site, sought, none)?;
            reading.fact(facts[0], count);
            reading.fact(facts[1], found);
            Ok(())
        })
    };
    let facts = ["prompts_looked_for", "prompts_found"];
    let prompts = looked_for(Darkroom::sought_prompts, [Reason::NoKeptPrompts; 2], facts);
    let facts = ["names_looked_for", "names_found"];
    let names = looked_for(Darkroom::sought_names, [Reason::NobodyNamed, Reason::NamesLikeWords], facts);
    [("PRV-01", prompts), ("PRV-02", names)]
}

/// How many are looked for, and found; the first reason without any, and the second where there are some and none can be looked for.
fn look(site: &Site, mut sought: Sought, [none, untold]: [Reason; 2]) -> Result<(u64, u64), Reason> {
    match (sought.count(), sought.left_out()) {
        (0, 0) => return Err(none),
        (0, _) => return Err(untold),
        _ => {}
    }
    for (folder, not_text) in
        [(&site.audit, &NOT_TEXT_OF_LOG[..]), (&site.evidence, &NOT_TEXT_OF_EVIDENCE[..])]
    {
        look_below(folder, not_text, DEPTH_MAX, &mut sought).map_err(|_| Reason::TrialFailed)?;
    }
    Ok((sought.count() as u64, sought.found() as u64))
}

fn look_below(folder: &Path, not_text: &[&str], depth: usize, sought: &mut Sought) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        if not_text.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        let looked = match entry.file_type() {
            // Nobody looked into it, and that is no answer.
            Ok(kind) if kind.is_dir() && depth == 0 => Err(ErrorKind::QuotaExceeded.into()),
            Ok(kind) if kind.is_dir() => look_below(&path, &[], depth - 1, sought),
            Ok(kind) if kind.is_file() => look_into(&path, sought),
            other => other.map(drop),
        };
        match looked {
            // Beside a running program a file may go between the list and this look.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            looked => looked?,
        }
    }
    Ok(())
}

fn look_into(path: &Path, sought: &mut Sought) -> io::Result<()> {
    let mut file = open_regular(path, OFlags::NOFOLLOW)?;
    let mut piece: Vec<u8> = Vec::new();
    loop {
        match leave_out_hole(&file)? {
            // Nothing goes on across it.
            Next::Elsewhere => piece.clear(),
            Next::Here => {}
            Next::End => return Ok(()),
        }
        // The end of the last piece stays before the next one.
        piece.drain(..piece.len().saturating_sub(sought.overlap()));
        let kept = piece.len();
        let read = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        sought.look(&piece);
        if read == 0 || piece.len() == kept {
            return Ok(());
        }
    }
}

/// Where there is something to read.
enum Next {
    Here,
    Elsewhere,
    End,
}

/// Goes to what is written: whoever makes a file of a terabyte without a byte in it keeps nobody busy.
fn leave_out_hole(file: &File) -> io::Result<Next> {
    let at = seek(file, SeekFrom::Current(0))?;
    match seek(file, SeekFrom::Data(at)) {
        Ok(next) => Ok(if next == at { Next::Here } else { Next::Elsewhere }),
        Err(Errno::NXIO) => Ok(Next::End),
        // A file system that knows no holes.
        Err(_) => {
            seek(file, SeekFrom::Start(at))?;
            Ok(Next::Here)
        }
    }
}
