//! Black-box tests of the program: they start it as a person would, and look at what it says and leaves behind.
//! They know its command line and its formats, never its crates.
//!
//! - `harness`: a home of its own for each test, the program started in it, and a search through what it left
//! - `family`: the processes of a program or a browser, and their end
//! - `looks`: verbs that only look, where there is nothing
//! - `streams`: nobody reads what is said, and limits on files, memory and threads
//! - `memory`: what a picture takes, and one that does not fit
//! - `terminal`: prompts at a terminal, and how it is left
//! - `help`: the help of every verb
//! - `manual`: completions of shells, and manual pages
//! - `batch`: requests from a file, line by line
//! - `backup`: everything in one file, lost, and back
//! - `retention`: pictures that go by themselves
//! - `pruned`: old records that an admin takes away, and whatever reads the log afterwards
//! - `destroy`: new keys, and the end of a vault
//! - `copies`: a plain copy that left, and what shows that it did
//! - `pipes`: a passphrase from a pipe, and a picture to one
//! - `settings`: the settings in force, and a policy file before it is one
//! - `doctor`: whether the machine is fit, and what it says when something is broken from outside
//! - `status`: how the appliance is, by its files
//! - `support`: what whoever is asked for help gets
//! - `start`: what works without a vault, a model or a picture
//! - `input`: prompts, numbers and flags that make no sense
//! - `checkpoint`: model folders that are not what they seem
//! - `models`: a model brought in, pinned, used, changed and removed
//! - `trouble`: wrong secrets, folders, policies and neighbours
//! - `faults`: a disk that refuses in the middle of an act
//! - `folders`: a folder of pictures that is absent, another one, or closed; a site's hold
//! - `life`: a picture from its making to its erasure, and the marks it carries
//! - `evidence`: what the log shows, and finds
//! - `controls`, `bundles`: the controls as they are tried, on a sound appliance and on a broken one, and the bundle of them
//! - `handed_over`: bundles that are disturbed or killed while they are made, and those of an incident
//! - `probes`: the controls about what was started, kept and watched, each broken from outside
//! - `sabotage`: those that hold vault, log, people and program against each other, likewise
//! - `outsider`: the same by somebody with a passphrase and another program
//! - `incident`: a state that is pinned, and what a person gets who asks what is held about them
//! - `frozen`: the same where log or vault is damaged or full
//! - `rehearsal`: the probes are seen to fail
//! - `certificate`: what somebody gets who asked for an erasure
//! - `compliance`: the same by a running server, for its page
//! - `elsewhere`: a checkpoint that is kept where the log is not
//! - `stamp`: time from outside, with an authority that openssl makes
//! - `reading`: the log, read through a running server
//! - `siem`: the log for other programs, in their form and as files that they take away
//! - `remembered`: what the vault remembers of the log, and what becomes of that
//! - `secrecy`: where a prompt, a passphrase and a picture must not be found
//! - `silence`: no network
//! - `crash`: killed at any moment, and a full disk
//! - `deploy`: units, firewall and rules of the host around it
//! - `user`: without root's rights
//! - `http`, `served`: the server as a child, asked by hand
//! - `browser`: the studio in a real browser
//! - `abuse`: the server asked by somebody who means no good
//! - `server_faults`: the server when something goes wrong around it, or ends
//! - `people`: several people with one vault
//! - `machine`: a server that opens the vault by a machine secret
//! - `halves`: a passphrase that goes with it
//! - `joint`: two people who open it together
//! - `two_person`: acts that take two admins
//! - `auditor`: who sees log and controls, and nothing else
//! - `tokens`: what programs ask the server with, and every route asked with it
//! - `packages`: Debian packages, the tarball, and what they are made of
//! - `notify`: what a service manager hears of a server
//! - `processes`: three processes, and what becomes of the others when one ends
//! - `released`: a model of the released size (only in a full run)
//! - `through`, `proofs`: verbs while a server has the vault, and those among them that change people, secrets and keys
//! - `selftest`: the engine against reference values

// A test says what is wrong by panicking; the harness is called by tests only.
#![allow(clippy::panic)]

mod abuse;
mod auditor;
mod backup;
mod batch;
mod browser;
mod bundles;
mod certificate;
mod checkpoint;
mod compliance;
mod controls;
mod copies;
mod crash;
mod deploy;
mod destroy;
mod doctor;
mod elsewhere;
mod evidence;
mod family;
mod faults;
mod folders;
mod frozen;
mod halves;
mod handed_over;
mod harness;
mod help;
mod http;
mod incident;
mod input;
mod joint;
mod life;
mod looks;
mod machine;
mod manual;
mod memory;
mod models;
mod notify;
mod outsider;
mod packages;
mod people;
mod pipes;
mod probes;
mod processes;
mod proofs;
mod pruned;
mod reading;
mod rehearsal;
mod released;
mod remembered;
mod retention;
mod sabotage;
mod secrecy;
mod selftest;
mod served;
mod server_faults;
mod settings;
mod siem;
mod silence;
mod stamp;
mod start;
mod status;
mod streams;
mod support;
mod terminal;
mod through;
mod tokens;
mod trouble;
mod two_person;
mod upgrade;
mod user;
