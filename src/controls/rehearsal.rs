//! One control after the other, broken on a throw-away appliance and mended again: that its probe sees it is what an auditor is shown.
//!
//! What is broken is broken as anybody can who may write these folders; no fence is taken away, and no probe is told.

use super::bundle::{Chosen, Handed, hand_over_run};
use super::kept::{Error, record_run, try_now};
use super::probes::try_all;
use super::site::{Room, Site};
use crate::paths::{make_new, open_regular, open_to_change};
use audit::Digest;
use darkroom::Who;
use evidence::{Outcome, Reason, Rehearsal, Run, Text, Trial, Verdict};
use rustix::fs::OFlags;
use sandbox::ProbeReport;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The prompt of the pictures, which is kept, and looked for.
pub const PROMPT: &str = "a red apple on a table";
/// Most bytes of a file that is broken.
const BYTES_MAX: u64 = 64 << 20;

/// Where keys lie in the anchor of a vault, and how the place of one ends that was overwritten: FORMAT.md of the vault.
const ANCHOR_STRIDE_BYTES: usize = 2048;
const ANCHOR_CELL_BYTES: usize = 64;
const ANCHOR_WIPED: &[u8] = b"lp1/wipe";

/// What mends it again.
type Mend = Box<dyn FnOnce() -> io::Result<()>>;
/// The folders of pictures, of the log and of the vault.
struct Places<'a> {
    outputs: &'a Path,
    audit: &'a Path,
    vault: &'a Path,
}

/// How a control is broken.
struct Injury {
    control: &'static str,
    what: Text,
    harm: fn(&Places<'_>) -> io::Result<Mend>,
}

const fn says(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

const INJURIES: [Injury; 17] = [
    Injury {
        control: "CRY-01",
        what: says("A picture that is not sealed was put among them.", "将一张未封存的图片放入其中。"),
        harm: |places| put(places.outputs.join("apple.png"), b"\x89PNG\r\n\x1a\n"),
    },
    Injury {
        control: "GOV-03",
        what: says("A picture that is not sealed was put among them.", "将一张未封存的图片放入其中。"),
        harm: |places| put(places.outputs.join("apple.png"), b"\x89PNG\r\n\x1a\n"),
    },
    Injury {
        control: "ERA-01",
        what: says("A sealed picture was given a second name.", "为一张已封存的图片添加了第二个文件名。"),
        harm: |places| {
            let second = places.outputs.join("20240115_142345_abc123.png.sealed");
            std::fs::hard_link(sealed(places)?, &second)?;
            Ok(Box::new(move || std::fs::remove_file(second)))
        },
    },
    Injury {
        control: "KEY-02",
        what: says(
            "A key was written where the one before it had been overwritten.",
            "在上一个密钥被覆盖的位置写入了密钥。",
        ),
        harm: |places| {
            let path = places.vault.join("anchor");
            let cells = read(&path)?;
            let cell = |at: usize| cells.get(at..at + ANCHOR_CELL_BYTES).ok_or(io::ErrorKind::UnexpectedEof);
            let (one, other) = (cell(0)?, cell(ANCHOR_STRIDE_BYTES)?);
            // Whichever was overwritten gets what is in the other.
            let is_first = one.ends_with(ANCHOR_WIPED);
            let (at, before, after) =
                if is_first { (0, one, other) } else { (ANCHOR_STRIDE_BYTES, other, one) };
            change(path, at as u64, before.to_vec(), after)
        },
    },
    Injury {
        control: "LOG-01",
        what: says("The record of a picture was changed.", "更改了一张图片的记录。"),
        harm: |places| replace(places, b"object.sealed", b"object.sealex"),
    },
    Injury {
        control: "CRY-05",
        what: says("A sealed picture was copied under another name.", "以另一名称复制了一张已封存的图片。"),
        harm: |places| {
            put(places.outputs.join("20240115_142345_abc123.png.sealed"), &read(&sealed(places)?)?)
        },
    },
    Injury {
        control: "CRY-06",
        what: says("The last byte of a sealed picture was changed.", "更改了一张已封存图片的最后一个字节。"),
        harm: |places| {
            let path = sealed(places)?;
            let at = path.metadata()?.len().saturating_sub(1);
            let byte = read(&path)?.last().copied().unwrap_or_default();
            change(path, at, vec![byte], &[byte ^ 1])
        },
    },
    Injury {
        control: "PRV-03",
        what: says(
            "A sealed picture was given a name that says something.",
            "将一张已封存的图片改为有含义的名称。",
        ),
        harm: |places| {
            let path = sealed(places)?;
            rename(path, places.outputs.join("anna-at-the-lake.png.sealed"))
        },
    },
    Injury {
        control: "PRV-01",
        what: says(
            "The kept prompt was written into a file beside the log.",
            "将保留的提示词写入日志旁的文件。",
        ),
        harm: |places| put(places.audit.join("notes.txt"), PROMPT.as_bytes()),
    },
    Injury {
        control: "PRV-06",
        what: says("A line of the log was made unreadable.", "使日志的一行无法读取。"),
        harm: |places| replace(places, b"\n{", b"\n#"),
    },
    Injury {
        control: "LOG-03",
        what: says(
            "A record was changed: a request became another kind of record.",
            "更改了一条记录的类型。",
        ),
        harm: |places| replace(places, b"generate.requested", b"generate.requestex"),
    },
    Injury {
        control: "LOG-04",
        what: says("The record of a destroyed key was changed.", "更改了密钥销毁记录。"),
        harm: |places| replace(places, b"\"key.destroyed\"", b"\"key.destroyex\""),
    },
    Injury {
        control: "LOG-05",
        what: says("A record that the vault remembers was changed.", "更改了保险库所记住的一条记录。"),
        harm: |places| replace(places, b"boot.started", b"boot.startex"),
    },
    Injury {
        control: "LOG-09",
        what: says("The space that is set aside for the log was taken away.", "移走了为日志预留的空间。"),
        harm: |places| rename(places.audit.join("reserve"), places.audit.join("reserve.away")),
    },
    Injury {
        control: "LOG-12",
        what: says("A record was given a type that no schema has.", "将一条记录改为模式中不存在的类型。"),
        harm: |places| replace(places, b"generate.finished", b"generate.finishex"),
    },
    Injury {
        control: "ERA-02",
        what: says("The record that asked for an erasure was changed.", "更改了请求删除的记录。"),
        harm: |places| replace(places, b"object.erase_requested", b"object.erase_requestex"),
    },
    Injury {
        control: "ERA-04",
        what: says("A record was changed after an erasure.", "在删除之后更改了一条记录。"),
        harm: |places| replace(places, b"object.sealed", b"object.sealex"),
    },
];

const FENCE: Text = says(
    "It would take a fence away, which nothing in the program can do.",
    "这需要撤除隔离措施，而程序中没有任何途径可以做到。",
);
const SEALED: Text = says(
    "What is sealed cannot be changed from outside without being found damaged, which CRY-06 shows.",
    "已封存的内容从外部更改必然会被发现损坏，CRY-06 已展示。",
);
const PERIOD: Text =
    says("The policy of the throw-away appliance names no period.", "一次性设备的策略未规定期限。");

const LEFT_OUT: [(&str, Text); 28] = [
    ("NET-01", says("It listens nowhere.", "它不监听任何地址。")),
    ("NET-02", FENCE),
    ("INT-02", FENCE),
    ("CRY-02", FENCE),
    (
        "INT-03",
        says(
            "Behind its fences the program cannot write its policy.",
            "在隔离措施之内，程序无法写入其策略。",
        ),
    ),
    (
        "CRY-03",
        says("A vault that is made cheaper from outside does not open.", "从外部降低成本的保险库无法打开。"),
    ),
    ("PRV-08", SEALED),
    ("AIT-02", SEALED),
    ("AIT-03", SEALED),
    ("PRV-02", says("Nobody on it has a name.", "其中没有人有姓名。")),
    ("ACC-02", says("One person uses it.", "其中只有一人使用。")),
    (
        "ACC-03",
        says("It would take guesses at a passphrase that nobody knows.", "这需要猜测一个无人知晓的口令。"),
    ),
    (
        "ACC-05",
        says(
            "Behind its fences the program cannot change anybody\u{2019}s rights.",
            "在隔离措施之内，程序无法更改任何人的权限。",
        ),
    ),
    (
        "INT-01",
        says(
            "Behind its fences the program cannot write its own file.",
            "在隔离措施之内，程序无法写入自身文件。",
        ),
    ),
    ("NET-04", says("The rules are those of the host, and stay as they are.", "规则属于主机，保持不变。")),
    (
        "KEY-03",
        says("The swap space is that of the host, and stays as it is.", "交换空间属于主机，保持不变。"),
    ),
    ("LOG-08", says("It takes an end of the program within a record.", "这需要程序在写记录途中中断。")),
    ("KEY-04", PERIOD),
    ("KEY-01", PERIOD),
    ("OPS-01", PERIOD),
    ("LOG-06", PERIOD),
    (
        "LOG-07",
        says("The clock of the machine is not the program\u{2019}s to set.", "程序无权设置机器时钟。"),
    ),
    (
        "GOV-02",
        says(
            "It takes somebody who disturbs a bundle while it is made.",
            "这需要有人在证据包生成过程中加以干扰。",
        ),
    ),
    ("GOV-01", says("It would take a week.", "这需要一周时间。")),
    ("SAF-02", says("Its model is part of the program.", "其模型是程序的一部分。")),
    ("ERA-03", says("No backup is put back on it.", "其中没有恢复备份。")),
    ("OPS-02", says("It takes an end of the program between two acts.", "这需要程序在两次操作之间结束。")),
    ("OPS-03", says("The rules are those of the host, and stay as they are.", "规则属于主机，保持不变。")),
];

/// What came of it.
pub struct Rehearsed {
    /// The bundle of the appliance as it was broken, one control after the other.
    pub broken: Handed<()>,
    /// The bundle of the same one afterwards.
    pub sound: Handed<()>,
}

/// Controls by their ids, and what is said of each.
pub type Rows = Vec<(&'static str, Text)>;

/// Each control that is broken, and how; and each that is not, and why.
pub fn rows() -> [Rows; 2] {
    [INJURIES.iter().map(|injury| (injury.control, injury.what)).collect(), LEFT_OUT.to_vec()]
}

/// Why a rehearsal shows nothing.
pub enum Failed {
    /// The controls could not be tried, or a bundle not be made.
    Controls(Error),
    /// A file could not be broken or mended.
    Io(&'static str, io::Error),
    /// What was found of a control that was sound or broken, and is neither.
    Blind(&'static str, bool, Outcome),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Controls(error)
    }
}

/// Tries the controls, breaks one after the other and tries them again, mends all of it, and makes both bundles in `dir`. `tell`
/// hears of each control that was broken.
///
/// # Errors
/// [`Failed`].
pub fn rehearse(
    site: &Site,
    room: &mut Room<'_>,
    who: &Who,
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    dir: &Path,
    tell: &mut dyn FnMut(&'static str, &'static str),
) -> Result<Rehearsed, Failed> {
    let places = Places { outputs: &site.outputs, audit: &site.audit, vault: &site.vault };
    let before = try_now(site, room, Some(who), fences)?;
    for injury in &INJURIES {
        expect(&before.run, injury.control, Outcome::Satisfied)?;
    }
    let (started_ms, mut found, mut took_ms) = (before.run.started_ms, Vec::new(), 0);
    for injury in &INJURIES {
        let failed = |error| Failed::Io(injury.control, error);
        let mend = (injury.harm)(&places).map_err(failed)?;
        let run = try_all(site, room, Some(who), fences);
        mend().map_err(failed)?;
        found.push(expect(&run, injury.control, Outcome::NotSatisfied)?.clone());
        took_ms += run.took_ms;
        tell(injury.control, injury.what.en);
    }
    for control in evidence::controls() {
        if matches!(control.trial, Trial::Facts(_))
            && !INJURIES.iter().any(|injury| injury.control == control.id)
        {
            found.push(Verdict::not_measured(control, Reason::NotRehearsed));
        }
    }
    let policy = Digest::of(site.rules.as_bytes());
    let broken = Run::new(started_ms, took_ms, site.binary, policy, found);
    let broken = record_run(site, room, Some(who), broken)?;
    let [injuries, left_out] = rows();
    let chosen = |broken| {
        let rehearsal = Rehearsal { broken, injuries: injuries.clone(), left_out: left_out.clone() };
        Chosen { rehearsal: Some(rehearsal), ..Chosen::default() }
    };
    let broken =
        hand_over_run(site, room, Some(who), broken, (&chosen(true), &dir.join("broken")), |_| Ok(()))?;
    let after = try_now(site, room, Some(who), fences)?;
    for injury in &INJURIES {
        expect(&after.run, injury.control, Outcome::Satisfied)?;
    }
    let sound =
        hand_over_run(site, room, Some(who), after, (&chosen(false), &dir.join("sound")), |_| Ok(()))?;
    Ok(Rehearsed { broken, sound })
}

/// What was found of a control, if it is that.
fn expect<'a>(run: &'a Run, id: &'static str, wanted: Outcome) -> Result<&'a Verdict, Failed> {
    let verdict = run.verdicts().iter().find(|verdict| verdict.control().id == id);
    match verdict.map(|verdict| (verdict, verdict.outcome())) {
        Some((verdict, outcome)) if outcome == wanted => Ok(verdict),
        other => {
            let outcome = other.map_or(Outcome::NotMeasured, |(_, outcome)| outcome);
            Err(Failed::Blind(id, wanted == Outcome::NotSatisfied, outcome))
        }
    }
}

/// The first sealed picture, by its name.
fn sealed(places: &Places<'_>) -> io::Result<PathBuf> {
    let paths = places.outputs.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_sealed = |path: &PathBuf| path.extension().is_some_and(|end| end == "sealed");
    paths.into_iter().filter(is_sealed).min().ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, OFlags::NOFOLLOW)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that was not there.
fn put(path: PathBuf, bytes: &[u8]) -> io::Result<Mend> {
    make_new(&path)?.write_all(bytes)?;
    Ok(Box::new(move || std::fs::remove_file(path)))
}

fn rename(from: PathBuf, to: PathBuf) -> io::Result<Mend> {
    std::fs::rename(&from, &to)?;
    Ok(Box::new(move || std::fs::rename(to, from)))
}

/// Other bytes in place of as many: whoever writes at the end of the file meanwhile is not disturbed.
fn change(path: PathBuf, at: u64, before: Vec<u8>, after: &[u8]) -> io::Result<Mend> {
    open_to_change(&path)?.write_all_at(after, at)?;
    Ok(Box::new(move || open_to_change(&path)?.write_all_at(&before, at)))
}

/// The same in the records, where these bytes stand first.
fn replace(places: &Places<'_>, before: &[u8], after: &[u8]) -> io::Result<Mend> {
    let path = places.audit.join("seg/00000000.jsonl");
    let at = read(&path)?.windows(before.len()).position(|bytes| bytes == before);
    change(path, at.ok_or(io::ErrorKind::NotFound)? as u64, before.to_vec(), after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_control_with_a_probe_is_broken_or_it_is_said_why_not() {
        let [injuries, left_out] = rows();
        let said: BTreeSet<&str> = injuries.iter().chain(&left_out).map(|(id, _)| *id).collect();
        assert_eq!(said.len(), injuries.len() + left_out.len());
        let probed = evidence::controls().filter(|control| matches!(control.trial, Trial::Facts(_)));
        assert_eq!(said, probed.map(|control| control.id).collect());
        for (id, Text { en, zh }) in injuries.iter().chain(&left_out) {
            assert!(en.ends_with('.') && zh.ends_with('。'), "{id}");
        }
    }
}
