//! The table of who may do what, held against what happens and against the README.

use super::machine::machine;
use super::people::{first, name, of, signed_in};
use super::*;
use crate::{Act, Asked, Kind, RIGHTS, ResolveReason, Role};

/// Does every act as `who`, and says which of them were refused for their role.
fn refused_acts(home: &Home, room: &mut Room, who: &Who, proof: &Secret) -> Vec<Act> {
    let (mut refused, mut backup, admin) = (Vec::new(), Vec::new(), room.who);
    crate::back_up(&mut **room, &admin, None, &mut backup, || Ok(()), || true).unwrap();
    for (act, _, _) in RIGHTS {
        let before = home.count("request.refused");
        let done = match act {
            Act::MakePictures => {
                let own = std::mem::replace(&mut room.who, *who);
                let made = generate(room, 1, Mood::Works).map(drop);
                room.who = own;
                made
            }
            Act::OwnPictures => room.list(who).map(drop),
            Act::EraseOwn => room.erase(who, &[]).map(drop),
            Act::CheckPictures => room.verify(who).map(drop),
            Act::ManagePeople => room.people(who).map(drop),
            Act::MachineSecret => {
                room.add_machine_secret(who, proof, (&machine(), crate::MachineUse::Alone)).map(drop)
            }
            Act::ErasePictures => room.names_of(who, &name("second")).map(drop),
            Act::Retain => room.due(who).map(drop),
            Act::Rotate => room.rotate(who).map(drop),
            // Of another home, which is made of the backup.
            Act::DestroyVault => backup::destroy(&backup, proof),
            Act::OwnCertificates => room.erasures(who, &Asked::default()).map(drop),
            Act::AnyCertificate => {
                room.erasures(who, &Asked { of_everybody: true, ..Asked::default() }).map(drop)
            }
            Act::Holds => room.holds(who).map(drop),
            Act::Controls => room.may_try_controls(who).map(drop),
            Act::Freeze => {
                room.freeze(Some(who), audit::words::FreezeReason::Exercise, crate::Laws::default()).map(drop)
            }
            Act::OwnRecords => room.held_about(who, who.actor).map(drop),
            Act::AnyRecords => room.held_about(who, audit::Actor::Person([0; 16])).map(drop),
            Act::ReadLog => room.reads_log(who).map(drop),
            Act::Models => room.may_manage_models(who).map(drop),
            Act::Resolve => room.resolve(who, audit::Actor::Person([0; 16]), ResolveReason::Audit).map(drop),
            Act::NewRecoveryCode => room.replace_recovery(who).map(drop),
            Act::OwnPassphrase | Act::AnyPassphrase => {
                // One call, which sets that of whoever the proof is of.
                match (act == Act::AnyPassphrase) == (who.role() == Role::Recovery) {
                    true => room.change_secret(who, proof, &Secret::passphrase("yet other words").unwrap()),
                    false => Err(Error::NotPermitted(act)),
                }
            }
            Act::SecondWord => room.pending(who).map(drop),
            Act::Backups => {
                crate::back_up(&mut **room, who, None, &mut Vec::new(), || Ok(()), || true).map(drop)
            }
            Act::Restore => backup::restore(&Home::in_memory(), &backup, proof, true).map(drop),
            Act::OwnTokens => room.own_tokens(who).map(drop),
            Act::AnyTokens => room.tokens_of_all(who).map(drop),
            Act::Leave => room.record_closed(who),
        };
        match done {
            Err(Error::NotPermitted(said)) => {
                assert_eq!(said, act);
                refused.push(act);
                let unrecorded =
                    [Act::OwnPassphrase, Act::AnyPassphrase, Act::Restore, Act::DestroyVault].contains(&act);
                let recorded = usize::from(!unrecorded);
                assert_eq!(home.count("request.refused"), before + recorded, "{act:?}");
            }
            // Of a backup, an auditor's passphrase opens nothing that could be asked for more.
            Err(error)
                if error.kind() == Kind::AuditorOnly && matches!(act, Act::DestroyVault | Act::Restore) =>
            {
                refused.push(act);
            }
            Err(Error::UnknownPseudonym) if matches!(act, Act::Resolve | Act::AnyRecords) => {}
            other => other.unwrap_or_else(|error| panic!("{act:?}: {error}")),
        }
    }
    refused
}

#[test]
fn every_role_is_walked_through_every_act() {
    let all: Vec<Act> = RIGHTS.iter().map(|row| row.0).collect();
    for role in [Role::Operator, Role::Admin, Role::Auditor, Role::Recovery] {
        let home = Home::in_memory();
        let mut room = home.unlocked();
        let who = room.who;
        let code = room.replace_recovery(&who).unwrap();
        let second = if role == Role::Auditor { role } else { Role::Operator };
        room.add_person_named(&who, &secret(), Some(&name("first")), &of("second"), second).unwrap();
        let proof = match role {
            Role::Operator | Role::Auditor => of("second"),
            Role::Recovery => code.secret().of(Some(name("second"))),
            _ => first(),
        };
        let who = signed_in(&mut room, &proof);
        assert_eq!(who.role(), role);
        let refused = refused_acts(&home, &mut room, &who, &proof);
        let closed: Vec<Act> = all.iter().copied().filter(|act| !act.is_open_to(role)).collect();
        assert_eq!(refused, closed, "{role:?}");
        home.log_verifies();
    }
}

#[test]
fn the_readme_has_the_table() {
    let cell = |row: &crate::rights::Row, role: Role| if row.0.is_open_to(role) { " yes " } else { " " };
    let roles = [Role::Operator, Role::Admin, Role::Auditor, Role::Recovery];
    for row in &RIGHTS {
        let cells = roles.map(|role| cell(row, role)).join("|");
        let line = format!("| {} |{cells}|", row.1);
        assert!(include_str!("../../../README.md").lines().any(|found| found == line), "{line}");
    }
    assert_eq!(RIGHTS.iter().filter(|row| row.0 == Act::MakePictures).count(), 1);
}
