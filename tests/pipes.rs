//! A passphrase from a pipe, and a picture to one.

use crate::harness::{Home, PASSPHRASE, Ran, SMALL, behind};
use crate::life::pixels;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The program as a shell starts it, behind `script`, in which `"$@"` is the program with its arguments.
fn in_shell(home: &Home, script: &str, arguments: &[&str]) -> Ran {
    let state = home.at("state");
    let program = home.program(&[arguments, &["--home", &state]].concat());
    Ran::of(&mut behind(&["bash", "-c", script, "bash"], &program))
}

#[test]
fn a_passphrase_comes_from_a_pipe_of_any_kind() {
    let home = Home::with_picture("pipe");
    let say = format!("<(echo '{PASSPHRASE}')");
    // What bash calls the pipe is given as it is; the rest of the line is for the next reader.
    in_shell(&home, &format!("\"$@\" --passphrase-file {say}"), &["history", "list"]).ends(0, &[]);
    in_shell(&home, &format!("\"$@\" --passphrase-file={say}"), &["history", "list"]).ends(0, &[]);
    let other = "<(echo 'twelve blue herons at dusk')";
    for (old, new) in [(&*say, other), (other, &*say)] {
        let both = format!("\"$@\" --passphrase-file {old} --new-passphrase-file {new}");
        in_shell(&home, &both, &["vault", "passwd"]).ends(0, &["the passphrase was changed"]);
    }
    let slow = format!("\"$@\" --passphrase-file <(sleep 1; printf '%s' '{PASSPHRASE}')");
    in_shell(&home, &slow, &["history", "list"]).ends(0, &[]);
    let piped = format!("echo '{PASSPHRASE}' | \"$@\" --passphrase-file /dev/stdin");
    in_shell(&home, &piped, &["history", "list"]).ends(0, &[]);
    let redirected = format!("\"$@\" --passphrase-file /dev/fd/0 < '{}'", home.at("pass"));
    in_shell(&home, &redirected, &["history", "list"]).ends(0, &[]);
    // The first line is the passphrase, what follows is the prompt.
    let prompt =
        format!("printf '%s\\n' '{PASSPHRASE}' 'a red apple' | \"$@\" - --passphrase-file /dev/stdin");
    let seed = ["generate", "--seed", "5", "--export"];
    let (piped, typed) = (home.at("out/piped.png"), home.at("out/typed.png"));
    in_shell(&home, &prompt, &[&seed[..], &[&piped], &SMALL].concat()).ends(0, &[]);
    home.ask(&[&seed[..], &[&typed, "a red apple"], &SMALL].concat()).ends(0, &[]);
    let read = |path: &str| pixels(&std::fs::read(path).expect("it was exported"));
    assert_eq!(read(&piped), read(&typed));

    let named = home.at("named");
    assert!(Command::new("mkfifo").arg(&named).status().expect("coreutils").success());
    let mut command = home.program(&["history", "list", "--home", "state", "--passphrase-file", &named]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = std::fs::File::options().write(true).open(&named).expect("the program reads it");
    writeln!(pipe, "{PASSPHRASE}").expect("the program reads it");
    Ran::from(child.wait_with_output().expect("it is our child")).ends(0, &[]);
    assert_eq!(home.count_records(&["vault.unlock_failed"]), 0);
    home.is_whole(3);
}

#[test]
fn a_pipe_without_a_passphrase_is_told() {
    let home = Home::with_picture("no-line");
    let list =
        |file: &str| in_shell(&home, &format!("\"$@\" --passphrase-file {file}"), &["history", "list"]);
    list("<(true)").ends(7, &["/dev/fd/", "the first line is empty"]);
    list("<(head -c 5000 /dev/zero | tr '\\0' x)").ends(7, &["longer than 4096"]);
    list("<(echo eight grey herons at dawn)").ends(7, &["wrong passphrase", "/dev/fd/"]);
    // A descriptor that nobody opened.
    list("/dev/fd/77").ends(7, &["/dev/fd/77", "cannot be read"]);
    list("/dev/stdin < /dev/null").ends(7, &["no regular file and no pipe"]);
    // Standard input as a terminal would show what is typed.
    assert_eq!(home.count_records(&["vault.unlock_failed"]), 1);
    home.is_whole(1);
}

/// Nothing that a shell left open stays open behind the fences.
#[test]
fn a_descriptor_that_is_no_file_of_the_arguments_is_closed() {
    let home = Home::with_picture("left-open");
    let script = format!("\"$@\" --passphrase-file <(echo '{PASSPHRASE}') 9< /dev/null 77< /dev/null");
    in_shell(&home, &script, &["history", "list"]).ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_picture_goes_to_standard_output_as_its_only_content() {
    let home = Home::with_picture("stdout");
    let picture = home.pictures()[0].clone();
    let id = picture["id"].as_str().expect("a picture has an id");
    let raw = |arguments: &[&str]| {
        let output = home.furnished_program(arguments).output().expect("it starts");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.stdout, said)
    };
    let file = home.at("out/a.png");
    home.ask(&["history", "export", id, "-o", &file]).ends(0, &[]);
    let (png, said) = raw(&["history", "export", id, "-o", "-"]);
    assert_eq!(std::fs::read(&file).ok(), Some(png));
    let pseudonym = picture["pseudonym"].as_str().expect("a picture has a pseudonym");
    assert!(said.contains("exported to standard output") && said.contains(pseudonym), "{said}");
    let (png, said) = raw(&[&["generate", "x", "--export", "-"], &SMALL[..]].concat());
    assert_eq!((pixels(&png).0, pixels(&png).1), (16, 16));
    assert!(said.contains("sealed "), "{said}");
    let (_, said) = raw(&["history", "export", id, "-o", "-", "--quiet"]);
    assert_eq!(said, "");
    assert_eq!(home.count_records(&["object.exported ok"]), 4);

    // Nothing is made or unlocked where it could not be printed.
    let unlocked = home.count_records(&["vault.unlocked"]);
    home.ask(&["history", "export", id, id, "-o", "-"]).ends(2, &["one picture"]);
    home.generate(&["x", "-n", "2", "--export", "-"]).ends(2, &["one picture"]);
    home.generate(&["x", "--json", "--export", "-"]).ends(2, &["--json"]);
    assert_eq!(home.count_records(&["vault.unlocked"]), unlocked);
    home.is_whole(2);
}

#[test]
fn a_plain_copy_of_another_kind_is_refused_before_any_work() {
    let home = Home::with_picture("jpg");
    let id = home.pictures()[0]["id"].as_str().expect("a picture has an id").to_owned();
    let started = home.count_records(&["boot.started"]);
    for name in ["a.jpg", "a.JPEG", "a.webp"] {
        home.generate(&["x", "--export", &home.at(&format!("out/{name}"))]).ends(2, &["PNG", name]);
        home.ask(&["history", "export", &id, "-o", &home.at(&format!("out/{name}"))]).ends(2, &["PNG", name]);
    }
    assert_eq!(home.count_records(&["boot.started"]), started);
    for name in ["a.png", "b.PNG", "no-ending", "v1.2"] {
        home.ask(&["history", "export", &id, "-o", &home.at(&format!("out/{name}"))]).ends(0, &[]);
    }
    home.is_whole(1);
}
