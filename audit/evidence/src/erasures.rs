//! The erasures of a bundle's period, each with its certificate: what the log has of the end of a picture, and of what was not
//! destroyed.
//!
//! ```text
//! erasures/erasures.json        what holds for all of them, the backups, and the hashes that prove the records below
//! erasures/certificates.jsonl   one line for each picture, in the order of their end
//! erasures/records.jsonl        the records that they rest on and that are not of the period
//! erasures/erasures.html        the last of them for people, to print
//! ```
//!
//! A period may have a hundred thousand of them. So the bundle is what signs them, no record is in it twice, and the records
//! from before and after the period are proved all at once, by the hashes over everything that lies between them. A list
//! without a line is not there.

use crate::bundle::{CERTIFICATES, ERASURES, ERASURES_PAGE, OTHER_RECORDS};
use crate::certificate::facts::{Backups, Cited, Ends, Facts, Picture};
use crate::certificate::grade;
use crate::certificate::statement::{METHOD, NOT_KNOWN, backup, picture};
use crate::control::{Language, Text};
use crate::error::Error;
use crate::folder::{NewFile, NewFolder};
use crate::html::{STYLE, both, tag};
use crate::json::canonical;
use audit::{Digest, Object, Order, Proofs, Stored, timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::Path;

const SCHEMA: &str = "lightproof/erasures/v1";
/// Most pictures that the page shows: what a person can read. The lines have all of them.
const SHOWN_MAX: usize = 1000;

/// How many erasures a bundle is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// With a certificate.
    pub certified: u64,
    /// Of these, pictures of which a plain copy is on record.
    pub copied: u64,
    /// Without one, since the record of the end is not in a form that this version reads.
    pub uncertified: u64,
}

/// Hands over the erasures of these pictures; `period` are the numbers of the records that the bundle has in a row.
pub(crate) fn hand_over(
    folder: &mut NewFolder,
    (log, proofs): (&Path, &Proofs),
    objects: &BTreeSet<Object>,
    period: Option<RangeInclusive<u64>>,
    languages: &[Language],
) -> Result<Counted, Error> {
    let mut facts = Facts::about(objects.iter().copied());
    if !objects.is_empty() {
        each(log, proofs, |record| {
            facts.see(record);
            Ok(())
        })?;
    }
    let ends = facts.ends();
    let others = others(&ends, period.as_ref());
    if !others.is_empty() {
        let mut file = folder.begin(OTHER_RECORDS)?;
        each(log, proofs, |record| match others.binary_search(&record.seq) {
            Ok(_) => line(&mut file, record.json().as_bytes()),
            Err(_) => Ok(()),
        })?;
        folder.end(file)?;
    }
    let at = proofs.checkpoint().size;
    let hashes =
        proofs.around(&others).ok_or(Error::Record { seq: at, what: "no checkpoint covers it yet" })?;
    if !ends.pictures.is_empty() {
        let mut file = folder.begin(CERTIFICATES)?;
        for picture in &ends.pictures {
            line(&mut file, &canonical(&certificate(picture, &ends.backups)))?;
        }
        folder.end(file)?;
    }
    folder.write(ERASURES, &canonical(&of_all(&ends, &hashes)))?;
    let page = page(&ends, languages);
    folder.write(ERASURES_PAGE, page.as_bytes())?;
    let is_copied = |picture: &&Picture| !picture.exports.is_empty() || !picture.exports_unknown.is_empty();
    Ok(Counted {
        certified: ends.pictures.len() as u64,
        copied: ends.pictures.iter().filter(is_copied).count() as u64,
        uncertified: ends.unread.len() as u64,
    })
}

fn line(file: &mut NewFile, bytes: &[u8]) -> Result<(), Error> {
    file.write(bytes)?;
    file.write(b"\n")
}

fn each(log: &Path, proofs: &Proofs, mut see: impl FnMut(&Stored) -> Result<(), Error>) -> Result<(), Error> {
    for record in audit::records(log, Order::OldestFirst)? {
        let record = record?;
        if record.seq >= proofs.checkpoint().size {
            break;
        }
        see(&record)?;
    }
    Ok(())
}

/// The records, by rising numbers, that these ends rest on and that are not of the period.
pub(crate) fn others(ends: &Ends, period: Option<&RangeInclusive<u64>>) -> Vec<u64> {
    let of_backups = held(ends).flat_map(|(made, said)| [Some(*made), *said]).flatten();
    let is_of_period = |seq: &u64| period.is_some_and(|period| period.contains(seq));
    // Without its end it would pass for one that holds a picture, or that may have left.
    let given_up = ends.given_up.iter().filter(|(begun, _)| is_of_period(begun)).map(|(_, end)| *end);
    let wanted = ends.pictures.iter().flat_map(Picture::records).chain(given_up);
    let wanted = wanted.chain(of_backups.map(|cited| cited.record));
    let mut others: Vec<u64> = wanted.filter(|seq| !is_of_period(seq)).collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// The backups that hold any of the pictures.
fn held(ends: &Ends) -> impl Iterator<Item = &(Cited, Option<Cited>)> {
    let Backups(all) = &ends.backups;
    // Each picture takes a row of them: where rows begin and end is all that has to be known.
    let mut depth = vec![0i64; all.len() + 1];
    for picture in &ends.pictures {
        let row = ends.backups.row(picture);
        depth[row.start] += 1;
        depth[row.end] -= 1;
    }
    let mut open = 0;
    let is_held = depth.into_iter().map(move |change| {
        open += change;
        open > 0
    });
    all.iter().zip(is_held).filter(|(_, is_held)| *is_held).map(|(backup, _)| backup)
}

/// What is stated of one picture: as in a certificate, but that the backups that hold it are counted and not named.
pub(crate) fn certificate(of: &Picture, backups: &Backups) -> Value {
    let mut stated = picture(of);
    stated["not_destroyed"]["backups"] = backups.of(of).len().into();
    stated
}

/// What holds for all of them.
pub(crate) fn of_all(ends: &Ends, hashes: &[Digest]) -> Value {
    let mut grades: BTreeMap<&str, u64> = BTreeMap::new();
    for picture in &ends.pictures {
        *grades.entry(picture.destroyed.grade.word()).or_default() += 1;
    }
    json!({
        "schema": SCHEMA, "erasures": ends.pictures.len(), "grades": grades, "method": METHOD,
        "backups": held(ends).map(backup).collect::<Vec<_>>(), "not_known": NOT_KNOWN,
        "without_certificate": ends.unread.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hashes": hashes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

const TITLE: Text = both("Erasures of the period", "本期间的删除");
const ABOUT: Text = both(
    "The keys of these pictures were destroyed: without its key a sealed picture opens for nobody, wherever a copy of the sealed file \
     lies. certificates.jsonl, beside this page, has a line for each of them, whose records are in this bundle and are proved; the \
     signature of the bundle covers it. What was not destroyed are plain copies that left, backups that were made while a picture was \
     there, and what somebody saw on a screen. Where a copy went, and whether it was copied again, no record says.",
    "这些图片的密钥已被销毁：没有密钥，任何人都无法打开封存的图片，无论封存文件的副本位于何处。与本页放在一起的 certificates.jsonl \
     为每张图片各有一行，所依据的记录均在本证据包中并附有证明，本证据包的签名也覆盖该文件。未被销毁的是已离开本设备的未封存副本、图片存在期间制作的备份，\
     以及有人在屏幕上看到的内容。副本去了哪里、是否又被复制，没有记录说明。",
);
const NONE: Text =
    both("No picture was erased in the period of this bundle.", "本证据包的期间内没有删除任何图片。");
const COLUMNS: [Text; 6] = [
    both("Picture", "图片"),
    both("Key destroyed", "密钥销毁"),
    both("Grade", "等级"),
    both("Asked for", "请求删除"),
    both("Plain copies on record", "有记录的未封存副本"),
    both("Backups that hold it", "含有它的备份"),
];

fn page(ends: &Ends, languages: &[Language]) -> String {
    let say = |text: Text| text.in_language(languages[0]);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{}: Lightproof</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        tag(languages[0]),
        say(TITLE)
    );
    for language in languages {
        part(&mut html, ends, *language);
    }
    html + "</main>\n</body>\n</html>\n"
}

fn part(html: &mut String, ends: &Ends, language: Language) {
    let say = |text: Text| text.in_language(language);
    let _ = writeln!(html, "<article lang=\"{}\">\n<h1>{}</h1>", tag(language), say(TITLE));
    if ends.pictures.is_empty() && ends.unread.is_empty() {
        let _ = writeln!(html, "<p>{}</p>\n</article>", say(NONE));
        return;
    }
    let _ = writeln!(html, "<p>{}</p>", say(ABOUT));
    let (all, shown) = (ends.pictures.len(), ends.pictures.len().min(SHOWN_MAX));
    let counts = match language {
        Language::En => format!("Erasures: {all}. Shown here: the last {shown}."),
        Language::Zh => format!("删除数量：{all}。此处显示最后 {shown} 项。"),
    };
    let _ = writeln!(html, "<p>{counts}</p>\n{}", without(ends, language));
    *html += "<table>\n<thead><tr>";
    for column in COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{}</th>", say(column));
    }
    *html += "</tr></thead>\n<tbody>\n";
    let record = |cited: &Cited| {
        let of = say(both("record", "记录"));
        format!(
            "<code>{}</code><br>{of} {}<br><code>{}</code>",
            timestamp(cited.ts_ms),
            cited.record,
            cited.by
        )
    };
    for picture in &ends.pictures[all - shown..] {
        let end = &picture.destroyed;
        let asked = picture.asked.as_ref().map_or_else(|| say(both("by nobody", "无")).to_owned(), record);
        let copies = picture.exports.len() + picture.exports_unknown.len();
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{asked}</td><td>{copies}</td><td>{}</td></tr>",
            picture.object,
            record(&end.cited),
            end.grade.word().to_uppercase(),
            ends.backups.of(picture).len(),
        );
    }
    *html += "</tbody>\n</table>\n";
    let grades: BTreeSet<&str> = ends.pictures.iter().map(|picture| picture.destroyed.grade.word()).collect();
    for grade in grades.iter().filter_map(|word| audit::words::Grade::parse(word)).map(grade) {
        let (worth, open) = (say(grade.0), say(grade.1));
        let _ = writeln!(html, "<p>{worth} {} {open}</p>", say(both("Not covered:", "未涵盖：")));
    }
    *html += "</article>\n";
}

/// Those that have none, by name.
fn without(ends: &Ends, language: Language) -> String {
    if ends.unread.is_empty() {
        return String::new();
    }
    let why = both(
        "Without a certificate, since the record of their end is not in a form that this version reads:",
        "以下图片没有证明，因为其结束记录不是本版本可读的形式：",
    );
    let names: Vec<String> =
        ends.unread.iter().take(SHOWN_MAX).map(|object| format!("<code>{object}</code>")).collect();
    format!("<p>{} {}</p>", why.in_language(language), names.join(" "))
}
