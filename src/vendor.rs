//! Who stands behind a build: `deploy/vendor.toml`, read before the program is compiled.

/// What the file says, checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The firm or the person.
    pub name: String,
    /// Where a weakness is reported: an address for mail.
    pub contact: String,
    /// The last day on which one is mended, `YEAR-MONTH-DAY`.
    pub end_of_support: String,
    /// The public key that signs updates (Ed25519, the middle line of what `openssl pkey -pubout` writes), if there is one.
    pub update_key: Option<String>,
}

/// Lines `key = "value"` and comments: as much of TOML as the file needs. `None` where all of them are empty.
///
/// # Errors
/// In words, what is missing or of another form; the build ends with it.
pub fn parse(text: &str) -> Result<Option<Vendor>, String> {
    let mut values = [const { None }; KEYS.len()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let form = || format!("a line is not of the form `name = \"value\"`: {line}");
        let (key, value) = line.split_once('=').ok_or_else(form)?;
        let value =
            value.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(form)?;
        let known = KEYS.iter().zip(&mut values).find(|(known, _)| **known == key.trim());
        let (key, place) = known.ok_or_else(|| format!("there is no `{}` here", key.trim()))?;
        if place.replace(value.to_owned()).is_some() {
            return Err(format!("`{key}` stands here twice"));
        }
    }
    let [name, contact, end_of_support, update_key] = values.map(Option::unwrap_or_default);
    let update_key = Some(update_key).filter(|key| !key.is_empty());
    let vendor = Vendor { name, contact, end_of_support, update_key };
    match [&vendor.name, &vendor.contact, &vendor.end_of_support].map(|value| value.is_empty()) {
        [true, true, true] if vendor.update_key.is_some() => {
            Err("`update_key` is nobody's: say who stands behind it, too".to_owned())
        }
        [true, true, true] => Ok(None),
        [false, false, false] => vendor.checked().map(Some),
        empty => {
            let missing =
                KEYS.iter().zip(empty).filter(|(_, empty)| *empty).map(|(key, _)| format!("`{key}`"));
            Err(format!(
                "fill in {}, too, or leave all of them empty",
                missing.collect::<Vec<_>>().join(" and ")
            ))
        }
    }
}

const KEYS: [&str; 4] = ["name", "contact", "end_of_support", "update_key"];
/// What each such key begins with: the form of the public keys of Ed25519 (RFC 8410).
const UPDATE_KEY_HEAD: &str = "MCowBQYDK2VwAyEA";
/// Characters of one.
const UPDATE_KEY_LENGTH: usize = 60;
/// Bytes of a value; it stands in one line of a terminal.
const VALUE_BYTES_MAX: usize = 120;

impl Vendor {
    fn checked(self) -> Result<Vendor, String> {
        // The name stands before the address in the head of a package, where these would end it.
        let is_name = |c: char| !c.is_control() && !"<>(),\"\\".contains(c);
        if self.name.len() > VALUE_BYTES_MAX
            || self.name.trim() != self.name
            || !self.name.chars().all(is_name)
        {
            return Err(format!(
                "`name` is {VALUE_BYTES_MAX} bytes at most, without <>(),\"\\ and control characters"
            ));
        }
        let is_mail = |c: char| c.is_ascii_alphanumeric() || "-._+@".contains(c);
        let parts: Vec<&str> = self.contact.split('@').collect();
        let is_address = matches!(parts[..], [who, host] if !who.is_empty() && host.contains('.'));
        if self.contact.len() > VALUE_BYTES_MAX || !is_address || !self.contact.chars().all(is_mail) {
            return Err("`contact` is no address for mail".to_owned());
        }
        let date: Vec<&str> = self.end_of_support.split('-').collect();
        let number = |digits: &str, length| match digits.len() == length
            && digits.bytes().all(|b| b.is_ascii_digit())
        {
            true => digits.parse::<u32>().ok(),
            false => None,
        };
        let is_date = matches!(date[..], [year, month, day] if number(year, 4).is_some()
            && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
            && number(day, 2).is_some_and(|day| (1..=31).contains(&day)));
        if !is_date {
            return Err("`end_of_support` is no day of the form YEAR-MONTH-DAY".to_owned());
        }
        let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
        let is_key = |key: &String| {
            let body = key.strip_prefix(UPDATE_KEY_HEAD).and_then(|rest| rest.strip_suffix('='));
            key.len() == UPDATE_KEY_LENGTH && body.is_some_and(|body| body.bytes().all(is_base64))
        };
        if !self.update_key.as_ref().is_none_or(is_key) {
            return Err(
                "`update_key` is no public key of Ed25519: it takes the middle line of what `openssl pkey -pubout` writes"
                    .to_owned(),
            );
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str =
        "# who\nname = \"A Firm\"\ncontact = \"security@firm.example\"\nend_of_support = \"2031-12-31\"\n";

    /// RFC 8410, 10.1.
    const KEY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn a_vendor_is_all_of_it_or_nobody() {
        let vendor = Vendor {
            name: "A Firm".into(),
            contact: "security@firm.example".into(),
            end_of_support: "2031-12-31".into(),
            update_key: None,
        };
        assert_eq!(parse(FULL), Ok(Some(vendor)));
        let signing = parse(&format!("{FULL}update_key = \"{KEY}\"\n")).unwrap().unwrap();
        assert_eq!(signing.update_key.as_deref(), Some(KEY));
        for nobody in ["", "# nobody\n", "name = \"\"\ncontact = \"\"\nend_of_support = \"\"\n"] {
            assert_eq!(parse(nobody), Ok(None), "{nobody}");
        }
        assert_eq!(parse(include_str!("../deploy/vendor.toml")), Ok(None), "as it is shipped");
    }

    #[test]
    fn what_is_half_or_of_another_form_is_refused_in_words() {
        for (from, to, wanted) in [
            ("A Firm", "", "`name`"),
            ("security@firm.example", "", "`contact`"),
            ("2031-12-31", "", "`end_of_support`"),
            ("A Firm", "A <Firm>", "`name`"),
            ("A Firm", "A\u{1b}[31m", "`name`"),
            ("A Firm", " A Firm", "`name`"),
            ("security@firm.example", "https://firm.example", "`contact`"),
            ("security@firm.example", "a@b@firm.example", "`contact`"),
            ("security@firm.example", "security@firm", "`contact`"),
            ("2031-12-31", "2031-13-31", "`end_of_support`"),
            ("2031-12-31", "soon", "`end_of_support`"),
            ("2031-12-31", "+031-12-31", "`end_of_support`"),
            ("name = ", "firm = ", "`firm`"),
            ("contact = \"security@firm.example\"", "name = \"B\"", "twice"),
            ("\"A Firm\"", "A Firm", "form"),
        ] {
            let text = FULL.replace(from, to);
            assert!(text != FULL && parse(&text).is_err_and(|what| what.contains(wanted)), "{text}");
        }
        let long = FULL.replace("A Firm", &"a".repeat(VALUE_BYTES_MAX + 1));
        assert!(parse(&long).is_err());
        let private = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        for wrong in [&KEY[1..], &KEY.replace('b', " "), private, "-----BEGIN PUBLIC KEY-----"] {
            let text = format!("{FULL}update_key = \"{wrong}\"\n");
            assert!(parse(&text).is_err_and(|what| what.contains("`update_key`")), "{wrong}");
        }
        assert!(parse(&format!("update_key = \"{KEY}\"\n")).is_err_and(|what| what.contains("nobody's")));
    }
}
