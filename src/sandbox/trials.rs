//! Fences cannot be taken off again, so each trial runs in a child process: this test program, started again.

mod attacks;
mod card;
pub(crate) mod child;
mod listener;
mod starts;
mod works;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Fence;
use policy::Process;

/// Numbers that no file of a usual system belongs to.
const USER: u32 = 65_534;

/// One child: who it is, what it leaves out, what it then does.
pub(crate) struct Trial {
    user: bool,
    settings: Vec<(&'static str, String)>,
    home: Home,
}

/// What a child said, and how it ended.
pub(crate) struct Answer {
    said: String,
    code: Option<i32>,
}

impl Trial {
    /// Of the process with the keys.
    fn new(user: bool) -> Self {
        Self::of(Process::Server, user)
    }

    fn of(process: Process, user: bool) -> Self {
        let trial = Self { user, settings: Vec::new(), home: Home::new(user) };
        trial.set(child::PROCESS, process.word())
    }

    fn set(mut self, key: &'static str, value: impl ToString) -> Self {
        self.settings.push((key, value.to_string()));
        self
    }

    fn without(self, fence: Fence) -> Self {
        self.set("SANDBOX_TRIAL_WITHOUT", fence)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(child::HOME, &self.home.0).env("HTTP_PROXY", "http://proxy.example:3128");
        command
            .env("CUBECL_DEBUG_LOG", "/var/log/kernels")
            .env("LD_LIBRARY_PATH", "/nowhere")
            .env("RUST_LOG", "trace");
        if self.user {
            command.env(child::USER, USER.to_string());
        }
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    fn run(&self) -> Answer {
        self.command().output().map(Answer::from).unwrap()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Self { said, code: output.status.code() }
    }
}

impl Answer {
    #[track_caller]
    fn is_up(&self) -> &str {
        assert_eq!(self.code, Some(child::UP), "{}", self.said);
        &self.said
    }

    #[track_caller]
    fn is_refused(&self, why: &str) {
        assert_eq!(self.code, Some(child::REFUSED), "{}", self.said);
        assert!(self.said.contains(why), "{why} not in: {}", self.said);
    }
}

/// The folders of one child, removed at the end.
pub(crate) struct Home(PathBuf);

impl Home {
    fn new(user: bool) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fences-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let home = Self(std::env::temp_dir().join(name));
        for folder in [
            "",
            "vault",
            "audit",
            "outputs",
            "model",
            "config",
            "export",
            "golden",
            "elsewhere",
            "models",
            "source",
        ] {
            home.make(user, folder, None);
        }
        home.make(user, "model/weights", Some("weights"));
        home.make(user, "golden/values", Some("values"));
        home.make(user, "config/policy.toml", Some("schema = 1"));
        home.make(user, "elsewhere/secret", Some("secret"));
        home.make(user, "outputs/old", Some("old"));
        home.make(user, "export/old", Some("old"));
        // Placed by somebody else, and leading out.
        std::os::unix::fs::symlink(home.0.join("elsewhere/secret"), home.0.join("outputs/link")).unwrap();
        home
    }

    fn make(&self, user: bool, name: &str, text: Option<&str>) {
        let path = self.0.join(name);
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::create_dir(&path).unwrap(),
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        if user {
            chown(&path, Some(USER), Some(USER)).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    crate::raw::user_id() == 0
}

/// As root and as an ordinary user where the tests run as root, else as who they run as.
fn users() -> Vec<bool> {
    if is_root() { vec![false, true] } else { vec![false] }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
