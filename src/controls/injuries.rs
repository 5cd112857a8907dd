//! How each control is broken on the throw-away appliance of a rehearsal, and mended again; or why it is not.
//!
//! What is broken is broken as anybody can who may write these folders; no fence is taken away, and no probe is told.

use crate::paths::{make_new, open_regular, open_to_change};
use Harm::{EverybodyAdmin, Files};
use evidence::Text;
use rustix::fs::OFlags;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The prompt of the pictures, which is kept, and looked for.
pub const PROMPT: &str = "a red apple on a table";
/// Both people, who are nobody: the names are kept, and looked for.
pub const PEOPLE: [&str; 2] = ["Operator One", "Operator Two"];
/// What the policy names, so that there are periods to be held against.
pub const POLICY: &str = "schema = 1\nkey_days_max = 1\ndrill_days_max = 1\nbackup_days_max = 1\n";
/// Years that no record is of.
const LONG_AGO: [u8; 4] = *b"2001";
const LATER: [u8; 4] = *b"2999";
/// The records of a short log, and what stands before the time of each.
const RECORDS: &str = "seg/00000000.jsonl";
const TIME: &[u8] = b"\"ts\":\"";
/// Where what was cut short is set aside, and how a record begins.
const QUARANTINE: &str = "quarantine";
const CUT_SHORT: &[u8] = b"{\"actor\":\"a:";
/// Most bytes of a file that is broken.
const BYTES_MAX: u64 = 64 << 20;

/// Where keys lie in the anchor of a vault, and how the place of one ends that was overwritten: FORMAT.md of the vault.
const ANCHOR_STRIDE_BYTES: usize = 2048;
const ANCHOR_CELL_BYTES: usize = 64;
const ANCHOR_WIPED: &[u8] = b"lp1/wipe";

/// What mends it again.
pub type Mend = Box<dyn FnOnce() -> io::Result<()>>;
/// The folders of pictures, of the log and of the vault.
pub struct Places<'a> {
    /// Sealed pictures.
    pub outputs: &'a Path,
    /// The log.
    pub audit: &'a Path,
    /// The vault.
    pub vault: &'a Path,
}

/// How a control is broken.
pub struct Injury {
    /// By its id.
    pub control: &'static str,
    /// In words.
    pub what: Text,
    /// What does it.
    pub harm: Harm,
}

/// What breaks a control.
pub enum Harm {
    /// Something that anybody may do who may write the folders.
    Files(fn(&Places<'_>) -> io::Result<Mend>),
    /// The second person becomes an administrator, too, by the darkroom's own act, and is none afterwards.
    EverybodyAdmin,
}

const fn says(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// Each control that is broken and mended again, and how.
pub const INJURIES: [Injury; 27] = [
    Injury {
        control: "CRY-01",
        what: says("A picture that is not sealed was put among them.", "将一张未封存的图片放入其中。"),
        harm: Files(|places| put(places.outputs.join("apple.png"), b"\x89PNG\r\n\x1a\n")),
    },
    Injury {
        control: "GOV-03",
        what: says("A picture that is not sealed was put among them.", "将一张未封存的图片放入其中。"),
        harm: Files(|places| put(places.outputs.join("apple.png"), b"\x89PNG\r\n\x1a\n")),
    },
    Injury {
        control: "ERA-01",
        what: says("A sealed picture was given a second name.", "为一张已封存的图片添加了第二个文件名。"),
        harm: Files(|places| {
            let second = places.outputs.join("20240115_142345_abc123.png.sealed");
            std::fs::hard_link(sealed(places)?, &second)?;
            Ok(Box::new(move || std::fs::remove_file(second)))
        }),
    },
    Injury {
        control: "KEY-02",
        what: says(
            "A key was written where the one before it had been overwritten.",
            "在上一个密钥被覆盖的位置写入了密钥。",
        ),
        harm: Files(|places| {
            let path = places.vault.join("anchor");
            let cells = read(&path)?;
            let cell = |at: usize| cells.get(at..at + ANCHOR_CELL_BYTES).ok_or(io::ErrorKind::UnexpectedEof);
            let (one, other) = (cell(0)?, cell(ANCHOR_STRIDE_BYTES)?);
            // Whichever was overwritten gets what is in the other.
            let is_first = one.ends_with(ANCHOR_WIPED);
            let (at, before, after) =
                if is_first { (0, one, other) } else { (ANCHOR_STRIDE_BYTES, other, one) };
            change(path, at as u64, before.to_vec(), after)
        }),
    },
    Injury {
        control: "LOG-01",
        what: says("The record of a picture was changed.", "更改了一张图片的记录。"),
        harm: Files(|places| replace(places, b"object.sealed", b"object.sealex")),
    },
    Injury {
        control: "CRY-05",
        what: says("A sealed picture was copied under another name.", "以另一名称复制了一张已封存的图片。"),
        harm: Files(|places| {
            put(places.outputs.join("20240115_142345_abc123.png.sealed"), &read(&sealed(places)?)?)
        }),
    },
    Injury {
        control: "CRY-06",
        what: says("The last byte of a sealed picture was changed.", "更改了一张已封存图片的最后一个字节。"),
        harm: Files(|places| {
            let path = sealed(places)?;
            let at = path.metadata()?.len().saturating_sub(1);
            let byte = read(&path)?.last().copied().unwrap_or_default();
            change(path, at, vec![byte], &[byte ^ 1])
        }),
    },
    Injury {
        control: "PRV-03",
        what: says(
            "A sealed picture was given a name that says something.",
            "将一张已封存的图片改为有含义的名称。",
        ),
        harm: Files(|places| {
            let path = sealed(places)?;
            rename(path, places.outputs.join("anna-at-the-lake.png.sealed"))
        }),
    },
    Injury {
        control: "PRV-01",
        what: says(
            "The kept prompt was written into a file beside the log.",
            "将保留的提示词写入日志旁的文件。",
        ),
        harm: Files(|places| put(places.audit.join("notes.txt"), PROMPT.as_bytes())),
    },
    Injury {
        control: "PRV-06",
        what: says("A line of the log was made unreadable.", "使日志的一行无法读取。"),
        harm: Files(|places| replace(places, b"\n{", b"\n#")),
    },
    Injury {
        control: "LOG-03",
        what: says(
            "A record was changed: a request became another kind of record.",
            "更改了一条记录的类型。",
        ),
        harm: Files(|places| replace(places, b"generate.requested", b"generate.requestex")),
    },
    Injury {
        control: "LOG-04",
        what: says("The record of a destroyed key was changed.", "更改了密钥销毁记录。"),
        harm: Files(|places| replace(places, b"\"key.destroyed\"", b"\"key.destroyex\"")),
    },
    Injury {
        control: "LOG-05",
        what: says("A record that the vault remembers was changed.", "更改了保险库所记住的一条记录。"),
        harm: Files(|places| replace(places, b"boot.started", b"boot.startex")),
    },
    Injury {
        control: "LOG-09",
        what: says("The space that is set aside for the log was taken away.", "移走了为日志预留的空间。"),
        harm: Files(|places| rename(places.audit.join("reserve"), places.audit.join("reserve.away"))),
    },
    Injury {
        control: "LOG-12",
        what: says("A record was given a type that no schema has.", "将一条记录改为模式中不存在的类型。"),
        harm: Files(|places| replace(places, b"generate.finished", b"generate.finishex")),
    },
    Injury {
        control: "ERA-02",
        what: says("The record that asked for an erasure was changed.", "更改了请求删除的记录。"),
        harm: Files(|places| replace(places, b"object.erase_requested", b"object.erase_requestex")),
    },
    Injury {
        control: "ERA-04",
        what: says("A record was changed after an erasure.", "在删除之后更改了一条记录。"),
        harm: Files(|places| replace(places, b"object.sealed", b"object.sealex")),
    },
    Injury {
        control: "ACC-02",
        what: says(
            "Everybody was made an administrator: the second of two people, too.",
            "所有人都成为管理员：两人中的第二人也是。",
        ),
        harm: EverybodyAdmin,
    },
    Injury {
        control: "PRV-02",
        what: says(
            "The name of somebody was written into a file beside the log.",
            "将一个人的姓名写入日志旁的文件。",
        ),
        harm: Files(|places| put(places.audit.join("notes.txt"), PEOPLE[1].as_bytes())),
    },
    Injury {
        control: "KEY-01",
        what: says("The records of the vault’s keys were dated back.", "将保险库密钥的记录改为更早的日期。"),
        harm: Files(|places| date(places, "\"vault_epoch\":", LONG_AGO)),
    },
    Injury {
        control: "KEY-04",
        what: says(
            "The record of the recovery code’s trial was dated back.",
            "将试用恢复码的记录改为更早的日期。",
        ),
        harm: Files(|places| date(places, "\"role\":\"recovery\"", LONG_AGO)),
    },
    Injury {
        control: "OPS-01",
        what: says("The records of the backup were dated back.", "将备份的记录改为更早的日期。"),
        harm: Files(|places| date(places, "\"type\":\"backup.", LONG_AGO)),
    },
    Injury {
        control: "GOV-01",
        what: says(
            "The records of earlier trials of the controls were dated back.",
            "将此前检验各项控制的记录改为更早的日期。",
        ),
        harm: Files(|places| date(places, "\"evidence.tried\"", LONG_AGO)),
    },
    Injury {
        control: "LOG-07",
        what: says(
            "The records of requests were dated ahead of the machine’s clock.",
            "将请求的记录改为晚于机器时钟的日期。",
        ),
        harm: Files(|places| date(places, "\"generate.requested\"", LATER)),
    },
    Injury {
        control: "GOV-02",
        what: says(
            "The record of the key that signed the newest bundle was changed.",
            "更改了签署最新证据包的密钥的记录。",
        ),
        harm: Files(|places| replace(places, b"\"evidence.key_drawn\"", b"\"evidence.key_drawx\"")),
    },
    Injury {
        control: "OPS-02",
        what: says(
            "The record of the bundle for a state that was pinned was changed.",
            "更改了为已固定的状态交出证据包的记录。",
        ),
        harm: Files(|places| replace(places, b"\"evidence.exported\"", b"\"evidence.exportex\"")),
    },
    Injury {
        control: "LOG-08",
        what: says(
            "What an end of the program within a record had left was taken away.",
            "移走了程序在写记录途中中断时留下的残缺部分。",
        ),
        harm: Files(|places| {
            let aside = first_in(&places.audit.join(QUARANTINE), |_| true)?;
            rename(aside.clone(), aside.with_extension("away"))
        }),
    },
];

/// What is broken last: wrong passphrases count for a week, and nothing mends that.
pub const GUESSED: (&str, Text) =
    ("ACC-03", says("Wrong passphrases were tried one after the other.", "逐个尝试了错误的口令。"));

const FENCE: Text = says(
    "It would take a fence away, which nothing in the program can do.",
    "这需要撤除隔离措施，而程序中没有任何途径可以做到。",
);
const SEALED: Text = says(
    "It takes another program: this one seals no picture without its marks, or with more than them.",
    "这需要另一个程序：本程序不会封存缺少标识或带有其他内容的图片。",
);

const LEFT_OUT: [(&str, Text); 19] = [
    ("NET-01", says("It listens nowhere.", "它不监听任何地址。")),
    ("NET-02", FENCE),
    ("NET-03", says("It listens nowhere.", "它不监听任何地址。")),
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
        says(
            "It takes another program: this one makes no passphrase that costs less.",
            "这需要另一个程序：本程序不会生成成本更低的口令。",
        ),
    ),
    ("PRV-08", SEALED),
    ("AIT-02", SEALED),
    ("AIT-03", SEALED),
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
    (
        "LOG-02",
        says("It takes a disk that loses what it acknowledged.", "这需要一个会丢失已确认写入内容的磁盘。"),
    ),
    ("LOG-06", says("No authority outside stamps its log.", "没有外部机构为其日志加盖时间戳。")),
    ("SAF-02", says("Its model is part of the program.", "其模型是程序的一部分。")),
    ("ERA-03", says("No backup is put back on it.", "其中没有恢复备份。")),
    ("OPS-03", says("The rules are those of the host, and stay as they are.", "规则属于主机，保持不变。")),
];

/// Controls by their ids, and what is said of each.
pub type Rows = Vec<(&'static str, Text)>;

/// Each control that is broken, and how; and each that is not, and why.
pub fn rows() -> [Rows; 2] {
    let mended = INJURIES.iter().map(|injury| (injury.control, injury.what));
    [mended.chain([GUESSED]).collect(), LEFT_OUT.to_vec()]
}

/// Leaves the log in `audit`, which nobody has open, as an end of the program within a record leaves it.
///
/// # Errors
/// What the system says.
pub fn cut_short(audit: &Path) -> io::Result<()> {
    let mut records = open_to_change(&audit.join(RECORDS))?;
    records.seek(SeekFrom::End(0))?;
    records.write_all(CUT_SHORT)
}

/// The first sealed picture, by its name.
fn sealed(places: &Places<'_>) -> io::Result<PathBuf> {
    first_in(places.outputs, |path| path.extension().is_some_and(|end| end == "sealed"))
}

fn first_in(folder: &Path, is_one: impl Fn(&Path) -> bool) -> io::Result<PathBuf> {
    let paths = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.into_iter().filter(|path| is_one(path)).min().ok_or_else(|| io::ErrorKind::NotFound.into())
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
    let path = places.audit.join(RECORDS);
    let at = read(&path)?.windows(before.len()).position(|bytes| bytes == before);
    change(path, at.ok_or(io::ErrorKind::NotFound)? as u64, before.to_vec(), after)
}

/// Another year in every record with these words.
fn date(places: &Places<'_>, words: &str, year: [u8; 4]) -> io::Result<Mend> {
    let path = places.audit.join(RECORDS);
    let (records, mut from, mut changed) = (read(&path)?, 0, Vec::new());
    let find = |line: &[u8], words: &[u8]| line.windows(words.len()).position(|bytes| bytes == words);
    for line in records.split_inclusive(|byte| *byte == b'\n') {
        let time = find(line, words.as_bytes()).and_then(|_| find(line, TIME));
        if let Some(at) = time.map(|at| at + TIME.len()) {
            changed.push(((from + at) as u64, line[at..at + year.len()].to_vec()));
        }
        from += line.len();
    }
    if changed.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = open_to_change(&path)?;
    changed.iter().try_for_each(|(at, _)| file.write_all_at(&year, *at))?;
    Ok(Box::new(move || {
        let file = open_to_change(&path)?;
        changed.iter().try_for_each(|(at, before)| file.write_all_at(before, *at))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::Trial;
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
