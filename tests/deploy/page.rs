//! The commands of a page of `deploy/`: blocks of `sh`, each under its heading. One that the tests do not run has a paragraph
//! before it that begins with `Not run in the tests:` and gives the reason.

use crate::deploy::text;
use std::cell::RefCell;

const NOT_RUN: &str = "Not run in the tests: ";
/// The same in the Chinese page.
const NOT_RUN_ZH: &str = "测试中不运行：";

/// A block of commands.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    heading: String,
    commands: String,
    runs: bool,
}

/// The page, and which of its blocks were handed out.
pub struct Page(RefCell<Vec<Block>>);

impl Page {
    pub fn read(name: &str) -> Page {
        Page(RefCell::new(blocks(&text(name), NOT_RUN)))
    }

    /// The commands under a heading, once.
    #[track_caller]
    pub fn take(&self, heading: &str) -> String {
        let (taken, left): (Vec<Block>, Vec<Block>) =
            self.0.take().into_iter().partition(|block| block.heading == heading && block.runs);
        self.0.replace(left);
        assert!(!taken.is_empty(), "no commands under {heading}");
        taken.into_iter().map(|block| block.commands).collect()
    }

    /// Every block was handed out, or says why not.
    #[track_caller]
    pub fn is_done(&self) {
        let left = self.0.take();
        assert!(left.iter().all(|block| !block.runs), "{left:#?}");
    }
}

fn blocks(page: &str, not_run: &str) -> Vec<Block> {
    let (mut found, mut heading, mut paragraph) = (Vec::<Block>::new(), "", String::new());
    let mut fence = None;
    for line in page.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some("sh")) => {
                fence = Some(true);
                let runs = !paragraph.starts_with(not_run);
                found.push(Block { heading: heading.to_owned(), commands: String::new(), runs });
            }
            (None, Some(_)) => fence = Some(false),
            (Some(_), Some(_)) => {
                fence = None;
                paragraph.clear();
            }
            (Some(true), None) => {
                if let Some(block) = found.last_mut() {
                    block.commands.push_str(line);
                    block.commands.push('\n');
                }
            }
            (Some(false), None) => {}
            // The blank line before a block does not end the paragraph that belongs to it.
            (None, None) if line.is_empty() => paragraph.push('\n'),
            (None, None) => {
                if paragraph.ends_with('\n') {
                    paragraph.clear();
                }
                paragraph.push_str(line);
                paragraph.push(' ');
                if let Some(title) = line.strip_prefix('#') {
                    heading = title.trim_start_matches('#').trim();
                }
            }
        }
    }
    found
}

#[test]
fn commands_are_found_under_their_headings() {
    let page = "# A\n\n```sh\na\nb\n```\n\n## B\n\n```toml\nc\n```\n\nNot run in the tests: no\nreason.\n\n```sh\nd\n```\n\n```sh\ne\n```\n";
    let block = |heading: &str, commands: &str, runs| Block {
        heading: heading.to_owned(),
        commands: commands.to_owned(),
        runs,
    };
    let wanted = [block("A", "a\nb\n", true), block("B", "d\n", false), block("B", "e\n", true)];
    assert_eq!(blocks(page, NOT_RUN), wanted);
    let page = Page(RefCell::new(wanted.to_vec()));
    assert_eq!(page.take("B"), "e\n");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| page.take("B"))).is_err());
    assert_eq!(page.take("A"), "a\nb\n");
    page.is_done();
}

/// Whoever reads Chinese types the same commands, in the same order: the test types those of the English page.
#[test]
fn the_chinese_runbook_has_the_same_commands() {
    let english = text("README.md");
    let (runbook, _) = english.split_once("\n## Hosts\n").expect("the runbook comes first");
    let chinese = text("README.zh-CN.md");
    let of = |page: &str, not_run| {
        blocks(page, not_run).into_iter().map(|block| (block.commands, block.runs)).collect::<Vec<_>>()
    };
    assert_eq!(of(&chinese, NOT_RUN_ZH), of(runbook, NOT_RUN));
    let count = |page: &str, start: &str| page.lines().filter(|line| line.starts_with(start)).count();
    for start in ["## ", "### ", "| ", "```"] {
        assert_eq!(count(&chinese, start), count(runbook, start), "{start}");
    }
    // Each is held against the other: what is changed in one is missing in the other.
    let changed = chinese.replacen("systemctl daemon-reload", "systemctl daemon-reexec", 1);
    assert_ne!(of(&changed, NOT_RUN_ZH), of(runbook, NOT_RUN));
}
