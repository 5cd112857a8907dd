//! The Merkle tree of RFC 6962, section 2.1.

use sha2::{Digest as _, Sha256};

/// A node of the tree.
pub(crate) type Hash = [u8; 32];

/// `SHA-256(0x00 || record)`: the leaf of the tree, and the link that the next record carries.
pub(crate) fn leaf(record: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(record).finalize().into()
}

/// `SHA-256(0x01 || left || right)`.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The right edge of a growing tree: the roots of its perfect subtrees, largest first. All that appending needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The edge of a tree of this size, from the roots of its perfect subtrees, largest first.
    pub fn of(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // One subtree merges for every bit that the carry clears, as in adding one to a binary number.
        let mut carry = self.size;
        while carry & 1 == 1 {
            let left = self.roots.pop().expect("there is one subtree for each bit set in the size");
            hash = node(&left, &hash);
            carry >>= 1;
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over everything pushed so far; for the empty tree `SHA-256("")`.
    pub fn root(&self) -> Hash {
        let mut right_to_left = self.roots.iter().rev();
        let Some(last) = right_to_left.next() else { return Sha256::digest([]).into() };
        right_to_left.fold(*last, |right, left| node(left, &right))
    }
}

/// The nodes over all complete pairs, level by level: what inclusion proofs are read off.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The leaves first.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect();
            levels.push(above);
        }
        Self { levels }
    }

    pub fn size(&self) -> usize {
        self.levels[0].len()
    }

    /// The root over the first `size` leaves, of which there must be that many.
    pub fn root(&self, size: usize) -> Hash {
        if size == 0 { Sha256::digest([]).into() } else { self.over(0, size) }
    }

    /// The audit path of RFC 6962, section 2.1.1: from the leaf's sibling to the child of the root over `size` leaves.
    /// `index < size <= self.size()`.
    pub fn path(&self, index: usize, size: usize) -> Vec<Hash> {
        let (mut from, mut to, mut path) = (0, size, Vec::new());
        while to - from > 1 {
            let split = from + split(to - from);
            if index < split {
                path.push(self.over(split, to));
                to = split;
            } else {
                path.push(self.over(from, split));
                from = split;
            }
        }
        path.reverse();
        path
    }

    /// What the leaves at these places need to lead to the root: the hashes over the ranges that hold none of them, each as
    /// large as the definition makes ranges, from left to right. The places rise.
    pub fn around(&self, places: &[u64]) -> Vec<Hash> {
        let mut hashes = Vec::new();
        if self.size() > 0 {
            self.beside(0, self.size(), places, &mut hashes);
        }
        hashes
    }

    fn beside(&self, from: usize, to: usize, places: &[u64], hashes: &mut Vec<Hash>) {
        if places.is_empty() {
            hashes.push(self.over(from, to));
        } else if to - from > 1 {
            let middle = from + split(to - from);
            let (left, right) = places.split_at(places.partition_point(|place| *place < middle as u64));
            self.beside(from, middle, left, hashes);
            self.beside(middle, to, right, hashes);
        }
    }

    /// The hash over a range as the definition makes ranges: its length is a power of two and divides its start, or it is
    /// split until it is so.
    fn over(&self, from: usize, to: usize) -> Hash {
        let count = to - from;
        if count.is_power_of_two() {
            let level = count.trailing_zeros();
            return self.levels[level as usize][from >> level];
        }
        let split = from + split(count);
        node(&self.over(from, split), &self.over(split, to))
    }
}

/// The largest power of two below `count`, which is more than one.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The root that a leaf and its audit path lead to (RFC 9162, section 2.1.3.2); `None` if the path does not have the
/// length for that place.
pub(crate) fn root_of_path(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut at, mut last) = (index, size.checked_sub(1).filter(|last| index <= *last)?);
    let mut hash = *leaf;
    for other in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(other, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// The root over `size` leaves that these leaves, by rising places, and the hashes of [`Tree::around`] lead to; `None` if there are
/// other hashes than those, or other places.
pub(crate) fn root_around(size: u64, leaves: &[(u64, Hash)], hashes: &[Hash]) -> Option<Hash> {
    let rises = leaves.windows(2).all(|two| two[0].0 < two[1].0);
    let is_within = leaves.last().is_none_or(|(place, _)| *place < size);
    let mut rest = hashes.iter();
    let root = (size > 0 && rises && is_within).then(|| hash_of(0, size, leaves, &mut rest))??;
    rest.next().is_none().then_some(root)
}

fn hash_of(
    from: u64,
    to: u64,
    leaves: &[(u64, Hash)],
    rest: &mut std::slice::Iter<'_, Hash>,
) -> Option<Hash> {
    match leaves {
        [] => rest.next().copied(),
        [(_, leaf)] if to - from == 1 => Some(*leaf),
        _ => {
            let half = 1 << (to - from - 1).ilog2();
            let (left, right) = leaves.split_at(leaves.partition_point(|(place, _)| *place < from + half));
            let left = hash_of(from, from + half, left, rest)?;
            Some(node(&left, &hash_of(from + half, to, right, rest)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::hex;

    /// The definition, word for word.
    fn reference(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => leaf(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node(&reference(&many[..split]), &reference(&many[split..]))
            }
        }
    }

    #[test]
    fn the_frontier_agrees_with_the_definition_at_every_size() {
        let mut frontier = Frontier::default();
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        for i in 0..300u32 {
            assert_eq!(frontier.root(), reference(&leaves), "size {i}");
            frontier.push(leaf(&i.to_be_bytes()));
            leaves.push(i.to_be_bytes().to_vec());
        }
    }

    #[test]
    fn roots_equal_the_published_vectors() {
        // The eight leaves and the roots that Certificate Transparency implementations test with.
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        for (i, root) in roots.iter().enumerate() {
            assert_eq!(hex(&frontier.root()), *root, "size {i}");
            if let Some(text) = leaves.get(i) {
                frontier.push(leaf(&base16ct::lower::decode_vec(text).unwrap()));
            }
        }
    }

    #[test]
    fn every_path_leads_to_the_root_of_the_definition_and_to_no_other_place() {
        let leaves: Vec<Vec<u8>> = (0..70u32).map(|i| i.to_be_bytes().to_vec()).collect();
        let tree = Tree::new(leaves.iter().map(|bytes| leaf(bytes)).collect());
        assert_eq!(tree.root(0), reference(&[]));
        for size in 1..=leaves.len() {
            let root = reference(&leaves[..size]);
            assert_eq!(tree.root(size), root, "size {size}");
            for index in 0..size {
                let path = tree.path(index, size);
                let at = |index: usize, path: &[Hash]| {
                    root_of_path(&leaf(&leaves[index]), index as u64, size as u64, path)
                };
                assert_eq!(at(index, &path), Some(root), "{index} of {size}");
                let other = (index + 1) % size;
                assert_ne!(at(other, &path), Some(root).filter(|_| other != index), "{other} of {size}");
                let longer = [&path[..], &[root]].concat();
                assert_ne!(at(index, &longer), Some(root), "{index} of {size}");
                if let Some(shorter) = path.split_last().map(|(_, rest)| rest) {
                    assert_ne!(at(index, shorter), Some(root), "{index} of {size}");
                }
            }
        }
        assert_eq!(root_of_path(&leaf(b""), 0, 0, &[]), None);
        assert_eq!(root_of_path(&leaf(b""), 1, 1, &[]), None);
    }

    #[test]
    fn any_leaves_with_the_hashes_around_them_lead_to_the_root_and_nothing_else_does() {
        let leaves: Vec<Hash> = (0..70u32).map(|i| leaf(&i.to_be_bytes())).collect();
        for size in 1..=leaves.len() {
            let tree = Tree::new(leaves[..size].to_vec());
            let (root, count) = (tree.root(size), size as u64);
            for step in [1, 2, 3, 7, 69] {
                for first in 0..step.min(size) {
                    let places: Vec<u64> = (first..size).step_by(step).map(|at| at as u64).collect();
                    let kept: Vec<(u64, Hash)> =
                        places.iter().map(|at| (*at, leaves[*at as usize])).collect();
                    let hashes = tree.around(&places);
                    assert_eq!(root_around(count, &kept, &hashes), Some(root), "{places:?} of {size}");
                    // At another place, with one more and with one less, none is.
                    let mut moved = kept.clone();
                    moved[0].1[0] ^= 1;
                    assert_ne!(root_around(count, &moved, &hashes), Some(root));
                    assert_eq!(root_around(count, &kept, &[&hashes[..], &[root]].concat()), None);
                    assert_eq!(root_around(count + 1, &[&kept[..], &kept].concat(), &hashes), None);
                    if let Some((_, less)) = hashes.split_last() {
                        assert_eq!(root_around(count, &kept, less), None, "{places:?} of {size}");
                    }
                }
            }
            assert_eq!(root_around(count, &[], &tree.around(&[])), Some(root));
            assert_eq!(root_around(count, &[(count, root)], &[root]), None, "it is not among them");
        }
        assert_eq!(root_around(0, &[], &[]), None);
        // A claim of more leaves than there are atoms asks for hashes that are not there.
        assert_eq!(root_around(1 << 62, &[(1 << 61, [0; 32])], &[[0; 32]; 5]), None);
    }
}
