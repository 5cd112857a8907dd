//! Pictures whose period is over go by themselves, while the vault is open.

use crate::House;
use darkroom::Queue;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked for them.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// The same after an erasure that failed, each of which is on record.
const AFTER_FAILURE: Duration = Duration::from_secs(3600);

/// Erases them, until the server ends. Where the policy sets no period there is nothing to do.
pub async fn watch(house: Arc<House>) {
    let has_period = house.act(|queue| queue.with(|darkroom| Ok(darkroom.has_period()))).await;
    if !has_period.unwrap_or(true) {
        return;
    }
    loop {
        let done = house.act(Queue::retain).await;
        let pause = if done.is_ok() { LOOK_INTERVAL } else { AFTER_FAILURE };
        tokio::time::sleep(pause).await;
    }
}
