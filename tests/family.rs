//! A process and all that it started: the program is three of them, a browser is a dozen, and none may outlive its test.

use rustix::process::{Pid, Signal, kill_process};

/// Numbers of processes, each with the time of its start: a number may be somebody else's later.
pub struct Family(Vec<(u32, String)>);

impl Family {
    /// As it is now. (They stay in the process group of the test, so who kills that one leaves none of them behind.)
    pub fn of(pid: u32) -> Family {
        let mut family = vec![pid];
        let mut known = 0;
        while known < family.len() {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", family[known]));
            for task in tasks.into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                family.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
            known += 1;
        }
        Family(family.into_iter().map(|pid| (pid, start_of(pid))).collect())
    }

    /// Their numbers.
    pub fn pids(&self) -> Vec<u32> {
        self.0.iter().map(|(pid, _)| *pid).collect()
    }

    /// Kills whoever of them is left.
    pub fn end(&self) {
        for (pid, _) in self.0.iter().filter(|(pid, start)| !start.is_empty() && start_of(*pid) == *start) {
            // It may end before that.
            let _ = Pid::from_raw(*pid as i32).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// In the kernel's ticks; empty if there is no such process.
fn start_of(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().nth(19).unwrap_or_default().to_owned()
}

#[test]
fn a_family_ends_with_its_grandchildren() {
    let mut shell = std::process::Command::new("sh");
    let mut shell = shell.args(["-c", "sh -c 'sleep 600 & wait' & wait"]).spawn().expect("a shell starts");
    let family = loop {
        let family = Family::of(shell.id());
        if family.0.len() == 3 {
            break family;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    family.end();
    shell.wait().expect("it is our child");
    let alive = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    for (pid, _) in family.0 {
        while alive(pid) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
