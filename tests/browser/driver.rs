//! A browser of its own for each test: a WebDriver client by hand, and headless Chromium with a fresh profile.

use crate::family::Family;
use crate::harness::Home;
use crate::http::Request;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long something may take that the page does by itself.
pub const SOON: Duration = Duration::from_secs(60);

/// What the WebDriver specification calls an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What Chromium does by itself is switched off, and no name leads anywhere: what its logs show, the page asked for.
const FLAGS: [&str; 15] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-features=AutofillServerCommunication,MediaRouter,OptimizationHints,Translate",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--lang=en-US",
    "--window-size=1440,900",
];

/// A running browser; ended, with all its processes, when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    home: PathBuf,
    /// What its logs held so far: asking for them empties them.
    logs: RefCell<BTreeMap<&'static str, Vec<Value>>>,
}

impl Browser {
    /// With its profile, downloads and logs in this home.
    #[track_caller]
    pub fn open(home: &Home) -> Browser {
        let chromium = installed("chromium");
        let mut command = Command::new(installed("chromedriver"));
        command.arg("--port=0").current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin");
        // Chromium puts a socket there, and the path of a socket may not be long.
        command.env("HOME", home.path()).env("TMPDIR", "tmp");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().unwrap_or_else(|error| panic!("chromedriver: {error}"));
        let mut said = BufReader::new(driver.stdout.take().expect("it was piped"));
        let mut browser = Browser {
            driver,
            port: 0,
            session: String::new(),
            home: home.path().to_owned(),
            logs: RefCell::default(),
        };
        let mut line = String::new();
        while browser.port == 0 {
            line.clear();
            let count = said.read_line(&mut line).unwrap_or(0);
            assert!(count > 0, "chromedriver ended without a port");
            let port = line.split_once("started successfully on port ").map(|(_, rest)| rest.trim());
            browser.port = port.and_then(|port| port.trim_end_matches('.').parse().ok()).unwrap_or(0);
        }
        // It must not find its pipe full or closed.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", home.at("profile")));
        flags.push(format!("--log-net-log={}", home.at("net-log")));
        let options = json!({
            "binary": chromium,
            "args": flags,
            "prefs": {
                "download.default_directory": home.at("downloads"),
                "download.prompt_for_download": false,
                // A person is asked once whether a page may save several files at once; this one agreed.
                "profile.default_content_setting_values.automatic_downloads": 1,
            },
        });
        let logs = json!({"browser": "ALL", "performance": "ALL"});
        let wanted =
            json!({"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs});
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let made = browser.call("POST", "/session", &body);
        let made = made.unwrap_or_else(|error| panic!("chromium does not start: {error}"));
        browser.session =
            made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}")).to_owned();
        browser
    }

    /// A command of the WebDriver protocol: its value, or what it says is wrong.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let request = match method {
            "POST" => Request::post(path, body),
            _ => Request::new(method, path),
        };
        let answer = request.wait(Duration::from_secs(120)).send(self.port)?;
        let mut object: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let value = object["value"].take();
        if answer.status == 200 {
            return Ok(value);
        }
        let part =
            |name: &str| value[name].as_str().unwrap_or_default().lines().next().unwrap_or("").to_owned();
        Err(format!("{}: {}", part("error"), part("message")))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    /// A command of this session that must succeed; `step` says what the test does.
    #[track_caller]
    fn ask(&self, step: &str, method: &str, path: &str, body: &Value) -> Value {
        match self.try_ask(method, path, body) {
            Ok(value) => value,
            Err(error) => self.fail(&format!("cannot {step}: {error}")),
        }
    }

    /// Ends the test; the picture of what the page showed is made when the browser is dropped.
    #[track_caller]
    pub fn fail(&self, sentence: &str) -> ! {
        panic!("{sentence}\n(the page as it was: {})", self.home.join("failed.png").display())
    }

    /// Tries until there is a value, and fails after `wait`: "the page does not `what`".
    #[track_caller]
    pub fn until<T>(&self, what: &str, wait: Duration, mut value: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + wait;
        loop {
            if let Some(value) = value() {
                return value;
            }
            if Instant::now() > end {
                self.fail(&format!("the page does not {what} within {} s", wait.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    #[track_caller]
    pub fn goto(&self, url: &str) {
        self.ask(&format!("open {url}"), "POST", "/url", &json!({"url": url}));
    }

    #[track_caller]
    pub fn reload(&self) {
        self.ask("reload", "POST", "/refresh", &json!({}));
    }

    #[track_caller]
    pub fn url(&self) -> String {
        text_of(&self.ask("read the address bar", "GET", "/url", &Value::Null))
    }

    #[track_caller]
    pub fn title(&self) -> String {
        text_of(&self.ask("read the title", "GET", "/title", &Value::Null))
    }

    /// The path of the first element that matches.
    fn element(&self, css: &str) -> Result<String, String> {
        let query = json!({"using": "css selector", "value": css});
        let found = self.try_ask("POST", "/element", &query)?;
        Ok(format!("/element/{}", text_of(&found[ELEMENT])))
    }

    /// Does something to an element that has to be there; one that was replaced meanwhile is looked for again.
    #[track_caller]
    fn with(&self, step: &str, css: &str, method: &str, path: &str, body: &Value) -> Value {
        let end = Instant::now() + SOON;
        loop {
            let done = self.element(css).and_then(|at| self.try_ask(method, &format!("{at}{path}"), body));
            match done {
                Ok(value) => return value,
                Err(error) if Instant::now() > end => self.fail(&format!("cannot {step} {css}: {error}")),
                Err(_) => std::thread::sleep(Duration::from_millis(40)),
            }
        }
    }

    /// Clicks what a person could click: it is in view, and nothing lies on it. A disabled button is waited for.
    #[track_caller]
    pub fn click(&self, css: &str) {
        self.until(&format!("enable {css}"), SOON, || (self.property(css, "disabled") != true).then_some(()));
        self.with("click", css, "POST", "/click", &json!({}));
    }

    #[track_caller]
    pub fn clear(&self, css: &str) {
        self.with("clear", css, "POST", "/clear", &json!({}));
    }

    #[track_caller]
    pub fn type_keys(&self, css: &str, keys: &str) {
        self.with("type into", css, "POST", "/value", &json!({"text": keys}));
    }

    /// Types in the place of what was there.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        self.see(css);
        self.clear(css);
        self.type_keys(css, text);
    }

    /// Chooses an option of a select.
    #[track_caller]
    pub fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value=\"{value}\"]"));
    }

    /// Presses keys one after the other wherever the focus is, and holds `held` meanwhile.
    #[track_caller]
    pub fn press(&self, held: &str, pressed: &str) {
        let key = |kind: &str, key: char| json!({"type": kind, "value": key.to_string()});
        let mut actions: Vec<Value> = held.chars().map(|held| key("keyDown", held)).collect();
        actions.extend(pressed.chars().flat_map(|pressed| [key("keyDown", pressed), key("keyUp", pressed)]));
        actions.extend(held.chars().map(|held| key("keyUp", held)));
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.ask("press keys", "POST", "/actions", &body);
    }

    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        text_of(&self.with("read", css, "GET", "/text", &Value::Null))
    }

    #[track_caller]
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let value = self.with("read", css, "GET", &format!("/attribute/{name}"), &Value::Null);
        value.as_str().map(str::to_owned)
    }

    #[track_caller]
    pub fn property(&self, css: &str, name: &str) -> Value {
        self.with("read", css, "GET", &format!("/property/{name}"), &Value::Null)
    }

    /// What a screen reader calls each element that matches and is to be seen, and how that begins in HTML.
    #[track_caller]
    pub fn names(&self, css: &str) -> Vec<(String, String)> {
        let script = "return [...document.querySelectorAll(arguments[0])]
            .filter((element) => element.checkVisibility({ visibilityProperty: true }))
            .map((element) => [element, element.outerHTML.slice(0, 120)]);";
        let found = self.script(script, &[css]);
        let name = |element: &Value| {
            let path = format!("/element/{}/computedlabel", text_of(&element[ELEMENT]));
            text_of(&self.ask(&format!("name {element}"), "GET", &path, &Value::Null))
        };
        found.as_array().into_iter().flatten().map(|one| (name(&one[0]), text_of(&one[1]))).collect()
    }

    pub fn is_displayed(&self, css: &str) -> bool {
        let displayed =
            self.element(css).and_then(|at| self.try_ask("GET", &format!("{at}/displayed"), &Value::Null));
        displayed.is_ok_and(|displayed| displayed == true)
    }

    #[track_caller]
    pub fn count(&self, css: &str) -> usize {
        let query = json!({"using": "css selector", "value": css});
        self.ask(&format!("count {css}"), "POST", "/elements", &query).as_array().map_or(0, Vec::len)
    }

    /// Waits until it is displayed.
    #[track_caller]
    pub fn see(&self, css: &str) {
        self.until(&format!("show {css}"), SOON, || self.is_displayed(css).then_some(()));
    }

    /// Waits until it is not.
    #[track_caller]
    pub fn see_no(&self, css: &str) {
        self.until(&format!("hide {css}"), SOON, || (!self.is_displayed(css)).then_some(()));
    }

    /// Runs the body of a function in the page, and gives what it returns.
    #[track_caller]
    pub fn script(&self, body: &str, arguments: &[&str]) -> Value {
        let script = json!({"script": body, "args": arguments});
        self.ask(&format!("run {body:?}"), "POST", "/execute/sync", &script)
    }

    /// The same for a body that awaits.
    #[track_caller]
    pub fn script_async(&self, body: &str, arguments: &[&str]) -> Value {
        let body = format!(
            "const all = [...arguments]; const done = all.pop();
             (async (...arguments) => {{ {body} }})(...all)
                 .then(done, (error) => done({{thrown: String(error)}}));"
        );
        let script = json!({"script": body, "args": arguments});
        let value = self.ask(&format!("run {body:?}"), "POST", "/execute/async", &script);
        if let Some(thrown) = value["thrown"].as_str() {
            self.fail(&format!("a script of the test throws: {thrown}"));
        }
        value
    }

    /// A picture of what the page shows, as a file.
    pub fn screenshot(&self, path: &Path) -> Result<(), String> {
        let picture = self.try_ask("GET", "/screenshot", &Value::Null)?;
        std::fs::write(path, base64(&text_of(&picture))).map_err(|error| error.to_string())
    }

    /// The tab that commands go to.
    #[track_caller]
    pub fn tab(&self) -> String {
        text_of(&self.ask("name the tab", "GET", "/window", &Value::Null))
    }

    #[track_caller]
    pub fn tabs(&self) -> Vec<String> {
        let tabs = self.ask("list the tabs", "GET", "/window/handles", &Value::Null);
        tabs.as_array().map(|tabs| tabs.iter().map(text_of).collect()).unwrap_or_default()
    }

    /// Opens a tab and goes to it.
    #[track_caller]
    pub fn new_tab(&self) -> String {
        let tab = self.ask("open a tab", "POST", "/window/new", &json!({"type": "tab"}));
        let tab = text_of(&tab["handle"]);
        self.switch(&tab);
        tab
    }

    /// Goes to a tab and brings it to the front.
    #[track_caller]
    pub fn switch(&self, tab: &str) {
        self.ask("go to a tab", "POST", "/window", &json!({"handle": tab}));
        self.devtools("Page.bringToFront", &json!({}));
    }

    /// Opens a window of its own and goes to it.
    #[track_caller]
    pub fn new_window(&self) -> String {
        let window = self.ask("open a window", "POST", "/window/new", &json!({"type": "window"}));
        let window = text_of(&window["handle"]);
        self.switch(&window);
        window
    }

    /// Closes the tab; another one has to be chosen then.
    #[track_caller]
    pub fn close_tab(&self) {
        self.ask("close the tab", "DELETE", "/window", &Value::Null);
    }

    /// Goes into the first frame of the page, or out of all of them.
    #[track_caller]
    pub fn frame(&self, first: bool) {
        let id = if first { json!(0) } else { Value::Null };
        self.ask("go to a frame", "POST", "/frame", &json!({"id": id}));
    }

    /// Makes the page this large, smaller than any window may be.
    #[track_caller]
    pub fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.ask(command, "POST", "/goog/cdp/execute", &body)
    }

    /// What was said on the console since the browser started.
    pub fn console(&self) -> Vec<Value> {
        self.log("browser")
    }

    /// The events of page and network since the browser started, as `{"method", "params"}`.
    pub fn performance(&self) -> Vec<Value> {
        let parse = |entry: &Value| serde_json::from_str::<Value>(&text_of(&entry["message"])).ok();
        let event = |entry: &Value| parse(entry).map(|mut message| message["message"].take());
        self.log("performance").iter().filter_map(event).collect()
    }

    fn log(&self, kind: &'static str) -> Vec<Value> {
        let new = self.try_ask("POST", "/se/log", &json!({"type": kind})).unwrap_or_default();
        let mut logs = self.logs.borrow_mut();
        let known = logs.entry(kind).or_default();
        known.extend(new.as_array().into_iter().flatten().cloned());
        known.clone()
    }

    #[track_caller]
    pub fn cookies(&self) -> Vec<Value> {
        let cookies = self.ask("list the cookies", "GET", "/cookie", &Value::Null);
        cookies.as_array().cloned().unwrap_or_default()
    }

    /// Ends the browser as its user would: then its logs and its profile are whole.
    pub fn quit(self) {
        drop(self);
    }
}

/// Keys that have no character, as WebDriver writes them.
pub mod keys {
    pub const CONTROL: &str = "\u{e009}";
    pub const DOWN: &str = "\u{e015}";
    pub const END: &str = "\u{e010}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const HOME: &str = "\u{e011}";
    pub const LEFT: &str = "\u{e012}";
    pub const RIGHT: &str = "\u{e014}";
    pub const SHIFT: &str = "\u{e008}";
    pub const TAB: &str = "\u{e004}";
    pub const UP: &str = "\u{e013}";
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.session.is_empty() {
            let picture = self.home.join("failed.png");
            let shown = self.screenshot(&picture).err().unwrap_or_default();
            let said = format!("{:#?}", self.console());
            // What the test wanted to say matters more than whether this can be said.
            let _ = writeln!(std::io::stderr(), "see {} {shown}\nconsole: {said}", picture.display());
        }
        let family = Family::of(self.driver.id());
        if !self.session.is_empty() {
            // Answers when the browser has ended, with its profile written.
            let _ = self.try_ask("DELETE", "", &Value::Null);
        }
        family.end();
        let _ = self.driver.wait();
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The bytes of Base64 without line breaks.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter_map(|byte| alphabet.iter().position(|known| *known == byte)) {
        bits = (bits << 6 | digit as u32) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// The path of a program that these tests need; they fail without it, since a skipped test proves nothing.
#[track_caller]
fn installed(name: &str) -> PathBuf {
    let path = PathBuf::from("/usr/bin").join(name);
    assert!(path.exists(), "{} is missing; apt-get install chromium chromium-driver", path.display());
    path
}
