//! One function per verb, one file each. None knows another; what two of them need stands beside this folder.

pub mod audit;
pub mod backup;
pub mod batch;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod evidence;
pub mod generate;
pub mod history;
pub mod hold;
pub mod man;
pub mod model;
pub mod operator;
pub mod selftest;
pub mod serve;
pub mod status;
pub mod support;
pub mod token;
pub mod upgrade;
pub mod vault;
