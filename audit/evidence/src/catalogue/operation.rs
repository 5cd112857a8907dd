//! The program itself, and how it is run.

use crate::control::{Clauses, Condition, Control, Must, Reason, Text, Trial};

pub(super) const OPERATION: &[Control] = &[
    Control {
        id: "SAF-02",
        claim: Text {
            en: "The model’s files are those that were loaded and put on record.",
            zh: "模型文件与加载并记录时一致。",
        },
        measured: Text {
            en: "What the kernel says of each file, its identity, size and times of change, is compared with what it said before the files were read and digested, and their digest with the record of the start.",
            zh: "将内核给出的每个文件的标识、大小和修改时间与读取并计算摘要之前的情况比较，并将摘要与启动记录比较。",
        },
        clauses: Clauses {
            iso27001: &["A.5.19", "A.8.19"],
            nist: &["SR-4", "CM-14"],
            ai_act: &["53"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "model_files", must: Must::AtLeast(1) },
            Condition { fact: "model_files_changed", must: Must::AtMost(0) },
            Condition { fact: "model_now", must: Must::SameAs("model_on_record") },
        ]),
    },
    Control {
        id: "SAF-03",
        claim: Text {
            en: "Operators have acknowledged the instructions.", zh: "操作员已确认使用说明。"
        },
        measured: Text {
            en: "The record of it would be looked for.", zh: "若要检验，须查找相应记录。"
        },
        clauses: Clauses { iso27001: &["A.6.3"], nist: &["AT-2"], ai_act: &["4"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotBuilt),
    },
    Control {
        id: "INT-01",
        claim: Text {
            en: "The program that runs is the one whose digest is on record, and its file is still that one.",
            zh: "运行中的程序即其摘要已记录的程序，其文件也未改变。",
        },
        measured: Text {
            en: "What the kernel says of the program’s file is compared with what it said before the file was digested, and the digest with the record of the start; who made the program is told by the signature of an update, which is checked before it is installed.",
            zh: "将内核给出的程序文件情况与计算摘要之前比较，并将摘要与启动记录比较；程序出自何人由更新包的签名证明，该签名在安装前检查。",
        },
        clauses: Clauses {
            gdpr: &["32"],
            iso27001: &["A.8.25", "A.8.28"],
            nist: &["SA-15", "SR-3"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "program_file_changed", must: Must::Be(false) },
            Condition { fact: "program_now", must: Must::SameAs("program_on_record") },
        ]),
    },
    Control {
        id: "INT-02",
        claim: Text {
            en: "Every fence around the process with the keys holds.",
            zh: "围绕持有密钥的进程的每道隔离措施均有效。",
        },
        measured: Text {
            en: "Everything that its fences forbid is tried, from two threads; the other processes try theirs at each start, on record.",
            zh: "从两个线程尝试其隔离措施所禁止的一切操作；其他进程在每次启动时自行尝试并留有记录。",
        },
        clauses: Clauses {
            gdpr: &["25", "32"],
            iso27001: &["A.8.20", "A.8.22"],
            nist: &["SC-39", "AC-6"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "attempts", must: Must::AtLeast(1) },
            Condition { fact: "attempts_that_worked", must: Must::AtMost(0) },
            Condition { fact: "fences_missing", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "INT-03",
        claim: Text {
            en: "The policy file is the one that the last start put on record.",
            zh: "策略文件与最近一次启动时记录的一致。",
        },
        measured: Text {
            en: "The file is read anew and compared with what it was at the start, and the policy in force with the record of the start. What is changed in it holds after the next start: start the server again, or put the file back.",
            zh: "重新读取文件并与启动时比较，并将生效的策略与启动记录比较。对文件的更改自下次启动起生效：请重新启动服务器，或恢复原文件。",
        },
        clauses: Clauses {
            gdpr: &["32"],
            iso27001: &["A.8.9"],
            nist: &["CM-2", "CM-3", "CM-6"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "file_replaced", must: Must::Be(false) },
            Condition { fact: "file_now", must: Must::SameAs("file_at_start") },
            Condition { fact: "policy_in_force", must: Must::SameAs("policy_on_record") },
        ]),
    },
    Control {
        id: "INT-04",
        claim: Text {
            en: "Known weaknesses of the parts are looked for.",
            zh: "定期检查组成部分的已知漏洞。",
        },
        measured: Text {
            en: "The date of the last look would be read.",
            zh: "若要检验，须读取最近一次检查的日期。",
        },
        clauses: Clauses { gdpr: &["32(1)(d)"], iso27001: &["A.8.8"], nist: &["RA-5"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotOffline),
    },
    Control {
        id: "OPS-01",
        claim: Text {
            en: "There is a backup that is not older than the policy allows.",
            zh: "存在不早于策略允许时间的备份。",
        },
        measured: Text {
            en: "The backups on record that nobody has said are destroyed are counted, and the age of the newest is compared with the policy; whether one can be put back is not tried here.",
            zh: "统计记录中未声明销毁的备份，并将最新一份距今的时间与策略比较；此处不演练恢复。",
        },
        clauses: Clauses {
            gdpr: &["32(1)(c)"],
            iso27001: &["A.8.13", "A.5.30"],
            nist: &["CP-9", "CP-10"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "backups", must: Must::AtLeast(1) },
            Condition { fact: "backup_age_seconds_max", must: Must::AtLeastFact("backup_age_seconds") },
        ]),
    },
    Control {
        id: "OPS-02",
        claim: Text {
            en: "The state at a breach can be pinned and handed over.",
            zh: "发生泄露时可固定并移交当时的状态。",
        },
        measured: Text {
            en: "Of each state that was pinned it is read whether a bundle was handed out for it; a bundle that does not pass its own check is not.",
            zh: "读取是否为每次固定的状态交出了证据包；未通过自检的证据包不会交出。",
        },
        clauses: Clauses {
            gdpr: &["33", "34"],
            iso27001: &["A.5.24", "A.5.25", "A.5.26", "A.5.27", "A.5.28"],
            nist: &["IR-4", "IR-6"],
            cn: &["PIPL 57"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "states_handed_over", must: Must::SameAs("states_pinned") }]),
    },
    Control {
        id: "OPS-03",
        claim: Text {
            en: "The host watches the program’s folders as a second view.",
            zh: "主机作为第二视角监视程序的文件夹。",
        },
        measured: Text {
            en: "The rules that the host loads at its start are read, and whether they watch each folder is told from them.",
            zh: "读取主机启动时加载的审计规则，并判断其是否监视每个文件夹。",
        },
        clauses: Clauses {
            gdpr: &["32"],
            iso27001: &["A.8.15", "A.8.16"],
            nist: &["AU-12", "AU-9"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "folders_watched", must: Must::SameAs("folders") }]),
    },
    Control {
        id: "GOV-01",
        claim: Text {
            en: "The controls are tried as often as the policy says, and at least once a week.",
            zh: "按策略规定的频率检验各项控制，且至少每周一次。",
        },
        measured: Text {
            en: "The age of the last full run before this one is read from the log, and held against the days that the policy names: seven where it names none.",
            zh: "从日志读取本次之前最近一次完整检验距今的时间，并与策略规定的天数比较；未规定时为七天。",
        },
        clauses: Clauses {
            gdpr: &["5(2)", "24", "32(1)(d)"],
            iso27001: &["A.5.35", "A.5.36"],
            nist: &["CA-2", "CA-7"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "age_seconds_max", must: Must::AtLeastFact("age_seconds") }]),
    },
    Control {
        id: "GOV-02",
        claim: Text {
            en: "Evidence is handed out signed, and checks.", zh: "证据以签名形式交付并可验证。"
        },
        measured: Text {
            en: "Of the newest bundle on record it is read whether the key that signed it was on record before, and whether it passed its own check.",
            zh: "读取记录中最新的证据包：签署它的密钥此前是否已有记录，以及它是否通过自检。",
        },
        clauses: Clauses {
            gdpr: &["5(2)"],
            iso27001: &["A.5.28", "A.5.33"],
            nist: &["AU-10", "SI-7"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "key_on_record_before", must: Must::Be(true) },
            Condition { fact: "passed_own_check", must: Must::Be(true) },
        ]),
    },
    Control {
        id: "GOV-03",
        claim: Text {
            en: "No claim about an article of law is contradicted by a control that is to show it.",
            zh: "关于法律条款的任何声明都不与用于证明它的控制相矛盾。",
        },
        measured: Text {
            en: "For each article that a bundle speaks of, the controls that it names are looked up in this run; an article whose controls were not tried is counted as not shown.",
            zh: "对证据包所述的每项条款，查看其所列控制在本次检验中的结果；其控制未经检验的条款计为未证明。",
        },
        clauses: Clauses {
            gdpr: &["5(1)(a)", "5(2)"],
            iso27001: &["A.5.31"],
            nist: &["PL-2"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "claims_shown", must: Must::AtLeast(1) },
            Condition { fact: "claims_contradicted", must: Must::AtMost(0) },
        ]),
    },
];
