//! Just enough of a `Cargo.toml` for the rules: tables, keys, and the comments that give reasons.

/// One manifest of the workspace.
pub struct Manifest {
    /// From the root of the repository.
    pub path: String,
    pub entries: Vec<Entry>,
    /// The headers, also of tables without an entry, each with the comment just above it.
    pub tables: Vec<(String, String)>,
}

/// One `key = value`, wherever it stands.
pub struct Entry {
    pub table: String,
    pub key: String,
    pub value: String,
    /// The comment within it, else the one just above it.
    pub reason: String,
}

impl Manifest {
    pub fn parse(path: &str, text: &str) -> Manifest {
        let (mut table, mut tables, mut entries) = (String::new(), Vec::new(), Vec::new());
        let mut above = String::new();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if let Some(comment) = line.strip_prefix('#') {
                above.push_str(comment.trim());
                continue;
            }
            let (mut code, mut reason) = split_comment(line);
            if code.starts_with('[') {
                table = code.trim_matches(['[', ']']).to_owned();
                tables.push((table.clone(), above.clone()));
            } else if !code.is_empty() {
                while code.matches(['[', '{']).count() > code.matches([']', '}']).count() {
                    let (more, comment) = split_comment(lines.next().expect("the bracket is closed"));
                    code.push_str(&more);
                    reason.push_str(&comment);
                }
                let (key, value) =
                    code.split_once('=').unwrap_or_else(|| panic!("{path}: not an entry: {line}"));
                let (key, value) = (key.trim().trim_matches('"').to_owned(), value.trim().to_owned());
                let reason = if reason.is_empty() { above.clone() } else { reason };
                entries.push(Entry { table: table.clone(), key, value, reason });
            }
            above.clear();
        }
        Manifest { path: path.to_owned(), entries, tables }
    }

    /// The folder it lies in, `""` for the root.
    pub fn folder(&self) -> &str {
        self.path.strip_suffix("Cargo.toml").expect("a manifest's name").trim_end_matches('/')
    }

    pub fn package(&self) -> &str {
        self.value("package", "name").expect("a package has a name")
    }

    /// A string or word, without its quotes.
    pub fn value(&self, table: &str, key: &str) -> Option<&str> {
        self.entries.iter().find(|e| e.table == table && e.key == key).map(|e| e.value.trim_matches('"'))
    }

    /// Every declared dependency, of any kind and for any target, optional or not: the package's name and its entry.
    pub fn dependencies(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let of_this = |e: &&Entry| is_dependency_table(&e.table) && !e.table.starts_with("workspace");
        self.entries.iter().filter(of_this).map(|entry| {
            let named = entry.key.split('.').next().expect("split yields one part");
            let renamed = entry.value.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            (renamed.unwrap_or(named), entry)
        })
    }

    /// Tables of one dependency, `[dependencies.NAME]`: TOML, but not what `dependencies` reads.
    pub fn dotted_dependencies(&self) -> impl Iterator<Item = &String> {
        let headers = self.tables.iter().map(|(header, _)| header);
        headers.filter(|table| table.rsplit_once('.').is_some_and(|(head, _)| is_dependency_table(head)))
    }
}

fn is_dependency_table(table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
}

/// Code and comment of a line; a `#` within quotes is no comment.
fn split_comment(line: &str) -> (String, String) {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return (line[..at].trim().to_owned(), line[at + 1..].trim().to_owned()),
            _ => {}
        }
    }
    (line.trim().to_owned(), String::new())
}

#[test]
fn every_way_to_declare_a_dependency_is_seen() {
    let text = r##"
[package]
name = "a"          # the "first" one
[dependencies]
# above
one = "1"
two = { version = "2", features = [
    "x",            # inside
] }
three.workspace = true
four = { package = "vault", path = "../vault" }
[target.'cfg(unix)'.dependencies]
five = "5#5"        # beside
[build-dependencies]
six = "6"
[dev-dependencies.seven]
version = "7"
"##;
    let manifest = Manifest::parse("a/Cargo.toml", text);
    let seen: Vec<_> = manifest.dependencies().map(|(name, e)| (name, e.reason.as_str())).collect();
    let want =
        [("one", "above"), ("two", "inside"), ("three", ""), ("vault", ""), ("five", "beside"), ("six", "")];
    assert_eq!(seen, want);
    assert_eq!(manifest.dotted_dependencies().collect::<Vec<_>>(), ["dev-dependencies.seven"]);
    assert_eq!((manifest.package(), manifest.folder()), ("a", "a"));
}
