//! The record of processing activities, and the weighing of interests.

use super::paper::{Author, Field, Paper};
use crate::control::Language;
use crate::export::Answers;
use crate::html::both as says;

pub(super) const RECORD: Paper = Paper {
    id: "record",
    article: "30(1)",
    title: says("Record of processing activities", "处理活动记录"),
    about: says(
        "What is processed with this installation, for whom and for how long.",
        "本系统处理什么数据、为谁处理以及保存多久。",
    ),
    fields: &[
        CONTROLLER,
        Field {
            label: says("Joint controllers, representative", "共同控制者、代表"),
            author: Author::Controller(
                "representative",
                says("Name and contact, or that there is none.", "姓名和联系方式，或说明没有。"),
            ),
        },
        OFFICER,
        PURPOSES,
        Field {
            label: says("People, as the program knows them", "程序所知的人员"),
            author: Author::Program(
                says(
                    "Whoever uses it: by a pseudonym in the log, and by a name, sealed, in the vault.",
                    "使用者：在日志中以化名出现，其姓名封存在保险库中。",
                ),
                &["PRV-02"],
            ),
        },
        Field {
            label: says("Other people", "其他人员"),
            author: Author::Controller(
                "people",
                says(
                    "Whom prompts and pictures may be about. The program does not know it.",
                    "提示词和图片可能涉及的人员。程序对此并不知情。",
                ),
            ),
        },
        RECORDED,
        Field {
            label: says("Data in the vault", "保险库中的数据"),
            author: Author::Policy(of_vault, &["CRY-01", "PRV-01"]),
        },
        Field {
            label: says("Other data", "其他数据"),
            author: Author::Controller(
                "data",
                says(
                    "What else is kept around it, such as lists of staff, plain copies and logs of other systems.",
                    "围绕它保存的其他数据，例如员工名单、未封存副本和其他系统的日志。",
                ),
            ),
        },
        OUTWARDS,
        RECIPIENTS,
        TRANSFERS,
        PERIODS,
        OTHER_PERIODS,
        MEASURES,
        OTHER_MEASURES,
    ],
};

pub(super) const INTERESTS: Paper = Paper {
    id: "interests",
    article: "6(1)(f)",
    title: says("Weighing of interests", "利益权衡"),
    about: says(
        "For a controller that relies on legitimate interests. A public authority cannot for its tasks, and takes another basis.",
        "供以合法利益为依据的控制者使用。公共机构不得以此作为履行职责的依据，应另选依据。",
    ),
    fields: &[
        CONTROLLER,
        BASIS,
        Field {
            label: says("Interest", "利益"),
            author: Author::Controller(
                "interest",
                says("Whose interest it is, and what it consists in.", "是谁的利益，具体内容是什么。"),
            ),
        },
        NECESSITY,
        Field {
            label: says("What keeps the intrusion small", "减轻影响的措施"),
            author: Author::Program(
                says(
                    "Without being asked it keeps no prompt. No record has a free text, a prompt or a picture, and each names people by \
                     pseudonym. It measures nobody\u{2019}s work beyond what the records say: who did which act, and when.",
                    "未经请求不保存提示词。任何记录都不含自由文本、提示词或图片，且均以化名指代人员。除记录所述（谁在何时做了何种操作）外，不衡量任何人的工作。",
                ),
                &["LOG-12", "PRV-01", "PRV-02"],
            ),
        },
        Field {
            label: says("What the policy adds", "策略的补充"),
            author: Author::Policy(of_policy, &["INT-03"]),
        },
        Field {
            label: says("Balance", "权衡"),
            author: Author::Controller(
                "balance",
                says(
                    "Why the interests of the people concerned do not outweigh it, children and people in pictures among them.",
                    "为何相关人员（包括儿童和图片中的人物）的利益不足以优先于上述利益。",
                ),
            ),
        },
        OBJECTION,
    ],
};

pub(super) const CONTROLLER: Field = Field {
    label: says("Controller", "控制者"),
    author: Author::Controller("controller", says("Name and contact.", "名称和联系方式。")),
};

pub(super) const OFFICER: Field = Field {
    label: says("Data protection officer", "数据保护官"),
    author: Author::Controller(
        "protection_officer",
        says("Contact, or that there is none.", "联系方式，或说明没有。"),
    ),
};

pub(super) const PURPOSES: Field = Field {
    label: says("Purposes", "目的"),
    author: Author::Controller(
        "purposes",
        says(
            "What the pictures are made for, and what the log is kept for.",
            "生成图片的目的以及保存日志的目的。",
        ),
    ),
};

pub(super) const BASIS: Field = Field {
    label: says("Legal basis", "法律依据"),
    author: Author::Controller(
        "legal_basis",
        says(
            "The article that is relied on, and why. The consent of staff is rarely free.",
            "所依据的条款及理由。员工的同意很少是自由作出的。",
        ),
    ),
};

pub(super) const NECESSITY: Field = Field {
    label: says("Necessity", "必要性"),
    author: Author::Controller(
        "necessity",
        says("Why the purpose is not reached with less.", "为何不能以更少的数据实现目的。"),
    ),
};

pub(super) const RECORDED: Field = Field {
    label: says("Data in the log", "日志中的数据"),
    author: Author::Program(
        says(
            "For each act of a person: its kind, its time, how it ended, their pseudonym, and pseudonyms of the request and of the \
             picture. They are personal data.",
            "人员的每次操作：种类、时间、结果、其化名，以及请求和图片的化名。这些属于个人数据。",
        ),
        &["LOG-12", "LOG-03"],
    ),
};

pub(super) const OUTWARDS: Field = Field {
    label: says("What leaves the program", "离开程序的内容"),
    author: Author::Program(
        says(
            "Nothing by itself: it cannot reach a network. Plain copies, backups and bundles of evidence leave where a person asks \
             for them, and each is on record.",
            "不会自行传出任何内容：程序无法访问网络。未封存副本、备份和证据包仅在人员请求时传出，且均有记录。",
        ),
        &["NET-02"],
    ),
};

pub(super) const RECIPIENTS: Field = Field {
    label: says("Recipients", "接收者"),
    author: Author::Controller(
        "recipients",
        says("Who gets copies, backups, logs or evidence.", "谁会获得副本、备份、日志或证据。"),
    ),
};

pub(super) const TRANSFERS: Field = Field {
    label: says("Transfers to other countries", "向其他国家传输"),
    author: Author::Controller(
        "transfers",
        says(
            "To where, and with which safeguards; or that there are none.",
            "目的地和保障措施，或说明没有。",
        ),
    ),
};

pub(super) const PERIODS: Field = Field {
    label: says("When it is erased", "删除期限"),
    author: Author::Policy(of_periods, &["ERA-01", "ERA-02"]),
};

pub(super) const OTHER_PERIODS: Field = Field {
    label: says("Other periods", "其他期限"),
    author: Author::Controller(
        "periods",
        says(
            "How long the log, backups and plain copies are kept, and who sees to it.",
            "日志、备份和未封存副本保存多久，由谁负责。",
        ),
    ),
};

pub(super) const MEASURES: Field = Field {
    label: says("Security, as it was tried", "经检验的安全措施"),
    author: Author::Program(
        says(
            "Sealed pictures with a key each, a slow key derivation, fences around every process, and a signed log.",
            "每张图片以各自的密钥封存；由口令派生密钥的计算刻意缓慢；每个进程都受到隔离；日志经过签名。",
        ),
        &["CRY-01", "CRY-03", "CRY-06", "INT-02", "NET-02", "LOG-03", "OPS-01", "GOV-01"],
    ),
};

pub(super) const OTHER_MEASURES: Field = Field {
    label: says("Security around it", "外围安全措施"),
    author: Author::Controller(
        "measures",
        says(
            "The host, its disk and its updates; who may enter; training; what is done at a breach.",
            "主机、磁盘与更新；谁可进入；培训；发生泄露时的处理。",
        ),
    ),
};

pub(super) const OBJECTION: Field = Field {
    label: says("Objection", "提出反对"),
    author: Author::Controller(
        "objection",
        says("To whom a person objects, and what follows.", "向谁提出反对，以及随后如何处理。"),
    ),
};

fn of_vault(answers: &Answers, language: Language) -> String {
    let text = match answers.keeps_prompts {
        true => says(
            "Names and roles, and pictures with their settings, sealed. A prompt is kept, sealed, only where its request asks for it.",
            "姓名和角色，以及图片及其设置，均封存。仅当请求本身要求时才保留其提示词，并予以封存。",
        ),
        false => says(
            "Names and roles, and pictures with their settings, sealed. The policy lets no request keep its prompt.",
            "姓名和角色，以及图片及其设置，均封存。策略不允许任何请求保留提示词。",
        ),
    };
    text.in_language(language).to_owned()
}

pub(super) fn of_periods(answers: &Answers, language: Language) -> String {
    let pictures = match (answers.erases, answers.picture_days_max, language) {
        (false, _, Language::En) => "The policy lets nobody erase a picture: each stays.".to_owned(),
        (false, _, Language::Zh) => "策略不允许任何人删除图片：图片均保留。".to_owned(),
        (true, Some(days), Language::En) => format!(
            "A picture is erased by itself {days} days after it was made, with its key, unless a legal hold keeps it; or before, by \
             whoever made it or by an admin."
        ),
        (true, Some(days), Language::Zh) => {
            format!("图片在生成 {days} 天后连同密钥自动删除，除非受法律保全；生成者或管理员也可提前删除。")
        }
        (true, None, Language::En) => {
            "A picture is erased, with its key, by whoever made it or by an admin. The policy names no period: none goes by itself.".to_owned()
        }
        (true, None, Language::Zh) => {
            "图片由生成者或管理员连同密钥删除。策略未规定期限：图片不会自动删除。".to_owned()
        }
    };
    let names = match (answers.names_days_max, language) {
        (Some(days), Language::En) => format!(
            "{days} days after somebody was removed their name, and with it whatever leads from their pseudonym to them, is destroyed, \
             unless a legal hold or pictures of theirs that are kept keep it; the log keeps the pseudonym."
        ),
        (Some(days), Language::Zh) => format!(
            "人员被移除 {days} 天后，其姓名以及由化名通向本人的一切均被销毁，除非受法律保全，或其图片仍被保留；日志中保留化名。"
        ),
        (None, Language::En) => {
            "The name of who was removed stays in the vault, sealed: the policy names no period for it."
                .to_owned()
        }
        (None, Language::Zh) => "被移除人员的姓名仍封存在保险库中：策略未为其规定期限。".to_owned(),
    };
    let log = match (answers.log_days_max, language) {
        (Some(days), Language::En) => format!(
            "The log is kept, but for the content of sign-ins, of looks at previews, of readings of the log, of refusals and the like, which \
             an admin may take away {days} days after it was written: the hash of each record stays."
        ),
        (Some(days), Language::Zh) => format!(
            "日志予以保留；但登录、查看预览、查阅日志、拒绝等记录的内容，管理员可在写入 {days} 天后删减，每条记录的哈希仍保留。"
        ),
        (None, Language::En) => {
            "Every record of the log stays: nothing in it goes after a period.".to_owned()
        }
        (None, Language::Zh) => "日志的每条记录均保留：其中没有内容会按期限删减。".to_owned(),
    };
    let between = between(language);
    format!("{pictures}{between}{names}{between}{log}")
}

/// What stands between two sentences.
fn between(language: Language) -> &'static str {
    if language == Language::En { " " } else { "" }
}

fn of_policy(answers: &Answers, language: Language) -> String {
    let prompts = match (answers.keeps_prompts, language) {
        (true, Language::En) => "A request may ask that its prompt is kept.",
        (true, Language::Zh) => "请求可要求保留其提示词。",
        (false, Language::En) => "No prompt may be kept.",
        (false, Language::Zh) => "不得保留任何提示词。",
    };
    let second = match (answers.asks_a_second_admin, language) {
        (true, Language::En) => "Some acts of an admin wait for a second one; the policy names them.",
        (true, Language::Zh) => "管理员的部分操作须经第二名管理员确认；策略列明了这些操作。",
        (false, Language::En) => "No act of an admin waits for a second one.",
        (false, Language::Zh) => "管理员的操作无须第二名管理员确认。",
    };
    let between = between(language);
    format!("{prompts}{between}{}{between}{second}", of_periods(answers, language))
}
