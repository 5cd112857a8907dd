//! What is kept about people, and what pictures say of their making.

use crate::control::{Clauses, Condition, Control, Must, Reason, Text, Trial};

pub(super) const PEOPLE: &[Control] = &[
    Control {
        id: "PRV-01",
        claim: Text {
            en: "No kept prompt appears in the folders of the log and of what was found.",
            zh: "日志文件夹和检验结果文件夹中不出现已保存的提示词。",
        },
        measured: Text {
            en: "The prompts that the vault keeps are looked for in every file of the two folders.",
            zh: "在两个文件夹的每个文件中查找保险库所保存的提示词。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(c)", "25"],
            iso27001: &["A.5.34", "A.8.12"],
            nist: &["PM-25", "AU-3(3)"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "prompts_looked_for", must: Must::AtLeast(1) },
            Condition { fact: "prompts_found", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "PRV-02",
        claim: Text {
            en: "Nobody’s name appears in the folders of the log and of what was found.",
            zh: "日志文件夹和检验结果文件夹中不出现任何人的姓名。",
        },
        measured: Text {
            en: "The names that the vault keeps are looked for, as words, in every file of the two folders, but for those that could be any word or number.",
            zh: "在两个文件夹的每个文件中按词查找保险库所保存的姓名，但可能与普通词语或数字混淆的姓名除外。",
        },
        clauses: Clauses {
            gdpr: &["4(5)", "25", "32(1)(a)"],
            iso27001: &["A.8.11"],
            nist: &["SI-19", "PM-25"],
            cn: &["PIPL 51"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "names_looked_for", must: Must::AtLeast(1) },
            Condition { fact: "names_found", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "PRV-03",
        claim: Text {
            en: "The names of sealed pictures say when they were made, and nothing else.",
            zh: "密封图片的文件名只表明生成时间，不含其他信息。",
        },
        measured: Text {
            en: "Every name in the folder of pictures is held against the pattern.",
            zh: "将图片文件夹中的每个文件名与规定格式核对。",
        },
        clauses: Clauses { gdpr: &["25"], iso27001: &["A.8.11"], nist: &["SI-19"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "other_names", must: Must::AtMost(0) }]),
    },
    Control {
        id: "PRV-04",
        claim: Text {
            en: "There is a record of processing activities, and it is current.",
            zh: "存在现行有效的处理活动记录。",
        },
        measured: Text {
            en: "The controller keeps it; a draft can be made from the policy.",
            zh: "由控制者保存；可根据策略生成草稿。",
        },
        clauses: Clauses {
            gdpr: &["30"],
            iso27001: &["A.5.34", "A.5.31"],
            nist: &["PT-2", "PT-3"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::ControllersPart),
    },
    Control {
        id: "PRV-05",
        claim: Text {
            en: "There is an impact assessment, and it is dated.", zh: "存在注明日期的影响评估。"
        },
        measured: Text {
            en: "The controller keeps it; a draft can be made from the policy.",
            zh: "由控制者保存；可根据策略生成草稿。",
        },
        clauses: Clauses {
            gdpr: &["35"],
            iso27001: &["A.5.34"],
            nist: &["RA-8"],
            cn: &["PIPL 55", "PIPL 56"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::ControllersPart),
    },
    Control {
        id: "PRV-06",
        claim: Text {
            en: "What is kept about a person can be handed to them.",
            zh: "可以向个人提供所保存的有关其本人的信息。",
        },
        measured: Text {
            en: "What log and vault hold about whoever asks is collected, and handed out to nobody.",
            zh: "收集日志和保险库中有关请求者的信息，不向任何人交出。",
        },
        clauses: Clauses {
            gdpr: &["12", "15", "20"],
            iso27001: &["A.5.34"],
            nist: &["SI-18(4)", "PM-21"],
            cn: &["PIPL 45"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "collected", must: Must::Be(true) },
            Condition { fact: "records", must: Must::AtLeast(1) },
        ]),
    },
    Control {
        id: "PRV-07",
        claim: Text {
            en: "The legal basis is recorded, and the staff were told.",
            zh: "法律依据已记录，并已告知员工。",
        },
        measured: Text {
            en: "The controller keeps it; drafts can be made from the policy.",
            zh: "由控制者保存；可根据策略生成草稿。",
        },
        clauses: Clauses {
            gdpr: &["6", "13", "88"],
            iso27001: &["A.5.34"],
            nist: &["PT-5"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::ControllersPart),
    },
    Control {
        id: "PRV-08",
        claim: Text {
            en: "A picture carries its two marks and no other data about its making.",
            zh: "图片只带有两个标记，不含其他生成信息。",
        },
        measured: Text {
            en: "The chunks of one picture, opened in memory, are held against a list.",
            zh: "在内存中打开一张图片，将其数据块与清单核对。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(c)", "25"],
            iso27001: &["A.8.11", "A.8.12"],
            nist: &["SI-12(1)"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "other_chunks", must: Must::AtMost(0) }]),
    },
    Control {
        id: "AIT-01",
        claim: Text {
            en: "Every picture carries a signed manifest of its origin.",
            zh: "每张图片都带有签名的来源清单。",
        },
        measured: Text {
            en: "The manifest of a sample would be verified.",
            zh: "若要检验，须验证样本的清单。",
        },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["AC-16", "SI-7"],
            ai_act: &["50(2)", "CoP 1.1.1"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "AIT-02",
        claim: Text {
            en: "Every picture says in its metadata that a model made it.",
            zh: "每张图片的元数据都说明其由模型生成。",
        },
        measured: Text {
            en: "The metadata of one picture, opened in memory, is read.",
            zh: "在内存中打开一张图片并读取其元数据。",
        },
        clauses: Clauses { iso27001: &["A.5.31"], nist: &["AC-16"], ai_act: &["50(2)"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "digital_source_type", must: Must::Be(true) }]),
    },
    Control {
        id: "AIT-03",
        claim: Text {
            en: "Every picture carries the implicit label for generated content.",
            zh: "每张图片都带有生成内容的隐式标识。",
        },
        measured: Text {
            en: "The label of one picture, opened in memory, is read and its fields are checked.",
            zh: "在内存中打开一张图片，读取标识并检查其字段。",
        },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["AC-16"],
            cn: &["LM 5", "GB 45438"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "aigc_label", must: Must::Be(true) }]),
    },
    Control {
        id: "AIT-04",
        claim: Text {
            en: "A visible label can be set, and leaving it out is on record.",
            zh: "可以设置可见标识，不设置时会被记录。",
        },
        measured: Text {
            en: "The label’s place in a sample would be looked at.",
            zh: "若要检验，须查看样本中标识所在的位置。",
        },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["AC-16(5)", "AU-11"],
            ai_act: &["50(4)"],
            cn: &["LM 4", "LM 9"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "AIT-05",
        claim: Text {
            en: "Every picture carries an imperceptible mark.",
            zh: "每张图片都带有不可感知的标记。",
        },
        measured: Text {
            en: "The mark would be looked for in a fresh sample.",
            zh: "若要检验，须在新样本中查找该标记。",
        },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["AC-16"],
            ai_act: &["50(2)", "CoP 1.1.2"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "AIT-06",
        claim: Text {
            en: "There is a detector that works offline.", zh: "提供可离线使用的检测工具。"
        },
        measured: Text {
            en: "The detector would be run over two sets.",
            zh: "若要检验，须在两组样本上运行检测工具。",
        },
        clauses: Clauses { iso27001: &["A.5.31"], nist: &["SI-7"], ai_act: &["50(2)"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "AIT-07",
        claim: Text { en: "No option takes marks away.", zh: "没有任何选项可去除标记。" },
        measured: Text { en: "The options would be listed.", zh: "若要检验，须列出所有选项。" },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["AC-16", "SC-16"],
            ai_act: &["CoP 1.2"],
            cn: &["LM 10"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "SAF-01",
        claim: Text {
            en: "A gate looks at requests and pictures, and records what it stops.",
            zh: "设有对请求和图片的检查，并记录所拦截的内容。",
        },
        measured: Text {
            en: "Two sets of requests would be tried.", zh: "若要检验，须尝试两组请求。"
        },
        clauses: Clauses {
            iso27001: &["A.5.31"],
            nist: &["SI-10", "AC-3"],
            ai_act: &["5"],
            cn: &["GenAI 4"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
];
