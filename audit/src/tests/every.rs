//! One entry of every event that others may append, each field at its longest.

use super::*;
use crate::words::*;
use crate::{Actor, schema};

/// In the order of the schema.
pub fn every_event() -> Vec<Entry> {
    let digest = Digest([0xff; 32]);
    let (n32, n64) = (u32::MAX, (1 << 53) - 1);
    let vault = (n64, n64, digest);
    let (vault_epoch, vault_seq, vault_root) = vault;
    let events = [
        Event::BootStarted { pid: n32, binary: digest, policy: digest, landlock_abi: n32 },
        Event::BootRefused { reason: StartRefusal::Internal },
        Event::PostureRecorded { report: digest, fences: n32, amber: n32, landlock_abi: n32, uid0: false },
        Event::PostureOfProcess {
            process: Process::Keeper,
            plan: digest,
            report: digest,
            fences: n32,
            amber: n32,
            landlock_abi: n32,
            uid0: false,
        },
        Event::FenceFoundOpen {},
        Event::ModelMayChange { model: digest },
        Event::ModelImported { manifest: digest, model: digest, files: n32, bytes: n64, official: false },
        Event::ModelUsed { manifest: digest, model: digest },
        Event::ModelEmbeddedUsed {},
        Event::ModelRemoved { manifest: digest },
        Event::BootReady { model: digest, device: Device::Cuda },
        Event::BootStopped { reason: StopReason::Signal },
        Event::VaultCreated {
            grade: Grade::A,
            kdf_memory_kib: n32,
            kdf_passes: n32,
            kdf_lanes: n32,
            vault_epoch,
            vault_seq,
            vault_root,
        },
        Event::VaultUnlocked { slot: n32, role: Role::Operator, vault_epoch, vault_seq, vault_root },
        Event::VaultUnlockedWith { slot: n32 },
        Event::SessionOpened { door: Door::Terminal, slot: n32 },
        Event::SessionClosed { slot: n32 },
        Event::VaultUnlockFailed {},
        Event::VaultLocked { vault_epoch, vault_seq, vault_root },
        Event::VaultRolledBack { found_epoch: n64, found_seq: n64, found_root: digest },
        Event::LogMarkMissed { mark_size: n64, mark_root: digest, mark_epoch: n32 },
        Event::VaultDamaged {},
        Event::VaultHealed { found_sha256: digest, found_bytes: n64 },
        Event::VaultMirrorDamaged { found_sha256: digest, found_bytes: n64 },
        Event::VaultKeyRemains { key_epoch: n64 },
        Event::VaultKeyUnused { key_epoch: n64 },
        Event::VaultKeyWiped { key_epoch: n64 },
        Event::VaultKeyGone { key_epoch: n64 },
        Event::OutputsAccepted { missing: n64 },
        Event::VaultSecretRequested { by: Proof::Passphrase },
        Event::VaultSecretNamed { slot: n32 },
        Event::VaultSecretFailed { reason: ObjectFailure::Permission },
        Event::VaultSecretChanged { slot: n32, by: Proof::Passphrase, vault_epoch, vault_seq, vault_root },
        Event::SlotAddNamed { slot: n32, role: Role::Operator },
        Event::SlotMachineHalf { slot: n32, needed: true },
        Event::SlotJoint { slot: n32, needed: true },
        Event::SlotRemoveNamed { slot: n32, role: Role::Admin },
        Event::SlotPictures { slot: n32, left: Left::HandedOver, to: n32 },
        Event::SlotNameDue { slot: n32, days: n32 },
        Event::SlotNameDestroyed {
            slot: n32,
            grade: Grade::B,
            vault_epoch,
            vault_seq,
            vault_root,
            cleanup_pending: false,
        },
        Event::SlotNameKept { slot: n32, reason: ObjectFailure::DiskFull },
        Event::SlotResolved { slot: n32, reason: ResolveReason::Incident },
        Event::HoldSet { slot: n32, reason: HoldReason::Investigation },
        Event::HoldEnded { slot: n32, reason: HoldReason::Litigation },
        Event::SlotRoleChanged { slot: n32, role: Role::Operator, was: Role::Operator },
        Event::TokenMade { slot: n32, generate: false, read: false, audit: false, expires_ms: n64 },
        Event::TokenUsed { token: n64, slot: n32 },
        Event::TokenEnded { token: n64, slot: n32, reason: TokenEnd::Expired },
        Event::TokenEndFailed { token: n64, slot: n32 },
        Event::ActAsked { act: SecondAct::EndHold, slot: n32, target: digest },
        Event::ActConfirmed { asked: n64, act: SecondAct::EndHold, target: digest },
        Event::ActRefused { asked: n64, act: SecondAct::EndHold },
        Event::ActLapsed { asked: n64, act: SecondAct::EndHold, reason: Lapse::Target },
        Event::SlotAdded { slot: n32, role: Role::Auditor, vault_epoch, vault_seq, vault_root },
        Event::SlotRemoved { slot: n32, role: Role::Recovery, vault_epoch, vault_seq, vault_root },
        Event::VaultRolled { reason: RollReason::Recovery, vault_epoch, vault_seq, vault_root },
        Event::VaultDestroyRequested {},
        Event::VaultDestroyed { grade: Grade::B, cleanup_pending: false },
        Event::VaultDestroyFailed { reason: ObjectFailure::Permission },
        Event::VaultVerified { objects: n64, damaged: n64, missing: n64 },
        Event::GenerateRequested {
            width: n32,
            height: n32,
            steps: n32,
            images: n32,
            guidance_milli: n32,
            model: digest,
            device: Device::Cuda,
            remembers_prompt: false,
        },
        Event::ObjectCreated {
            width: n32,
            height: n32,
            ciphertext_sha256: digest,
            ciphertext_bytes: n64,
            vault_epoch,
            vault_seq,
            vault_root,
        },
        Event::ObjectSealed {
            width: n32,
            height: n32,
            ciphertext_mac: digest,
            vault_epoch,
            vault_seq,
            vault_root,
        },
        Event::GenerateFinished { images: n32, elapsed_ms: n64 },
        Event::GenerateFailed { reason: GenerateFailure::EngineError, images: n32 },
        Event::ObjectViewed { kind: View::Content },
        Event::ObjectsViewed { kind: View::Preview, count: n32 },
        Event::ObjectExportRequested {},
        Event::ObjectExported { bytes: n64 },
        Event::ObjectExportDigest { content_mac: digest },
        Event::ObjectExportFailed { reason: ObjectFailure::Permission },
        Event::RetentionBegun { days: n32, count: n64 },
        Event::ObjectEraseRequested { count: n64 },
        Event::ObjectEraseNamed {},
        Event::ObjectErased { grade: Grade::C, vault_epoch, vault_seq, vault_root, cleanup_pending: false },
        Event::ObjectEraseFailed { reason: ObjectFailure::DiskFull },
        Event::ObjectMissing {},
        Event::RequestRefused { reason: RequestRefusal::PromptEncoding },
        Event::BackupBegun { objects: n64 },
        Event::BackupWritten { bytes: n64, sha256: digest },
        Event::BackupFailed { reason: ObjectFailure::Permission },
        Event::BackupDestroyed {},
        Event::BackupRestoreBegun { objects: n64, erased: n64, log_survived: false },
        Event::BackupRestored { vault_epoch, vault_seq, vault_root },
        Event::EvidenceTried { run: digest, not_satisfied: n32 },
        Event::EvidenceKeyDrawn { key: crate::PublicKey([0xff; 32]) },
        Event::EvidenceExported { manifest: digest },
        Event::EvidenceExportedFailing { manifest: digest, findings: n32 },
        Event::EvidenceFrozen {
            reason: FreezeReason::Vulnerability,
            gdpr: false,
            dora: false,
            cra: false,
            size: n64,
            root: digest,
        },
        Event::EvidenceSettled {},
        Event::EvidenceSubject { slot: n32, records: n64, file: digest },
        Event::AuditRead {
            how: Reading::Verify,
            by_time: false,
            by_type: false,
            by_outcome: false,
            by_object: false,
            by_job: false,
            records: n64,
        },
        Event::LogStamped { answer: digest, size: n64, stamped_ms: n64 },
        Event::SupportBundled { sha256: digest },
        Event::CertificateKeyDrawn { key: crate::PublicKey([0xff; 32]) },
        Event::CertificateIssued { statement: digest, objects: n32 },
        Event::RecoveryReconciled { kind: IntentKind::Generate, found: Found::Unknown, objects: n64 },
    ];
    let ids = |event: Event| {
        let kind = schema(event.name()).unwrap();
        let mut entry = event.by(Actor::Person([0xfb; 16])).failed();
        if kind.object {
            entry = entry.object(Object([0xff; 16]));
        }
        if kind.job {
            entry = entry.job(JobId([0xef; 16]));
        }
        entry
    };
    events.into_iter().map(ids).collect()
}

/// Those that only the log itself writes.
pub const OWN: [&str; 7] = [
    "log.created",
    "log.pruned",
    "recovery.truncated",
    "key.epoch_rotated",
    "key.destroyed",
    "clock.anomaly",
    "disk.reserve_low",
];

#[test]
fn every_event_can_be_written_fits_a_line_and_passes_the_schema() {
    let dir = Dir::new();
    let log = create(&dir, &Faults::default()).unwrap();
    let every = every_event();
    let mut names: Vec<&str> = every.iter().map(|e| e.event.name()).chain(OWN).collect();
    let mut all: Vec<&str> = crate::SCHEMA.iter().map(|t| t.name).collect();
    names.sort_unstable();
    all.sort_unstable();
    assert_eq!(names, all, "an event is missing in this test");
    log.append(&every).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    let text = std::fs::read_to_string(dir.0.join("seg/00000000.jsonl")).unwrap();
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest as u64 * 2 < crate::record::LINE_BYTES_MAX, "{longest}");
}
