//! The notice for staff, and the sheet about processors.

use super::paper::{Author, Field, Paper};
use super::record::{
    BASIS, CONTROLLER, OBJECTION, OFFICER, OTHER_PERIODS, OUTWARDS, PERIODS, PURPOSES, RECIPIENTS, RECORDED,
    TRANSFERS,
};
use crate::html::both as says;

pub(super) const NOTICE: Paper = Paper {
    id: "notice",
    article: "13",
    title: says("Notice for people who use it", "致使用者的告知"),
    about: says(
        "To be handed out before somebody uses the installation for the first time.",
        "在首次使用本系统之前发给使用者。",
    ),
    fields: &[
        CONTROLLER,
        OFFICER,
        PURPOSES,
        BASIS,
        RECORDED,
        Field {
            label: says("Who sees it", "谁可以看到"),
            author: Author::Program(
                says(
                    "The log is read by admins and auditors, who see pseudonyms. An admin may ask who is behind one, with a reason, and that \
                     is a record, too. Your pictures open for you.",
                    "日志由管理员和审计员读取，他们看到的是化名。管理员可以查询某个化名对应的人员，但须说明理由，此操作同样有记录。您的图片由您本人打开。",
                ),
                &["PRV-02"],
            ),
        },
        OUTWARDS,
        RECIPIENTS,
        TRANSFERS,
        PERIODS,
        OTHER_PERIODS,
        Field {
            label: says("Your rights", "您的权利"),
            author: Author::Program(
                says(
                    "Ask for what is held about you: it is handed out in a folder, to read and for programs. Erase your pictures, unless the \
                     policy or a legal hold keeps them. Nobody changes what a record says, though the content of some may be taken away when its period is over; have what is wrong in one noted by the controller.",
                    "您可以要求获得本系统保存的有关您的信息：以文件夹形式提供，既可阅读，也可由程序处理。您可以删除自己的图片，除非策略或法律保全要求留存。记录的内容不会被更改，但其中一部分可在期限届满后删减；如记录有误，请要求控制者加注说明。",
                ),
                &["PRV-06"],
            ),
        },
        OBJECTION,
        Field {
            label: says("Complaints", "投诉"),
            author: Author::Controller(
                "authority",
                says("The supervisory authority, with its contact.", "监管机构及其联系方式。"),
            ),
        },
        Field {
            label: says("Decisions by machine", "自动化决策"),
            author: Author::Program(
                says("The program decides nothing about people.", "程序不对人员作出任何决定。"),
                &[],
            ),
        },
        Field {
            label: says("Council of staff", "员工代表机构"),
            author: Author::Controller(
                "staff_council",
                says(
                    "What was agreed with it, or with another body that national law names (Art. 88).",
                    "与该机构或国内法规定的其他机构（第 88 条）达成的约定。",
                ),
            ),
        },
    ],
};

pub(super) const PROCESSORS: Paper = Paper {
    id: "processors",
    article: "28",
    title: says("Who may be a processor", "可能的处理者"),
    about: says(
        "Questions that tell whether somebody else can reach the data. Whoever can may be a processor, and needs a contract.",
        "用于判断是否有他人能够接触数据的问题。能够接触数据者可能是处理者，需要签订合同。",
    ),
    fields: &[
        CONTROLLER,
        Field {
            label: says("The program itself", "程序本身"),
            author: Author::Program(
                says(
                    "No service of anybody takes part in making, keeping or erasing a picture, and none is reached.",
                    "生成、保存或删除图片均无他方服务参与，也不访问任何服务。",
                ),
                &["NET-02"],
            ),
        },
        Field {
            label: says("Host", "主机"),
            author: Author::Controller(
                "host",
                says("Who owns, houses and administers the machine.", "谁拥有、托管和管理该机器。"),
            ),
        },
        Field {
            label: says("Support", "技术支持"),
            author: Author::Controller(
                "support",
                says("Who looks at it from afar or on site.", "由谁远程或现场查看本机。"),
            ),
        },
        Field {
            label: says("Backups", "备份"),
            author: Author::Controller(
                "backups",
                says("Who keeps them, and where.", "由谁保存、保存在何处。"),
            ),
        },
        Field {
            label: says("Monitoring", "监控"),
            author: Author::Controller(
                "monitoring",
                says("Who gets the log or the logs of the host.", "谁获得日志或主机日志。"),
            ),
        },
        Field {
            label: says("Contracts", "合同"),
            author: Author::Controller(
                "contracts",
                says("With whom there is one, and from when.", "与谁签订及自何时起。"),
            ),
        },
    ],
};
