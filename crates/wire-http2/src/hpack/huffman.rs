//! The Huffman code of strings (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: codes of one length ascend with their symbols, so the lengths say all. It is decoded by half
//! bytes, through a table of states that is computed when this is compiled: a state is an inner node of the tree.

/// The lengths of the codes, in bits, of the 256 bytes and of the end of the string.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];
const SYMBOLS: usize = LENGTHS.len();
/// The symbol that ends a string, and must not be there.
const END: usize = 256;
/// Inner nodes of the tree.
const NODES: usize = SYMBOLS - 1;

/// What half a byte leads to.
#[derive(Clone, Copy)]
struct Step {
    next: u8,
    symbol: u8,
    flags: u8,
}

/// A symbol is complete.
const EMITS: u8 = 1;
/// The string may end here: what is left is the beginning of the end's code, and less than a byte.
const MAY_END: u8 = 2;
/// No code leads on.
const FAILS: u8 = 4;

/// A child: an inner node, or, from `NODES` on, a symbol.
type Children = [[u16; 2]; NODES];

const fn tree() -> Children {
    let mut children = [[u16::MAX; 2]; NODES];
    let (mut nodes, mut code, mut length) = (1, 0_u32, 1_u8);
    while length <= 30 {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] == length {
                let (mut node, mut bit) = (0, length - 1);
                while bit > 0 {
                    let side = (code >> bit & 1) as usize;
                    if children[node][side] == u16::MAX {
                        children[node][side] = nodes;
                        nodes += 1;
                    }
                    node = children[node][side] as usize;
                    bit -= 1;
                }
                children[node][(code & 1) as usize] = (NODES + symbol) as u16;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    children
}

/// Whether nothing but ones leads to a node, and fewer than eight.
const fn may_end(children: &Children, node: usize) -> bool {
    let (mut at, mut depth) = (0, 0);
    while depth < 8 {
        if at == node {
            return true;
        }
        at = children[at][1] as usize;
        depth += 1;
    }
    false
}

const fn steps() -> [[Step; 16]; NODES] {
    let children = tree();
    let mut steps = [[Step { next: 0, symbol: 0, flags: 0 }; 16]; NODES];
    let mut node = 0;
    while node < NODES {
        let mut half = 0;
        while half < 16 {
            let (mut at, mut symbol, mut flags, mut bit) = (node, 0, 0, 4);
            while bit > 0 && flags & FAILS == 0 {
                bit -= 1;
                let child = children[at][half >> bit & 1] as usize;
                if child < NODES {
                    at = child;
                } else if child == NODES + END {
                    flags |= FAILS;
                } else {
                    symbol = (child - NODES) as u8;
                    flags |= EMITS;
                    at = 0;
                }
            }
            if may_end(&children, at) {
                flags |= MAY_END;
            }
            steps[node][half] = Step { next: at as u8, symbol, flags };
            half += 1;
        }
        node += 1;
    }
    steps
}

static STEPS: [[Step; 16]; NODES] = steps();

/// Appends the string that some bytes stand for; whether they stand for one.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut state, mut may_end) = (0_u8, true);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            let Some(step) = STEPS.get(usize::from(state)).and_then(|steps| steps.get(usize::from(half)))
            else {
                return false;
            };
            if step.flags & FAILS != 0 {
                return false;
            }
            if step.flags & EMITS != 0 {
                out.push(step.symbol);
            }
            state = step.next;
            may_end = step.flags & MAY_END != 0;
        }
    }
    may_end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The code as the lengths give it, bit by bit: slow, and short enough to be seen to be right.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut codes = vec![0_u32; SYMBOLS];
        let mut order: Vec<usize> = (0..SYMBOLS).collect();
        order.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let (mut code, mut length) = (0, 0);
        for symbol in order {
            code <<= LENGTHS[symbol] - length;
            length = LENGTHS[symbol];
            codes[symbol] = code;
            code += 1;
        }
        let mut bits = String::new();
        for byte in text {
            let byte = usize::from(*byte);
            bits += &format!("{:032b}", codes[byte])[32 - usize::from(LENGTHS[byte])..];
        }
        bits += &"1".repeat(bits.len().next_multiple_of(8) - bits.len());
        bits.as_bytes()
            .chunks(8)
            .map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn every_string_reads_back(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut out = b"x".to_vec();
            prop_assert!(decode(&encode(&text), &mut out));
            prop_assert_eq!(&out[1..], &text[..]);
        }
    }

    #[test]
    fn padding_is_ones_and_less_than_a_byte() {
        // "a" is 00011.
        for (bytes, good) in [
            (&[0b0001_1111][..], true),
            (&[0b0001_1110], false),
            (&[0b0001_1111, 0xff], false),
            (&[0xff], false),
            (&[0xff, 0xff, 0xff, 0xfc], false),
            (&[], true),
        ] {
            assert_eq!(decode(bytes, &mut Vec::new()), good, "{bytes:?}");
        }
    }
}
