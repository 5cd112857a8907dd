//! No freed memory keeps what was in it. The whole process is searched, by way of /proc/self/mem.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use sandbox::WipingAllocator;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;

/// A pattern that stands nowhere in the program: each byte is computed, from a start that differs per test.
fn pattern(start: u8) -> impl Iterator<Item = u8> {
    (0..64_u8).map(move |i| i.wrapping_mul(167).wrapping_add(start) ^ 0x5a)
}

/// How often the pattern lies in writable memory.
fn found(start: u8) -> usize {
    let wanted: Vec<u8> = pattern(start).map(|byte| !byte).collect(); // inverted, so as not to find itself
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut count = 0;
    // Pages are read into one block that lies outside of what is searched: it is skipped by its address.
    let mut page = vec![0_u8; 1 << 16];
    let own = page.as_ptr().addr()..page.as_ptr().addr() + page.len();
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut fields = line.split(' ');
        let (from, to) = fields.next().unwrap().split_once('-').unwrap();
        if !fields.next().unwrap().starts_with("rw") {
            continue;
        }
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        let (mut at, to) = (address(from), address(to));
        while at < to {
            let length = page.len().min(to - at);
            memory.seek(SeekFrom::Start(at as u64)).unwrap();
            if memory.read_exact(&mut page[..length]).is_ok() {
                let hits = page[..length].windows(64).enumerate().filter(|(offset, window)| {
                    !own.contains(&(at + offset))
                        && window.iter().zip(&wanted).all(|(byte, not)| *byte == !not)
                });
                count += hits.count();
            }
            // Windows overlap, so that no pattern is missed between two pages.
            at += if length == page.len() && at + length < to { length - 63 } else { length };
        }
    }
    count
}

#[test]
fn a_freed_block_is_empty() {
    let block: Vec<u8> = pattern(1).collect();
    assert_eq!(found(1), 1, "the search must find what is there");
    drop(block);
    assert_eq!(found(1), 0);
}

#[test]
fn growing_and_shrinking_leave_no_copy_behind() {
    let mut block: Vec<u8> = pattern(2).collect();
    for size in [100, 1000, 10_000, 200_000, 3_000_000, 40_000_000, 50_000_000, 90_000_000] {
        block.reserve_exact(size);
        assert_eq!(found(2), 1, "after growing to {size}");
    }
    block.shrink_to_fit();
    assert_eq!(found(2), 1, "after shrinking");
    drop(block);
    assert_eq!(found(2), 0);
}

#[test]
fn a_cut_off_tail_is_empty() {
    let mut block = vec![0_u8; 5000];
    block.extend(pattern(3));
    assert_eq!(found(3), 1);
    block.truncate(10);
    block.shrink_to_fit();
    assert_eq!(found(3), 0);
}

/// Above 32 MiB blocks move by pages; both ways, across the border, and with the tail cut off.
#[test]
fn large_blocks_keep_their_bytes_and_leave_none() {
    const MIB: usize = 1 << 20;
    let mut block = vec![7_u8; 33 * MIB];
    for size in [34 * MIB, 80 * MIB + 5, 60 * MIB + 1, 32 * MIB, 31 * MIB, 32 * MIB - 1, 40 * MIB] {
        block.resize(size, 7);
        block.shrink_to_fit();
        assert!(block.len() == size && block.iter().all(|byte| *byte == 7), "{size}");
    }
    block.truncate(39 * MIB);
    block.extend(pattern(5));
    assert_eq!(found(5), 1);
    block.truncate(35 * MIB);
    block.shrink_to_fit();
    assert_eq!(found(5), 0);
    assert!(vec![0_u8; 40 * MIB].iter().all(|byte| *byte == 0));
}

#[test]
fn zeroed_and_aligned_blocks_are_what_they_say() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    for _ in 0..8 {
        let mut page = Box::new(Page([7; 4096]));
        assert_eq!((&raw const *page).addr() % 4096, 0);
        page.0[..64].copy_from_slice(&pattern(4).collect::<Vec<_>>());
        drop(page);
        assert!(vec![0_u8; 4096].iter().all(|byte| *byte == 0));
    }
    assert_eq!(found(4), 0);
}
