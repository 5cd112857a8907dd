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
            en: "Requests with forged hosts, origins and sites are put to the routes of the running server, behind its socket, beside one with its own name, and those that were let in are counted.",
            zh: "在套接字之后，将使用伪造主机名、来源和站点的请求以及一个使用自身名称的请求交给运行中服务器的路由，并统计被放行的请求。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.26"], nist: &["SC-23", "SI-10"], ..Clauses::NONE },
        trial: Trial::Facts(&[
            Condition { fact: "forged_requests", must: Must::AtLeast(1) },
            Condition { fact: "forged_requests_let_in", must: Must::AtMost(0) },
            Condition { fact: "own_name_let_in", must: Must::Be(true) },
        ]),
    },
    Control {
        id: "NET-04",
        claim: Text {
            en: "The host’s firewall backs the program’s own fences.",
            zh: "主机防火墙作为程序自身隔离措施的补充。",
        },
        measured: Text {
            en: "The rules that come with the program are read where the host keeps them: whether they are about its port, and whether the host loads them at its start; whether they are loaded now is not asked.",
            zh: "在主机存放规则的位置读取随程序提供的防火墙规则：是否针对本程序的端口，以及主机启动时是否加载；不查询当前是否已加载。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.20"], nist: &["SC-7"], ..Clauses::NONE },
        trial: Trial::Facts(&[
            Condition { fact: "rules_about_this_port", must: Must::Be(true) },
            Condition { fact: "rules_loaded_at_start", must: Must::Be(true) },
        ]),
    },
    Control {
        id: "NET-05",
        claim: Text {
            en: "The program and its page send no telemetry and load nothing from elsewhere.",
            zh: "程序及其页面不发送遥测，也不从外部加载任何内容。",
        },
        measured: Text {
            en: "Addresses in the program and its page would be listed.",
            zh: "若要检验，须列出程序和页面中出现的地址。",
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
            en: "Every route would be asked without one.",
            zh: "若要检验，须不带凭据访问每一条路由。",
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
            en: "Rights go by role, and of several people not everybody is an administrator.",
            zh: "权限按角色划分；多人使用时并非人人都是管理员。",
        },
        measured: Text {
            en: "The people who have a passphrase are counted, and those of them who are administrators; whoever has the account of the host’s user is not asked about.",
            zh: "统计拥有口令的人员及其中的管理员；不涉及掌握主机用户帐户的人。",
        },
        clauses: Clauses {
            gdpr: &["29", "32(4)"],
            iso27001: &["A.5.15", "A.8.2"],
            nist: &["AC-6", "AC-5"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[
            Condition { fact: "people", must: Must::AtLeast(2) },
            Condition { fact: "people_not_admins", must: Must::AtLeast(1) },
        ]),
    },
    Control {
        id: "ACC-03",
        claim: Text {
            en: "Nobody tries one passphrase after the other as fast as they can.",
            zh: "没有人能够以最快速度逐个尝试口令。",
        },
        measured: Text {
            en: "The wrong passphrases on record of the last seven days are counted, and the most within one minute; at the page waiting lets ten or so pass, and at the command line only the work of each guess slows them down.",
            zh: "统计最近七天记录的错误口令及一分钟内的最多次数；页面的等待时间使其最多约十次，命令行则仅靠每次尝试的计算量来减缓。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.5"], nist: &["AC-7"], ..Clauses::NONE },
        trial: Trial::Facts(&[Condition { fact: "wrong_in_a_minute", must: Must::AtMost(12) }]),
    },
    Control {
        id: "ACC-04",
        claim: Text { en: "An idle vault is locked.", zh: "闲置的保险库会自动锁定。" },
        measured: Text {
            en: "A clock would be needed that runs ahead inside the server.",
            zh: "若要检验，须在服务器内部将时钟拨快。",
        },
        clauses: Clauses { gdpr: &["32"], iso27001: &["A.8.5"], nist: &["AC-11", "AC-12"], ..Clauses::NONE },
        trial: Trial::None(Reason::NotBreakable),
    },
    Control {
        id: "ACC-05",
        claim: Text {
            en: "Whoever reads the log through the server is on record, and nobody else on this machine may open its folder.",
            zh: "通过服务器读取日志会被记录，本机其他人无权打开其文件夹。",
        },
        measured: Text {
            en: "The rights of the folder of the log are read, and the readings on record are counted; what the same user reads of its files is on no record.",
            zh: "读取日志文件夹的权限，并统计读取记录；同一用户直接读取其文件不会被记录。",
        },
        clauses: Clauses {
            gdpr: &["5(2)", "32"],
            iso27001: &["A.8.15", "A.5.28"],
            nist: &["AU-9(4)", "AU-12"],
            ..Clauses::NONE
        },
        trial: Trial::Facts(&[Condition { fact: "others_may_open_folder", must: Must::Be(false) }]),
    },
];
