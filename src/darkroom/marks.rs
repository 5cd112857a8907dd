//! Pixels become a PNG that says what made it.
//!
//! Every picture carries an XMP packet with two marks and no other text: IPTC `DigitalSourceType`
//! (cv.iptc.org/newscodes/digitalsourcetype) and the TC260 `AIGC` label (GB 45438-2025). The packet is constant
//! but for the object's pseudonym. No prompt, no parameter, no user.

use crate::shrink::shrunk;
use engine::Pixels;
use std::io::{self, Write};

/// Longest side of a sealed preview, in pixels.
const PREVIEW_SIDE_PX_MAX: u32 = 256;

/// Encodes `pixels` with the marks; `produce_id` is the object's pseudonym in the log.
///
/// # Errors
/// There is no memory for the PNG ([`io::ErrorKind::OutOfMemory`]). For anything else the encoder has no reason, with
/// pixels of the stated size.
pub fn png(pixels: &Pixels, produce_id: &str) -> Result<Vec<u8>, png::EncodingError> {
    let mut content = Growing(Vec::new());
    content.reserve(pixels.rgb.len() / 2 + 4096)?;
    let mut encoder = png::Encoder::new(&mut content, pixels.width, pixels.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Seven times as fast as the default, whose files are smaller by a fifth at most: see tests/BENCHMARKS.md.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.add_itxt_chunk("XML:com.adobe.xmp".into(), xmp(produce_id))?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels.rgb)?;
    writer.finish()?;
    Ok(content.0)
}

/// Bytes that grow as long as the system gives memory for them.
struct Growing(Vec<u8>);

impl Growing {
    fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        self.0.try_reserve(bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reserve(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The small picture that lists show: at most 256 pixels a side, never larger than the original.
pub fn preview(pixels: Pixels) -> Pixels {
    let side = pixels.width.max(pixels.height);
    if side <= PREVIEW_SIDE_PX_MAX {
        return pixels;
    }
    let scaled = |side_px: u32| (side_px * PREVIEW_SIDE_PX_MAX / side).max(1);
    shrunk(&pixels, scaled(pixels.width), scaled(pixels.height))
}

fn xmp(produce_id: &str) -> String {
    format!(
        r#"<?xpacket begin="{bom}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">
   <Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>
   <TC260:AIGC>{{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;Lightproof&quot;,&quot;ProduceID&quot;:&quot;{produce_id}&quot;,&quot;ReservedCode1&quot;:&quot;&quot;,&quot;ContentPropagator&quot;:&quot;&quot;,&quot;PropagateID&quot;:&quot;&quot;,&quot;ReservedCode2&quot;:&quot;&quot;}}</TC260:AIGC>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"#,
        bom = '\u{feff}'
    )
}

/// What a picture says of its making, and whether it says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// IPTC: a model made it.
    pub digital_source_type: bool,
    /// TC260: the implicit label, with the picture's pseudonym.
    pub aigc_label: bool,
    /// Parts of the file that are neither pixels nor the one text with the marks.
    pub other_chunks: u64,
}

impl Marked {
    /// Of the bytes of a PNG; `None` if they are none.
    pub(crate) fn of(content: &[u8], produce_id: &str) -> Option<Self> {
        let mut rest = content.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
        let (wanted, mut texts, mut others) = (xmp(produce_id), Vec::new(), 0);
        while !rest.is_empty() {
            let (head, after) = rest.split_first_chunk::<8>()?;
            let (length, kind) = head.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let data = after.get(..length)?;
            rest = after.get(length.checked_add(4)?..)?;
            match kind {
                b"IHDR" | b"IDAT" | b"IEND" | b"sRGB" => {}
                b"iTXt" if texts.is_empty() && data.starts_with(b"XML:com.adobe.xmp\0") => texts.push(data),
                _ => others += 1,
            }
        }
        let text = String::from_utf8_lossy(texts.first().copied().unwrap_or_default()).into_owned();
        let has = |tag: &str| {
            let line = wanted.lines().find(|line| line.contains(tag));
            line.is_some_and(|line| text.contains(line))
        };
        // A text that says more than the marks is another one.
        let other = u64::from(!text.is_empty() && !text.ends_with(&wanted));
        Some(Self {
            digital_source_type: has("<Iptc4xmpExt:DigitalSourceType>"),
            aigc_label: has("<TC260:AIGC>"),
            other_chunks: others + other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Kind};

    #[test]
    fn a_png_that_no_memory_holds_is_an_error_of_memory() {
        let refused = Growing(Vec::new()).reserve(usize::MAX).unwrap_err();
        let error = Error::from(png::EncodingError::from(refused));
        assert_eq!(error.kind(), Kind::Memory, "{error}");
    }
}
