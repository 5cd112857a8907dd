//! A QR code (ISO/IEC 18004) of a short text, in characters and as a picture.

use crate::exit::{Code, Failure};
use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};
use std::fmt::Write as _;

/// Light modules around it, as the standard asks for.
const MARGIN: usize = 4;
/// A code that would be wider, in characters of a terminal, is made with less to correct errors by.
const WIDTH_MAX: usize = 80;
/// Points of a module in the picture: that of a checkpoint is some 10 cm wide on paper.
const MODULE_POINTS: usize = 4;

/// Modules between two lines below it.
const LINE_MODULES: usize = 3;

/// A QR code with its margin.
pub struct Qr {
    /// Modules of a side.
    width: usize,
    /// Whether each is dark, row by row.
    dark: Vec<bool>,
}

impl Qr {
    /// Of this text, as bytes: a reader that guesses at parts of it could take some for Kanji.
    ///
    /// # Errors
    /// It is too long for any code.
    pub fn of(text: &[u8]) -> Result<Self, Failure> {
        let medium = Self::at(text, EcLevel::M);
        medium
            .filter(|qr| qr.width <= WIDTH_MAX)
            .or_else(|| Self::at(text, EcLevel::L))
            .ok_or_else(|| Failure::new(Code::Unexpected, "it is too long for a QR code; leave --qr out"))
    }

    fn at(text: &[u8], level: EcLevel) -> Option<Self> {
        let bits = (1..=40).find_map(|number| {
            let mut bits = Bits::new(Version::Normal(number));
            bits.push_byte_data(text).and_then(|()| bits.push_terminator(level)).ok()?;
            Some(bits)
        });
        let code = QrCode::with_bits(bits?, level).ok()?;
        let (inner, width) = (code.width(), code.width() + 2 * MARGIN);
        let is_dark = |at: usize| {
            let (x, y) = ((at % width).checked_sub(MARGIN)?, (at / width).checked_sub(MARGIN)?);
            (x < inner && y < inner).then(|| code[(x, y)] == Color::Dark)
        };
        Some(Self { width, dark: (0..width * width).map(|at| is_dark(at).unwrap_or(false)).collect() })
    }

    /// Lines of characters, each for two rows: what is dark is drawn, as ink is.
    pub fn lines(&self) -> Vec<String> {
        let rows: Vec<&[bool]> = self.dark.chunks(self.width).collect();
        let draw = |pair: &[&[bool]]| {
            let below = |x: usize| pair.get(1).is_some_and(|row| row[x]);
            let upper = pair[0].iter().enumerate();
            upper
                .map(|(x, upper)| match (*upper, below(x)) {
                    (true, true) => '\u{2588}',
                    (true, false) => '\u{2580}',
                    (false, true) => '\u{2584}',
                    (false, false) => ' ',
                })
                .collect()
        };
        rows.chunks(2).map(draw).collect()
    }

    /// A picture in SVG, black on white, with these lines below, none of which has a character that means something in XML: whoever
    /// finds the paper knows what it is of.
    pub fn svg(&self, caption: &[String]) -> String {
        let mut path = String::new();
        for (at, _) in self.dark.iter().enumerate().filter(|(_, dark)| **dark) {
            // Writing to a text cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", at % self.width, at / self.width);
        }
        let (width, height) = (self.width, self.width + caption.len() * LINE_MODULES + MARGIN / 2);
        let [wide, high] = [width, height].map(|modules| modules * MODULE_POINTS);
        let line = |(at, text): (usize, &String)| {
            let below = self.width + at * LINE_MODULES;
            format!("<text x=\"{MARGIN}\" y=\"{below}\">{text}</text>")
        };
        let lines: String = caption.iter().enumerate().map(line).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}pt\" height=\"{high}pt\" viewBox=\"0 0 {width} {height}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{width}v{height}H0z\"/><path d=\"{path}\"/>\
             <g font-family=\"sans-serif\" font-size=\"2\">{lines}</g></svg>\n"
        )
    }
}
