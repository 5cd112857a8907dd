//! The copy of the newest checkpoint goes beside everything else.

use super::*;
use crate::outside::{CopyPlace, CopyState, Copying};
use audit::{OUTSIDE_NAME, Outside};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// What is to become so by itself, soon.
fn becomes(holds: impl Fn() -> bool) -> bool {
    (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        holds()
    })
}

#[test]
fn a_copy_is_made_at_once_and_at_the_end_and_none_is_made_where_it_cannot_be() {
    let home = Home::new();
    let folder = home.0.join("plain");
    let mut room = home.unlocked();
    let state = room.copy_state();
    assert!(!state.is_wanted() && room.warnings().is_empty());
    room.copy_checkpoints(CopyPlace::Folder(folder.clone()));
    assert!(becomes(|| state.coverage().is_some()), "{state:?}");
    room.leave(StopReason::Done).unwrap();
    let newest = std::fs::read(home.0.join("audit/checkpoint")).unwrap();
    assert_eq!(Outside::read(&folder).unwrap().unwrap().bytes(), newest);
    // A start with another log's copy there says so, and leaves it.
    std::fs::write(
        folder.join(OUTSIDE_NAME),
        String::from_utf8(newest).unwrap().replace("lightproof/", "lightproof/00"),
    )
    .unwrap();
    let left = std::fs::read(folder.join(OUTSIDE_NAME)).unwrap();
    for place in [
        CopyPlace::Folder(folder.clone()),
        CopyPlace::Unusable { folder: folder.clone(), why: "it was not there".into() },
    ] {
        let mut room = home.unlocked();
        room.copy_checkpoints(place);
        let state = room.copy_state();
        assert!(becomes(|| state.trouble().is_some()), "{state:?}");
        assert!(room.warnings().contains(&crate::Warning::NoCopy));
        room.leave(StopReason::Done).unwrap();
    }
    assert_eq!(std::fs::read(folder.join(OUTSIDE_NAME)).unwrap(), left);
    home.log_verifies();
}

#[test]
fn a_disk_that_hangs_keeps_no_end() {
    let (release, held) = channel::<()>();
    let told = Arc::new(AtomicU32::new(0));
    let done = Arc::clone(&told);
    let renew = move || {
        let _ = held.recv();
        done.fetch_add(1, Ordering::SeqCst);
        Ok(7)
    };
    let state = CopyState::default();
    let copying = Copying::start("/media/stick".into(), state.clone(), renew).unwrap();
    let began = Instant::now();
    copying.end(Duration::from_millis(100));
    assert!(began.elapsed() >= Duration::from_millis(100) && told.load(Ordering::SeqCst) == 0);
    assert!(state.trouble().unwrap().contains("does not answer"));
    drop(release);
    assert!(becomes(|| told.load(Ordering::SeqCst) > 0), "what comes late is told late");
    assert!(becomes(|| state.trouble().is_none()));
}
