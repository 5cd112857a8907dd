//! The report for people: one page without script and without anything from elsewhere, that prints as it looks.

use crate::articles::ARTICLES;
use crate::bundle;
use crate::control::{Framework, Language, Text};
use crate::erasures::Counted;
use crate::export::Export;
use crate::html::{STYLE, both, escape, outcome, tag};
use crate::papers;
use crate::period::Pruned;
use crate::verdict::{Outcome, Verdict};
use audit::timestamp;
use std::fmt::Write as _;

const TITLE: Text = both("Evidence", "证据");
const ABOUT: Text = both(
    "This folder says which controls of this appliance were tried, what was read, and what follows from it. VERIFY.md says how \
     to check all of it with programs of other people.",
    "此文件夹说明检验了本设备的哪些控制、读取到什么以及由此得出的结论。VERIFY.md 说明如何使用他人的程序检查全部内容。",
);
const LIMITS: Text = both(
    "What it does not prove: that the program which tried itself is the one that it says it is; that the whole disk was not put \
     back to an older state; that the machine\u{2019}s clock was right; anything about copies that left the machine. Whether a \
     processing is lawful is for the controller to judge: this page supports that, and does not replace it. Which clause a \
     control supports is this project\u{2019}s reading.",
    "它不能证明：检验自身的程序确为其所声称的程序；整个磁盘未被恢复到旧状态；机器时钟准确；以及离开本机的副本的任何情况。处理活动是否合法由控制者判断：\
     本页仅提供支持，不能替代该判断。各项控制对应哪些条款，为本项目的理解。",
);
const FAILING: Text = both(
    "This folder was made anew after the first one did not pass its own check, and is handed out because somebody asked for it all \
     the same. What was found of the first:",
    "首次生成的文件夹未通过自检；应请求重新生成并交出此文件夹。首次检查发现：",
);
const PARTS: Text = both(
    "sbom.cdx.json lists what the program was made of when it was compiled (CycloneDX).",
    "sbom.cdx.json 列出程序编译时的组成部分（CycloneDX）。",
);
const MODELS: Text = both(
    "models.json lists the models that the records of the period name, by digest, and the one inside the program; each was inside, brought \
     in as a record says, or loaded from a folder.",
    "models.json 按摘要列出本期间记录所涉及的模型以及程序内置的模型；来源为内置、按记录导入或从文件夹加载。",
);
const NO_PARTS: Text = both(
    "The program that made this folder carries no list of its parts: it was compiled without one.",
    "生成此文件夹的程序不含其组成部分清单：编译时未附清单。",
);
const COLUMNS: [Text; 4] = [
    both("Control", "控制"),
    both("Found", "结果"),
    both("Claim, and how it is measured", "声明及检验方法"),
    both("Read", "读数"),
];

const BY_ARTICLE: Text = both("By article of the GDPR", "按 GDPR 条款");
const ARTICLE_COLUMNS: [Text; 4] = [
    both("Article", "条款"),
    both("What the program does", "程序的作用"),
    both("Found", "结果"),
    both("What stays with the controller", "由控制者负责的部分"),
];

const ERASURES: Text = both("Erasures of the period", "本期间的删除");

const PAPERS: Text = both("Papers of the controller", "控制者的文件");
const PAPERS_ABOUT: Text = both(
    "Drafts, filled from the policy and from what was found here, and with what the controller wrote. None of them is a control.",
    "草稿，依据策略、此处的检验结果以及控制者填写的内容生成。它们都不属于控制。",
);
const PAPER_STATE: Text = both("controller\u{2019}s part", "由控制者负责");

/// The page.
pub(crate) fn page(export: &Export<'_>, erasures: Counted, gone: Pruned) -> String {
    let languages = export.languages();
    let tag = tag(languages[0]);
    let title = TITLE.in_language(languages[0]);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{title}: Lightproof</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    for language in languages {
        html += &part(export, (erasures, gone), language);
    }
    html + "</main>\n</body>\n</html>\n"
}

fn part(export: &Export<'_>, (erasures, gone): (Counted, Pruned), language: Language) -> String {
    let say = |text: Text| text.in_language(language);
    let run = export.run;
    let mut html =
        format!("<article lang=\"{}\">\n<h1>{}</h1>\n<p>{}</p>\n", tag(language), say(TITLE), say(ABOUT));
    let head = [
        (both("Tried", "检验时间"), timestamp(run.started_ms)),
        (both("Program", "程序"), format!("{} {}", export.version, run.binary)),
        (both("Policy", "策略"), run.policy.to_string()),
        (both("Made", "生成时间"), timestamp(export.made_ms)),
        (both("Newest time stamp", "最新时间戳"), newest_stamp(export, language)),
    ];
    let incident = export
        .incident
        .map(|record| (both("For the incident of record", "所涉事件的记录"), record.to_string()));
    let framework = export.framework.map(|f| (both("Only clauses of", "仅限条款"), f.word().to_owned()));
    if let Some(rehearsal) = export.rehearsal {
        html += &rehearsal.part(language);
    }
    if !export.failures.is_empty() {
        let _ = writeln!(html, "<p><strong>{}</strong></p>\n<ul>", say(FAILING));
        for finding in export.failures {
            let _ =
                writeln!(html, "<li><code>{}</code> {}</li>", escape(&finding.file), escape(&finding.text));
        }
        html += "</ul>\n";
    }
    html += "<table>\n";
    for (name, value) in head.into_iter().chain(framework).chain(incident) {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td><code>{}</code></td></tr>",
            say(name),
            escape(&value)
        );
    }
    for of in Outcome::ALL {
        let count = export.chosen().filter(|verdict| verdict.outcome() == of).count();
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{count}</td></tr>", say(outcome(of)));
    }
    html += "</table>\n<table>\n<thead><tr>";
    for column in COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{}</th>", say(column));
    }
    html += "</tr></thead>\n<tbody>\n";
    // What does not hold comes first: nobody should have to look for it.
    let order = [Outcome::NotSatisfied, Outcome::Satisfied, Outcome::NotApplicable, Outcome::NotMeasured];
    for of in order {
        for verdict in export.chosen().filter(|verdict| verdict.outcome() == of) {
            html += &row(verdict, language);
        }
    }
    html += "</tbody>\n</table>\n";
    if export.framework.is_none_or(|framework| framework == Framework::Gdpr) {
        html += &articles(export, language);
        html += &papers(export, language);
    }
    html += &erased(erasures, language);
    html += &within(gone.within, language);
    html += &beside(gone.beside, language);
    let parts = if export.sbom.is_some() { PARTS } else { NO_PARTS };
    let _ =
        writeln!(html, "<p>{}</p>\n<p>{}</p>\n<p>{}</p>\n</article>", say(MODELS), say(parts), say(LIMITS));
    html
}

/// How many pictures were erased in the period, and where it says more of each.
fn erased(Counted { certified, copied, uncertified }: Counted, language: Language) -> String {
    let title = ERASURES.in_language(language);
    let text = match (language, certified + uncertified) {
        (Language::En, 0) => "none".to_owned(),
        (Language::Zh, 0) => "无".to_owned(),
        (Language::En, _) => format!(
            "keys destroyed, each with its certificate: {certified}; of these, pictures of which a plain copy is on record: {copied}; \
             without a certificate, since the record of the end cannot be read: {uncertified}"
        ),
        (Language::Zh, _) => format!(
            "已销毁密钥并各附证明：{certified}；其中有未封存副本记录的图片：{copied}；因结束记录无法读取而没有证明：{uncertified}"
        ),
    };
    let page = bundle::ERASURES_PAGE;
    format!("<h2>{title}</h2>\n<p><a href=\"{page}\">{page}</a>: {text}</p>\n")
}

/// Of how many records of the period the folder has only the hash.
fn within(pruned: u64, language: Language) -> String {
    let text = match language {
        _ if pruned == 0 => return String::new(),
        Language::En => format!(
            "Records of the period of which only the hash is here: {pruned}. Their content was taken away when the time was over for which \
             the policy keeps it, as records of the type log.pruned say. Each hash has its place in the tree over the log, and every other \
             record between the first and the last one is here."
        ),
        Language::Zh => format!(
            "本期间仅存哈希的记录数：{pruned}。其内容在策略规定的保存期限届满后已被删减，见 log.pruned 类型的记录。每个哈希在日志的树中都有其位置，首尾两条记录之间的其他记录均在此处。"
        ),
    };
    format!("<p><strong>{text}</strong></p>\n")
}

/// How many were pruned where the period begins and ends.
fn beside(pruned: u64, language: Language) -> String {
    let text = match language {
        _ if pruned == 0 => return String::new(),
        Language::En => format!(
            "Records that were pruned where the period begins or ends, and of which nothing is here: {pruned}. Which of them are of the period \
             nobody can tell, for a hash has no time; of records that stayed none is missing."
        ),
        Language::Zh => format!(
            "在本期间起止处已被删减、此处没有任何内容的记录数：{pruned}。哈希不含时间，因此无人能判断其中哪些属于本期间；保留下来的记录无一缺失。"
        ),
    };
    format!("<p><strong>{text}</strong></p>\n")
}

/// When the newest stamp of an authority outside is from, how old it was when the bundle was made, and what it is about.
fn newest_stamp(export: &Export<'_>, language: Language) -> String {
    let Some(stamp) = export.stamps.iter().filter(|stamp| stamp.holds()).max_by_key(|stamp| stamp.time_ms)
    else {
        return both("none", "无").in_language(language).to_owned();
    };
    let (time, size) = (timestamp(stamp.time_ms), stamp.size);
    let days = export.made_ms.saturating_sub(stamp.time_ms) / 86_400_000;
    match language {
        Language::En => format!("{time}, {days} days old, over the first {size} records"),
        Language::Zh => format!("{time}，已有 {days} 天，涵盖前 {size} 条记录"),
    }
}

/// For each article what the program does, what was found of it, and what stays with the controller.
fn articles(export: &Export<'_>, language: Language) -> String {
    let say = |text: Text| text.in_language(language);
    let mut html = format!("<h2>{}</h2>\n<table>\n<thead><tr>", say(BY_ARTICLE));
    for column in ARTICLE_COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{}</th>", say(column));
    }
    html += "</tr></thead>\n<tbody>\n";
    for article in ARTICLES {
        let verdicts = export.run.verdicts().iter().filter(|v| article.controls.contains(&v.control().id));
        let found: Vec<String> =
            verdicts.map(|v| format!("{}: {}", v.control().id, say(outcome(v.outcome())))).collect();
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            article.number,
            escape(say(article.does)),
            found.join("<br>"),
            escape(say(article.left)),
        );
    }
    html + "</tbody>\n</table>\n"
}

/// The papers, each with what waits for the controller.
fn papers(export: &Export<'_>, language: Language) -> String {
    let say = |text: Text| text.in_language(language);
    let mut html = format!("<h2>{}</h2>\n<p>{}</p>\n<ul>\n", say(PAPERS), say(PAPERS_ABOUT));
    for paper in papers::of(export) {
        let (page, title, open) = (papers::page_of(paper), say(paper.title), papers::open(export, paper));
        let (article, part) = (paper.article, say(PAPER_STATE));
        let rest = match language {
            Language::En => format!(", {article}: {part}, {open} fields wait for the controller"),
            Language::Zh => format!("，第 {article} 条：{part}，{open} 项待填写"),
        };
        let _ = writeln!(html, "<li><a href=\"{page}\">{title}</a>{rest}</li>");
    }
    html + "</ul>\n"
}

fn row(verdict: &Verdict, language: Language) -> String {
    let (control, say) = (verdict.control(), |text: Text| text.in_language(language));
    let clauses: Vec<String> = Framework::ALL
        .into_iter()
        .filter(|framework| !control.clauses.of(*framework).is_empty())
        .map(|framework| format!("{}: {}", framework.word(), control.clauses.of(framework).join(", ")))
        .collect();
    let mut read: Vec<String> = verdict.reason().iter().map(|reason| say(reason.text()).to_owned()).collect();
    let facts = verdict.reading().map_or(&[][..], |reading| reading.facts());
    read.extend(
        facts.iter().map(|(name, fact)| format!("<code>{name} = {}</code>", escape(&fact.to_string()))),
    );
    let failing =
        verdict.failing().map(|condition| format!("<code>{}</code>", escape(&condition.to_string())));
    let wanted = match language {
        Language::En => "wanted",
        Language::Zh => "要求",
    };
    read.extend(failing.map(|condition| format!("{wanted}: {condition}")));
    let found = verdict.outcome();
    format!(
        "<tr><th scope=\"row\">{id}</th><td class=\"{word}\">{found}</td><td>{claim}<br>{measured}<br><code>{clauses}</code>\
         </td><td>{read}</td></tr>\n",
        id = control.id,
        word = found.word(),
        found = say(outcome(found)),
        claim = escape(say(control.claim)),
        measured = escape(say(control.measured)),
        clauses = escape(&clauses.join("; ")),
        read = read.join("<br>"),
    )
}
