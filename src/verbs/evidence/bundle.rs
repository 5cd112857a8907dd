//! `evidence export`, and the bundle of `evidence freeze`: alone, and by a running server for whoever asks it.

use super::freeze;
use super::told::{beside, counts, counts_json, signed_in, untold};
use crate::Done;
use crate::boot::folders::{Bundle, what_is_left};
use crate::boot::{self, Booted, Wants};
use crate::cli::{self, Global};
use crate::controls::{self, Chosen, Error, Handed, Room, Site};
use crate::door::line::PIECE_BYTES_MAX;
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::absolute;
use audit::Clock as _;
use darkroom::{Act, Darkroom, JobId, Who};
use evidence::{Exported, MadeFile};
use sandbox::{Clean, ProbeReport};
use serde_json::json;
use server::Doorway;
use std::path::Path;

/// Where a server makes a bundle, in the folder of what was found: in its turn, so that there is one at a time.
const BUNDLE: &str = "bundle";
/// What a bundle is asked for.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// As it is, or for an incident.
    Bundle(Option<JobId>),
    /// For a state that is pinned first.
    Freeze(&'a freeze::Frozen),
}

/// Has a file of the bundle written, or the next bytes of it, by its path.
type Write<'a> = &'a dyn Fn(&str, Piece<'_>) -> Result<(), Failure>;
/// Bytes of a file.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// The first ones, or all of them.
    First(&'a [u8]),
    /// Those after the last ones.
    Next(&'a [u8]),
}
/// A bundle as it was handed out, with the incident that it is for.
type Made<T> = (Handed<T>, Option<JobId>);

/// What was asked of a bundle.
///
/// # Errors
/// It makes no sense.
pub fn chosen(of: &cli::BundleOf) -> Result<Chosen, Failure> {
    let words = [&of.since, &of.until, &of.framework, &of.lang].map(Option::as_deref);
    let chosen = Chosen::parse(words, "--").map_err(|what| Failure::new(Code::Usage, what))?;
    Ok(Chosen { with_failures: of.include_failures, ..chosen })
}

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &cli::Bundle, asked: Asked<'_>, out: &Output) -> Done {
    let chosen = chosen(&arguments.of)?;
    let bundle = Some(Bundle::Made(&arguments.output));
    let wants = Wants { evidence: true, bundle, ..Wants::with(&arguments.keys) };
    let output = absolute(&arguments.output)?;
    let left = |failure| what_is_left(failure, &output);
    let fenced = boot::boot(clean, global, &wants)?;
    let frozen = match asked {
        Asked::Freeze(frozen) => Some(frozen.with(&fenced.incident_laws())),
        Asked::Bundle(_) => None,
    };
    let asked = frozen.as_ref().map_or(asked, Asked::Freeze);
    let (folders, clock) = fenced.place_and_time();
    let (log, dir) = (folders.audit, folders.bundle.unwrap_or_default());
    let (mut booted, mut darkroom) = match (fenced.darkroom(), asked) {
        (Ok(opened), _) => opened,
        (Err(failure), Asked::Freeze(frozen)) if keeps_from_pinning(&failure) => {
            // Another door to the same log: it may be the vault alone that does not open.
            let pinned = frozen.record_alone(&log, clock, out).ok();
            return unread(frozen, (&log, clock.wall_ms()), pinned, &dir, failure, out).map_err(left);
        }
        // Where the policy makes no sense, say: the clocks run all the same.
        (Err(failure), Asked::Freeze(frozen)) => {
            let pinned = frozen.record_alone(&log, clock, out).ok();
            return Err(asked.is_pinned(left(beside(failure)), pinned));
        }
        (Err(failure), _) => return Err(left(beside(failure))),
    };
    let result = alone(&mut booted, &mut darkroom, (chosen, asked), &dir, out).map_err(left);
    boot::leave(darkroom, result)
}

fn alone(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    wanted: (Chosen, Asked<'_>),
    dir: &Path,
    out: &Output,
) -> Done {
    let (chosen, asked) = wanted;
    let signed_in = signed_in(booted, darkroom, out);
    let (log, clock) = (booted.folders.audit.clone(), booted.clock);
    let room = &mut Room::Own(darkroom);
    let who = match (signed_in, asked) {
        (Ok(who), _) => who,
        (Err(failure), Asked::Freeze(frozen)) if keeps_from_pinning(&failure) => {
            let pinned = frozen.record(room, None, out).ok();
            return unread(frozen, (&log, clock.wall_ms()), pinned, dir, failure, out);
        }
        (Err(failure), _) => return Err(failure),
    };
    let site = Site::of(booted)?;
    let fences = || sandbox::probe(&booted.sandboxed);
    let pinned = match (asked.pin(room, who.as_ref(), out), asked) {
        (Err(failure), Asked::Freeze(frozen)) if keeps_from_pinning(&failure) => {
            return unread(frozen, (&log, clock.wall_ms()), None, dir, failure, out);
        }
        (pinned, _) => pinned?,
    };
    let who = asked.hands_over_as(room, who)?;
    let made = make(&site, room, who.as_ref(), &fences, (chosen, asked.job(pinned)), dir, |_| Ok(()));
    match (made, asked) {
        (Err(failure), Asked::Freeze(frozen)) if is_of_log(&failure) => {
            evidence::take_back(dir);
            unread(frozen, (&log, clock.wall_ms()), pinned, dir, failure, out)
        }
        (made, _) => report(&made.map_err(|failure| asked.is_pinned(failure, pinned))?, dir, out),
    }
}

/// Whether log or vault is what cannot be used, for want of room, too: then what there is is kept.
fn keeps_from_pinning(failure: &Failure) -> bool {
    is_of_log(failure) || failure.code == Code::Space
}

/// Whether what is wrong is the log, or the vault, and not where the bundle goes.
fn is_of_log(failure: &Failure) -> bool {
    matches!(failure.code, Code::Integrity | Code::Log)
}

/// What there is of a log that cannot be read whole, by this process. Why there is no bundle comes last.
fn unread(
    frozen: &freeze::Frozen,
    (log, now_ms): (&Path, u64),
    pinned: Option<(JobId, u64)>,
    dir: &Path,
    why: Failure,
    out: &Output,
) -> Done {
    let of_log = frozen.of_unread(log, pinned, now_ms);
    let kept = of_log.keep(dir).map_err(|error| {
        let mut failure = Failure::from(error);
        failure.what += &format!(
            "; the files of the log were to be kept there, since no bundle can be made: {}",
            why.what
        );
        failure
    })?;
    Ok(frozen.report_unread(&why, (&kept, &of_log), dir, out))
}

/// By a server that has the vault, which is open or not. `write` has each file written in `dir`, at the other end.
///
/// # Errors
/// The controls are being tried; as alone; a file is not written.
pub fn through(
    (doorway, site): (&Doorway, &Site),
    who: Option<&Who>,
    (chosen, asked): (Chosen, Asked<'_>),
    dir: &Path,
    write: Write<'_>,
    out: &Output,
) -> Done {
    let here = site.evidence.join(BUNDLE);
    let mut room = Room::Shared(doorway.queue());
    let files = |dir: &Path| Ok(evidence::made_files(dir)?);
    let unread = |frozen: &freeze::Frozen, pinned: Option<(JobId, u64)>, why: &Failure| {
        let of_log = frozen.of_unread(&site.audit, pinned, site.clock.wall_ms());
        let kept = of_log.hand_over(|path, bytes| write(path, Piece::First(bytes)))?;
        Ok(frozen.report_unread(why, (&kept, &of_log), dir, out))
    };
    let pinned = match (asked.pin(&mut room, who, out), asked) {
        (Err(failure), Asked::Freeze(frozen)) if keeps_from_pinning(&failure) => {
            return unread(frozen, None, &failure);
        }
        (pinned, _) => pinned?,
    };
    let who = asked.hands_over_as(&mut room, who.copied())?;
    let made = doorway.try_controls(|fences| {
        // What a crash left of an earlier one.
        evidence::take_back(&here);
        let made = make(site, &mut room, who.as_ref(), fences, (chosen, asked.job(pinned)), &here, files);
        evidence::take_back(&here);
        made
    });
    let what = "the controls are being tried already; try again when that run has ended";
    let made = match (made, asked) {
        (Some(Err(failure)), Asked::Freeze(frozen)) if is_of_log(&failure) => {
            return unread(frozen, pinned, &failure);
        }
        (made, _) => made.unwrap_or_else(|| Err(Failure::new(Code::Busy, what))),
    };
    let written = made.and_then(|(mut handed, job)| {
        std::mem::take(&mut handed.made).into_iter().try_for_each(|file| cross(file, write))?;
        Ok((handed, job))
    });
    report(&written.map_err(|failure| asked.is_pinned(failure, pinned))?, dir, out)
}

/// However long the log is, no more than a piece of it is in memory.
fn cross(file: MadeFile, write: Write<'_>) -> Result<(), Failure> {
    let (path, mut has_begun) = (file.path.clone(), false);
    file.hand_over(PIECE_BYTES_MAX, |bytes| {
        let piece = if has_begun { Piece::Next(bytes) } else { Piece::First(bytes) };
        has_begun = true;
        write(&path, piece)
    })
}

impl Asked<'_> {
    /// First, and in nobody's turn: the clocks run whatever becomes of the bundle. The incident that was pinned, and its record.
    fn pin(
        self,
        room: &mut Room<'_>,
        who: Option<&Who>,
        out: &Output,
    ) -> Result<Option<(JobId, u64)>, Failure> {
        match self {
            Self::Bundle(_) => Ok(None),
            Self::Freeze(frozen) => frozen.record(room, who, out).map(Some),
        }
    }

    /// The incident that the bundle is for.
    fn job(self, pinned: Option<(JobId, u64)>) -> Option<JobId> {
        match self {
            Self::Bundle(job) => job,
            Self::Freeze(_) => pinned.map(|(job, _)| job),
        }
    }

    /// Who hands over the bundle: who may start clocks and no more gets the bundle that anybody of this account gets, who gives
    /// no passphrase.
    fn hands_over_as(self, room: &mut Room<'_>, who: Option<Who>) -> Result<Option<Who>, Failure> {
        let (Self::Freeze(_), Some(who)) = (self, who) else { return Ok(who) };
        let may = room.with(|darkroom| Ok(darkroom.is_open_to(&who, Act::Controls)))?;
        Ok(may.then_some(who))
    }

    /// The same failure of the bundle, with the word that the state is pinned all the same, and what makes its bundle.
    fn is_pinned(self, mut failure: Failure, pinned: Option<(JobId, u64)>) -> Failure {
        if let Some((job, _)) = pinned {
            failure.what += &format!(
                "; the state is pinned, and its bundle is made with: lightproof evidence export --incident {job} -o DIR"
            );
        }
        failure
    }
}

fn make<T>(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    (chosen, job): (Chosen, Option<JobId>),
    dir: &Path,
    make_of: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<Made<T>, Failure> {
    let incident = job.map(|job| freeze::of(&site.audit, job)).transpose()?;
    let chosen = Chosen { incident, ..chosen };
    let handed = controls::hand_over(site, room, who, fences, (&chosen, dir), make_of).map_err(untold)?;
    Ok((handed, job))
}

/// Says what was handed out.
fn report<T>((handed, job): &Made<T>, dir: &Path, out: &Output) -> Done {
    let Handed { tried, exported, record, failures, .. } = handed;
    let Exported { manifest, files, records, erasures, pruned, pruned_beside } = exported;
    out.data(&format!(
        "{}: {}, {}, {} with a certificate of each\n  {}\n  manifest {manifest}, record {record}\n",
        dir.display(),
        counted(usize::try_from(*files).unwrap_or(usize::MAX), "file"),
        counted(usize::try_from(*records).unwrap_or(usize::MAX), "record"),
        counted(usize::try_from(*erasures).unwrap_or(usize::MAX), "erasure"),
        counts(&tried.run),
    ));
    if let Some(first) = failures.first() {
        let count = counted(failures.len(), "finding");
        out.warn(&format!(
            "it does not pass its own check, and says so: {count}, {}: {}",
            first.file, first.text
        ));
    }
    if *pruned > 0 {
        out.say(&format!(
            "records of its period of which only the hash is left, since they were pruned: {pruned}"
        ));
    }
    if *pruned_beside > 0 {
        out.say(&format!(
            "records that were pruned where its period begins or ends, and perhaps are of it: {pruned_beside}"
        ));
    }
    out.say("README.html in it is for people; VERIFY.md says how to check it with others' programs");
    out.object(
        true,
        &json!({ "dir": dir.display().to_string(), "files": files, "records": records, "erasures": erasures, "record": record,
            "manifest": manifest.to_string(), "run": tried.run.digest().to_string(), "counts": counts_json(&tried.run),
            "failures": failures.len(), "pruned": pruned, "pruned_beside": pruned_beside, "incident": job.map(|job| job.to_string()) }),
    );
    Ok(Code::Done)
}
