//! Who may do what: one table, which every act is held against, by whichever door it comes. README has it in words. A token lets a
//! program do what its person may, of the few acts that its scopes name.

use audit::words::Role;

/// What a role may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask for pictures, and see how far one's own requests are.
    MakePictures,
    /// List, look at and export what one has made.
    OwnPictures,
    /// Erase what one has made.
    EraseOwn,
    /// Check every picture, or accept that some are lost.
    CheckPictures,
    /// Add and remove the machine secret, and say who opens the vault together.
    MachineSecret,
    /// List, add and remove people, change what they may do, and say what becomes of the pictures of those who go.
    ManagePeople,
    /// Erase all pictures of somebody, also of one who was removed.
    ErasePictures,
    /// Erase what is past its period.
    Retain,
    /// Draw new keys for the vault.
    Rotate,
    /// Destroy the vault with everything in it.
    DestroyVault,
    /// Have a certificate of what one has erased, or made and somebody erased.
    OwnCertificates,
    /// Have a certificate of any erasure.
    AnyCertificate,
    /// Set and end legal holds.
    Holds,
    /// Ask who is behind a pseudonym, and which exports of any picture a file is a copy of.
    Resolve,
    /// Try the controls, see what was found of them, and hand it over.
    Controls,
    /// Pin the state at an incident, and start its clocks.
    Freeze,
    /// Have what log and vault hold about oneself.
    OwnRecords,
    /// Have what they hold about anybody.
    AnyRecords,
    /// Read the log through the running program, have it verified, and take a slice of it out.
    ReadLog,
    /// Bring models in, choose the one in use, and remove them.
    Models,
    /// Draw a new recovery code.
    NewRecoveryCode,
    /// Set a new passphrase of one's own.
    OwnPassphrase,
    /// Set a new passphrase of somebody who has lost theirs.
    AnyPassphrase,
    /// Make backups, and say that one is destroyed.
    Backups,
    /// Put a backup back where there is no vault.
    Restore,
    /// See what waits for a second admin, and confirm or refuse it.
    SecondWord,
    /// Make, list and revoke tokens of one's own.
    OwnTokens,
    /// List and revoke tokens of anybody.
    AnyTokens,
    /// Leave; who is the last one locks the vault.
    Leave,
}

/// What a token lets a program do, as far as its person may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Ask for pictures, and see how far they are.
    Generate,
    /// List, look at and export pictures.
    Read,
    /// Read the log, and try the controls.
    Audit,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Generate, Self::Read, Self::Audit];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Read => "read",
            Self::Audit => "audit",
        }
    }

    /// An act that nobody has a use for this scope without.
    pub(crate) fn first_act(self) -> Act {
        match self {
            Self::Generate => Act::MakePictures,
            Self::Read => Act::OwnPictures,
            Self::Audit => Act::ReadLog,
        }
    }
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Those of these words; `None` if one is no scope.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        words.into_iter().try_fold(Self::default(), |scopes, word| {
            let scope = Scope::ALL.into_iter().find(|scope| scope.word() == word)?;
            Some(Self(scopes.0 | 1 << scope as u8))
        })
    }

    /// Whether it is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// Each.
    pub fn all(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As they are stored.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The same back; `None` if a bit is no scope's.
    pub(crate) fn of_bits(bits: u8) -> Option<Self> {
        (bits >> Scope::ALL.len() == 0).then_some(Self(bits))
    }
}

/// An act, the same in words, and who may do it.
pub(crate) type Row = (Act, &'static str, &'static [Role]);

/// Each act in words, and the roles that may do it.
pub const TABLE: [Row; 29] = {
    use Role::{Admin, Auditor, Operator, Recovery};
    [
        (Act::MakePictures, "make pictures", &[Operator, Admin]),
        (Act::OwnPictures, "list, look at and export one's own pictures", &[Operator, Admin]),
        (Act::EraseOwn, "erase one's own pictures", &[Operator, Admin]),
        (Act::CheckPictures, "check all pictures, or accept that some are lost", &[Admin]),
        (Act::ManagePeople, "list, add and remove people, and change what they may do", &[Admin]),
        (Act::MachineSecret, "say what opens the vault: a machine secret, two people together", &[Admin]),
        (Act::ErasePictures, "erase all pictures of somebody", &[Admin]),
        (Act::Retain, "erase what is past the period of the policy", &[Admin]),
        (Act::Rotate, "draw new keys for the vault", &[Admin]),
        (Act::DestroyVault, "destroy the vault with everything in it", &[Admin]),
        (Act::OwnCertificates, "have certificates of what one erased, or made", &[Operator, Admin]),
        (Act::AnyCertificate, "have certificates of any erasure", &[Admin]),
        (Act::Holds, "set and end legal holds", &[Admin]),
        (Act::Resolve, "ask who is behind a pseudonym, or took a copy of any picture", &[Admin]),
        (Act::Controls, "try the controls, see what was found, and hand over evidence", &[Admin, Auditor]),
        (Act::Freeze, "pin the state at an incident, and start its clocks", &[Operator, Admin, Auditor]),
        (Act::OwnRecords, "have what is held about oneself", &[Operator, Admin]),
        (Act::AnyRecords, "have what is held about anybody", &[Admin]),
        (Act::ReadLog, "read the log, have it verified, and take a slice of it out", &[Admin, Auditor]),
        (Act::Models, "bring models in, choose the one in use, and remove them", &[Admin]),
        (Act::NewRecoveryCode, "draw a new recovery code", &[Admin]),
        (Act::OwnPassphrase, "set one's own new passphrase", &[Operator, Admin, Auditor]),
        (Act::AnyPassphrase, "set a new passphrase for anybody", &[Recovery]),
        (Act::Backups, "make backups, and say that one is destroyed", &[Admin]),
        (Act::Restore, "put a backup back where there is no vault", &[Admin, Recovery]),
        (Act::SecondWord, "confirm or refuse what another admin has asked for", &[Admin]),
        (Act::OwnTokens, "make, list and revoke tokens of one's own", &[Operator, Admin, Auditor]),
        (Act::AnyTokens, "list and revoke tokens of anybody", &[Admin]),
        (
            Act::Leave,
            "sign out, which locks the vault behind the last one",
            &[Operator, Admin, Auditor, Recovery],
        ),
    ]
};

impl Act {
    /// Whether somebody of this role may do it. Where nobody has a name there is one person, who may do everything.
    pub fn is_open_to(self, role: Role) -> bool {
        TABLE.iter().any(|(act, _, roles)| *act == self && roles.contains(&role))
    }

    /// The scope without which no token is for it; `None` where none is.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::MakePictures => Some(Scope::Generate),
            Self::OwnPictures => Some(Scope::Read),
            Self::ReadLog | Self::Controls => Some(Scope::Audit),
            _ => None,
        }
    }

    /// The act in words.
    pub fn words(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self).map_or("do this", |row| row.1)
    }
}
