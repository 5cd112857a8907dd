//! HTTP/1.1 by hand, one connection for each request, so that a test sends and sees every byte.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A connection to a server that must be there.
pub fn connect(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens")
}

/// What is asked of a server on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    wait: Duration,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            body: None,
            wait: Duration::from_secs(60),
        }
    }

    pub fn get(target: &str) -> Request {
        Request::new("GET", target)
    }

    /// A POST of JSON.
    pub fn post(target: &str, body: &Value) -> Request {
        let request = Request::new("POST", target).body(body.to_string().as_bytes());
        request.field("Content-Type", "application/json")
    }

    /// One more header field; the same name twice is sent twice. A `Host` takes the place of the usual one.
    pub fn field(mut self, name: &str, value: &str) -> Request {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn token(self, token: &str) -> Request {
        self.field("Authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, body: &[u8]) -> Request {
        self.body = Some(body.to_vec());
        self
    }

    /// How long any byte of the answer may take.
    pub fn wait(mut self, wait: Duration) -> Request {
        self.wait = wait;
        self
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The bytes that are sent.
    fn bytes(&self, port: u16) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        if !self.has("Host") {
            add("Host", &format!("127.0.0.1:{port}"));
        }
        if let Some(body) = self.body.as_ref().filter(|_| !self.has("Content-Length")) {
            add("Content-Length", &body.len().to_string());
        }
        add("Connection", "close");
        self.fields.iter().for_each(|(name, value)| add(name, value));
        head.push_str("\r\n");
        [head.as_bytes(), self.body.as_deref().unwrap_or_default()].concat()
    }

    /// Sends it, and reads the head of the answer.
    pub fn start(&self, port: u16) -> Result<Answering, String> {
        let failed = |error: std::io::Error| format!("{} {}: {error}", self.method, self.target);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        stream.set_read_timeout(Some(self.wait)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let mut reader = BufReader::new(stream);
        // Who refuses a request may close before the end of its body: then there is an answer all the same.
        let sent = reader.get_mut().write_all(&self.bytes(port));
        let mut line = || -> Result<String, std::io::Error> {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            Ok(line.trim_end().to_owned())
        };
        let first = line().map_err(|error| failed(sent.err().unwrap_or(error)))?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let Some(status) = status else {
            return Err(format!("{} {}: no answer but {first:?}", self.method, self.target));
        };
        let mut fields = Vec::new();
        loop {
            let line = line().map_err(failed)?;
            let Some((name, value)) = line.split_once(':') else { break };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let bodiless = self.method == "HEAD" || status == 204 || status == 304;
        Ok(Answering { status, fields, reader, bodiless })
    }

    /// Sends it, and reads the whole answer.
    pub fn send(&self, port: u16) -> Result<Answer, String> {
        self.start(port)?.finish().map_err(|error| format!("{} {}: {error}", self.method, self.target))
    }
}

/// An answer whose body is still to come: event streams have no end.
pub struct Answering {
    pub status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    bodiless: bool,
}

impl Answering {
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }

    /// The next piece of a chunked body; empty at its end.
    pub fn chunk(&mut self) -> Result<Vec<u8>, String> {
        let mut size = String::new();
        self.reader.read_line(&mut size).map_err(|error| error.to_string())?;
        let digits = size.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| format!("no size of a chunk: {size:?}"))?;
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        bytes.truncate(size);
        Ok(bytes)
    }

    pub fn finish(mut self) -> Result<Answer, String> {
        let mut body = Vec::new();
        let length = self.field("content-length").map(str::to_owned);
        if self.bodiless {
        } else if self.field("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    break;
                }
                body.extend(chunk);
            }
        } else if let Some(length) = length {
            body = vec![0; length.parse().map_err(|_| format!("no length: {length}"))?];
            self.reader.read_exact(&mut body).map_err(|error| error.to_string())?;
        } else {
            self.reader.read_to_end(&mut body).map_err(|error| error.to_string())?;
        }
        Ok(Answer { status: self.status, fields: self.fields, body })
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// It must have this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

fn find<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let known = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, value)| value.as_str())
}

#[test]
fn an_answer_in_pieces_is_read_whole() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().expect("somebody asks").0;
        let mut asked = vec![0; 4096];
        let count = stream.read(&mut asked).expect("it asks");
        let answer = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nX-Two: a: b\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        stream.write_all(answer).expect("it reads");
        String::from_utf8_lossy(&asked[..count]).into_owned()
    });
    let request = Request::post("/a", &serde_json::json!({})).token("t").field("Host", "a.example");
    let answer = request.send(port).unwrap_or_else(|error| panic!("{error}")).is(202);
    assert_eq!((answer.json(), answer.field("x-two")), (serde_json::json!({"a": 1}), Some("a: b")));
    let asked = server.join().expect("it answered");
    assert_eq!(
        asked,
        "POST /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer t\r\nHost: a.example\r\n\r\n{}"
    );
}
