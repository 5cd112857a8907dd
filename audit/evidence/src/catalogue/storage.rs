//! What lies on the disk, its keys, and how they end.

use crate::control::{Clauses, Condition, Control, Must, Reason, Text, Trial};

pub(super) const STORAGE: &[Control] = &[
    Control {
        id: "CRY-01",
        claim: Text {
            en: "Nothing but sealed pictures lies in the folder of pictures.",
            zh: "图片文件夹中只有加密封存的图片。",
        },
        measured: Text {
            en: "Every file that lies in the folder itself is counted as sealed or plain by its first bytes; folders in it are not looked into.",
            zh: "按首部字节把直接位于该文件夹中的每个文件计为密封或明文；不检查其中的子文件夹。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(a)"],
            iso27001: &["A.8.24"],
            nist: &["SC-28(1)", "SC-13"],
            cn: &["PIPL 51"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "plain_files", must: Must::AtMost(0) },
            Condition { fact: "damaged_headers", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "CRY-02",
        claim: Text {
            en: "The running program leaves no plain data behind: no core file, no memory that others can read.",
            zh: "运行中的程序不会留下明文数据：没有核心转储文件，内存不可被其他进程读取。",
        },
        measured: Text {
            en: "The process’s own flags and limits are read.",
            zh: "读取进程自身的标志和限制。",
        },
        clauses: Clauses {
            gdpr: &["25", "32"],
            iso27001: &["A.8.10", "A.8.12"],
            nist: &["SC-4"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "core_bytes_max", must: Must::AtMost(0) },
            Condition { fact: "dumpable", must: Must::Be(false) },
        ]),
    },
    Control {
        id: "CRY-03",
        claim: Text {
            en: "Deriving a key from a passphrase costs at least what this version asks of a new one.",
            zh: "由口令派生密钥的成本不低于本版本对新口令的要求。",
        },
        measured: Text {
            en: "The least cost that the vault file names, of all key slots, is compared with that of a new one.",
            zh: "将保险库文件所列各密钥槽中的最低成本与新口令的成本比较。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["IA-5", "SC-12"], ..Clauses::NONE },
        trial: Trial::Facts(&[
            Condition { fact: "memory_kib", must: Must::AtLeastFact("memory_kib_min") },
            Condition { fact: "passes", must: Must::AtLeastFact("passes_min") },
        ]),
    },
    Control {
        id: "CRY-04",
        claim: Text {
            en: "The ciphers are tried with known answers at every start.",
            zh: "每次启动时用已知答案测试加密算法。",
        },
        measured: Text {
            en: "The record of the last such test would be looked for.",
            zh: "若要检验，须查找最近一次测试的记录。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(d)"],
            iso27001: &["A.8.24", "A.8.29"],
            nist: &["SC-13", "SI-6"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "CRY-05",
        claim: Text {
            en: "No two sealed pictures share a key stream.",
            zh: "任何两个密封图片都不会共用密钥流。",
        },
        measured: Text {
            en: "The random values in the headers of all sealed pictures are compared.",
            zh: "比较所有密封图片首部中的随机值。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["SC-13"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "repeated_headers", must: Must::AtMost(0) }]),
    },
    Control {
        id: "CRY-06",
        claim: Text {
            en: "Every sealed picture opens as it was sealed.",
            zh: "每个密封图片都能按封存时的样子打开。",
        },
        measured: Text {
            en: "Every sealed picture is opened in memory and checked.",
            zh: "在内存中打开并检查每个密封图片。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["SC-28"], ..Clauses::NONE },
        trial: Trial::Facts(&[
            Condition { fact: "damaged", must: Must::AtMost(0) },
            Condition { fact: "missing", must: Must::AtMost(0) },
            Condition { fact: "forbidden", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "KEY-01",
        claim: Text {
            en: "The master key of the vault is replaced within the period that the policy names.",
            zh: "保险库主密钥在策略规定的期限内更换。",
        },
        measured: Text {
            en: "The time since the newest roll of the vault on record is compared with the policy.",
            zh: "将距最近一次密钥轮换记录的时间与策略比较。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["SC-12"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition {
            fact: "key_age_seconds_max",
            must: Must::AtLeastFact("key_age_seconds"),
        }]),
    },
    Control {
        id: "KEY-02",
        claim: Text {
            en: "Of the keys under which everything is sealed, only the one in use exists.",
            zh: "用于封存全部内容的密钥中，只有正在使用的一个存在。",
        },
        measured: Text {
            en: "The place of the key before the one in use is read on the disk, where nothing but noise may be, and the records of keys that could not be overwritten are counted.",
            zh: "在磁盘上读取上一个密钥所在位置，该处只应是随机数据，并统计未能覆盖的密钥的记录。",
        },
        clauses: Clauses {
            gdpr: &["17", "32"],
            iso27001: &["A.8.10"],
            nist: &["SC-12", "MP-6"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "other_key_in_anchor", must: Must::Be(false) },
            Condition { fact: "keys_left_on_record", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "KEY-03",
        claim: Text {
            en: "What is in memory reaches no disk by way of the swap space.",
            zh: "内存中的内容不会经由交换空间写入磁盘。",
        },
        measured: Text {
            en: "At the start the swap spaces of the host are read, those that are neither encrypted nor memory themselves are counted, and it is read whether this process may be swapped out; that keys are wiped is not tried here.",
            zh: "启动时读取主机的交换空间，统计既未加密也不在内存中的交换空间，并读取本进程是否允许被换出；此处不检验密钥的擦除。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["SC-12", "SC-3"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "open_swaps", must: Must::AtMost(0) }]),
    },
    Control {
        id: "KEY-04",
        claim: Text {
            en: "The recovery code was tried within the period that the policy names, and opens the vault.",
            zh: "恢复码在策略规定的期限内试用过，并能打开保险库。",
        },
        measured: Text {
            en: "The time since the recovery code opened the vault last, as it is on record since the code was drawn, is compared with the policy; who keeps it is the controller’s part.",
            zh: "将恢复码生成后最近一次打开保险库的记录距今的时间与策略比较；由谁保管属于控制者的职责。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(b)", "32(1)(c)"],
            iso27001: &["A.8.13", "A.8.24"],
            nist: &["SC-12(1)", "CP-9"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "drilled", must: Must::Be(true) },
            Condition { fact: "drill_age_seconds_max", must: Must::AtLeastFact("drill_age_seconds") },
        ]),
    },
    Control {
        id: "ERA-01",
        claim: Text {
            en: "What is erased stays erased: no key and no second name keeps it.",
            zh: "已删除的内容不会恢复：没有密钥或第二个文件名将其保留。",
        },
        measured: Text {
            en: "The erased pictures on record are looked for among those that the vault holds, the place of the key before the one in use is read, and sealed files that have a second name are counted.",
            zh: "在保险库所存图片中查找已记录删除的图片，读取上一个密钥所在位置，并统计具有第二个文件名的密封文件。",
        },
        clauses: Clauses {
            gdpr: &["17", "5(1)(e)"],
            iso27001: &["A.8.10"],
            nist: &["MP-6", "SI-12(3)"],
            cn: &["PIPL 47"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "erased_and_held", must: Must::AtMost(0) },
            Condition { fact: "other_key_in_anchor", must: Must::Be(false) },
            Condition { fact: "keys_left_on_record", must: Must::AtMost(0) },
            Condition { fact: "sealed_files_with_second_name", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "ERA-02",
        claim: Text {
            en: "Each erasure can be certified, with what is left of it.",
            zh: "每次删除都可以出具删除证明，并列明未被销毁的内容。",
        },
        measured: Text {
            en: "What a certificate of the last erasures would rest on is read from the log, and each record is proved to be in it.",
            zh: "从日志读取最近几次删除的证明所依据的记录，并证明每条记录都在日志中。",
        },
        clauses: Clauses {
            gdpr: &["5(2)", "17", "19"],
            iso27001: &["A.8.10", "A.5.33"],
            nist: &["MP-6", "SI-12(3)"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition {
            fact: "erasures_certifiable",
            must: Must::SameAs("erasures_read"),
        }]),
    },
    Control {
        id: "ERA-03",
        claim: Text {
            en: "Restoring a backup brings no erased picture back.",
            zh: "恢复备份不会使已删除的图片重现。",
        },
        measured: Text {
            en: "Of each backup that was put back it is read whether the log was there that says what had been erased, and whether an erased picture was seen again.",
            zh: "读取每次恢复备份时记载删除情况的日志是否存在，以及已删除的图片是否重现。",
        },
        clauses: Clauses {
            gdpr: &["17", "32"],
            iso27001: &["A.8.13"],
            nist: &["CP-9", "MP-6"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "restores", must: Must::AtLeast(1) },
            Condition { fact: "restores_without_log", must: Must::AtMost(0) },
            Condition { fact: "erased_and_back", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "ERA-04",
        claim: Text { en: "The log still verifies after erasures.", zh: "删除之后日志仍可验证。" },
        measured: Text {
            en: "All records are verified, and the erasures among them are counted.",
            zh: "验证全部记录，并统计其中的删除记录。",
        },
        clauses: Clauses {
            gdpr: &["5(2)", "17"],
            iso27001: &["A.5.33"],
            nist: &["AU-9", "AU-11"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "erasures", must: Must::AtLeast(1) },
            Condition { fact: "findings", must: Must::AtMost(0) },
        ]),
    },
];
