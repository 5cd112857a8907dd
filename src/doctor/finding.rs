//! What a check says.

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was asked, and is as it should be.
    Fine,
    /// Somebody has to do something, and the sentence says what.
    NeedsPerson,
    /// It could not be asked, and the sentence says why: that is never fine.
    Unknown,
}

impl State {
    /// The word for it, on the screen and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::NeedsPerson => "needs a person",
            Self::Unknown => "unknown",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Name of the check: `swap`, or `pictures.room` where it is about a folder.
    pub check: String,
    /// How it ended.
    pub state: State,
    /// What was found, and what to do.
    pub says: String,
}

impl Finding {
    /// As it should be.
    pub fn fine(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Fine, says: says.into() }
    }

    /// Somebody has to do something.
    pub fn needs(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::NeedsPerson, says: says.into() }
    }

    /// It could not be asked.
    pub fn unknown(check: impl Into<String>, why: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Unknown, says: why.into() }
    }
}

/// What the machine was asked; the error is why it could not be.
pub type Asked<T> = Result<T, String>;

#[cfg(test)]
impl Finding {
    /// A test's look: the state, and words that the sentence must have.
    #[track_caller]
    pub fn is(&self, state: State, words: &[&str]) {
        assert_eq!(self.state, state, "{self:?}");
        for word in words {
            assert!(self.says.contains(word), "`{word}` is not in {self:?}");
        }
    }
}
