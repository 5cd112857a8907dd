//! A picture at a smaller size. A crate of image formats would do it too, and take longer to compile than all of ours.

use engine::Pixels;

/// The picture at `width` by `height` pixels, at most its own: each pixel is the mean of the area that it stands for, in the
/// values as they are. One grey pixel if it is not of the size that it says.
pub fn shrunk(from: &Pixels, width: u32, height: u32) -> Pixels {
    let (columns, rows) = (shares(from.width, width), shares(from.height, height));
    let line = 3 * from.width as usize;
    if from.rgb.len() != line * from.height as usize || columns.is_empty() || rows.is_empty() {
        return Pixels { width: 1, height: 1, rgb: vec![0x80; 3] };
    }
    let area = u64::from(from.width) * u64::from(from.height);
    let mut rgb = Vec::with_capacity(3 * columns.len() * rows.len());
    for row in &rows {
        for column in &columns {
            let mut sums = [area / 2; 3]; // rounds to the nearest
            for (y, tall) in row {
                for (x, wide) in column {
                    let pixel = &from.rgb[y * line + 3 * x..][..3];
                    sums.iter_mut()
                        .zip(pixel)
                        .for_each(|(sum, value)| *sum += tall * wide * u64::from(*value));
                }
            }
            rgb.extend(sums.map(|sum| (sum / area) as u8));
        }
    }
    Pixels { width: columns.len() as u32, height: rows.len() as u32, rgb }
}

/// For each of `to` places, which of `from` places lie in it and how much of each, in parts of `to`: `from` in all.
fn shares(from: u32, to: u32) -> Vec<Vec<(usize, u64)>> {
    let (from, to) = (u64::from(from), u64::from(to.min(from)));
    let share = |start: u64| {
        let end = start + from;
        let inside = move |place: u64| end.min((place + 1) * to) - start.max(place * to);
        (start / to..end.div_ceil(to)).map(move |place| (place as usize, inside(place))).collect()
    };
    (0..to).map(|place| share(place * from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose three channels are the same.
    fn grey(width: u32, height: u32, values: &[u8]) -> Pixels {
        Pixels { width, height, rgb: values.iter().flat_map(|value| [*value; 3]).collect() }
    }

    #[test]
    fn a_pixel_is_the_mean_of_its_area() {
        let half = shrunk(&grey(4, 2, &[0, 10, 100, 100, 20, 31, 100, 101]), 2, 1);
        assert_eq!((half.width, half.height), (2, 1));
        assert_eq!(half.rgb, grey(2, 1, &[15, 100]).rgb); // 15.25 and 100.25
        // Three to two: the one in the middle counts half in each.
        assert_eq!(shrunk(&grey(3, 1, &[30, 60, 90]), 2, 1).rgb, grey(2, 1, &[40, 80]).rgb);
        assert_eq!(shrunk(&grey(1, 3, &[30, 60, 90]), 1, 2).rgb, grey(1, 2, &[40, 80]).rgb);
    }

    #[test]
    fn channels_stay_apart_and_nothing_wraps() {
        let red: Vec<u8> = [255, 0, 7].repeat(2048 * 3);
        let small = shrunk(&Pixels { width: 2048, height: 3, rgb: red }, 255, 1);
        assert_eq!(small.rgb, [255, 0, 7].repeat(255));
    }

    #[test]
    fn a_picture_of_another_size_than_it_says_is_no_picture() {
        for rgb in [vec![0; 11], Vec::new()] {
            let small = shrunk(&Pixels { width: 2, height: 2, rgb }, 1, 1);
            assert_eq!((small.width, small.height, small.rgb.len()), (1, 1, 3));
        }
        assert_eq!(shrunk(&grey(0, 0, &[]), 1, 1).rgb.len(), 3);
    }
}
