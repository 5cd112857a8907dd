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
}
