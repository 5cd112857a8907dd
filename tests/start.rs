//! What works without a vault, a model or a picture.

use crate::harness::Home;

#[test]
fn says_its_version_and_leaves_nothing_behind() {
    let home = Home::new("version");
    let output = home.run(&["--version"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("lightproof ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(output.stderr, b"");
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is a folder").flatten().collect();
    assert_eq!(left.iter().map(|entry| entry.file_name()).collect::<Vec<_>>(), ["tmp"]);
}
