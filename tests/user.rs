//! Without root's rights: all of it works for an ordinary user, and is greener.

use crate::harness::{Home, Ran, SMALL, behind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Command;

/// Nobody.
const UID: u32 = 65534;

/// A furnished home of an ordinary user: nobody, if the tester is root, and otherwise the tester.
pub struct Ordinary {
    pub home: Home,
    root: bool,
    _way: Option<Way>,
}

impl Ordinary {
    pub fn furnished(test: &str) -> Ordinary {
        let home = Home::furnished(test);
        let root = rustix::process::geteuid().is_root();
        let way = root.then(|| Way::open(home.path()));
        if root {
            for path in ["", "tmp", "out", "pass"] {
                chown(home.path().join(path), Some(UID), Some(UID)).expect("root may");
            }
        }
        Ordinary { home, root, _way: way }
    }

    /// The program as that user starts it.
    pub fn program(&self, arguments: &[&str]) -> Command {
        self.instead(&self.home.furnished_program(arguments))
    }

    /// A program as that user starts it.
    pub fn instead(&self, program: &Command) -> Command {
        let uid = UID.to_string();
        let user: &[&str] = match self.root {
            true => &["--reuid", &uid, "--regid", &uid, "--clear-groups"],
            false => &[],
        };
        behind(&[&["setpriv"], user, &["--"]].concat(), program)
    }

    pub fn ask(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.program(arguments))
    }
}

#[test]
fn an_ordinary_user_has_the_whole_cycle() {
    let user = Ordinary::furnished("user");
    let home = &user.home;
    let ask = |arguments: &[&str]| user.ask(arguments);
    let exported = home.at("out/x.png");
    ask(&[&["generate", "x", "--export", &exported], &SMALL[..]].concat()).ends(0, &[]);
    crate::life::pixels(&std::fs::read(&exported).expect("it was exported"));
    let listed = ask(&["history", "list", "--json"]).ends(0, &[]).data();
    assert_eq!(listed["pictures"].as_array().map(Vec::len), Some(1), "{listed}");
    ask(&["history", "verify"]).ends(0, &[]);
    ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    ask(&["audit", "verify"]).ends(0, &[]);
    let posture = ask(&["selftest"]).ends(0, &[]).stdout;
    assert!(posture.lines().any(|line| line.starts_with("capabilities green")), "{posture}");
    assert!(posture.lines().any(|line| line.starts_with("network-namespace green")), "{posture}");
    let records = ask(&["audit", "tail", "-n", "100000"]).ends(0, &[]).stdout;
    let postures: Vec<&str> = records.lines().filter(|line| line.contains("posture.recorded")).collect();
    assert!(!postures.is_empty() && postures.iter().all(|line| line.contains("uid0=false")), "{postures:?}");
}

/// Lets others pass through the folders above a home, such as a checkout below `/root`, for as long as a test runs.
struct Way(Vec<(std::path::PathBuf, u32)>);

impl Way {
    fn open(home: &std::path::Path) -> Way {
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is above us").mode();
        let above = home
            .ancestors()
            .skip(1)
            .chain(std::path::Path::new(env!("CARGO_BIN_EXE_lightproof")).ancestors());
        let mut closed: Vec<_> =
            above.map(|p| (p.to_path_buf(), mode(p))).filter(|(_, m)| m & 0o001 == 0).collect();
        closed.sort();
        closed.dedup();
        for (path, mode) in &closed {
            set(path, mode | 0o001);
        }
        Way(closed)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        for (path, mode) in &self.0 {
            set(path, *mode);
        }
    }
}

fn set(path: &std::path::Path, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode & 0o7777);
    std::fs::set_permissions(path, mode).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
