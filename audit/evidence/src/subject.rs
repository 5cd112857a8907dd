//! What log and vault hold about one person, for that person: a page to read and the same for programs. It is not signed: it
//! proves nothing, it tells.
//!
//! ```text
//! subject.json    the records about them, byte for byte, and what the vault knows of them and their pictures
//! subject.html    the same in sentences, in English and Chinese, to print
//! ```

use crate::error::Error;
use crate::folder::NewFolder;
use crate::html::escape;
use crate::json::canonical;
use audit::{Actor, Digest, JobId, Object, Order, Stored, timestamp};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

const SCHEMA: &str = "lightproof/subject/v1";
/// The file for programs.
const FILE: &str = "subject.json";
/// The page.
const PAGE: &str = "subject.html";

/// A picture of theirs.
#[derive(Debug)]
pub struct SubjectPicture {
    /// Its pseudonym in the log.
    pub object: String,
    /// What it is called.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// Bytes of it.
    pub bytes: u64,
    /// Whether its prompt is kept, sealed.
    pub keeps_prompt: bool,
}

/// What is handed out.
pub struct Subject<'a> {
    /// The folder of the log.
    pub log: &'a Path,
    /// The person, as the log has them.
    pub actor: Actor,
    /// Number of their slot.
    pub slot: u32,
    /// What they are called; `None` where nobody has a name.
    pub name: Option<&'a str>,
    /// What they may do, in the word of the log; `None` once they were removed.
    pub role: Option<&'a str>,
    /// Their pictures.
    pub pictures: &'a [SubjectPicture],
    /// The sentence about a type of record in Chinese, if there is one.
    pub in_chinese: &'a dyn Fn(&str) -> Option<String>,
    /// Version of the program.
    pub version: &'a str,
    /// When it is made, in milliseconds since 1970.
    pub made_ms: u64,
}

/// What is to be handed out, in memory: no file has it yet.
#[derive(Debug)]
pub struct Told {
    /// Of which some were pruned: those before this one.
    pub pruned_before: u64,
    json: Vec<u8>,
    page: String,
    /// SHA-256 of the file for programs.
    pub file: Digest,
    /// How many records it has.
    pub records: u64,
}

impl Subject<'_> {
    /// Makes the texts. Nothing is written.
    ///
    /// # Errors
    /// A record cannot be read, and nobody knows whom it is about.
    pub fn tell(&self) -> Result<Told, Error> {
        let (records, pruned_before) = (self.records()?, audit::whole_from(self.log)?);
        let json = canonical(&self.to_json(&records, pruned_before));
        let (file, page) = (Digest::of(&json), self.page(&records, pruned_before));
        Ok(Told { pruned_before, json, page, file, records: records.len() as u64 })
    }

    fn records(&self) -> Result<Vec<Stored>, Error> {
        let (mut found, mut about) = (Vec::new(), About::new(self.actor, self.slot));
        for record in audit::records(self.log, Order::OldestFirst)? {
            let record = record?;
            if about.see(&record) {
                found.push(record);
            }
        }
        Ok(found)
    }

    fn to_json(&self, records: &[Stored], pruned_before: u64) -> Value {
        let pictures = self.pictures.iter().map(|picture| {
            json!({ "object": picture.object, "name": picture.name, "created_ms": picture.created_ms,
                "bytes": picture.bytes, "keeps_prompt": picture.keeps_prompt })
        });
        let records = records
            .iter()
            .map(|record| json!({ "record": record.json(), "says": record.explain().sentence }));
        json!({
            "schema": SCHEMA, "version": self.version, "made": timestamp(self.made_ms), "made_ms": self.made_ms,
            "pseudonym": self.actor.to_string(), "slot": self.slot, "name": self.name, "role": self.role,
            "pruned_before": pruned_before, "pictures": pictures.collect::<Vec<_>>(), "records": records.collect::<Vec<_>>(),
        })
    }

    fn page(&self, records: &[Stored], pruned_before: u64) -> String {
        let mut page = String::from(HEAD);
        let mut put = |args: std::fmt::Arguments<'_>| page.write_fmt(args).unwrap_or_default();
        let name = escape(self.name.unwrap_or("-"));
        for (language, words) in [("en", &EN), ("zh-CN", &ZH)] {
            put(format_args!(
                "<section lang=\"{language}\">\n<h1>{}</h1>\n<p>{}</p>\n<dl>\n",
                words[0], words[1]
            ));
            let facts = [
                (words[2], name.clone()),
                (words[3], self.actor.to_string()),
                (words[4], self.slot.to_string()),
                (words[5], self.role.unwrap_or("-").to_owned()),
                (words[6], timestamp(self.made_ms)),
            ];
            for (term, value) in facts {
                put(format_args!("<dt>{term}</dt><dd>{value}</dd>\n"));
            }
            put(format_args!("</dl>\n<h2>{} ({})</h2>\n", words[7], self.pictures.len()));
            put(format_args!(
                "<table>\n<tr><th>{}</th><th>{}</th><th>{}</th></tr>\n",
                words[8], words[9], words[10]
            ));
            for picture in self.pictures {
                let kept = if picture.keeps_prompt { words[11] } else { words[12] };
                let (name, made) = (escape(&picture.name), timestamp(picture.created_ms));
                put(format_args!("<tr><td>{name}</td><td>{made}</td><td>{kept}</td></tr>\n"));
            }
            put(format_args!("</table>\n<h2>{} ({})</h2>\n", words[13], records.len()));
            if pruned_before > 0 {
                put(format_args!("<p>{}</p>\n", words[16].replace("{N}", &pruned_before.to_string())));
            }
            put(format_args!("<table>\n"));
            put(format_args!("<tr><th>{}</th><th>{}</th><th>{}</th></tr>\n", words[14], words[9], words[15]));
            for record in records {
                let says = match language {
                    "en" => record.explain().about,
                    _ => (self.in_chinese)(&record.name).unwrap_or_else(|| record.name.clone()),
                };
                let (seq, time, says) = (record.seq, timestamp(record.ts_ms), escape(&says));
                put(format_args!("<tr><td>{seq}</td><td>{time}</td><td>{says}</td></tr>\n"));
            }
            put(format_args!("</table>\n</section>\n"));
        }
        page + "</body>\n</html>\n"
    }
}

impl Told {
    /// Its files, with their names.
    pub fn files(&self) -> [(&'static str, &[u8]); 2] {
        [(FILE, &self.json), (PAGE, self.page.as_bytes())]
    }

    /// Makes the folder. Where it ends with an error nothing is left behind.
    ///
    /// # Errors
    /// [`Error::Exists`]; what the disk says.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let mut folder = NewFolder::make(dir)?;
        let written = self
            .files()
            .into_iter()
            .try_for_each(|(name, content)| folder.write(name, content))
            .and_then(|()| folder.seal());
        written.inspect_err(|_| folder.remove())
    }
}

/// Tells the records that are about a person: what they did; what others did to their slot; and what became of requests and
/// pictures of theirs, by whomever.
#[derive(Debug)]
pub(crate) struct About {
    person: Actor,
    slot: u32,
    jobs: HashSet<JobId>,
    objects: HashSet<Object>,
}

impl About {
    pub fn new(person: Actor, slot: u32) -> Self {
        Self { person, slot, jobs: HashSet::new(), objects: HashSet::new() }
    }

    /// Whether the next record, in the order of the log, is about them.
    pub fn see(&mut self, record: &Stored) -> bool {
        let is_own = record.actor == self.person;
        if is_own {
            self.jobs.extend(record.job);
            let is_made = matches!(&*record.name, "object.sealed" | "object.created");
            self.objects.extend(record.object.filter(|_| is_made));
        }
        // Slot 0 stands for everybody, or for nobody.
        let of_slot = |field| self.slot != 0 && record.int(field) == Some(self.slot.into());
        is_own
            || of_slot("slot")
            || of_slot("to")
            || record.job.is_some_and(|job| self.jobs.contains(&job))
            || record.object.is_some_and(|object| self.objects.contains(&object))
    }
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>What is held about you / 有关您的信息</title>
<style>
body { font: 1rem/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; overflow-wrap: break-word }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #999; padding: .25rem .5rem; text-align: left; vertical-align: top }
dt { font-weight: bold }
section + section { border-top: 2px solid #111; margin-top: 3rem; break-before: page }
tr { break-inside: avoid }
@media (max-width: 40rem) { th, td { overflow-wrap: anywhere } }
</style>
</head>
<body>
";

const EN: [&str; 17] = [
    "What this installation holds about you",
    "Read from the log and the vault. The log has no names, no prompts and no pictures; the vault keeps your name and your \
     pictures sealed. Each line below is one record; subject.json has the records as the log holds them. Copies that were \
     exported, backups, and logs of other systems are not in this list: ask whoever runs this installation.",
    "Name",
    "Pseudonym in the log",
    "Number",
    "Role",
    "Made at (UTC)",
    "Your pictures",
    "Picture",
    "Time (UTC)",
    "Prompt",
    "kept, sealed",
    "not kept",
    "Records about you",
    "Record",
    "What happened",
    "Before record {N} some are gone: the content of sign-ins, of looks at previews, of readings of the log and of refusals was taken away \
     when the time was over for which this installation keeps it. Whether any of those were about you, nobody can tell any more.",
];

const ZH: [&str; 17] = [
    "本系统保存的有关您的信息",
    "摘自日志和保险库。日志中没有姓名、提示词和图片；保险库以密封方式保存您的姓名和图片。下面每一行是一条记录；subject.json \
     中有日志原样的记录。已导出的副本、备份以及其他系统的日志不在此列：请向本系统的运营者询问。",
    "姓名",
    "日志中的化名",
    "编号",
    "角色",
    "生成时间（UTC）",
    "您的图片",
    "图片",
    "时间（UTC）",
    "提示词",
    "已密封保存",
    "未保存",
    "有关您的记录",
    "记录",
    "发生的事",
    "记录 {N} 之前有些记录已不存在：登录、查看预览、查阅日志和拒绝等记录的内容在本系统规定的保存期限届满后已被删减。此处已无法得知其中是否有与您有关的记录。",
];
