//! Who can reach the program, and from where it can be reached.

use crate::control::{Clauses, Condition, Control, Must, Reason, Text, Trial};

pub(super) const ACCESS: &[Control] = &[
    Control {
        id: "NET-01",
        claim: Text {
            en: "The program listens on the loopback address alone, at one port.",
            zh: "程序只在本机回环地址的一个端口上监听。",
        },
        measured: Text {
            en: "The sockets that listen at this port are read from the kernel’s table and counted by address.",
            zh: "从内核的套接字表读取在该端口监听的套接字，并按地址计数。",
        },
        clauses: Clauses {
            gdpr: &["25", "32(1)(b)"],
            iso27001: &["A.8.20", "A.8.21"],
            nist: &["SC-7", "CM-7"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "listeners_here", must: Must::AtLeast(1) },
            Condition { fact: "listeners_elsewhere", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "NET-02",
        claim: Text {
            en: "The process that holds the keys cannot reach a network.",
            zh: "持有密钥的进程无法访问网络。",
        },
        measured: Text {
            en: "Connections and sockets of every kind are tried from two threads, and whether the process has a network of its own, an empty one, is read.",
            zh: "从两个线程尝试各类连接和套接字，并读取进程是否处于自有的空网络中。",
        },
        clauses: Clauses {
            gdpr: &["32", "44"],
            iso27001: &["A.8.12", "A.8.22"],
            nist: &["SC-7(5)", "AC-4"],
            cn: &["PIPL 38", "PIPL 39", "PIPL 40"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "own_network", must: Must::Be(true) },
            Condition { fact: "attempts", must: Must::AtLeast(1) },
            Condition { fact: "attempts_that_worked", must: Must::AtMost(0) },
        ]),
    },
    Control {
        id: "NET-03",
        claim: Text {
            en: "Requests with a foreign host or origin are refused.",
            zh: "来自外部主机名或来源的请求被拒绝。",
        },
        measured: Text {
            en: "Requests with forged names would be sent to the running server.",
            zh: "向运行中的服务器发送伪造名称的请求。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.26"], nist: &["SC-23", "SI-10"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "NET-04",
        claim: Text {
            en: "The host’s firewall backs the program’s own fences.",
            zh: "主机防火墙作为程序自身隔离措施的补充。",
        },
        measured: Text {
            en: "The host’s rules would be read before the fences go up.",
            zh: "在隔离措施生效之前读取主机规则。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.20"], nist: &["SC-7"], ..Clauses::NONE },
        trial: Trial::None(Reason::NoProbeYet),
    },
    Control {
        id: "NET-05",
        claim: Text {
            en: "The program and its page send no telemetry and load nothing from elsewhere.",
            zh: "程序及其页面不发送遥测，也不从外部加载任何内容。",
        },
        measured: Text {
            en: "Addresses in the program and its page would be listed.",
            zh: "列出程序和页面中出现的地址。",
        },
        clauses: Clauses {
            gdpr: &["32", "44"],
            iso27001: &["A.8.12"],
            nist: &["SC-7", "CM-7"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "ACC-01",
        claim: Text {
            en: "Every request needs a credential, on the loopback address too.",
            zh: "即使来自本机回环地址，每个请求也需要凭据。",
        },
        measured: Text {
            en: "Every route would be asked without one.", zh: "不带凭据访问每一条路由。"
        },
        clauses: Clauses {
            gdpr: &["25", "32(1)(b)"],
            iso27001: &["A.5.17", "A.8.5"],
            nist: &["IA-2", "AC-3"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "ACC-02",
        claim: Text {
            en: "Operators, administrators and auditors have separate rights.",
            zh: "操作员、管理员和审计员的权限相互分离。",
        },
        measured: Text {
            en: "Every role would be tried at every route.", zh: "用每种角色尝试每一条路由。"
        },
        clauses: Clauses {
            gdpr: &["29", "32(4)"],
            iso27001: &["A.5.15", "A.8.2"],
            nist: &["AC-6", "AC-5"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "ACC-03",
        claim: Text { en: "Guessing a passphrase is slowed down.", zh: "口令猜测会被减速。" },
        measured: Text {
            en: "Wrong passphrases would be sent to the running server.",
            zh: "向运行中的服务器发送错误口令。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.5"], nist: &["AC-7"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "ACC-04",
        claim: Text { en: "An idle vault is locked.", zh: "闲置的保险库会自动锁定。" },
        measured: Text {
            en: "A short idle time would be waited for, and keys looked for in memory.",
            zh: "等待较短的闲置时间，并在内存中查找密钥。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.5"], nist: &["AC-11", "AC-12"], ..Clauses::NONE },
        trial: Trial::None(Reason::NoProbeYet),
    },
    Control {
        id: "ACC-05",
        claim: Text {
            en: "Reading the log is itself on record.", zh: "读取日志的行为本身也会被记录。"
        },
        measured: Text {
            en: "The record of a reading would be looked for.", zh: "查找读取行为的记录。"
        },
        clauses: Clauses {
            gdpr: &["5(2)", "32"],
            iso27001: &["A.8.15", "A.5.28"],
            nist: &["AU-9(4)", "AU-12"],
            ..Clauses::NONE
        },
        trial: Trial::None(Reason::NoProbeYet),
    },
];
