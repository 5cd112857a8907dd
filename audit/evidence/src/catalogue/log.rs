//! The log.

use crate::control::{Clauses, Condition, Control, Must, Reason, Text, Trial};

pub(super) const LOG: &[Control] = &[
    Control {
        id: "LOG-01",
        claim: Text {
            en: "Every picture that the vault holds has the record of its making.",
            zh: "保险库中的每张图片都有其生成记录。",
        },
        measured: Text {
            en: "The pictures of the vault are looked for in the log, by their pseudonyms.",
            zh: "按化名在日志中查找保险库中的图片。",
        },
        clauses: Clauses {
            gdpr: &["5(2)", "30", "32"],
            iso27001: &["A.8.15"],
            nist: &["AU-2", "AU-12"],
            ai_act: &["12"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "pictures_on_record", must: Must::SameAs("pictures") }]),
    },
    Control {
        id: "LOG-02",
        claim: Text {
            en: "What cannot be put on record is refused, and what was acknowledged is on record.",
            zh: "无法写入记录的操作被拒绝，已确认的操作均有记录。",
        },
        measured: Text {
            en: "Small logs are made beside what was found, and thrown away: a record is written to each and read back, then its file is taken away or exchanged, and it is read whether the next record is refused; the log in use is left alone.",
            zh: "在检验结果旁生成小型日志，用后丢弃：向每个日志写入一条记录并读回，随后移走或替换其文件，再读取下一条记录是否被拒绝；不触及正在使用的日志。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(b)"],
            iso27001: &["A.8.15"],
            nist: &["AU-5", "AU-5(4)"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "logs_tried", must: Must::AtLeast(1) },
            Condition { fact: "acknowledged_and_not_there", must: Must::AtMost(0) },
            Condition { fact: "unwritable_and_accepted", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "LOG-03",
        claim: Text { en: "The log is exactly what was signed.", zh: "日志与签名时完全一致。" },
        measured: Text {
            en: "Every record, hash, link and signature is verified.",
            zh: "验证每条记录、哈希、链接和签名。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(f)", "32"],
            iso27001: &["A.8.15", "A.5.33"],
            nist: &["AU-9(3)", "AU-10", "SI-7"],
            cn: &["GB/T 22239 c"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "findings", must: Must::AtMost(0) },
            Condition { fact: "records_complete", must: Must::SameAs("records_signed") },
        ]),
    },
    Control {
        id: "LOG-04",
        claim: Text {
            en: "Earlier signing keys are gone, so nobody can sign the past anew.",
            zh: "早先的签名密钥已销毁，无人能重新签署过去的记录。",
        },
        measured: Text {
            en: "The hand-overs from key to key are verified, and the key file is held against the newest key.",
            zh: "验证密钥之间的交接，并将密钥文件与最新密钥核对。",
        },
        clauses: Clauses {
            gdpr: &["32"],
            iso27001: &["A.5.33", "A.8.24"],
            nist: &["AU-9", "SC-12"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "keys_destroyed", must: Must::SameAs("keys_former") },
            Condition { fact: "key_is_newest", must: Must::Be(true) },
        ]),
    },
    Control {
        id: "LOG-05",
        claim: Text {
            en: "A log that was cut back to an older state is noticed.",
            zh: "日志被截回旧状态时会被发现。",
        },
        measured: Text {
            en: "The log is held against what the vault remembers of it.",
            zh: "将日志与保险库所记住的状态核对。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(f)"],
            iso27001: &["A.5.33"],
            nist: &["AU-9(2)"],
            cn: &["GB/T 22239 c", "GB/T 22239 d"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "continues_mark", must: Must::Be(true) }]),
    },
    Control {
        id: "LOG-06",
        claim: Text {
            en: "An authority outside has stamped the log within the period that the policy names.",
            zh: "外部时间戳机构在策略规定的期限内为日志加盖了时间戳。",
        },
        measured: Text {
            en: "The answers of authorities that are kept are held against their records and the log, and the age of the newest is compared with the policy.",
            zh: "将保存的时间戳答复与记录和日志核对，并将最新一份距今的时间与策略比较。",
        },
        clauses: Clauses {
            gdpr: &["5(2)"],
            iso27001: &["A.5.28"],
            nist: &["AU-9(2)", "AU-10"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "stamps_that_hold", must: Must::AtLeast(1) },
            Condition { fact: "stamp_age_seconds_max", must: Must::AtLeastFact("stamp_age_seconds") },
        ]),
    },
    Control {
        id: "LOG-07",
        claim: Text {
            en: "The times in the log agree with the machine’s own clock.",
            zh: "日志中的时间与机器自身时钟一致。",
        },
        measured: Text {
            en: "Jumps and standstills of the written time are counted.",
            zh: "统计记录时间的跳变和停滞。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.17"], nist: &["AU-8", "SC-45"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "doubts", must: Must::AtMost(0) }]),
    },
    Control {
        id: "LOG-08",
        claim: Text {
            en: "A sudden end of the program loses no acknowledged record, and what it cut short is kept.",
            zh: "程序突然中断不会丢失已确认的记录，残缺部分会被保留。",
        },
        measured: Text {
            en: "After ends of the program in the middle of a record the log is held against what was signed, and what was set aside against the records of that.",
            zh: "程序在写记录途中中断后，将日志与已签名的内容核对，并将移出的残缺部分与相应记录核对。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(c)"],
            iso27001: &["A.8.15"],
            nist: &["AU-10", "CP-10"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "records_complete", must: Must::SameAs("records_signed") },
            Condition { fact: "set_aside_and_not_whole", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "LOG-09",
        claim: Text {
            en: "There is room for the log, and a reserve for when there is none.",
            zh: "日志有可用空间，并为空间耗尽预留了储备。",
        },
        measured: Text {
            en: "The free space and the length of the reserve are read.",
            zh: "读取可用空间和预留文件的长度。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(b)"],
            iso27001: &["A.8.6"],
            nist: &["AU-4", "AU-5(1)"],
            cn: &["GB/T 22239 c"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "reserve_bytes", must: Must::AtLeastFact("reserve_bytes_min") },
            Condition { fact: "free_bytes", must: Must::AtLeastFact("free_bytes_min") },
        ]),
    },
    Control {
        id: "LOG-10",
        claim: Text {
            en: "Records are kept as long as the policy says, and no longer.",
            zh: "记录按策略规定的期限保存，不超期。",
        },
        measured: Text {
            en: "The age of the oldest record would be compared with the policy.",
            zh: "若要检验，须将最早记录距今的时间与策略比较。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(e)"],
            iso27001: &["A.5.33", "A.8.10"],
            nist: &["AU-11", "SI-12"],
            cn: &["LM 9", "CSL 21"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "LOG-11",
        claim: Text {
            en: "The log reaches a monitoring system without a gap.",
            zh: "日志无间断地送达监控系统。",
        },
        measured: Text {
            en: "The newest exported record would be compared with the log.",
            zh: "若要检验，须将最新导出的记录与日志比较。",
        },
        clauses: Clauses {
            gdpr: &["32"],
            iso27001: &["A.8.16"],
            nist: &["AU-6", "AU-6(4)"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotHere),
    },
    Control {
        id: "LOG-12",
        claim: Text { en: "No record holds free text.", zh: "任何记录都不包含自由文本。" },
        measured: Text {
            en: "Every record is held against the closed schema, key by key.",
            zh: "将每条记录逐键与封闭的结构定义核对。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(c)", "25"],
            iso27001: &["A.8.11", "A.5.34"],
            nist: &["AU-3(3)", "SI-12(1)"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "records_outside_schema", must: Must::AtMost(0) }]),
    },
];
