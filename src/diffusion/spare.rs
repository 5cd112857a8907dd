//! Memory of values that are done with, for those that come next.
//!
//! What the system gives is zeroed first and wiped afterwards, by one thread while the others wait. Of the layers of a decoder one
//! after the other needs as much.

use std::cell::RefCell;

thread_local! {
    /// None: nothing is kept.
    static SPARE: RefCell<Option<Vec<Vec<f32>>>> = const { RefCell::new(None) };
}

/// While it lives, this thread keeps what it is given. Then all of it goes back to the system, also after a panic.
pub(crate) struct Spare(());

impl Spare {
    pub fn keep() -> Self {
        SPARE.set(Some(Vec::new()));
        Self(())
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        SPARE.set(None);
    }
}

/// `len` values, whatever they are: all of them are to be written.
///
/// What is kept is of one length: where none fits, the next layers have another size, and all of it goes back first. So there is
/// never more than the layers had at once.
pub(crate) fn take(len: usize) -> Vec<f32> {
    let kept = SPARE.with_borrow_mut(|spare| {
        let spare = spare.as_mut()?;
        let found = spare.iter().position(|values| values.len() == len);
        if found.is_none() {
            spare.clear();
        }
        found.map(|found| spare.swap_remove(found))
    });
    kept.unwrap_or_else(|| vec![0.0; len])
}

/// Keeps them for whoever comes next.
pub(crate) fn give(values: Vec<f32>) {
    SPARE.with_borrow_mut(|spare| {
        if let Some(spare) = spare {
            spare.push(values);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_after_a_panic() {
        let draws = || {
            let _spare = Spare::keep();
            give(vec![1.0; 3]);
            std::panic::panic_any("x");
        };
        assert!(std::panic::catch_unwind(draws).is_err());
        assert!(SPARE.with_borrow(Option::is_none));
    }

    #[test]
    fn only_while_something_keeps_it_and_of_one_length_at_a_time() {
        give(vec![1.0; 3]);
        assert_eq!(take(3), [0.0; 3], "nothing keeps it");
        {
            let _spare = Spare::keep();
            give(vec![1.0; 3]);
            give(vec![2.0; 3]);
            assert_eq!((take(3), take(3), take(3)), (vec![1.0; 3], vec![2.0; 3], vec![0.0; 3]));
            give(vec![1.0; 3]);
            assert_eq!((take(4), take(3)), (vec![0.0; 4], vec![0.0; 3]), "kept beside another length");
            give(vec![1.0; 3]);
        }
        let _spare = Spare::keep();
        assert_eq!(take(3), [0.0; 3], "kept beyond its end");
    }
}
