//! Examples at the end of each help text.

/// Those among examples, a line each, that have these words; nothing where there are none.
pub fn of(words: &str, among: &str) -> String {
    let is_of = |line: &&str| {
        line.split_once(words).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
    };
    let found: Vec<&str> = among.lines().filter(is_of).collect();
    if found.is_empty() { String::new() } else { format!("Examples:\n{}", found.join("\n")) }
}

/// Of the whole program.
pub const ALL: &str = "\
Examples:
  lightproof serve                                    the studio in the browser
  lightproof generate \"a red apple\" --export a.png    one picture, sealed, and a plain copy of it
  lightproof history list                             what has been made
  lightproof audit verify                             whether the log is what was signed
  lightproof help history rm                          the help of one verb";

/// Of `serve`.
pub const SERVE: &str = "\
Examples:
  lightproof serve
  lightproof serve --port 0 --passphrase-file /run/credentials/lightproof
  ssh -L 7860:127.0.0.1:7860 HOST                     to reach it from another machine";

/// Of `generate`.
pub const GENERATE: &str = "\
Examples:
  lightproof generate \"a red apple\"
  lightproof generate - < prompt.txt                  keeps the prompt out of process lists
  lightproof generate \"a boat\" -n 4 --seed 7 --export pictures/
  lightproof generate \"a boat\" --export - --passphrase-file <(pass show vault) > boat.png";

/// Of `batch`.
pub const BATCH: &str = "\
Examples:
  lightproof batch prompts.txt -n 2
  lightproof batch requests.jsonl --export pictures/
  lightproof batch table.csv --progress /var/lib/studio/table.progress --json
  generate-prompts | lightproof batch - --format jsonl --passphrase-file pass";

/// Of `history`.
pub const HISTORY: &str = "\
Examples:
  lightproof history list
  lightproof history export 705ae56a -o apple.png
  lightproof history export 705ae56a -o - | feh -
  lightproof history prove apple.png                  which exports on record that file is
  lightproof history rm 705ae56a
  lightproof history rm --of press --operator front-desk
  lightproof history certificate o:4YhBPbS1n5HiO4T0mGd6_w -o for-the-person";

/// Of `vault`.
pub const VAULT: &str = "\
Examples:
  lightproof vault init
  lightproof vault passwd
  lightproof vault retain --dry-run                    what is past the period of the policy, erasing nothing
  lightproof vault rotate
  lightproof vault destroy --certificate for-the-file
  lightproof vault verify --json";

/// Of `backup`.
pub const BACKUP: &str = "\
Examples:
  lightproof backup create -o /media/stick/lightproof-1.backup
  lightproof backup create -o - --passphrase-file pass | ssh HOST 'cat > lightproof-1.backup'
  lightproof backup verify /media/stick/lightproof-1.backup
  lightproof backup restore /media/stick/lightproof-1.backup --home DIR --outputs DIR/pictures
  lightproof backup policy /media/stick/lightproof-1.backup > policy.toml
  lightproof backup list
  lightproof backup destroyed j:sQHPHTLOo6hY7XTqWmj0Yg  once every copy of it is gone";

/// Of `operator`.
pub const OPERATOR: &str = "\
Examples:
  lightproof operator add press --operator front-desk  the first time it names you, too
  lightproof operator add revision --role auditor --operator front-desk
  lightproof operator remove press --hand-over-to front-desk --operator front-desk
  lightproof operator role press admin --operator front-desk
  lightproof operator passwd press                     with the recovery code, for who has lost their passphrase
  lightproof operator resolve a:AAAAAAAAAAAAAAAAAAAAAA --reason incident --operator front-desk
  lightproof operator pending --operator press         what another admin asked for, with its number
  lightproof operator confirm 214 --operator press
  lightproof operator refuse 214 --operator press
  lightproof generate \"a boat\" --operator press";

/// Of `token`.
pub const TOKEN: &str = "\
Examples:
  lightproof token create --scope generate,read --label gallery-wall > token
  lightproof token list
  lightproof token revoke 58
  curl -H @<(printf 'Authorization: Bearer %s' \"$(cat token)\") http://127.0.0.1:7860/api/v1/images";

/// Of `model`.
pub const MODEL: &str = "\
Examples:
  lightproof model import /media/stick/Z-Image-Turbo
  lightproof model import ~/.cache/huggingface/hub/models--Tongyi-MAI--Z-Image-Turbo
  lightproof model use z-image-turbo                   from the next start on; `demo` is the one inside
  lightproof model verify                              whether every file is as it was imported";

/// Of `hold`.
pub const HOLD: &str = "\
Examples:
  lightproof hold set --reason litigation              every picture, those that are made later among them
  lightproof hold set --of press --reason order --operator front-desk
  lightproof hold list
  lightproof hold end --of press --operator front-desk";

/// Of `audit`.
pub const AUDIT: &str = "\
Examples:
  lightproof audit tail --follow
  lightproof audit show --type object.exported --since 2026-01-31
  lightproof audit explain 41
  lightproof audit verify --expect checkpoint-of-last-month
  lightproof audit export --format ocsf --after 41     for a SIEM: from record 41 on
  lightproof audit export --spool /var/spool/lightproof --after 0
  lightproof audit checkpoint -o /media/stick/checkpoint
  lightproof audit stamp request -o stamp.tsq          for a time stamping authority
  lightproof audit stamp import stamp.tsr --request stamp.tsq
  lightproof audit stamp list
  lightproof audit prune                               records past the period of the policy, asking first";

/// Of `status`.
pub const STATUS: &str = "\
Examples:
  lightproof status
  lightproof status --json --quiet                     for a monitor: exit code 4 if something needs a person
  lightproof status --metrics > lightproof.prom        for the textfile collector of Prometheus' node_exporter";

/// Of `support`.
pub const SUPPORT: &str = "\
Examples:
  lightproof support bundle -o for-support.json        shows all of it, and asks
  journalctl --unit=lightproof -o cat | lightproof support bundle --log - -o for-support.json --yes";

/// Of `upgrade`.
pub const UPGRADE: &str = "\
Examples:
  lightproof upgrade verify /srv/update/lightproof.update   before: dpkg -i";

/// Of `doctor`.
pub const DOCTOR: &str = "\
Examples:
  lightproof doctor                                    before the first start, and when something is wrong
  lightproof doctor --model /srv/models/z-image-turbo --device cuda:0
  lightproof doctor --json                             exit code 4 if something needs a person, 3 if something
                                                       could not be asked";

/// Of `evidence`.
pub const EVIDENCE: &str = "\
Examples:
  lightproof evidence run --passphrase-file /run/credentials/lightproof
  lightproof evidence run --quiet                      for a timer: prints what is not satisfied alone, and ends with
                                                       exit code 4 if something is not
  lightproof evidence show NET-02
  lightproof evidence export -o for-the-auditor --since 2026-01-01 --framework gdpr
  lightproof evidence verify for-the-auditor
  lightproof evidence rehearse -o how-the-probes-fail
  lightproof evidence freeze --reason breach --law gdpr --law dora -o at-the-breach
  lightproof evidence clocks
  lightproof evidence settled j:AAAAAAAAAAAAAAAAAAAAAA  as `evidence clocks` names the incident
  lightproof evidence subject -o for-me
  lightproof evidence subject a:AAAAAAAAAAAAAAAAAAAAAA -o for-the-person --operator front-desk";

/// Of `config`.
pub const CONFIG: &str = "\
Examples:
  lightproof config show --origin
  lightproof config check policy.toml";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  lightproof completions bash > ~/.local/share/bash-completion/completions/lightproof
  lightproof completions zsh > ~/.zfunc/_lightproof    with fpath+=~/.zfunc before compinit in .zshrc
  lightproof completions fish > ~/.config/fish/completions/lightproof.fish";

/// Of `man`.
pub const MAN: &str = "\
Examples:
  lightproof man -o ~/.local/share/man/man1
  lightproof man history export | man -l -";

/// Of `selftest`.
pub const SELFTEST: &str = "\
Examples:
  lightproof selftest
  lightproof selftest --reference src/diffusion/testdata/zimage-tiny";
