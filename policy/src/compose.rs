//! Base and overlay. Every key takes away, but two.

use crate::document::{Deny, Overlay};
use crate::limits::{OPEN_FILES_MIN, SIDE_PIXELS_MIN};
use crate::{
    Erase, Error, KeepPrompts, LOG_DAYS_MIN, LoopbackAddr, PICTURE_DAYS_MAX, Periods, Policy, Refusal, Since,
    TwoPersons, needed, paths,
};

/// Applies an overlay to a profile.
pub(crate) fn tighten(mut policy: Policy, overlay: Overlay) -> Result<Policy, Error> {
    let periods = overlay.periods();
    if let Some(listen) = overlay.listen {
        policy.listen = LoopbackAddr::parse(&listen)?; // any value is loopback: a choice among equals
    }
    if let Some(outputs) = overlay.outputs {
        policy.outputs = Some(paths::plain(&outputs)?);
    }
    if let Some(folder) = overlay.checkpoint_copy {
        policy.checkpoint_copy = Some(paths::plain(&folder)?);
    }
    if let Some(keep_prompts) = overlay.keep_prompts {
        if keep_prompts == KeepPrompts::Allow && policy.keep_prompts == KeepPrompts::Never {
            return Err(Error::Loosens { key: "keep_prompts".to_owned() });
        }
        policy.keep_prompts = keep_prompts;
    }
    if let Some(erase) = overlay.erase {
        if erase == Erase::Allow && policy.erase == Erase::Never {
            return Err(Error::Loosens { key: "erase".to_owned() });
        }
        policy.erase = erase;
    }
    policy.picture_days_max = shorter("picture_days_max", policy.picture_days_max, overlay.picture_days_max)?;
    let is_period = |days: &u32| (LOG_DAYS_MIN..=PICTURE_DAYS_MAX).contains(days);
    if let Some(value) = overlay.log_days_max.filter(|days| !is_period(days)) {
        return Err(Error::LogDays { value });
    }
    policy.log_days_max = shorter("log_days_max", policy.log_days_max, overlay.log_days_max)?;
    policy.names_days_max = shorter("names_days_max", policy.names_days_max, overlay.names_days_max)?;
    let Periods { key_days_max, drill_days_max, backup_days_max, stamp_days_max, run_days_max } =
        policy.periods;
    policy.periods = Periods {
        key_days_max: shorter("key_days_max", key_days_max, periods.key_days_max)?,
        drill_days_max: shorter("drill_days_max", drill_days_max, periods.drill_days_max)?,
        backup_days_max: shorter("backup_days_max", backup_days_max, periods.backup_days_max)?,
        stamp_days_max: shorter("stamp_days_max", stamp_days_max, periods.stamp_days_max)?,
        run_days_max: match periods.run_days_max {
            None => run_days_max,
            // It counts where nobody sets it, too.
            days => shorter("run_days_max", Some(policy.periods.run_days()), days)?,
        },
    };
    if policy.picture_days_max.is_some() && policy.erase == Erase::Never {
        return Err(Error::Contradiction);
    }
    if let Some(acts) = overlay.two_person {
        policy.two_person = policy.two_person.and(TwoPersons::of(&acts));
    }
    policy.incident_laws.extend(overlay.incident_laws.into_iter().flatten());
    // The two lines that may loosen; each shows amber wherever it holds.
    if let Some(unattended) = overlay.unattended {
        policy.unattended = unattended;
    }
    if let Some(word) = overlay.missing_network_namespace {
        policy.network_namespace = word.into();
    }
    let limits = policy.limits.lowered(overlay.limits);
    for ((key, ours), (_, base)) in limits.entries().into_iter().zip(policy.limits.entries()) {
        if ours > base {
            return Err(Error::Loosens { key: format!("limits.{key}") });
        }
        let least = match key {
            "open_files_max" => OPEN_FILES_MIN,
            "side_pixels_max" => SIDE_PIXELS_MIN,
            _ => 1,
        };
        if ours < least {
            return Err(Error::LimitTooLow { key, value: ours });
        }
    }
    policy.limits = limits;
    overlay.deny.into_iter().try_fold(policy, deny)
}

/// A period, which only gets shorter.
fn shorter(key: &'static str, base: Option<u32>, days: Option<u32>) -> Result<Option<u32>, Error> {
    match days {
        None => Ok(base),
        Some(days) if base.is_some_and(|base| days > base) => Err(Error::Loosens { key: key.to_owned() }),
        Some(value) if !(1..=PICTURE_DAYS_MAX).contains(&value) => {
            Err(Error::Days { key, value, days_max: base.unwrap_or(PICTURE_DAYS_MAX) })
        }
        Some(days) => Ok(Some(days)),
    }
}

/// Takes a grant away from every process that has it.
fn deny(mut policy: Policy, deny: Deny) -> Result<Policy, Error> {
    let mut denied = false;
    let Deny { path, rights, call, why } = deny;
    let at = match (&path, &rights, &call) {
        (Some(at), _, None) | (None, None, Some(at)) => at.clone(),
        _ => return Err(Error::DenyWhat),
    };
    if call.is_some() {
        if let Some(purpose) = needed::purpose(&at) {
            return Err(Error::Needed { at, purpose });
        }
        policy.denied.push(at.clone());
        let calls = policy.grants.values_mut().map(|grants| &mut grants.calls);
        for calls in calls.chain([&mut policy.of_gpu.grants.calls]) {
            denied |= calls.remove(&at).is_some();
        }
        // There what is not named is allowed.
        let refusal = Refusal { since: Since::Start, why };
        denied |= policy
            .of_gpu
            .refused
            .insert(at.clone(), refusal)
            .is_some_and(|known| known.since == Since::WarmUp);
    } else {
        let paths = policy.grants.values_mut().map(|grants| &mut grants.paths);
        for paths in paths.chain(policy.of_gpu.all_paths()) {
            let Some(grant) = paths.get_mut(&at) else { continue };
            denied = true;
            match &rights {
                Some(rights) => grant.rights.retain(|right| !rights.contains(right)),
                None => grant.rights.clear(),
            }
            if grant.rights.is_empty() {
                paths.remove(&at);
            }
        }
    }
    if denied { Ok(policy) } else { Err(Error::NothingToDeny { at }) }
}
