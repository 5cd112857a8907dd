//! What can happen. The schema of version 1: every event with its fields, and nothing else. It only grows.
//!
//! There is no text in it: a field's type must be one of those in `token.rs`. What an entry becomes is in `schema.rs`.

use crate::schema::{Type, events};
use crate::token::{Digest, PublicKey};
use crate::words::*;

/// Version of the record format, the `v` of every record.
pub const VERSION: u32 = 1;

/// The schema entry of a type name.
pub fn schema(name: &str) -> Option<&'static Type> {
    SCHEMA.iter().find(|t| t.name == name)
}

events! {
    /// The first record of every log.
    "log.created" LogCreated {
        /// Public key of epoch 0, the root of trust.
        key: PublicKey,
    }
    /// The program started and its fences are up; nothing has been opened yet but this log.
    "boot.started" BootStarted {
        /// Process id.
        pid: u32,
        /// SHA-256 of the running binary.
        binary: Digest,
        /// Digest of the policy in force.
        policy: Digest,
        /// Landlock ABI of the kernel.
        landlock_abi: u32,
    }
    /// The program refused to start.
    "boot.refused" BootRefused {
        /// Why.
        reason: StartRefusal,
    }
    /// What holds from here on, tested.
    "posture.recorded" PostureRecorded {
        /// Digest of the full report.
        report: Digest,
        /// One bit per fence that is up and passed its test, in the order of the report.
        fences: u32,
        /// Number of amber items.
        amber: u32,
        /// Landlock ABI in use.
        landlock_abi: u32,
        /// The process keeps user id 0 (without capabilities).
        uid0: bool,
    }
    /// What holds in one of the program's processes, tested: at its start, and again for each engine that takes the place of
    /// another.
    "posture.process" PostureOfProcess {
        /// Which one.
        process: Process,
        /// Digest of what it may do.
        plan: Digest,
        /// Digest of the full report.
        report: Digest,
        /// One bit per fence that is up and passed its test, in the order of the report.
        fences: u32,
        /// Number of amber items.
        amber: u32,
        /// Landlock ABI in use.
        landlock_abi: u32,
        /// The process keeps user id 0 (without capabilities).
        uid0: bool,
    }
    /// A forbidden operation worked in a running program: no picture is made from here on.
    "fence.found_open" FenceFoundOpen {}
    /// The files of the model can be changed by others than their owner while the program uses them.
    "model.may_change" ModelMayChange {
        /// Digest of the model as it was loaded.
        model: Digest,
    }
    /// A model was brought in: its files are copied and durable, and their folder gets its name behind this record.
    "model.imported" ModelImported {
        /// SHA-256 of the manifest, the list of its files with the SHA-256 of each.
        manifest: Digest,
        /// Digest of the model, as `boot.ready` names it once it is loaded.
        model: Digest,
        /// How many files.
        files: u32,
        /// Bytes of all of them.
        bytes: u64,
        /// Whether they are those that its makers released, by the list of them that is in the program.
        official: bool,
    }
    /// From here on a start that names no model takes this one, whose files were held against its manifest.
    "model.used" ModelUsed {
        /// SHA-256 of its manifest.
        manifest: Digest,
        /// Digest of the model, as `boot.ready` names it once it is loaded.
        model: Digest,
    }
    /// From here on a start that names no model takes the one inside the program.
    "model.embedded_used" ModelEmbeddedUsed {}
    /// A model that was brought in is about to be removed.
    "model.removed" ModelRemoved {
        /// SHA-256 of its manifest; zeros where somebody had damaged that.
        manifest: Digest,
    }
    /// The program is ready: model loaded, fences tested, posture on record.
    "boot.ready" BootReady {
        /// Digest of the loaded model.
        model: Digest,
        /// Device that computes.
        device: Device,
    }
    /// The program ended in order.
    "boot.stopped" BootStopped {
        /// Why.
        reason: StopReason,
    }
    /// A vault was made.
    "vault.created" VaultCreated {
        /// How well its storage forgets.
        grade: Grade,
        /// Argon2id memory in KiB (RFC 9106).
        kdf_memory_kib: u32,
        /// Argon2id passes.
        kdf_passes: u32,
        /// Argon2id lanes.
        kdf_lanes: u32,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// Somebody unwrapped their slot.
    "vault.unlocked" VaultUnlocked {
        /// Slot number.
        slot: u32,
        /// The slot's role.
        role: Role,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// Somebody else's passphrase opened the vault together with the one of the record before, and neither did alone; this is their
    /// own record.
    "vault.unlocked_with" VaultUnlockedWith {
        /// Slot number.
        slot: u32,
    }
    /// Somebody who had proved a right came in by this door; the acts that follow name the same actor.
    "session.opened" SessionOpened {
        /// The door.
        door: Door,
        /// Slot number.
        slot: u32,
    }
    /// Somebody left, and their requests ended with that; others have the vault open still.
    "session.closed" SessionClosed {
        /// Slot number.
        slot: u32,
    }
    /// A secret opened no slot.
    "vault.unlock_failed" VaultUnlockFailed {}
    /// The vault was locked.
    "vault.locked" VaultLocked {
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// The vault is older than a state that the log names: an old copy was put back. It stays shut.
    "vault.rolled_back" VaultRolledBack {
        /// The epoch that was found.
        found_epoch: u64,
        /// The entry count that was found.
        found_seq: u64,
        /// The root that was found.
        found_root: Digest,
    }
    /// The log does not hold the records that the vault remembers: it was cut back or replaced. The vault stays shut.
    "log.mark_missed" LogMarkMissed {
        /// Number of records that the vault remembers.
        mark_size: u64,
        /// Root over them.
        mark_root: Digest,
        /// Signing epoch that the vault remembers.
        mark_epoch: u32,
    }
    /// Vault file and mirror are damaged, so that nothing opens them. The vault stays shut.
    "vault.damaged" VaultDamaged {}
    /// The vault file was damaged; what it was lacking was taken from its mirror.
    "vault.healed" VaultHealed {
        /// SHA-256 of the vault file as it was found.
        found_sha256: Digest,
        /// Its length; 0 if there was none.
        found_bytes: u64,
    }
    /// The mirror of the vault file was changed, or could not be read, beside a sound vault file; it is made anew.
    "vault.mirror_damaged" VaultMirrorDamaged {
        /// SHA-256 of the mirror as it was found.
        found_sha256: Digest,
        /// Its length; 0 if there was none to read.
        found_bytes: u64,
    }
    /// The key of an epoch that a roll ended could not be overwritten yet: what was erased with it is not gone for good.
    "vault.key_remains" VaultKeyRemains {
        /// Number of that epoch.
        key_epoch: u64,
    }
    /// The key that was made for a next epoch, which never began, could not be overwritten yet. Nothing was erased with it.
    "vault.key_unused" VaultKeyUnused {
        /// Number that the epoch would have had.
        key_epoch: u64,
    }
    /// The key that could not be overwritten is overwritten now.
    "vault.key_wiped" VaultKeyWiped {
        /// Number of that epoch.
        key_epoch: u64,
    }
    /// The anchor no longer holds the key of the vault file's epoch: nothing opens it.
    "vault.key_gone" VaultKeyGone {
        /// Number of that epoch.
        key_epoch: u64,
    }
    /// The folder of sealed files was accepted as it is, on a person's word.
    "outputs.accepted" OutputsAccepted {
        /// How many objects have no sealed file there.
        missing: u64,
    }
    /// A new secret for a slot was asked for; written before anything is changed. Closed by `vault.secret_changed`,
    /// `slot.added`, `slot.removed`, `vault.secret_failed` or `recovery.reconciled` of the same job.
    "vault.secret_requested" [job] VaultSecretRequested {
        /// What proved the right.
        by: Proof,
    }
    /// The slot that is to have a new secret; written together with its request.
    "vault.secret_named" [job] VaultSecretNamed {
        /// Slot number.
        slot: u32,
    }
    /// No slot was changed.
    "vault.secret_failed" [job] VaultSecretFailed {
        /// Why.
        reason: ObjectFailure,
    }
    /// A slot has a new secret.
    "vault.secret_changed" VaultSecretChanged {
        /// Slot number.
        slot: u32,
        /// What proved the right.
        by: Proof,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// A slot is to be added; written together with its request.
    "slot.add_named" [job] SlotAddNamed {
        /// Slot number.
        slot: u32,
        /// Its role.
        role: Role,
    }
    /// Whether the passphrase of a slot opens the vault together with the machine secret alone, once it is set; written together
    /// with its request.
    "slot.machine_half" [job] SlotMachineHalf {
        /// Slot number.
        slot: u32,
        /// Whether it does.
        needed: bool,
    }
    /// Whether the passphrase of a slot opens the vault together with that of somebody else who holds it, and nobody's does alone, but
    /// the recovery code, which is a new one then; written together with its request, one for each slot of who
    /// holds it before or from then on.
    "slot.joint" [job] SlotJoint {
        /// Slot number.
        slot: u32,
        /// Whether it does.
        needed: bool,
    }
    /// A slot is to be removed; written together with its request.
    "slot.remove_named" [job] SlotRemoveNamed {
        /// Slot number.
        slot: u32,
        /// Its role.
        role: Role,
    }
    /// What becomes of the pictures of a slot: with a job, once that is done.
    "slot.pictures" SlotPictures {
        /// Slot number.
        slot: u32,
        /// What becomes of them.
        left: Left,
        /// The slot whose they are from here on; 0 for nobody's.
        to: u32,
    }
    /// The name and the salt of somebody who was removed are about to be destroyed, since the policy's period behind that is over.
    /// Closed by `slot.name_destroyed`, `slot.name_kept` or `recovery.reconciled` of the same job.
    "slot.name_due" [job] SlotNameDue {
        /// Slot number of the person.
        slot: u32,
        /// The period, in days.
        days: u32,
    }
    /// The name and the salt of somebody who was removed are destroyed: nobody can tell any more who is behind their pseudonym.
    "slot.name_destroyed" [job] SlotNameDestroyed {
        /// Slot number of the person.
        slot: u32,
        /// How well the storage forgets.
        grade: Grade,
        /// The vault's epoch after the roll.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root after the roll.
        vault_root: Digest,
        /// A damaged copy of the vault file that was kept could not be removed, or the mirror not renewed.
        cleanup_pending: bool,
    }
    /// The name and the salt of somebody who was removed could not be destroyed, and are there.
    "slot.name_kept" [job] SlotNameKept {
        /// Slot number of the person.
        slot: u32,
        /// Why.
        reason: ObjectFailure,
    }
    /// Somebody asked who is behind a pseudonym, and was told; or nobody is, and it failed.
    "slot.resolved" SlotResolved {
        /// Slot number; 0 for nobody's.
        slot: u32,
        /// Why.
        reason: ResolveReason,
    }
    /// From here on no picture that a slot has made or has is erased: a legal hold.
    "hold.set" HoldSet {
        /// Slot number; 0 for the pictures of everybody.
        slot: u32,
        /// Why.
        reason: HoldReason,
    }
    /// A legal hold ends.
    "hold.ended" HoldEnded {
        /// Slot number; 0 for the pictures of everybody.
        slot: u32,
        /// Why it stood.
        reason: HoldReason,
    }
    /// From here on the person of a slot may do what this role may; their sessions end.
    "slot.role_changed" SlotRoleChanged {
        /// Slot number.
        slot: u32,
        /// What they may do.
        role: Role,
        /// What they might do before.
        was: Role,
    }
    /// Somebody is about to be given a token, with which a program may do some of what they may; the record's number is its name.
    "token.made" TokenMade {
        /// Slot number of the person.
        slot: u32,
        /// It may make pictures.
        generate: bool,
        /// It may look at the person's pictures, and take plain copies.
        read: bool,
        /// It may read the log and try the controls, as far as the person may.
        audit: bool,
        /// When it ends by itself, in milliseconds since 1970.
        expires_ms: u64,
    }
    /// A token was used, for the first time at all or on a day; the acts that follow name its person.
    "token.used" TokenUsed {
        /// Number of the record `token.made`.
        token: u64,
        /// Slot number of the person.
        slot: u32,
    }
    /// A token opens nothing any more.
    "token.ended" TokenEnded {
        /// Number of the record `token.made`.
        token: u64,
        /// Slot number of the person.
        slot: u32,
        /// Why.
        reason: TokenEnd,
    }
    /// A token that was to end has not: the vault did not take that, and it opens what it did.
    "token.end_failed" TokenEndFailed {
        /// Number of the record `token.made`.
        token: u64,
        /// Slot number of the person.
        slot: u32,
    }
    /// An act that takes the word of a second person was asked for. Nothing of it is done, and it waits.
    "act.asked" ActAsked {
        /// What.
        act: SecondAct,
        /// Slot number that it is about; 0 for nobody's or everybody's.
        slot: u32,
        /// SHA-256 of exactly what is to be done.
        target: Digest,
    }
    /// A second person confirmed an act that waited: exactly that is done next, by the records that follow. If they say that it
    /// failed, or there are none, it waits still.
    "act.confirmed" ActConfirmed {
        /// Number of the record `act.asked`.
        asked: u64,
        /// What.
        act: SecondAct,
        /// SHA-256 of exactly what is to be done.
        target: Digest,
    }
    /// An act that waited was refused by a second person, or taken back by who had asked for it.
    "act.refused" ActRefused {
        /// Number of the record `act.asked`.
        asked: u64,
        /// What.
        act: SecondAct,
    }
    /// An act that waited waits no longer.
    "act.lapsed" ActLapsed {
        /// Number of the record `act.asked`.
        asked: u64,
        /// What.
        act: SecondAct,
        /// Why.
        reason: Lapse,
    }
    /// A slot was added.
    "slot.added" SlotAdded {
        /// Slot number.
        slot: u32,
        /// Its role.
        role: Role,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// A slot was removed.
    "slot.removed" SlotRemoved {
        /// Slot number.
        slot: u32,
        /// Its role.
        role: Role,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// The master key was replaced.
    "vault.rolled" VaultRolled {
        /// Why.
        reason: RollReason,
        /// The new epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's new root.
        vault_root: Digest,
    }
    /// The end of the vault was asked for: of all keys, whatever they open; written before any is overwritten. Closed by
    /// `vault.destroyed` or `vault.destroy_failed` of the same job.
    "vault.destroy_requested" [job] VaultDestroyRequested {}
    /// The vault is no more: its keys are overwritten.
    "vault.destroyed" [job] VaultDestroyed {
        /// How well its storage forgets.
        grade: Grade,
        /// A file could not be removed; it opens for nobody.
        cleanup_pending: bool,
    }
    /// The vault was not destroyed.
    "vault.destroy_failed" [job] VaultDestroyFailed {
        /// Why.
        reason: ObjectFailure,
    }
    /// Every object was checked.
    "vault.verified" VaultVerified {
        /// How many there are.
        objects: u64,
        /// How many are damaged.
        damaged: u64,
        /// How many are missing.
        missing: u64,
    }
    /// Pictures were asked for; written before any work. Closed by `generate.finished`, `generate.failed` or
    /// `recovery.reconciled` of the same job.
    "generate.requested" [job] GenerateRequested {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Transformer evaluations.
        steps: u32,
        /// Number of pictures.
        images: u32,
        /// Guidance in thousandths.
        guidance_milli: u32,
        /// Digest of the model.
        model: Digest,
        /// Device that computes.
        device: Device,
        /// The request asks to keep the prompt, sealed.
        remembers_prompt: bool,
    }
    /// A picture was sealed and is durable.
    "object.created" [object job] ObjectCreated {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// SHA-256 of the sealed file.
        ciphertext_sha256: Digest,
        /// Size of the sealed file.
        ciphertext_bytes: u64,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// A picture was sealed and is durable: what `object.created` says, without what would tie a kept copy of the sealed
    /// file to its pseudonym.
    "object.sealed" [object job] ObjectSealed {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// HMAC-SHA-256 of the sealed file under the object's salt, which is destroyed with its key.
        ciphertext_mac: Digest,
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// All pictures of the job are on record.
    "generate.finished" [job] GenerateFinished {
        /// How many.
        images: u32,
        /// How long it took.
        elapsed_ms: u64,
    }
    /// The job ended without all of its pictures.
    "generate.failed" [job] GenerateFailed {
        /// Why.
        reason: GenerateFailure,
        /// How many pictures are on record nevertheless.
        images: u32,
    }
    /// A picture is about to be shown.
    "object.viewed" [object] ObjectViewed {
        /// How much of it.
        kind: View,
    }
    /// Several pictures are about to be shown together, on one page.
    "objects.viewed" ObjectsViewed {
        /// How much of each.
        kind: View,
        /// How many.
        count: u32,
    }
    /// A plain copy was asked for; written before any byte leaves. Closed by `object.exported`,
    /// `object.export_failed` or `recovery.reconciled` of the same job.
    "object.export_requested" [object job] ObjectExportRequested {}
    /// A plain copy left.
    "object.exported" [object job] ObjectExported {
        /// Its size.
        bytes: u64,
    }
    /// What a plain copy was, written together with `object.exported` of the same job: whoever holds the copy and the vault can
    /// show that the two belong together, and nobody once the picture is erased.
    "object.export_digest" [object job] ObjectExportDigest {
        /// HMAC-SHA-256 of the copy under the object's salt, which is destroyed with its key.
        content_mac: Digest,
    }
    /// No plain copy left.
    "object.export_failed" [object job] ObjectExportFailed {
        /// Why.
        reason: ObjectFailure,
    }
    /// The period of the policy is over for some pictures, which are about to be erased: the erasure that follows has the same
    /// job.
    "retention.begun" [job] RetentionBegun {
        /// The period, in days.
        days: u32,
        /// How many pictures.
        count: u64,
    }
    /// An erasure was asked for; written before any key is destroyed. Closed when `object.erased`, `object.missing`
    /// and `object.erase_failed` of the same job reach `count`, or by `recovery.reconciled`.
    "object.erase_requested" [job] ObjectEraseRequested {
        /// How many objects.
        count: u64,
    }
    /// One of the objects of an erasure; written together with its request.
    "object.erase_named" [object job] ObjectEraseNamed {}
    /// The object's key is gone.
    "object.erased" [object job] ObjectErased {
        /// How well the storage forgets.
        grade: Grade,
        /// The vault's epoch after the roll.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root after the roll.
        vault_root: Digest,
        /// The sealed file itself could not be removed yet.
        cleanup_pending: bool,
    }
    /// The object could not be erased.
    "object.erase_failed" [object job] ObjectEraseFailed {
        /// Why.
        reason: ObjectFailure,
    }
    /// A sealed file was removed by somebody else; its key still exists.
    "object.missing" [object] ObjectMissing {}
    /// A request was refused before any work.
    "request.refused" RequestRefused {
        /// Why.
        reason: RequestRefusal,
    }
    /// A request without an outcome was found after a crash, and looked into.
    "recovery.reconciled" [job] RecoveryReconciled {
        /// Which request.
        kind: IntentKind,
        /// What had become of it.
        found: Found,
        /// How many objects had been dealt with.
        objects: u64,
    }
    /// Bytes that nobody had acknowledged were moved to `quarantine/` at the start.
    "recovery.truncated" RecoveryTruncated {
        /// How many.
        bytes: u64,
        /// Their digest.
        sha256: Digest,
    }
    /// A new signing key takes over. Last record of the old epoch; its checkpoint is signed by both keys.
    "key.epoch_rotated" KeyEpochRotated {
        /// Number of the new epoch.
        next: u32,
        /// Its public key.
        key: PublicKey,
        /// Why.
        reason: EpochReason,
    }
    /// The private key of an earlier epoch was overwritten.
    "key.destroyed" KeyDestroyed {
        /// Number of that epoch.
        destroyed: u32,
    }
    /// A backup is about to be written: from here on it may hold the keys of every picture that there is now. What became of
    /// it is in `backup.written` or `backup.failed` of the same job, which is its name.
    "backup.begun" [job] BackupBegun {
        /// How many pictures there are.
        objects: u64,
    }
    /// A backup is whole and durable.
    "backup.written" [job] BackupWritten {
        /// Its size.
        bytes: u64,
        /// Its digest.
        sha256: Digest,
    }
    /// A backup was given up, and nothing of it is left.
    "backup.failed" [job] BackupFailed {
        /// Why.
        reason: ObjectFailure,
    }
    /// Somebody says that every copy of a backup is destroyed.
    "backup.destroyed" [job] BackupDestroyed {}
    /// A backup is about to be put back, where there is no vault.
    "backup.restore_begun" [job] BackupRestoreBegun {
        /// How many pictures it holds.
        objects: u64,
        /// How many of them are left out, since they were erased after it was made: by this log, or by records of a lost one that
        /// had been exported.
        erased: u64,
        /// This log has outlived the vault, and says what was erased; otherwise it is the log of the backup, and ends where the
        /// backup was made.
        log_survived: bool,
    }
    /// A backup was put back; its vault is the vault.
    "backup.restored" [job] BackupRestored {
        /// The vault's epoch.
        vault_epoch: u64,
        /// The vault's entry count.
        vault_seq: u64,
        /// The vault's root.
        vault_root: Digest,
    }
    /// The controls were tried.
    "evidence.tried" EvidenceTried {
        /// SHA-256 of the file with what was found.
        run: Digest,
        /// How many controls are not satisfied.
        not_satisfied: u32,
    }
    /// A key was drawn that signs one bundle of evidence, and is gone afterwards.
    "evidence.key_drawn" [job] EvidenceKeyDrawn {
        /// Its public half.
        key: PublicKey,
    }
    /// A bundle of evidence is about to be handed out.
    "evidence.exported" [job] EvidenceExported {
        /// SHA-256 of the manifest, the list of its files.
        manifest: Digest,
    }
    /// A bundle of evidence that does not pass its own check is about to be handed out, since somebody asked for it all the same.
    "evidence.exported_failing" [job] EvidenceExportedFailing {
        /// SHA-256 of the manifest, the list of its files.
        manifest: Digest,
        /// How many findings the bundle tells of.
        findings: u32,
    }
    /// The state at an incident is pinned: the checkpoint before this record is named, and the clocks of the laws run from here.
    /// What is handed out for it is in the bundle that follows.
    "evidence.frozen" [job] EvidenceFrozen {
        /// Why.
        reason: FreezeReason,
        /// The clocks of the GDPR run.
        gdpr: bool,
        /// Those of DORA.
        dora: bool,
        /// Those of the Cyber Resilience Act.
        cra: bool,
        /// How many records the pinned checkpoint covers.
        size: u64,
        /// Its root.
        root: Digest,
    }
    /// Somebody says that what an incident asked for is done: its clocks run no more.
    "evidence.settled" [job] EvidenceSettled {}
    /// What log and vault hold about one person is about to be handed out, to whoever asked for it.
    "evidence.subject" EvidenceSubject {
        /// Slot number of the person.
        slot: u32,
        /// How many records are about them.
        records: u64,
        /// SHA-256 of the file for programs.
        file: Digest,
    }
    /// Somebody read the log through the running server; written before anything is answered. One record stands for all that
    /// they look at by the same filters within ten minutes.
    "audit.read" AuditRead {
        /// What they did.
        how: Reading,
        /// They asked for a span of time.
        by_time: bool,
        /// They asked for a type of record.
        by_type: bool,
        /// They asked for an outcome.
        by_outcome: bool,
        /// They asked for an object.
        by_object: bool,
        /// They asked for a request.
        by_job: bool,
        /// How many records the first answer showed, were verified, or are in the slice.
        records: u64,
    }
    /// A time stamping authority has put its time under a checkpoint of this log: the records that it covers were there by then.
    /// The answer is kept beside the log; whether the authority signed it is not checked by this program.
    "log.stamped" LogStamped {
        /// SHA-256 of the answer.
        answer: Digest,
        /// How many records the checkpoint covers.
        size: u64,
        /// When, by the clock of the authority, in milliseconds since 1970.
        stamped_ms: u64,
    }
    /// Records that are older than the policy keeps them are about to be replaced by their hashes: of each segment before `first`, those
    /// of the types that may go. The tree over the log stays what it was.
    "log.pruned" LogPruned {
        /// Number of the first record that is not touched, nor any behind it.
        first: u64,
        /// SHA-256 of all segments before it, one behind the other, as they are afterwards.
        sha256: Digest,
        /// The period, in days.
        days: u32,
        /// How many records go.
        records: u64,
    }
    /// A file for whoever is asked for help is about to leave: versions, fences, checks and numbers, without names and without content.
    "support.bundled" SupportBundled {
        /// SHA-256 of the file.
        sha256: Digest,
    }
    /// A key was drawn that signs one certificate of erasure, and is gone afterwards.
    "certificate.key_drawn" [job] CertificateKeyDrawn {
        /// Its public half.
        key: PublicKey,
    }
    /// A certificate of erasure is about to be handed out.
    "certificate.issued" [job] CertificateIssued {
        /// SHA-256 of its signed statement, the file `certificate.json`.
        statement: Digest,
        /// How many erased objects it is about.
        objects: u32,
    }
    /// The wall clock jumped: backwards against the last record, or against the boot clock.
    "clock.anomaly" ClockAnomaly {
        /// How far; negative is backwards.
        delta_ms: i64,
    }
    /// The disk is full; the log runs on the space it had set aside.
    "disk.reserve_low" DiskReserveLow {}
}

#[cfg(test)]
#[path = "tests/event.rs"]
mod tests;
