//! What requests are written with.

/// Appends a number in decimal.
pub fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_written_in_decimal(number in any::<u64>(), small in 0..1000_u64) {
            for number in [number, small, 0, u64::MAX] {
                let mut out = b"n=".to_vec();
                super::put_decimal(&mut out, number);
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("n={number}"));
            }
        }
    }
}
