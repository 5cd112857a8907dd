//! The certificate for people: one page without script and without anything from elsewhere, that prints as it looks, in both
//! languages. It says what the statement says, in the same order.

use super::facts::{Cited, Picture};
use super::statement::Statement;
use crate::control::{Language, Text};
use audit::timestamp;
use audit::words::Grade;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.55 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;\
background:#fff}h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}\
article+article{border-top:2px solid #1a1a1a;margin-top:2.5rem;padding-top:2rem}table{border-collapse:collapse;width:100%;\
margin:.8rem 0}th,td{border-bottom:1px solid #ccc;padding:.35rem .6rem .35rem 0;text-align:left;vertical-align:top}\
th{font-weight:600;width:11rem}code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}section{break-inside:avoid;\
border:1px solid #999;border-radius:6px;padding:.2rem .9rem .5rem;margin:1rem 0}section h2{margin:.6rem 0 0}\
section tr:last-child>*{border-bottom:0}.kept{background:#fff3d6;padding-left:.4rem}nav{text-align:right}\
@media(max-width:34rem){th,td{display:block;width:auto;padding:.2rem 0}th{border-bottom:0;padding-top:.6rem}}\
@media print{nav{display:none}body{margin:0;max-width:none;font-size:11px}article+article{break-before:page;border-top:0}}";

/// A sentence of the page in both languages.
const fn both(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

const TITLE: Text = both("Certificate of erasure", "删除证明");
const ABOUT: Text = both(
    "The keys of the pictures named below were destroyed. Without its key a sealed picture opens for nobody, wherever a copy of \
     the sealed file lies. Each statement rests on a record of the signed log of this appliance; certificate.json, beside this \
     page, holds the records with their proofs, and its signature covers this page. VERIFY.md says how to check all of it with \
     programs of other people.",
    "下列图片的密钥已被销毁。没有密钥，任何人都无法打开封存的图片，无论封存文件的副本位于何处。每项陈述都以本设备已签名日志中的一条记录为依据；\
     与本页放在一起的 certificate.json 包含这些记录及其证明，其签名也覆盖本页。VERIFY.md 说明如何使用他人的程序检查全部内容。",
);
const METHOD: (Text, Text) = (
    both("Method", "方法"),
    both(
        "Erasure of the key. The file that holds the keys of all pictures was written anew, under a new master key and a new epoch \
         key, without the keys of these pictures. Then the old epoch key, which every older copy of that file needs, was \
         overwritten. The sealed picture itself was unlinked.",
        "销毁密钥。保存所有图片密钥的文件在新的主密钥和新的纪元密钥下重新写入，其中不再包含这些图片的密钥；随后覆盖旧的纪元密钥，\
         而该文件的任何旧副本都需要它才能打开。封存的图片文件本身已被移除。",
    ),
);
const NOT_DESTROYED: (Text, Text) = (
    both("What was not destroyed", "未被销毁的内容"),
    both(
        "Plain copies that left the appliance, backups that were made while the picture was there, and what somebody saw on a \
         screen. The log has the exports and the backups, and each picture above lists its own. Where a plain copy \
         went it does not know, and of copies of a copy, photographs of a screen or images of the disk it knows nothing. A backup is encrypted; whoever has it \
         and the passphrase that it was made under can read the picture from it.",
        "已离开本设备的未封存副本、图片存在期间制作的备份，以及有人在屏幕上看到的内容。导出和备份均有日志记录，已在上文各图片处列出。日志不知道未封存副本位于何处，\
         也不知道副本的副本、屏幕照片或磁盘映像。备份是加密的；持有备份及制作备份时所用口令的人可以从中读取图片。",
    ),
);
const LIMITS: (Text, Text) = (
    both("What this page does not prove", "本页不能证明的内容"),
    both(
        "That the program which wrote the log is the one that it says it is; that the whole disk was not put back to an older \
         state; that the machine\u{2019}s clock was right. What a picture showed, and whom, is not on record, and neither is its \
         name. Whether an obligation is met is for the controller to judge.",
        "写入日志的程序确为其所声称的程序；整个磁盘未被恢复到旧状态；机器时钟准确。图片的内容、所涉人员以及图片名称均未记录在日志中。\
         是否已履行义务，由控制者判断。",
    ),
);
const IDS: (Text, Text) = (
    both("Identifiers of the pictures", "图片标识符"),
    both(
        "As the appliance\u{2019}s own list has them; the log does not. Which of several identifiers of one erasure is which \
         pseudonym cannot be told any more: what tied the two was destroyed with the keys.",
        "来自本设备自己的列表；日志中没有。同一次删除的多个标识符各自对应哪个化名，已无从得知：两者之间的关联已随密钥一同销毁。",
    ),
);

/// What overwriting the key was worth, and what it does not cover.
pub(crate) fn grade(grade: Grade) -> (Text, Text) {
    match grade {
        Grade::A => (
            both("A: the key was overwritten in place on local storage.", "A：密钥已在本地存储上就地覆盖。"),
            both(
                "Images of the disk, or copies of the folder with the keys, that were taken before.",
                "此前制作的磁盘映像或密钥文件夹的副本。",
            ),
        ),
        Grade::V => (
            both(
                "V: the key lay in memory-backed storage and was overwritten there; all of it goes at power-off.",
                "V：密钥位于内存存储中，并已在其中覆盖；断电后全部消失。",
            ),
            both(
                "Images of the memory, among them swap and hibernation, and copies of the folder with the keys, that were taken \
                 before.",
                "此前制作的内存映像（包括交换和休眠数据）以及密钥文件夹的副本。",
            ),
        ),
        Grade::C => (
            both(
                "C: the key was overwritten, and the file system or the storage behind it keeps older blocks, or may.",
                "C：密钥已被覆盖，但文件系统或其下层存储会保留、或可能保留旧数据块。",
            ),
            both(
                "Snapshots and older copies that the storage keeps: until they end, the key can still be read from them. Spare \
                 blocks of the drive; images of the disk that were taken before.",
                "存储保留的快照和旧副本：在它们被清除之前，仍可从中读取密钥。驱动器的备用块；此前制作的磁盘映像。",
            ),
        ),
        _ => (
            both(
                "B: the key was overwritten in place: the write went to the blocks that held it.",
                "B：密钥已就地覆盖：写入到达了保存它的数据块。",
            ),
            both(
                "A copy that the drive itself kept in spare blocks; images of the disk, or copies of the folder with the keys, \
                 that were taken before.",
                "驱动器自身保留在备用块中的副本；此前制作的磁盘映像或密钥文件夹的副本。",
            ),
        ),
    }
}

/// The page.
pub(crate) fn page(statement: &Statement) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{}: Lightproof</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<nav lang=\"zh-CN\"><a href=\"#zh-CN\">中文</a></nav>\n<main>\n",
        TITLE.en
    );
    for language in [Language::En, Language::Zh] {
        part(&mut html, statement, language);
    }
    html + "</main>\n</body>\n</html>\n"
}

fn part(html: &mut String, statement: &Statement, language: Language) {
    let say = |text: Text| text.in_language(language);
    let tag = match language {
        Language::En => "en",
        Language::Zh => "zh-CN",
    };
    let _ = write!(
        html,
        "<article id=\"{tag}\" lang=\"{tag}\">\n<h1>{}</h1>\n<p>{}</p>\n<table>\n",
        say(TITLE),
        say(ABOUT)
    );
    let plain = |text: &str| format!("<code>{}</code>", escape(text));
    let first_key = statement.vkeys.first().map_or("", String::as_str);
    for (name, value) in [
        (both("Pictures", "图片数量"), statement.pictures.len().to_string()),
        (both("Made", "生成时间"), plain(&timestamp(statement.made_ms))),
        (both("Log", "日志"), plain(&statement.origin)),
        (both("Records, root", "记录数和根"), format!("{} {}", statement.size, plain(&statement.root))),
        (both("First key", "第一把密钥"), plain(first_key)),
        (both("Program", "程序"), plain(&format!("Lightproof {}", statement.version))),
    ] {
        row(html, say(name), &value, "");
    }
    *html += "</table>\n";
    for picture in &statement.pictures {
        self::picture(html, picture, language);
    }
    if !statement.ids.is_empty() {
        heading(html, IDS, language);
        *html += "<table>\n";
        for (epoch, ids) in &statement.ids {
            let name = format!("{} {epoch}", say(both("Epoch", "纪元")));
            row(html, &name, &ids.iter().map(|id| plain(id)).collect::<Vec<_>>().join("<br>"), "");
        }
        *html += "</table>\n";
    }
    for texts in [METHOD, NOT_DESTROYED, LIMITS] {
        heading(html, texts, language);
    }
    *html += "</article>\n";
}

fn heading(html: &mut String, (title, text): (Text, Text), language: Language) {
    let _ = write!(html, "<h2>{}</h2>\n<p>{}</p>\n", title.in_language(language), text.in_language(language));
}

fn picture(html: &mut String, picture: &Picture, language: Language) {
    let say = |text: Text| text.in_language(language);
    let (end, (worth, open)) = (&picture.destroyed, grade(picture.destroyed.grade));
    let record = |cited: &Cited| {
        let (number, by) = (say(both(", record", "，记录")), say(both(", by", "，操作者")));
        let Cited { record, ts_ms, by: actor } = cited;
        format!("<code>{}</code>{number} {record}{by} <code>{actor}</code>", timestamp(*ts_ms))
    };
    let _ = write!(
        html,
        "<section>\n<h2>{} <code>{}</code></h2>\n<table>\n",
        say(both("Picture", "图片")),
        picture.object
    );
    row(html, say(both("Key destroyed", "密钥销毁")), &record(&end.cited), "");
    row(html, say(both("Grade", "等级")), say(worth), "");
    row(html, say(both("Not covered", "未涵盖")), say(open), "");
    let times = [
        (both("Erasure asked for", "请求删除"), picture.asked),
        (both("Picture made", "图片生成"), picture.made),
        (both("Sealed file removed by hand before", "封存文件此前已被手动移除"), picture.lost),
    ];
    for (name, cited) in times {
        if let Some(cited) = cited {
            row(html, say(name), &record(&cited), "");
        }
    }
    if end.file_left {
        let text = both(
            "could not be removed at once; without the key it opens for nobody",
            "未能立即移除；没有密钥，任何人都无法打开",
        );
        row(html, say(both("Sealed file", "封存文件")), say(text), "");
    }
    let none = say(both("none on record", "无记录")).to_owned();
    let list = |items: Vec<String>| if items.is_empty() { none.clone() } else { items.join("<br>") };
    let class = |is_empty: bool| if is_empty { "" } else { " class=\"kept\"" };
    let bytes = |(cited, bytes): &(Cited, u64)| {
        format!("{}{} {bytes} {}", record(cited), say(both(",", "，")), say(both("bytes", "字节")))
    };
    let exports = picture.exports.iter().map(bytes).collect();
    row(
        html,
        say(both("Plain copies exported", "已导出的未封存副本")),
        &list(exports),
        class(picture.exports.is_empty()),
    );
    if !picture.exports_unknown.is_empty() {
        let text = both("Plain copies that may have left", "可能已导出的未封存副本");
        row(html, say(text), &list(picture.exports_unknown.iter().map(record).collect()), class(false));
    }
    let said = say(both("; somebody said that every copy is destroyed: ", "；有人声明其所有副本均已销毁："));
    let backup = |(made, gone): &(Cited, Option<Cited>)| {
        record(made) + &gone.as_ref().map_or_else(String::new, |gone| format!("{said}{}", record(gone)))
    };
    let backups = picture.backups.iter().map(backup).collect();
    row(
        html,
        say(both("Backups that hold it", "含有它的备份")),
        &list(backups),
        class(picture.backups.is_empty()),
    );
    *html += "</table>\n</section>\n";
}

fn row(html: &mut String, name: &str, value: &str, class: &str) {
    let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td{class}>{value}</td></tr>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
