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
            zh: "查找最近一次测试的记录。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(d)"],
            iso27001: &["A.8.24", "A.8.29"],
            nist: &["SC-13", "SI-6"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NoProbeYet),
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
            en: "A destroyed key opens nothing any more.", zh: "被销毁的密钥不能再打开任何内容。"
        },
        measured: Text {
            en: "A test object is sealed and erased, and its kept ciphertext is tried.",
            zh: "封存并删除一个测试对象，再尝试打开保留的密文。",
        },
        clauses: Clauses {
            gdpr: &["17", "32"],
            iso27001: &["A.8.10"],
            nist: &["SC-12", "MP-6"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "erased", must: Must::Be(true) },
            Condition { fact: "kept_ciphertext_opens", must: Must::Be(false) },
        ]),
    },
    Control {
        id: "KEY-03",
        claim: Text {
            en: "Keys are kept out of the swap space, and wiped.",
            zh: "密钥不会进入交换空间，并会被擦除。",
        },
        measured: Text {
            en: "The process’s own memory would be searched for a test key.",
            zh: "在进程自身内存中查找测试密钥。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.24"], nist: &["SC-12", "SC-3"], ..Clauses::NONE },
        trial: Trial::None(Reason::NoProbeYet),
    },
    Control {
        id: "KEY-04",
        claim: Text {
            en: "It is decided and on record who holds the recovery code.",
            zh: "恢复码的保管人已确定并记录在案。",
        },
        measured: Text {
            en: "The date of the last drill would be read.", zh: "读取最近一次演练的日期。"
        },
        clauses: Clauses {
            gdpr: &["32(1)(b)", "32(1)(c)"],
            iso27001: &["A.8.13", "A.8.24"],
            nist: &["SC-12(1)", "CP-9"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NoProbeYet),
    },
    Control {
        id: "ERA-01",
        claim: Text {
            en: "An erased picture cannot be opened again, with its ciphertext in hand either.",
            zh: "被删除的图片无法再次打开，即使持有其密文。",
        },
        measured: Text {
            en: "A test object is sealed and erased, its ciphertext is kept, and opening it is tried.",
            zh: "封存并删除一个测试对象，保留其密文并尝试打开。",
        },
        clauses: Clauses {
            gdpr: &["17", "5(1)(e)"],
            iso27001: &["A.8.10"],
            nist: &["MP-6", "SI-12(3)"],
            cn: &["PIPL 47"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "erased", must: Must::Be(true) },
            Condition { fact: "kept_ciphertext_opens", must: Must::Be(false) },
        ]),
    },
    Control {
        id: "ERA-02",
        claim: Text {
            en: "Each erasure can be certified, with what is left of it.",
            zh: "每次删除都可以出具证书，并列明残留内容。",
        },
        measured: Text {
            en: "What a certificate of the last erasures would rest on is read from the log, and each record is proved to be in it.",
            zh: "从日志读取最近几次删除的证书所依据的记录，并证明每条记录都在日志中。",
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
