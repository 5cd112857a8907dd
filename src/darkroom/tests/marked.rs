//! What a picture says of its making: of one as it is made here, and of those that somebody with the passphrase put beside it
//! with another program.

use super::*;
use crate::metadata::pseudonym;
use crate::{Act, Marked, newest_marks};
use vault::{NewObject, ObjectId};

/// Puts a picture into the vault, as its newest one, without the darkroom.
fn put(room: &mut Room, number: u8, content: &[u8]) {
    let who = room.who;
    let (open, random, _) = room.parts(&who, Act::MakePictures).unwrap();
    let new = NewObject {
        id: ObjectId([number; 16]),
        salt: [number; 16],
        name: &format!("20240115_142345_abc78{number}.png"),
        created_ms: u64::from(number),
        metadata: b"{}",
        preview: b"",
        content,
    };
    open.vault.put(&new, random).unwrap();
}

fn replaced(content: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "a chunk keeps its length");
    let at = content.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&content[..at], to.as_bytes(), &content[at + from.len()..]].concat()
}

/// The same picture under the pseudonym that it has now.
fn renamed(content: &[u8], pseudonym: &str) -> Vec<u8> {
    let start = b"&quot;ProduceID&quot;:&quot;";
    let at = content.windows(start.len()).position(|window| window == start).unwrap() + start.len();
    [&content[..at], pseudonym.as_bytes(), &content[at + pseudonym.len()..]].concat()
}

#[test]
fn a_picture_without_its_marks_or_with_more_is_told_from_a_sound_one() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    assert_eq!(newest_marks(&mut *room, &who).unwrap(), None);
    let made = generate(&mut room, 1, Mood::Works).unwrap()[0].id;
    let sound = Marked { digital_source_type: true, aigc_label: true, other_chunks: 0 };
    assert_eq!(newest_marks(&mut *room, &who).unwrap(), Some(sound));
    let content = room.view(&who, made).unwrap();
    type Change = fn(&[u8]) -> Vec<u8>;
    let changes: [(Change, Marked); 4] = [
        (<[u8]>::to_vec, sound),
        (
            |content| replaced(content, "trainedAlgorithmicMedia", "digitalCaptureByCamera1"),
            Marked { digital_source_type: false, other_chunks: 1, ..sound },
        ),
        (
            // Behind the signature and the header.
            |content| [&content[..33], b"\0\0\0\x08tEXtprompt\0x....", &content[33..]].concat(),
            Marked { other_chunks: 1, ..sound },
        ),
        // No text with marks at all.
        (
            |content| replaced(content, "XML:com.adobe.xmp", "XML:com.adobe.xmq"),
            Marked { digital_source_type: false, aigc_label: false, other_chunks: 1 },
        ),
    ];
    for (number, (change, wanted)) in (1..).zip(changes) {
        let name = pseudonym(ObjectId([number; 16]), [number; 16]).to_string();
        put(&mut room, number, &change(&renamed(&content, &name)));
        assert_eq!(newest_marks(&mut *room, &who).unwrap(), Some(wanted), "{number}");
    }
    // The label of another picture, and what is no picture.
    put(&mut room, 5, &content);
    let borrowed = Marked { aigc_label: false, other_chunks: 1, ..sound };
    assert_eq!(newest_marks(&mut *room, &who).unwrap(), Some(borrowed));
    put(&mut room, 6, b"GIF89a");
    let nothing = Marked { digital_source_type: false, aigc_label: false, other_chunks: 1 };
    assert_eq!(newest_marks(&mut *room, &who).unwrap(), Some(nothing));
}
