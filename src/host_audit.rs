//! The rules of the host's own audit, as auditd loads them at its start.

/// Where they lie.
pub const RULES: &str = "/etc/audit/audit.rules";

/// The folder whose changes a line watches.
pub fn watched(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split('#').next()?.split_whitespace().collect();
    let after = |flag: &str| {
        words.iter().zip(words.iter().skip(1)).find(|(word, _)| **word == flag).map(|(_, value)| *value)
    };
    let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let (path, rights) = match after("-w") {
        // Without `-p` everything is watched.
        Some(path) => (path, after("-p").unwrap_or("rwxa")),
        None => (field("dir").or_else(|| field("path"))?, field("perm").unwrap_or("rwxa")),
    };
    rights.contains('w').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rule_about_changes_counts() {
        assert_eq!(watched("-w /a/ -p wa -k x"), Some("/a/"));
        assert_eq!(watched("-w /a"), Some("/a"));
        assert_eq!(watched("-w /a -p r"), None);
        assert_eq!(watched("-a always,exit -F arch=b64 -F dir=/a -F perm=wa"), Some("/a"));
        assert_eq!(watched("# -w /a -p wa"), None);
        assert_eq!(watched("-a always,exit -F arch=b64 -S connect"), None);
    }
}
