//! The articles of the GDPR that matter here: what the program does, which controls show it, and what stays with the controller.
//! A product cannot make a processing lawful; this is what it contributes.

use crate::control::Text;

/// One article.
#[derive(Debug)]
pub struct Article {
    /// Its number, such as `5(1)(c)`.
    pub number: &'static str,
    /// What the program does.
    pub does: Text,
    /// What stays with the controller.
    pub left: Text,
    /// Ids of the controls that show it.
    pub controls: &'static [&'static str],
}

/// The articles, in their order.
pub const ARTICLES: &[Article] = &[
    Article {
        number: "4",
        does: Text {
            en: "The log names people by pseudonyms whose key lies sealed in the vault. They are personal data all the same.",
            zh: "日志以化名记录人员，化名的密钥封存在保险库中。它们仍属于个人数据。",
        },
        left: Text {
            en: "Decide who may turn a pseudonym back into a person, and treat the log as personal data.",
            zh: "决定谁可以还原化名，并将日志作为个人数据对待。",
        },
        controls: &["PRV-02", "LOG-12"],
    },
    Article {
        number: "5(1)(c)",
        does: Text {
            en: "A prompt is kept only where a request asks for it and the policy allows it. No record holds free text.",
            zh: "只有请求提出且策略允许时才保留提示词。任何记录都不含自由文本。",
        },
        left: Text {
            en: "Forbid keeping prompts in the policy where nobody needs them.",
            zh: "在无人需要时，通过策略禁止保留提示词。",
        },
        controls: &["LOG-12", "PRV-08", "PRV-01"],
    },
    Article {
        number: "5(1)(e)",
        does: Text {
            en: "Pictures can be destroyed one by one, with their keys. Where the policy names a period they go by themselves when it is over, unless a legal hold keeps them; without one nothing does.",
            zh: "图片可逐一连同密钥销毁。策略规定了期限时，期满后自动销毁，除非受法律保全；未规定时不会自动销毁任何内容。",
        },
        left: Text {
            en: "Set the periods, of the log and of backups, too, and destroy what has reached them.",
            zh: "设定保存期限，包括日志和备份的期限，并销毁到期内容。",
        },
        controls: &["ERA-01", "LOG-10"],
    },
    Article {
        number: "5(1)(f)",
        does: Text {
            en: "Pictures lie sealed, the program is fenced in, and a changed record or picture is found.",
            zh: "图片加密封存，程序受到隔离，记录或图片的改动会被发现。",
        },
        left: Text {
            en: "Protect the host, the passphrase and the recovery code.",
            zh: "保护主机、口令和恢复码。",
        },
        controls: &["CRY-01", "CRY-06", "INT-02", "LOG-03"],
    },
    Article {
        number: "6(1)(f)",
        does: Text {
            en: "The program processes nothing for a purpose of its own.",
            zh: "程序不为自身目的处理任何数据。",
        },
        left: Text {
            en: "Choose the legal basis, weigh the interests and write it down. A public authority cannot rely on this one for its tasks.",
            zh: "选择法律依据，权衡利益并记录。公共机构不得以此作为履行职责的依据。",
        },
        controls: &["PRV-07"],
    },
    Article {
        number: "7",
        does: Text { en: "The program asks nobody for consent.", zh: "程序不向任何人征求同意。" },
        left: Text {
            en: "The consent of staff is rarely free: look for another basis.",
            zh: "员工的同意很少是自由作出的：应另寻依据。",
        },
        controls: &["PRV-07"],
    },
    Article {
        number: "13",
        does: Text {
            en: "What is recorded about the people who use it is listed in the schema of the log.",
            zh: "关于使用者记录了哪些内容，列于日志的结构定义中。",
        },
        left: Text {
            en: "Tell them before they begin what is recorded, why, and for how long.",
            zh: "在使用之前告知其记录的内容、目的和期限。",
        },
        controls: &["PRV-07", "LOG-12"],
    },
    Article {
        number: "15",
        does: Text {
            en: "What log and vault hold about one person is collected by their pseudonym into a folder for them, to read and for programs.",
            zh: "可凭化名将日志和保险库中有关某人的信息汇集到一个文件夹中，供其阅读和程序处理。",
        },
        left: Text { en: "Answer the request, within a month.", zh: "在一个月内答复请求。" },
        controls: &["PRV-06"],
    },
    Article {
        number: "17",
        does: Text {
            en: "Erasing destroys the key of a picture, so that what is left of it opens for nobody. Plain copies that were exported, and copies of the whole vault folder from before, are not touched.",
            zh: "删除会销毁图片的密钥，残留部分无人能够打开。已导出的未封存副本以及此前整个保险库文件夹的副本不受影响。",
        },
        left: Text {
            en: "List the copies outside, and erase them.", zh: "列出外部副本并予以删除。"
        },
        controls: &["ERA-01", "KEY-02", "ERA-02", "ERA-03", "ERA-04"],
    },
    Article {
        number: "25",
        does: Text {
            en: "Prompts are not kept, nothing is reachable from outside, and no network is reachable from inside, unless somebody decides otherwise where the policy lets them.",
            zh: "默认不保留提示词，外部无法访问程序，程序内部也无法访问网络，除非有人在策略允许的范围内另作决定。",
        },
        left: Text {
            en: "Keep the defaults, or write down why not.",
            zh: "保持默认设置，或记录不保持的理由。",
        },
        controls: &["NET-01", "NET-02", "PRV-03", "INT-03"],
    },
    Article {
        number: "28",
        does: Text {
            en: "No service of anybody else takes part in making, keeping or erasing a picture.",
            zh: "生成、保存或删除图片均无他方服务参与。",
        },
        left: Text {
            en: "Whoever looks after the host, its backups or its monitoring may be a processor: find out, and make the contracts.",
            zh: "维护主机、备份或监控的一方可能是处理者：应查明并签订合同。",
        },
        controls: &["NET-02", "NET-05"],
    },
    Article {
        number: "30",
        does: Text {
            en: "The policy with its reasons and the readings of this bundle are material for the record.",
            zh: "附有理由的策略和本证据包中的读数可作为编制该记录的材料。",
        },
        left: Text {
            en: "Keep the record of processing activities.", zh: "编制并保存处理活动记录。"
        },
        controls: &["PRV-04", "INT-03"],
    },
    Article {
        number: "32",
        does: Text {
            en: "Encryption, fences, a signed log, and trials of all of them that can fail and say so.",
            zh: "加密、隔离、经过签名的日志，以及对上述各项的检验；检验可能不通过，且会如实说明。",
        },
        left: Text {
            en: "Judge the risk, secure the host, and have the trials made regularly.",
            zh: "评估风险，保护主机，并定期进行检验。",
        },
        controls: &["CRY-01", "CRY-03", "INT-02", "LOG-03", "GOV-01"],
    },
    Article {
        number: "33",
        does: Text {
            en: "The log tells what was done up to its last signed record, and a checkpoint kept elsewhere whether that is all. The state at an incident is pinned on record, handed over, and its clocks are counted.",
            zh: "日志说明截至最后一条签名记录所做的一切；保存在他处的检查点可说明这是否就是全部。事件发生时的状态可固定在记录中并移交，相应时限随即开始计算。",
        },
        left: Text {
            en: "Assess each breach and notify within 72 hours where that is due. That the data were sealed does not end the duty to assess.",
            zh: "评估每起个人数据泄露，并在需要时于 72 小时内通知。数据已加密并不免除评估义务。",
        },
        controls: &["LOG-03", "LOG-05", "OPS-02"],
    },
    Article {
        number: "44",
        does: Text { en: "The program cannot reach a network.", zh: "程序无法访问网络。" },
        left: Text {
            en: "What people carry out leaves with them: decide where it may go.",
            zh: "人员带出的内容不再受程序控制：应决定其可去往何处。",
        },
        controls: &["NET-02"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::control;

    #[test]
    fn every_article_names_controls_that_exist_and_leaves_a_part_to_the_controller() {
        let numbers: Vec<&str> = ARTICLES.iter().map(|article| article.number).collect();
        let wanted = "4 5(1)(c) 5(1)(e) 5(1)(f) 6(1)(f) 7 13 15 17 25 28 30 32 33 44";
        assert_eq!(numbers.join(" "), wanted);
        for article in ARTICLES {
            assert!(!article.controls.is_empty(), "{}", article.number);
            assert!(article.controls.iter().all(|id| control(id).is_some()), "{}", article.number);
            for Text { en, zh } in [article.does, article.left] {
                assert!(en.ends_with('.') && zh.ends_with('。') && en.is_ascii(), "{}: {en}", article.number);
            }
        }
    }
}
