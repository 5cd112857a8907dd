//! The places between two effects, where tests let the program crash.

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The intent is on record.
    Intent,
    /// The engine has made a picture.
    Picture,
    /// The sealed file is durable, and the vault does not know it.
    Sealed,
    /// The vault knows the object, the log does not.
    Committed,
    /// The object is on record.
    Recorded,
    /// A plain copy is written, the log does not know it.
    Copied,
    /// The keys are destroyed, the log does not know it.
    Erased,
    /// A key slot was changed, the log does not know it.
    Rolled,
    /// The vault is destroyed, the log does not know it.
    Destroyed,
    /// That an act waits for a second person is on record, the vault does not know it.
    Asked,
    /// That it is confirmed is on record, and nothing is done.
    Confirmed,
    /// The past is on record, the unlock is not.
    Reconciled,
    /// The vault has dropped superseded marks, the log does not know it.
    Compacted,
}

/// In tests a crash can be ordered here; in the product this is nothing.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn reach(_: After) -> Result<(), crate::Error> {
    Ok(())
}

#[cfg(test)]
pub(crate) type Order = std::sync::Arc<std::sync::Mutex<Option<(After, u32)>>>;

#[cfg(test)]
thread_local! {
    /// Where to crash, and at which passing of that place. A queue's thread shares it with the one that started it.
    pub(crate) static CRASH: std::cell::RefCell<Order> = std::cell::RefCell::default();
}

#[cfg(test)]
pub(crate) fn reach(after: After) -> Result<(), crate::Error> {
    let order = CRASH.with_borrow(Order::clone);
    let mut order = order.lock().unwrap();
    match *order {
        Some((place, 1)) if place == after => {
            *order = None;
            Err(crate::Error::Crash)
        }
        Some((place, passings)) if place == after => {
            *order = Some((place, passings - 1));
            Ok(())
        }
        _ => Ok(()),
    }
}
