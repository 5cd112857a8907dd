//! What a vault parses, with changed inputs: nothing panics, nothing takes memory that the input does not pay for, what is
//! accepted has one spelling, and what a key opens is what was sealed.

use std::path::Path;
use std::{env, fs, io, process};

use fuzz::Target;
use zeroize::Zeroizing;

use crate::disk::Folder;
use crate::format::{HEADER_BYTES, Header, ObjectHeader, ObjectId, SlotId, VaultId};
use crate::item::{Item, ObjectInfo, Tombstone};
use crate::log::{self, Chain};
use crate::object::{NewObject, Opener, Part, Sealer};
use crate::random::{self, Random};

fn frozen(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(name)).expect("it is there")
}

/// The same bytes in every run.
struct Counted(u8);

impl Random for Counted {
    fn fill(&mut self, out: &mut [u8]) -> io::Result<()> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0;
        }
        Ok(())
    }
}

/// One entry of each kind, and the secrets of these slots.
fn items(slots: &[SlotId]) -> Vec<Item> {
    let entry = ObjectInfo {
        id: ObjectId([1; 16]),
        name: "20240115_142345_abc789.png".to_owned(),
        created_ms: 1_705_328_625_000,
        salt: [7; 16],
        preview_bytes: 7,
        content_bytes: 17_000,
        metadata: Zeroizing::new(b"{\"seed\":1}".to_vec()),
        page: 0,
    };
    let slots = slots.iter().map(|id| Item::Slot { id: *id, secret: Zeroizing::new([8; 32]) });
    let others = [
        Item::Put { entry, key: Zeroizing::new([9; 32]) },
        Item::Tombstone(Tombstone { id: ObjectId([3; 16]), erased_ms: 3, reason: 2, epoch: 3 }),
        Item::Mark { tag: 1, value: Zeroizing::new(b"frozen".to_vec()) },
    ];
    slots.chain(others).collect()
}

fn encoded(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    items.iter().for_each(|item| item.encode(&mut out));
    out
}

#[test]
fn vault_file_without_a_key() {
    Target::new("vault").seed("frozen", frozen("state/vault")).run(|file| {
        let Ok(header) = Header::parse(file) else { return false };
        assert_eq!(header.encode(), file[..header.sealed_size()]);
        let Ok(chain) = Chain::walk(&header, file) else { return false };
        assert_eq!(chain.end + chain.tail_bytes, file.len() as u64);
        assert!(chain.pages.iter().all(|page| page.at + u64::from(page.bytes) <= chain.end));
        true
    });
}

#[test]
fn vault_file_with_its_key() {
    let frozen = frozen("state/vault");
    let header = Header::parse(&frozen).expect("a vault file");
    let key = random::key(&mut Counted(1)).expect("counted");
    let mut file = frozen[..header.size()].to_vec();
    let mut chain = Chain::new(&header, &file);
    let slots: Vec<SlotId> = header.slots.iter().map(|slot| slot.info.id).collect();
    for record in items(&slots).chunks(2) {
        chain.append(&key, &encoded(record), &mut file, &mut Counted(2)).expect("small");
    }
    let (_, whole) = log::read(&header, &key, &file).expect("it was just written");
    // Cut after all slots are known, the log is shorter and says nothing else.
    Target::new("sealed").seed("written", file.clone()).run(|input| {
        let Ok(header) = Header::parse(input) else { return false };
        let Ok((chain, index)) = log::read(&header, &key, input) else { return false };
        assert_eq!(input.get(..chain.end as usize), file.get(..chain.end as usize));
        for entry in &index.entries {
            let written = whole.get(entry.id).expect("nothing that was not written");
            assert_eq!((&entry.name, &entry.metadata), (&written.name, &written.metadata));
        }
        true
    });
}

#[test]
fn opened_record() {
    let seeds = items(&[SlotId(1)]).into_iter().enumerate();
    let target = seeds.fold(Target::new("record"), |target, (number, item)| {
        target.seed(&format!("item {number}"), encoded(&[item]))
    });
    let name = crate::PersonName::new("Caf\u{e9}").expect("a name");
    let target = target.seed("name", encoded(&[Item::Name { slot: SlotId(1), name }]));
    // A mark of one byte is six bytes here, and an item in memory.
    target.seed("all", encoded(&items(&[SlotId(1)]))).memory(64 << 10, 128).run(|record| {
        let Ok(items) = Item::parse_all(record, 0) else { return false };
        assert_eq!(encoded(&items), record);
        true
    });
}

#[test]
fn object_file() {
    let path = env::temp_dir().join(format!("vault-fuzz-{}", process::id()));
    fs::create_dir_all(&path).expect("a folder for temporary files");
    let folder = Folder::open(&path).expect("it was just made");
    let vault_id = VaultId([5; 16]);
    let content: Vec<u8> = (0..20_000_u32).map(|number| (number / 7) as u8).collect();
    let new = NewObject {
        id: ObjectId([1; 16]),
        salt: [7; 16],
        name: "a",
        created_ms: 1,
        metadata: b"{}",
        preview: b"preview",
        content: &content,
    };
    let own = Folder::open(&path).expect("it was just made");
    let sealer = Sealer::new(own, vault_id, &mut Counted(4)).expect("counted");
    let staged = sealer.stage(&new).expect("staged");
    let file = path.join("a.sealed");
    let sealed = fs::read(&file).expect("staged");
    let opener = Opener::new(folder, vault_id, staged.entry.clone(), staged.key.clone());
    let read = |part, range| opener.read(part, range);
    Target::new("object").seed("staged", sealed.clone()).memory(256 << 10, 8).run(|input| {
        if let Some(header) = input.first_chunk::<HEADER_BYTES>().and_then(ObjectHeader::parse) {
            assert_eq!(header.encode(), input[..HEADER_BYTES]);
        }
        // Cutting a file short and filling it again would wait for the disk.
        fs::remove_file(&file).and_then(|()| fs::write(&file, input)).expect("it can be written");
        let opened = [
            (read(Part::Preview, None), &b"preview"[..]),
            (read(Part::Content, Some((16_000, 1000))), &content[16_000..17_000]),
            (read(Part::Content, None), &content[..]),
        ];
        for (opened, wanted) in &opened {
            assert!(opened.as_ref().is_ok_and(|opened| &opened[..] == *wanted) || opened.is_err());
        }
        let all = opened.iter().all(|(opened, _)| opened.is_ok());
        assert_eq!(all, input == sealed, "a changed file opens in part at most");
        all
    });
    fs::remove_dir_all(&path).expect("it was made here");
}
