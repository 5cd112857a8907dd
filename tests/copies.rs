//! A plain copy that left, and what shows that it did.

use crate::harness::Home;

#[test]
fn a_plain_copy_is_proved_by_whoever_has_the_vault() {
    let home = Home::furnished("copies");
    let [first, second, piped] =
        ["first.png", "second.png", "piped.png"].map(|name| home.at(&format!("out/{name}")));
    let made = home.generate(&["x", "--export", &first, "--json"]).ends(0, &[]).data()["pictures"][0].clone();
    let id = made["id"].as_str().expect("a picture has an id");
    home.ask(&["history", "export", id, "-o", &second]).ends(0, &[]);
    let output = home.furnished_program(&["history", "export", id, "-o", "-"]).output().expect("it starts");
    std::fs::write(&piped, &output.stdout).expect("a home can be written");

    let proved = home.ask(&["history", "prove", &first, "--json"]).ends(0, &[]).data()["exports"].clone();
    let proved = proved.as_array().expect("a list");
    assert_eq!(proved.len(), 3, "{proved:?}");
    assert_eq!(proved[0]["record"], made["export"]["record"]);
    for export in proved {
        assert_eq!((&export["id"], &export["name"]), (&made["id"], &made["name"]));
        assert_eq!(export["pseudonym"], made["pseudonym"]);
        let number = export["record"].to_string();
        let record = home.ask(&["audit", "show", &number]).ends(0, &[]).stdout;
        let words = ["actor", "ts", "pseudonym"].map(|name| export[name].as_str().expect("a word"));
        assert!(
            words.iter().all(|word| record.contains(word)) && record.contains("object.exported ok"),
            "{record}"
        );
    }
    let said = home.ask(&["history", "prove", &piped]).ends(0, &[]).stdout;
    assert!(said.contains(&format!("record {}, ", made["export"]["record"])), "{said}");

    // A picture that was changed, by one byte at its end, and what is no file.
    let mut changed = output.stdout.clone();
    changed.push(0);
    home.write("out/changed.png", &changed);
    home.ask(&["history", "prove", &home.at("out/changed.png")]).ends(5, &["byte for byte"]);
    home.ask(&["history", "prove", &home.at("out")]).ends(5, &["no regular file"]);
    home.ask(&["history", "prove", &home.at("out/nowhere")]).ends(5, &["nowhere"]);
    // A sparse one is not read for ever.
    let huge = std::fs::File::create(home.path().join("out/huge")).expect("a home can be written");
    huge.set_len(1 << 40).expect("a sparse file");
    home.ask(&["history", "prove", &home.at("out/huge")]).ends(5, &["larger than any plain copy"]);

    home.ask(&["history", "rm", id, "--yes"]).ends(0, &[]);
    home.ask(&["history", "prove", &first]).ends(5, &["erased, after which nobody can tell"]);
    assert_eq!(home.count_records(&["object.export_digest ok", "content_mac="]), 3);
    home.is_whole(0);
}
