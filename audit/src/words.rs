//! The closed lists of words that events use. A list only grows; a word never changes its meaning.

use crate::token::tokens;

tokens! {
    /// How the act ended; part of every record.
    Outcome {
        /// Done.
        Ok = "ok",
        /// Refused by a rule.
        Denied = "denied",
        /// Tried and not done.
        Failed = "failed",
    }

    /// Role of a key slot.
    Role {
        /// Makes and sees pictures.
        Operator = "operator",
        /// Reads log and evidence, never a picture.
        Auditor = "auditor",
        /// Manages.
        Admin = "admin",
        /// The recovery code.
        Recovery = "recovery",
        /// A machine secret: nobody came in.
        Machine = "machine",
    }

    /// By which way somebody came in.
    Door {
        /// The page in the browser.
        Page = "page",
        /// A token of a program.
        Token = "token",
        /// The command line.
        Terminal = "terminal",
        /// None: the program itself.
        Program = "program",
    }

    /// What proved the right to set a new secret.
    Proof {
        /// The old passphrase.
        Passphrase = "passphrase",
        /// The recovery code.
        Recovery = "recovery",
    }

    /// What becomes of the pictures of somebody who is removed.
    Left {
        /// They stay, and nobody sees them.
        Kept = "kept",
        /// They are somebody else's.
        HandedOver = "handed_over",
        /// Their keys are destroyed.
        Erased = "erased",
    }

    /// What somebody did with the log.
    Reading {
        /// Looked at its records, or at some of them.
        Rows = "rows",
        /// Had it verified.
        Verify = "verify",
        /// Took a slice of it out.
        Export = "export",
    }

    /// Why pictures are to be kept.
    HoldReason {
        /// A lawsuit, or one that is expected.
        Litigation = "litigation",
        /// An investigation of one's own.
        Investigation = "investigation",
        /// A court or an authority has ordered it.
        Order = "order",
        /// An audit needs them.
        Audit = "audit",
    }

    /// Why the state is pinned.
    FreezeReason {
        /// A breach of personal data, or one that is feared.
        Breach = "breach",
        /// An incident of the systems.
        Incident = "incident",
        /// A weakness of the program that somebody makes use of.
        Vulnerability = "vulnerability",
        /// A court or an authority has ordered it.
        Order = "order",
        /// An exercise.
        Exercise = "exercise",
    }

    /// Why somebody asked who is behind a pseudonym.
    ResolveReason {
        /// Something has happened that must be cleared up.
        Incident = "incident",
        /// A court or an authority has ordered it.
        Order = "order",
        /// The person asks for what is known of them.
        Access = "access",
        /// An audit needs it.
        Audit = "audit",
    }

    /// An act that takes the word of a second person where the policy says so.
    SecondAct {
        /// Telling who is behind a pseudonym.
        Resolve = "resolve",
        /// Erasing all pictures of a person.
        Erase = "erase",
        /// Removing a person, or saying what becomes of the pictures of one who is gone.
        Remove = "remove",
        /// Ending a legal hold.
        EndHold = "end_hold",
        /// Destroying the vault.
        Destroy = "destroy",
        /// Making a person an admin, or taking that role away.
        Role = "role",
    }

    /// Why a token opens nothing any more.
    TokenEnd {
        /// Somebody revoked it.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
        /// Its person was removed, or has another role.
        Person = "person",
        /// It was never handed out: the vault did not take it.
        Failed = "failed",
    }

    /// Why an act that waited for a second person waits no longer.
    Lapse {
        /// It waited for as long as the policy says.
        Time = "time",
        /// Who asked for it was removed, or is no admin any more.
        Asker = "asker",
        /// What it is about has changed.
        Target = "target",
    }

    /// How well the storage forgets: grades A, B, V and C of the vault's format.
    Grade {
        /// Overwritten in place on local storage.
        A = "a",
        /// Overwritten, flash may keep remnants.
        B = "b",
        /// Volatile storage.
        V = "v",
        /// Copy-on-write or network: conditional.
        C = "c",
    }

    /// One of the program's processes.
    Process {
        /// It starts the others.
        Keeper = "keeper",
        /// It has the keys.
        Server = "server",
        /// It has the model.
        Engine = "engine",
        /// It brings models in.
        Import = "import",
    }

    /// Where a picture was computed.
    Device {
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU.
        Cuda = "cuda",
    }

    /// What was opened.
    View {
        /// The small preview.
        Preview = "preview",
        /// The whole object.
        Content = "content",
        /// A part of it.
        Range = "range",
    }

    /// Why the program did not start.
    StartRefusal {
        /// The policy is unreadable or invalid, or forbids what was asked for.
        Policy = "policy",
        /// The address is not loopback or is taken.
        Address = "address",
        /// A fence could not be built.
        Fence = "fence",
        /// A forbidden operation succeeded.
        Probe = "probe",
        /// The model is missing, unreadable or wrong.
        Model = "model",
        /// The vault is missing, damaged or held by another process.
        Vault = "vault",
        /// The compute device is missing.
        Device = "device",
        /// The output folder cannot be used.
        Outputs = "outputs",
        /// Anything else.
        Internal = "internal",
    }

    /// Why the program ended.
    StopReason {
        /// Its work was done.
        Done = "done",
        /// A signal.
        Signal = "signal",
        /// An error.
        Error = "error",
    }

    /// Why a request was refused before any work.
    RequestRefusal {
        /// The prompt is empty.
        PromptEmpty = "prompt_empty",
        /// The prompt is too long.
        PromptLength = "prompt_length",
        /// The prompt is not UTF-8, or holds a forbidden character.
        PromptEncoding = "prompt_encoding",
        /// The size is not allowed.
        Size = "size",
        /// The number of steps is not allowed.
        Steps = "steps",
        /// The seed is not allowed.
        Seed = "seed",
        /// Another parameter is not allowed.
        Parameter = "parameter",
        /// The vault is locked.
        Locked = "locked",
        /// The queue is full.
        Busy = "busy",
        /// No space is left.
        DiskFull = "disk_full",
        /// The caller may not do this.
        Permission = "permission",
        /// The policy forbids it.
        Policy = "policy",
        /// A legal hold forbids it.
        Hold = "hold",
        /// There is no such object.
        NotFound = "not_found",
        /// Does not fit in memory.
        Memory = "memory",
        /// The engine failed while it looked at the request.
        Engine = "engine",
        /// The request itself is malformed (host, origin, method, body).
        Malformed = "malformed",
    }

    /// Why a generation ended without its pictures.
    GenerateFailure {
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// The engine answered an error.
        EngineError = "engine_error",
        /// The engine panicked or died.
        EnginePanic = "engine_panic",
        /// A latent was not finite.
        NonFinite = "non_finite",
        /// No space is left.
        DiskFull = "disk_full",
        /// The vault refused or failed.
        Vault = "vault",
        /// The picture could not be encoded.
        Encode = "encode",
        /// Does not fit in memory.
        Memory = "memory",
        /// The program is shutting down.
        Shutdown = "shutdown",
        /// The model cannot do what was asked; nothing was computed.
        Refused = "refused",
        /// Anything else.
        Internal = "internal",
    }

    /// Why an export or an erasure failed.
    ObjectFailure {
        /// No space is left.
        DiskFull = "disk_full",
        /// The target exists.
        Exists = "exists",
        /// The target may not be written.
        Permission = "permission",
        /// The sealed file is missing.
        Missing = "missing",
        /// The sealed file is damaged.
        Damaged = "damaged",
        /// The vault refused or failed.
        Vault = "vault",
        /// Another input or output error.
        Io = "io",
    }

    /// Why the vault's master key was rolled.
    RollReason {
        /// An erasure.
        Erase = "erase",
        /// A secret was changed.
        Secret = "secret",
        /// A slot was removed.
        Slot = "slot",
        /// Somebody asked for new keys.
        Rotate = "rotate",
        /// Marks that no longer count were dropped.
        Routine = "routine",
        /// Completed after a crash.
        Recovery = "recovery",
    }

    /// Which request was found without an outcome.
    IntentKind {
        /// `generate.requested`.
        Generate = "generate",
        /// `object.erase_requested`.
        Erase = "erase",
        /// `object.export_requested`.
        Export = "export",
        /// `vault.secret_requested`.
        Secret = "secret",
        /// `slot.name_due`.
        Name = "name",
    }

    /// What had really become of it.
    Found {
        /// Nothing had happened.
        Nothing = "nothing",
        /// It had been done in part.
        Partial = "partial",
        /// It had been done.
        Done = "done",
        /// It cannot be known.
        Unknown = "unknown",
    }

    /// Why a new signing epoch began.
    EpochReason {
        /// The vault was unlocked.
        Unlock = "unlock",
        /// The epoch had reached its set size.
        Size = "size",
        /// An administrator asked for it.
        Request = "request",
    }
}
