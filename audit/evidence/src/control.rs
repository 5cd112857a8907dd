//! What a control is: a claim in one sentence, the clauses that it supports, and what facts must be for it to hold.

use crate::fact::Fact;
use std::fmt;

/// One control of the catalogue. Its id never changes and is never given to another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Control {
    /// Its name everywhere, such as `NET-01`.
    pub id: &'static str,
    /// What is claimed where it is satisfied.
    pub claim: Text,
    /// What is looked at.
    pub measured: Text,
    /// The clauses that it supports.
    pub clauses: Clauses,
    /// How it is judged.
    pub trial: Trial,
}

/// A sentence in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese, simplified.
    pub zh: &'static str,
}

/// A language of what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Chinese, simplified.
    Zh,
}

impl Text {
    /// The sentence in that language.
    pub fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

/// Clauses of laws and standards, as identifiers only.
///
/// Which clause a control supports is this project's reading, to be confirmed by whoever relies on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Clauses {
    /// Articles of the GDPR.
    pub gdpr: &'static [&'static str],
    /// Controls of ISO/IEC 27001:2022, Annex A.
    pub iso27001: &'static [&'static str],
    /// Controls of NIST SP 800-53, revision 5.
    pub nist: &'static [&'static str],
    /// Articles of the EU AI Act, and with `CoP` measures of its code of practice on transparency.
    pub ai_act: &'static [&'static str],
    /// China: `PIPL`, `CSL`, `LM` (measures for labelling), `GenAI` (interim measures), and national standards.
    pub cn: &'static [&'static str],
}

impl Clauses {
    pub(crate) const NONE: Self = Self { gdpr: &[], iso27001: &[], nist: &[], ai_act: &[], cn: &[] };

    /// Those of one framework.
    pub fn of(&self, framework: Framework) -> &'static [&'static str] {
        match framework {
            Framework::Gdpr => self.gdpr,
            Framework::Iso27001 => self.iso27001,
            Framework::Nist => self.nist,
            Framework::AiAct => self.ai_act,
            Framework::Cn => self.cn,
        }
    }
}

/// A law or standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// Regulation (EU) 2016/679.
    Gdpr,
    /// ISO/IEC 27001:2022, Annex A.
    Iso27001,
    /// NIST SP 800-53, revision 5.
    Nist,
    /// Regulation (EU) 2024/1689 and its code of practice on transparency.
    AiAct,
    /// Laws and standards of China.
    Cn,
}

impl Framework {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gdpr, Self::Iso27001, Self::Nist, Self::AiAct, Self::Cn];

    /// Its name in files and arguments.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Iso27001 => "iso27001",
            Self::Nist => "nist",
            Self::AiAct => "ai-act",
            Self::Cn => "cn",
        }
    }

    /// What a name stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|framework| framework.word() == word)
    }
}

/// How a control is judged.
#[derive(Debug, PartialEq, Eq)]
pub enum Trial {
    /// By facts, each of which must be there and be as said.
    Facts(&'static [Condition<'static>]),
    /// Not in this version, and why.
    None(Reason),
}

/// What one fact must be: of this program's catalogue, or as a bundle names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Condition<'a> {
    /// Its name.
    pub fact: &'a str,
    /// What it must be.
    pub must: Must<'a>,
}

/// What a fact must be.
#[derive(Debug, PartialEq, Eq)]
pub enum Must<'a> {
    /// This yes or no.
    Be(bool),
    /// A number no larger than this.
    AtMost(u64),
    /// A number no smaller than this.
    AtLeast(u64),
    /// A number no smaller than the fact of this name, which is a limit that somebody set.
    AtLeastFact(&'a str),
    /// The same as the fact of this name.
    SameAs(&'a str),
}

impl<'a> Condition<'a> {
    /// The facts that it needs.
    pub fn facts(&self) -> impl Iterator<Item = &'a str> {
        let other = match self.must {
            Must::AtLeastFact(other) | Must::SameAs(other) => Some(other),
            Must::Be(_) | Must::AtMost(_) | Must::AtLeast(_) => None,
        };
        std::iter::once(self.fact).chain(other)
    }

    /// Whether it holds; `None` if a fact is missing or is of another kind.
    pub(crate) fn holds<'f>(&self, fact: impl Fn(&str) -> Option<&'f Fact>) -> Option<bool> {
        let count = |name: &str| if let Fact::Count(n) = fact(name)? { Some(*n) } else { None };
        let flag = |name: &str| if let Fact::Flag(flag) = fact(name)? { Some(*flag) } else { None };
        Some(match self.must {
            Must::Be(wanted) => flag(self.fact)? == wanted,
            Must::AtMost(most) => count(self.fact)? <= most,
            Must::AtLeast(least) => count(self.fact)? >= least,
            Must::AtLeastFact(other) => count(self.fact)? >= count(other)?,
            Must::SameAs(other) => fact(self.fact)? == fact(other)?,
        })
    }
}

/// `plain_files <= 0`.
impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = self.fact;
        match self.must {
            Must::Be(wanted) => write!(f, "{fact} = {wanted}"),
            Must::AtMost(most) => write!(f, "{fact} <= {most}"),
            Must::AtLeast(least) => write!(f, "{fact} >= {least}"),
            Must::AtLeastFact(other) => write!(f, "{fact} >= {other}"),
            Must::SameAs(other) => write!(f, "{fact} = {other}"),
        }
    }
}

macro_rules! reasons {
    ($( $word:literal $name:ident $en:literal $zh:literal )*) => {
        /// Why a control was not measured, or does not apply.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $( #[doc = $en] $name ),* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in files.
            pub fn word(self) -> &'static str {
                match self { $( Self::$name => $word ),* }
            }

            /// The sentence for people.
            pub fn text(self) -> Text {
                match self { $( Self::$name => Text { en: $en, zh: $zh } ),* }
            }

            /// What a name stands for.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.word() == word)
            }
        }
    };
}

reasons! {
    "no_probe_yet" NoProbeYet "This version has no probe for it." "此版本没有对应的检验。"
    "not_breakable" NotBreakable "Nothing breaks it while the program runs but another program in its place, so a probe could not be shown to fail." "程序运行时，除非以另一程序取而代之，否则无法破坏它，因此无法证明检验会失败。"
    "not_offline" NotOffline "Nobody can tell without a network." "没有网络就无法判断。"
    "not_here" NotHere "Whether it arrived only the other system can tell." "是否送达只有对方系统才能判断。"
    "not_built" NotBuilt "The program does not have this yet." "程序尚不具备此功能。"
    "controllers_part" ControllersPart "A document that is complete is not a control that holds; this part is the controller's." "文件齐全不等于控制有效；这部分由控制者负责。"
    "locked" Locked "The vault was locked, or nobody had signed in." "保险库处于锁定状态，或无人登录。"
    "no_listener" NoListener "Nothing listened when it was tried." "检验时没有监听。"
    "other_network" OtherNetwork "The socket was made in another network than the program sees, as by systemd, so its table cannot be read." "套接字是在程序所见之外的网络中创建的（例如由 systemd 创建），因此无法读取其套接字表。"
    "no_pictures" NoPictures "There was no picture." "没有图片。"
    "no_model_files" NoModelFiles "The model is part of the program." "模型是程序的一部分。"
    "nothing_erased" NothingErased "Nothing was erased." "没有删除任何内容。"
    "nothing_cut_short" NothingCutShort "No end of the program has cut a record short." "没有记录因程序中断而残缺。"
    "one_person" OnePerson "One person uses the program, who may do everything." "程序只有一人使用，此人可以执行所有操作。"
    "never_tried" NeverTried "The controls were never tried before." "此前从未检验过各项控制。"
    "no_period" NoPeriod "The policy names no period to hold it against." "策略未规定可供比较的期限。"
    "nothing_restored" NothingRestored "No backup was put back." "没有恢复过备份。"
    "nothing_frozen" NothingFrozen "No state was pinned." "没有固定过状态。"
    "nothing_handed_out" NothingHandedOut "No bundle was handed out." "没有交出过证据包。"
    "no_kept_prompts" NoKeptPrompts "No prompt is kept that could be looked for." "没有保存可供查找的提示词。"
    "nobody_named" NobodyNamed "Nobody has a name that could be looked for." "没有可供查找的人员姓名。"
    "names_like_words" NamesLikeWords "Each name is short, or of small letters or digits alone, and cannot be told from words and numbers of the log." "每个姓名都很短，或仅由小写字母或数字组成，无法与日志中的词语和数字区分。"
    "no_model_loaded" NoModelLoaded "No model was loaded when it was tried." "检验时没有加载模型。"
    "no_host_firewall" NoHostFirewall "The host has none of the firewall rules that come with the program." "主机没有安装随程序提供的防火墙规则。"
    "no_host_audit" NoHostAudit "The host keeps no audit of its own." "主机没有自己的审计。"
    "needs_root" NeedsRoot "Only an administrator of the host can read what it needs." "所需信息只有主机管理员可以读取。"
    "not_rehearsed" NotRehearsed "The rehearsal did not break it, and says why." "演练未破坏此项，并说明了原因。"
    "trial_failed" TrialFailed "It was tried, and what it needs could not be read." "已尝试，但无法读取所需信息。"
    "fact_missing" FactMissing "It was tried, and a fact that it needs was missing." "已尝试，但缺少所需的事实。"
    "other_version" OtherVersion "The program that tried it did not know it." "执行检验的程序不认识此项控制。"
}
