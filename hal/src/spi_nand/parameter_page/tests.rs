use super::*;

/// A page with the fields of the W25N01GV.
fn page() -> [u8; PARAMETER_PAGE_BYTES] {
    let mut page = [0; PARAMETER_PAGE_BYTES];
    page[..4].copy_from_slice(b"ONFI");
    page[32..44].copy_from_slice(b"WINBOND     ");
    page[44..64].copy_from_slice(b"W25N01GV            ");
    page[80..84].copy_from_slice(&2048u32.to_le_bytes());
    page[84..86].copy_from_slice(&64u16.to_le_bytes());
    page[92..96].copy_from_slice(&64u32.to_le_bytes());
    page[96..100].copy_from_slice(&1024u32.to_le_bytes());
    page[100] = 1;
    page[102] = 1;
    page[103..105].copy_from_slice(&20u16.to_le_bytes());
    (page[105], page[106]) = (1, 5);
    page[110] = 4;
    page[112] = 1;
    page
}

fn sealed(mut page: [u8; PARAMETER_PAGE_BYTES]) -> [u8; PARAMETER_PAGE_BYTES] {
    let checksum = parameter_page_checksum(&page[..254]);
    page[254..].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The page with other bytes at `offset`.
fn with(offset: usize, bytes: &[u8]) -> [u8; PARAMETER_PAGE_BYTES] {
    let mut page = page();
    page[offset..offset + bytes.len()].copy_from_slice(bytes);
    sealed(page)
}

#[test]
fn a_page_tells_the_shape_of_its_part() {
    let found = ParameterPage::decode(&sealed(page())).unwrap();
    let expected = Geometry {
        chip_ecc: None,
        ..crate::spi_nand::W25N01GV.geometry
    };
    assert_eq!(found.geometry, expected);
    assert_eq!(&found.manufacturer, b"WINBOND     ");
    assert_eq!(&found.model, b"W25N01GV            ");
}

/// The check value of CRC-16 with this polynomial and initial value, from a long division over GF(2).
#[test]
fn the_checksum_is_that_of_the_specification() {
    assert_eq!(parameter_page_checksum(b""), 0x4F4E);
    assert_eq!(parameter_page_checksum(b"123456789"), 0x2771);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let good = sealed(page());
    for bit in 0..PARAMETER_PAGE_BYTES * 8 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit {
            0..32 => ParameterPageError::Signature,
            _ => ParameterPageError::Checksum,
        };
        assert_eq!(ParameterPage::decode(&bad), Err(expected), "bit {bit}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_its_reason() {
    use ParameterPageError as E;
    let cases: [(usize, &[u8], E); 14] = [
        (0, b"JESD", E::Signature),
        (100, &[0], E::Shape),
        (100, &[2], E::Dies),
        (102, &[2], E::Cells),
        (113, &[1], E::Planes),
        (112, &[0], E::Ecc),
        (112, &[0xFF], E::Ecc),
        (80, &0u32.to_le_bytes(), E::Shape),
        (80, &8192u32.to_le_bytes(), E::Shape),
        (92, &65u32.to_le_bytes(), E::Shape),
        (92, &0x1_0040u32.to_le_bytes(), E::Shape),
        (96, &u32::MAX.to_le_bytes(), E::Shape),
        (106, &[200], E::Shape),
        (103, &2000u16.to_le_bytes(), E::Shape),
    ];
    for (offset, bytes, expected) in cases {
        let found = ParameterPage::decode(&with(offset, bytes));
        assert_eq!(found, Err(expected), "{bytes:?} at {offset}");
    }
}

#[test]
fn blank_and_silent_lines_are_no_page() {
    for level in [0x00, 0xFF] {
        let found = ParameterPage::decode(&[level; PARAMETER_PAGE_BYTES]);
        assert_eq!(found, Err(ParameterPageError::Signature));
    }
}
