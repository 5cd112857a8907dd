//! The assessment of the impact on people.

use super::paper::{Author, Field, Paper};
use super::record::{
    CONTROLLER, MEASURES, NECESSITY, OFFICER, OTHER_MEASURES, OUTWARDS, PERIODS, PURPOSES, RECORDED,
};
use crate::html::both as says;

pub(super) const IMPACT: Paper = Paper {
    id: "impact",
    article: "35(7)",
    title: says("Data protection impact assessment", "数据保护影响评估"),
    about: says(
        "Whether one is due is for the controller to decide; this is what the program contributes to it.",
        "是否需要评估由控制者决定；以下是程序能够提供的内容。",
    ),
    fields: &[
        CONTROLLER,
        PURPOSES,
        Field {
            label: says("How it works", "工作方式"),
            author: Author::Program(
                says(
                    "A prompt goes from a browser or a terminal of this machine to a process with a model and without keys. The picture \
                     comes back and is sealed before it is told of. A record is durable and signed before each effect. Nothing takes part \
                     that is not on this machine.",
                    "提示词从本机的浏览器或终端进入一个有模型但没有密钥的进程。图片返回后，先封存，然后才告知其存在。每次操作生效之前，其记录已持久保存并签名。没有任何本机以外的参与方。",
                ),
                &["NET-02", "INT-02", "CRY-01"],
            ),
        },
        RECORDED,
        OUTWARDS,
        NECESSITY,
        PERIODS,
        Field {
            label: says("Risks that stay", "仍然存在的风险"),
            author: Author::Program(
                says(
                    "Whoever is root on the host reads what the program reads. A plain copy is out of its hands. Older images of the disk, \
                     snapshots and backups hold what was erased since; the certificate of an erasure lists what it does not cover. A picture \
                     may look like a person who knows nothing of it, and what the model was made from is for the controller to find out.",
                    "主机的 root 用户可读取程序所读取的内容。未封存副本不再受程序控制。磁盘的旧镜像、快照和备份仍含有此后删除的内容；删除证明列明其未涵盖的部分。图片可能与不知情的人相似；\
                     模型的训练来源由控制者查明。",
                ),
                &["ERA-02", "ERA-03", "SAF-02"],
            ),
        },
        Field {
            label: says("Risks to people", "对人员的风险"),
            author: Author::Controller(
                "risks",
                says(
                    "What could happen to staff and to people in pictures, how likely and how bad it is.",
                    "员工和图片中的人物可能遭受什么，可能性和严重程度如何。",
                ),
            ),
        },
        MEASURES,
        OTHER_MEASURES,
        Field {
            label: says("Views of the people concerned", "相关人员的意见"),
            author: Author::Controller(
                "views",
                says(
                    "Who was asked and what they said, or why nobody was.",
                    "询问了谁及其意见，或未询问的理由。",
                ),
            ),
        },
        OFFICER,
        Field {
            label: says("Advice of the officer", "数据保护官的建议"),
            author: Author::Controller("advice", says("What it was, and when.", "内容和时间。")),
        },
        Field {
            label: says("Decision", "决定"),
            author: Author::Controller(
                "decision",
                says(
                    "Who decided what and when, whether the authority is consulted, and when it is looked at again.",
                    "谁在何时作出何种决定、是否咨询监管机构，以及何时复查。",
                ),
            ),
        },
    ],
};
