//! Folders that the client of a cloud copies away.

use super::finding::Finding;
use std::path::Path;

/// What a client leaves in the folder that it synchronises.
const MARKERS: [(&str, &str); 10] = [
    (".dropbox.cache", "Dropbox"),
    (".stfolder", "Syncthing"),
    (".nextcloudsync.log", "Nextcloud"),
    (".owncloudsync.log", "ownCloud"),
    (".csync_journal.db", "ownCloud"),
    (".seafile-data", "Seafile"),
    (".sync/ID", "Resilio Sync"),
    (".tmp.drivedownload", "Google Drive"),
    (".tmp.driveupload", "Google Drive"),
    (".tresorit", "Tresorit"),
];
/// How clients name their folder, in small letters.
const NAMES: [&str; 20] = [
    "dropbox",
    "google drive",
    "googledrive",
    "my drive",
    "onedrive",
    "icloud drive",
    "icloud",
    "nextcloud",
    "owncloud",
    "seafile",
    "pclouddrive",
    "mega",
    "megasync",
    "tresorit",
    "box sync",
    "yandex.disk",
    "proton drive",
    "nutstore files",
    "baidusyncdisk",
    "wpsdrive",
];
/// Ways to begin such a name, where the rest names an account.
const STARTS: [&str; 4] = ["onedrive - ", "dropbox (", "nextcloud ", "googledrive-"];

/// Whether a client copies the folder `name` to somebody else's machine, by what lies in it or above it and by how that is
/// called; `has` says whether there is something of that path. `ways` are the path as a person names it and the real one.
pub fn cloud(name: &str, ways: [&Path; 2], has: &dyn Fn(&Path) -> bool) -> Finding {
    let check = format!("{name}.cloud");
    let above = || ways.into_iter().flat_map(Path::ancestors);
    let marked = above().find_map(|folder| {
        let (_, client) = MARKERS.iter().find(|(marker, _)| has(&folder.join(marker)))?;
        Some(format!("{client} copies {} away", folder.display()))
    });
    let named = || {
        let folder = above()
            .find(|folder| folder.file_name().is_some_and(|name| is_clients(&name.to_string_lossy())))?;
        Some(format!(
            "{} is named as a cloud's client names the folder that it copies away",
            folder.display()
        ))
    };
    match marked.or_else(named) {
        Some(what) => Finding::needs(
            check,
            format!(
                "{what}: copies of keys and sealed pictures that no erasure reaches, and files that change beneath the program; \
                 choose another folder (--home, --outputs)"
            ),
        ),
        None => Finding::fine(check, "no sign of a client that copies it away"),
    }
}

fn is_clients(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.contains(&name.as_str()) || STARTS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson};

    #[test]
    fn a_folder_that_is_copied_away_needs_a_person() {
        let of = |named: &str, real: &str, there: &str| {
            cloud("pictures", [Path::new(named), Path::new(real)], &|path| path == Path::new(there))
        };
        of("/home/a/p", "/home/a/p", "").is(Fine, &[]);
        of("/home/a/p", "/home/a/p", "/home/a/.dropbox").is(Fine, &[]);
        of("/home/a/p", "/home/a/p", "/home/a/.stfolder").is(NeedsPerson, &["Syncthing copies /home/a away"]);
        of("/home/a/p", "/home/a/p", "/home/a/p/.sync/ID").is(NeedsPerson, &["Resilio"]);
        of("/home/a/p", "/srv/x/p", "/srv/x/.nextcloudsync.log").is(NeedsPerson, &["Nextcloud", "/srv/x"]);
        for name in ["Dropbox", "OneDrive - Contoso", "Google Drive", "Nutstore Files"] {
            let path = format!("/home/a/{name}/p");
            of(&path, &path, "").is(NeedsPerson, &[name]);
            of("/home/a/p", &path, "").is(NeedsPerson, &[name]);
        }
        of("/home/a/megabytes", "/home/a/boxes/dropboxes", "").is(Fine, &[]);
    }
}
