//! Just enough of Rust for the rules: what of the sources is compiled into the program, and the paths in it.

use crate::is_test;

/// What of a file is compiled into the program.
#[derive(Default)]
pub struct Code {
    /// Without comments.
    pub text: String,
    /// Modules in files of their own.
    pub modules: Vec<String>,
    /// Those that only tests have.
    tests: Vec<String>,
}

/// A path, without the brackets that `use` may put in it.
pub struct Found<'a> {
    pub path: Vec<String>,
    /// The code on its left.
    pub before: &'a str,
    /// The code on its right.
    pub after: &'a str,
}

/// The files without those that only tests compile.
pub fn compiled<'a>(files: impl Iterator<Item = (&'a str, String)>) -> Vec<(String, Code)> {
    let files = files.filter(|(path, _)| !is_test(path));
    let mut files: Vec<(String, Code)> =
        files.map(|(path, text)| (path.to_owned(), Code::of(&text))).collect();
    let below = |(path, code): &(String, Code)| {
        let (folder, name) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
        let own = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder,
            _ => path.trim_end_matches(".rs"),
        };
        code.tests.iter().map(|test| format!("{own}/{test}").trim_start_matches('/').to_owned()).collect()
    };
    let tests: Vec<String> = files.iter().flat_map(|file| -> Vec<String> { below(file) }).collect();
    let is_of =
        |path: &str, test: &String| path.strip_prefix(test).is_some_and(|rest| rest.starts_with(['.', '/']));
    files.retain(|(path, _)| !tests.iter().any(|test| is_of(path, test)));
    files
}

impl Code {
    fn of(text: &str) -> Code {
        let mut code = Code::default();
        let mut lines = text.lines().map(|line| line.split("//").next().unwrap_or(line));
        while let Some(line) = lines.next() {
            if line.trim() == "#[cfg(test)]" {
                code.tests.extend(skip_item(indent(line), &mut lines));
            } else {
                code.modules.extend(module_of(line));
                code.text.extend([line, "\n"]);
            }
        }
        code
    }

    /// The paths in which `start` stands as a whole word and is not the end.
    pub fn paths<'a>(&'a self, start: &str) -> impl Iterator<Item = Found<'a>> {
        let is_longer = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let splits = self.text.match_indices(start).map(|(at, _)| self.text.split_at(at));
        let whole = splits.filter(move |(before, at)| {
            !before.ends_with(is_longer) && at.strip_prefix(start).is_some_and(|rest| rest.starts_with("::"))
        });
        whole.flat_map(|(before, at)| {
            expand(at).into_iter().map(move |(path, after)| Found { path, before, after })
        })
    }

    /// What `use` brings here, as it is spelt.
    pub fn uses(&self) -> impl Iterator<Item = Vec<String>> {
        self.text.split("use ").skip(1).flat_map(expand).map(|(path, _)| path)
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Skips an item that `rustfmt` has laid out with this indent. Gives its name if it is a module in a file of its own.
fn skip_item<'a>(outer: usize, lines: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let first = lines.find(|line| !line.trim_start().starts_with("#["))?;
    let is_open = first.ends_with(['{', '(', '[']);
    let is_end = |line: &str| line.ends_with([';', ',', '}']) && (indent(line) == outer || !is_open);
    if !is_end(first) {
        lines.find(|line| is_end(line));
    }
    module_of(first)
}

/// The module that this line says to be in a file of its own.
fn module_of(line: &str) -> Option<String> {
    let (before, name) = line.trim().strip_suffix(';')?.rsplit_once(' ')?;
    (before == "mod" || before.ends_with(" mod")).then(|| name.to_owned())
}

/// `a::{b, c::d} ...` is `a::b` and `a::c::d`; each with what follows it.
fn expand(text: &str) -> Vec<(Vec<String>, &str)> {
    let (mut out, mut path, mut depths) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        path.extend((!word.is_empty()).then(|| word.to_owned()));
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix("::") {
            rest = after.strip_prefix('{').inspect(|_| depths.push(path.len())).unwrap_or(after).trim_start();
            continue;
        }
        out.push((path.clone(), rest));
        while let Some(after) = rest.strip_prefix('}').filter(|_| !depths.is_empty()) {
            depths.pop();
            rest = after.trim_start();
        }
        match (depths.last(), rest.strip_prefix(',')) {
            (Some(depth), Some(after)) => {
                path.truncate(*depth);
                rest = after.trim_start();
            }
            _ => return out,
        }
    }
}
