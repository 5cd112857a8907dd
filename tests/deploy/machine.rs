//! A machine to install on: systemd as process 1 of a container, over a copy of this host's files that is gone afterwards.
//!
//! It is true to a real one but for this: its control groups have no memory controller where the host's are of the first
//! version, it has no TPM and no disk, and the kernel is the host's.

use crate::deploy::{run, said, shipped};
use crate::harness::{Home, PASSPHRASE};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where the repository lies in it.
const CHECKOUT: &str = "srv/checkout";

/// Its files and, while it runs, systemd.
pub struct Machine {
    home: Home,
    running: Option<Running>,
}

struct Running {
    nspawn: Child,
    /// Process 1, by its number here.
    first: String,
}

impl Machine {
    /// Nothing of the program is installed, and nothing of the host's starts by itself. Must be alone.
    pub fn new(test: &str) -> Machine {
        let machine = Machine { home: Home::new(test), running: None };
        let (disk, root) = (machine.home.at("disk"), machine.root());
        std::fs::create_dir_all(&disk).expect("a home can be written");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2g,mode=755", "deploy", &disk]));
        for name in ["upper", "work", "root"] {
            std::fs::create_dir(machine.home.path().join("disk").join(name)).expect("it is a new disk");
        }
        let layers = format!("lowerdir=/,upperdir={disk}/upper,workdir={disk}/work");
        run(Command::new("mount").args(["-t", "overlay", "-o", &layers, "deploy", &root]));
        let script = format!(
            "rm -rf etc/systemd/system/* usr/bin/lightproof* etc/machine-id var/lib/lightproof etc/lightproof var/log/journal
            echo 5f0c1f3d8f9b4f4c9f0e2d5c6a7b8c9d >etc/machine-id
            ln -s /lib/systemd/system/multi-user.target etc/systemd/system/default.target
            mkdir -p {CHECKOUT}/target/release
            cp -r '{deploy}' {CHECKOUT}/deploy
            cp '{program}' {CHECKOUT}/target/release/lightproof
            printf '#!/bin/sh\\necho \"{PASSPHRASE}\"\\n' >usr/local/bin/systemd-ask-password
            chmod 755 usr/local/bin/systemd-ask-password",
            deploy = shipped("").display(),
            program = env!("CARGO_BIN_EXE_lightproof"),
        );
        run(Command::new("bash").args(["-euc", &script]).current_dir(&root));
        machine
    }

    /// Lays the files of a folder where commands are typed, in the place of those with these endings.
    #[track_caller]
    pub fn lay(&self, from: &Path, instead_of: &str) {
        let to = Path::new(&self.root()).join(CHECKOUT);
        let script = format!("rm -rf {instead_of}; cp '{}'/* .", from.display());
        run(Command::new("bash").args(["-euc", &script]).current_dir(to));
    }

    /// Starts it, and waits until systemd has started all that there is.
    #[track_caller]
    pub fn boot(&mut self) {
        let log = std::fs::File::create(self.home.path().join("tmp/console")).expect("a home can be written");
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--directory", &self.root(), "--boot", "--register=no", "--keep-unit"]);
        command.args(["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"]);
        // The calls that it would forbid, and the program needs; and the firewall is the machine's own.
        command.arg("--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self");
        command.arg("--capability=CAP_NET_ADMIN").env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("it is open")).stdout(log);
        let mut nspawn = command.spawn().unwrap_or_else(|error| panic!("systemd-nspawn: {error}"));
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let until = Instant::now() + Duration::from_secs(90);
        loop {
            let found = std::fs::read_to_string(&children).unwrap_or_default();
            if let Some(first) = found.split_whitespace().next() {
                let output = within(first, "systemctl is-system-running --wait").output();
                let output = output.expect("util-linux is there");
                // `degraded`: something of the host's does not work in a container.
                if ["running\n", "degraded\n"].contains(&&*String::from_utf8_lossy(&output.stdout)) {
                    self.running = Some(Running { nspawn, first: first.to_owned() });
                    return;
                }
            }
            let ended = nspawn.try_wait().expect("it is our child");
            assert!(ended.is_none() && Instant::now() < until, "it does not start: {}", self.console());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Shuts it down in order, as for a reboot.
    #[track_caller]
    pub fn halt(&mut self) {
        let mut running = self.running.take().expect("it runs");
        let _ = within(&running.first, "systemctl poweroff").output();
        let until = Instant::now() + Duration::from_secs(90);
        while running.nspawn.try_wait().expect("it is our child").is_none() {
            assert!(Instant::now() < until, "it does not end: {}", self.console());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types commands as root, in the folder of the repository; gives back what they say.
    #[track_caller]
    pub fn type_in(&self, commands: &str) -> String {
        let output = self.answer(commands);
        if !output.status.success() {
            let journal = said(&self.answer("journalctl --no-pager -n 60"));
            panic!("{commands}\n{}\n{journal}\n{}", said(&output), self.console());
        }
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same, whatever comes of it.
    pub fn answer(&self, commands: &str) -> Output {
        let running = self.running.as_ref().expect("it runs");
        within(&running.first, commands).output().expect("util-linux is there")
    }

    pub fn has(&self, path: &str) -> bool {
        Path::new(&self.root()).join(path.trim_start_matches('/')).exists()
    }

    fn root(&self) -> String {
        self.home.at("disk/root")
    }

    fn console(&self) -> String {
        std::fs::read_to_string(self.home.path().join("tmp/console")).unwrap_or_default()
    }
}

/// A shell inside, in the folder of the repository.
fn within(first: &str, commands: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", first, "--mount", "--uts", "--ipc", "--pid", "--cgroup"]);
    command.args(["bash", "-euo", "pipefail", "-c", &format!("cd /{CHECKOUT}\n{commands}")]);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.nspawn.kill();
            let _ = running.nspawn.wait();
        }
        // Before the home is removed, and nothing of this host with it.
        let _ = Command::new("umount").arg("--recursive").arg(self.home.at("disk")).status();
    }
}
