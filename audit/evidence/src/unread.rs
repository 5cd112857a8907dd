//! A state that is pinned although the log cannot be read: its files as they are, in a folder that no program of ours is needed to check.
//!
//! ```text
//! incident.json       what was pinned, when and why, the newest checkpoint, and what could not be read
//! verification.json   what the verifier of the log found, or why it ended
//! audit/...           the files of the log, byte for byte, without any private key
//! README.txt          what this is, in English and Chinese
//! SHA256SUMS          of all of them, for `sha256sum -c`
//! ```

use crate::clocks::Law;
use crate::error::Error;
use crate::folder::NewFolder;
use crate::json::canonical;
use audit::words::FreezeReason;
use audit::{Digest, JobId, timestamp};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

const SCHEMA: &str = "lightproof/incident-unread/v1";
const README: &str = include_str!("unread.txt");

/// What is to be pinned.
#[derive(Debug)]
pub struct Unread<'a> {
    /// The folder of the log.
    pub log: &'a Path,
    /// Why the state is pinned.
    pub reason: FreezeReason,
    /// Whose clocks are started.
    pub laws: &'a [Law],
    /// The incident and the record that pins it, if the log could be written.
    pub on_record: Option<(JobId, u64)>,
    /// Version of the program.
    pub version: &'a str,
    /// When it is pinned, in milliseconds since 1970.
    pub made_ms: u64,
}

/// What was kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct Kept {
    /// Files of the log.
    pub files: u64,
    /// Files and folders of the log that could not be read, by name.
    pub unread: Vec<String>,
    /// SHA-256 of the list of digests: who has that can tell whether anything was changed since.
    pub sums: Digest,
}

impl Unread<'_> {
    /// Puts it into the folder `dir`, which is made or empty. Where it ends with an error nothing is left behind.
    ///
    /// # Errors
    /// [`Error::Exists`]; what the disk says.
    pub fn keep(&self, dir: &Path) -> Result<Kept, Error> {
        let mut folder = NewFolder::make(dir)?;
        let kept = self.hand_over(|path, bytes| folder.write(path, bytes));
        match kept.and_then(|kept| folder.seal().map(|()| kept)) {
            Ok(kept) => Ok(kept),
            Err(error) => {
                folder.remove();
                Err(error)
            }
        }
    }

    /// Has each file of it written, one after the other, the list of digests last.
    ///
    /// # Errors
    /// What `write` says.
    pub fn hand_over<E>(&self, mut write: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<Kept, E> {
        let (mut files, mut unread, mut sums) = (0, Vec::new(), String::new());
        let mut put = |path: &str, bytes: &[u8]| {
            let _ = writeln!(sums, "{}  {path}", Digest::of(bytes));
            write(path, bytes)
        };
        // The records first: they may be what somebody is about to take away.
        let found = audit::found_files(self.log);
        unread.extend(found.unlisted.into_iter().map(|(name, error)| (name, error.to_string())));
        for name in found.names {
            match audit::read_file(self.log, &name) {
                Ok(bytes) if audit::holds_private_key(&bytes) => {
                    unread.push((name, "it holds a private key, and was left out".to_owned()));
                }
                Ok(bytes) => {
                    put(&format!("audit/{name}"), &bytes)?;
                    files += 1;
                }
                Err(audit::Error::Io { source, .. }) => unread.push((name, source.to_string())),
                Err(error) => unread.push((name, error.to_string())),
            }
        }
        let verified = audit::verify(self.log, None);
        let report = match &verified {
            Ok(report) => format!("{}\n", report.to_json()),
            Err(_) => format!("{}\n", json!({ "ok": false, "error": "a file of the log cannot be read" })),
        };
        put("verification.json", report.as_bytes())?;
        let checkpoint = verified.as_ref().ok().and_then(|report| {
            let root = report.root?.to_string();
            Some(json!({ "size": report.signed, "root": root, "complete": report.complete }))
        });
        put("incident.json", &canonical(&self.incident(checkpoint, &unread)))?;
        put("README.txt", README.as_bytes())?;
        write("SHA256SUMS", sums.as_bytes())?;
        let unread = unread.into_iter().map(|(name, _)| name).collect();
        Ok(Kept { files, unread, sums: Digest::of(sums.as_bytes()) })
    }

    fn incident(&self, checkpoint: Option<Value>, unread: &[(String, String)]) -> Value {
        let laws: Vec<&str> = self.laws.iter().map(|law| law.word()).collect();
        let unread: Vec<Value> =
            unread.iter().map(|(name, why)| json!({ "file": format!("audit/{name}"), "why": why })).collect();
        json!({ "schema": SCHEMA, "incident": self.on_record.map(|(job, _)| job.to_string()),
            "record": self.on_record.map(|(_, record)| record), "frozen": timestamp(self.made_ms),
            "frozen_ms": self.made_ms, "reason": self.reason.word(), "laws": laws, "checkpoint": checkpoint,
            "unread": unread, "version": self.version })
    }
}
