//! What a person does in the page, and what must hold at the end of every session.

use crate::browser::driver::{Browser, SOON};
use crate::browser::network;
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How long a picture may take on a busy machine.
pub const PICTURE: Duration = Duration::from_secs(120);

/// A home, its server and a browser; they end in the order of the fields.
pub struct Studio {
    pub browser: Browser,
    pub served: Served,
    pub home: Home,
}

impl Studio {
    /// Nobody has been here before.
    #[track_caller]
    pub fn new(test: &str) -> Studio {
        Studio::of(Home::furnished(test))
    }

    /// In a home that somebody has furnished otherwise.
    #[track_caller]
    pub fn of(home: Home) -> Studio {
        let served = Served::start(&home);
        Studio { browser: Browser::open(&home), served, home }
    }

    /// With a vault, unlocked, in the studio.
    #[track_caller]
    pub fn ready(test: &str) -> Studio {
        let studio = Studio::new(test);
        studio.set_up();
        studio
    }

    /// Follows the link and makes the vault; the recovery code.
    #[track_caller]
    pub fn set_up(&self) -> String {
        self.browser.goto(&self.served.setup_link());
        self.browser.fill("#passphrase", PASSPHRASE);
        self.browser.fill("#passphrase-again", PASSPHRASE);
        self.browser.click("#set-up");
        self.browser.see("#recovery-code");
        let code = self.browser.text("#recovery-code");
        self.browser.click("#recovery-noted");
        self.browser.click("#continue");
        self.browser.see("#prompt");
        code
    }

    /// Opens the page in this tab and unlocks.
    #[track_caller]
    pub fn enter(&self) {
        self.browser.goto(&self.served.origin());
        self.unlock();
    }

    #[track_caller]
    pub fn unlock(&self) {
        self.browser.fill("#passphrase", PASSPHRASE);
        self.browser.click("#unlock");
        self.browser.see("#prompt");
    }

    /// Turns the page from English to Chinese.
    #[track_caller]
    pub fn speak_chinese(&self) {
        let browser = &self.browser;
        browser.click("#language");
        browser
            .until("speak Chinese", SOON, || (browser.attribute("html", "lang")? == "zh-CN").then_some(()));
    }

    /// Fills the form in, without sending it.
    #[track_caller]
    pub fn describe(&self, prompt: &str, (width, height): (u32, u32), steps: u32, seed: u32) {
        let browser = &self.browser;
        browser.fill("#prompt", prompt);
        browser.choose("#size", "custom");
        browser.fill("#width", &width.to_string());
        browser.fill("#height", &height.to_string());
        browser.fill("#seed", &seed.to_string());
        if !browser.is_displayed("#steps") {
            browser.click("#advanced summary");
        }
        browser.fill("#steps", &steps.to_string());
    }

    /// Asks for a picture that takes some seconds, and waits until its making is seen.
    #[track_caller]
    pub fn begin(&self, prompt: &str, steps: u32) {
        self.describe(prompt, (256, 256), steps, 7);
        self.browser.click("#generate");
        self.browser.until("show a preview", PICTURE, || self.browser.attribute("#preview", "data-preview"));
    }

    /// Waits until a finished picture is on the stage; its id.
    #[track_caller]
    pub fn finished(&self) -> String {
        let id = self.browser.until("show a finished picture", PICTURE, || {
            self.browser.attribute("#preview", "data-id").filter(|_| self.has_area("#preview"))
        });
        self.browser.see_no("#progress");
        id
    }

    /// Is it an image that was loaded, and not squeezed to nothing?
    #[track_caller]
    pub fn has_area(&self, css: &str) -> bool {
        let script = "const image = document.querySelector(arguments[0]);
                      const { width, height } = image.getBoundingClientRect();
                      return image.complete && image.naturalWidth > 0 && width >= 16 && height >= 16;";
        self.browser.script(script, &[css]) == true
    }

    /// Waits until the history shows this many pictures.
    #[track_caller]
    pub fn shows(&self, pictures: usize) {
        let what = format!("show {pictures} pictures in the history");
        self.browser
            .until(&what, SOON, || (self.browser.count("#history li[data-id]") == pictures).then_some(()));
    }

    /// A request with the session of the page.
    #[track_caller]
    pub fn api(&self, request: Request) -> Value {
        let token = self.browser.script("return sessionStorage.getItem('token')", &[]);
        let token = token.as_str().unwrap_or_else(|| panic!("the page has no session"));
        let answer = self.served.ask(&request.token(token));
        assert!(answer.status < 300, "{answer:?}");
        answer.json()
    }

    /// Makes pictures that cost next to nothing, and waits until they are in the history.
    #[track_caller]
    pub fn make_small(&self, count: usize) {
        let before = self.browser.count("#history li[data-id]");
        let job = json!({"prompt": "x", "width": 16, "height": 16, "steps": 1, "count": count});
        self.api(Request::post("/api/v1/jobs", &job));
        self.shows(before + count);
    }

    /// How many pictures the server has.
    #[track_caller]
    pub fn total(&self) -> u64 {
        let total = self.api(Request::get("/api/v1/images?limit=1"))["total"].as_u64();
        total.expect("a list has a total")
    }

    /// Waits until this many pictures were downloaded; their paths.
    #[track_caller]
    pub fn downloads(&self, count: usize) -> Vec<PathBuf> {
        self.saved(count, "png")
    }

    /// Waits until this many files of that kind were downloaded; their paths.
    #[track_caller]
    pub fn saved(&self, count: usize, kind: &str) -> Vec<PathBuf> {
        self.browser.until(&format!("save {count} files"), SOON, || {
            let entries = std::fs::read_dir(self.home.path().join("downloads")).ok()?;
            let paths = entries.flatten().map(|entry| entry.path());
            // What is not whole yet has another name.
            let whole: Vec<PathBuf> =
                paths.filter(|path| path.extension().is_some_and(|found| found == kind)).collect();
            (whole.len() == count).then_some(whole)
        })
    }

    /// Waits until one archive was downloaded, and has another program check it, its sums and its list; the names of the
    /// pictures in it.
    #[track_caller]
    pub fn archive(&self) -> Vec<String> {
        let path = self.saved(1, "zip").remove(0);
        let script = r"import hashlib, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
*pictures, manifest, sums = archive.namelist()
assert (manifest, sums) == ('MANIFEST', 'SHA256SUMS'), archive.namelist()
lines = [line.split('  ', 1) for line in archive.read(sums).decode().splitlines()]
assert [name for _, name in lines] == [*pictures, manifest], lines
for digest, name in lines:
    assert hashlib.sha256(archive.read(name)).hexdigest() == digest, name
rows = [line.split('\t') for line in archive.read(manifest).decode().splitlines()]
assert rows[0][:3] == ['name', 'id', 'made'] and [row[0] for row in rows[1:]] == pictures, rows
for name, row in zip(pictures, rows[1:]):
    made = row[2].replace('-', '').replace(':', '').replace('T', '_')
    assert name.startswith(made[:15]), (name, row)
    assert archive.read(name).startswith(b'\x89PNG\r\n'), name
    print(name)";
        let output = Command::new("python3").arg("-c").arg(script).arg(&path).output();
        let output = output.unwrap_or_else(|error| panic!("python3: {error}"));
        assert!(output.status.success(), "{}: {output:?}", path.display());
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Ends the session as a person would: browser closed, server stopped. It spoke to nobody but the server, there
    /// is no cookie, and nothing broke a rule of the page.
    #[track_caller]
    pub fn close(self) -> Home {
        let strangers = network::strangers(&self.browser.performance(), &self.served.origin());
        self.close_after(&strangers)
    }

    /// The same where the test sent the browser to other addresses too, and knows why.
    #[track_caller]
    pub fn close_after(self, strangers: &[String]) -> Home {
        let Studio { browser, served, home } = self;
        assert_eq!(strangers, [""; 0]);
        assert_eq!(browser.cookies(), [Value::Null; 0]);
        let console = browser.console();
        // An answer that is an error is listed too, but whether it should be one is for the test; and which features a
        // browser can be denied changes with its version.
        let allowed = ["Failed to load resource", "Unrecognized feature"];
        let broken = |entry: &&Value| {
            let text = entry["message"].as_str().unwrap_or_default();
            ["WARNING", "SEVERE"].contains(&entry["level"].as_str().unwrap_or_default())
                && !allowed.iter().any(|words| text.contains(words))
        };
        assert_eq!(console.iter().filter(broken).collect::<Vec<_>>(), [&Value::Null; 0]);
        browser.quit();
        let own = [format!("127.0.0.1:{}", served.port), format!("[::1]:{}", served.port)];
        let contacts = network::contacts(&home.path().join("net-log"));
        assert!(
            contacts.iter().any(|contact| own.contains(contact)),
            "the net log sees nothing: {contacts:?}"
        );
        assert!(contacts.iter().all(|contact| own.contains(contact)), "{contacts:?}");
        served.stop().ends(0, &[]);
        home
    }
}
