//! New keys for a vault, and its end.

use crate::harness::Home;

#[test]
fn new_keys_keep_what_there_is() {
    let home = Home::with_picture("rotate");
    home.ask(&["vault", "rotate"]).ends(0, &[]);
    assert_eq!(home.count_records(&["vault.rolled ok", "reason=rotate"]), 1);
    home.is_whole(1);
}

#[test]
fn a_vault_ends_and_another_one_begins() {
    let home = Home::with_picture("destroy");
    home.ask(&["vault", "destroy"]).ends(6, &["--yes"]);
    home.ask(&["hold", "set", "--reason", "audit"]).ends(0, &[]);
    home.ask(&["vault", "destroy", "--yes"]).ends(6, &["a legal hold stands"]);
    home.ask(&["hold", "end"]).ends(0, &[]);
    let file = home.at("out/a.backup");
    home.ask(&["backup", "create", "-o", &file]).ends(0, &[]);
    home.is_whole(1);
    let certificate = home.at("out/certificate");
    let destroy = ["vault", "destroy", "--yes", "--certificate", &certificate];
    let done = home.ask(&destroy).ends(0, &["1 backup on record may still open", "the log stays"]);
    assert!(done.stdout.contains("destroyed the vault and 1 picture"), "{done:#?}");
    let sealed = |name: &std::path::Path| name.extension().is_some_and(|ending| ending == "sealed");
    let outputs = std::fs::read_dir(home.path().join("workspace/output_image")).expect("a folder");
    assert_eq!(outputs.flatten().filter(|entry| sealed(&entry.path())).count(), 0);
    home.ask(&["evidence", "verify", &certificate]).ends(0, &[]);
    home.ask(&["history", "list"]).ends(7, &[]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    let status = home.ask(&["status", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&status["vault"], &status["picture_days_max"]),
        (&serde_json::json!("destroyed"), &serde_json::Value::Null)
    );
    home.ask(&["vault", "init"]).ends(0, &[]);
    home.generate(&["work goes on"]).ends(0, &[]);
    home.is_whole(1);
}
