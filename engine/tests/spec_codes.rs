//! The vectors of `docs/SPEC.md`, section 12, which were computed by other means than the engine's.

use cuesta::codec::Ecc;

const SPEC: &str = include_str!("../../docs/SPEC.md");

#[test]
fn parities_are_those_of_the_specification() {
    let (_, section) = SPEC.split_once("\n## 12. Codes\n").unwrap();
    let mut vectors: Vec<(Ecc, &str, String)> = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("    ")) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [code, data, parity] => {
                vectors.push((Ecc::from_name(code).unwrap(), data, parity.to_owned()));
            }
            [more] => vectors.last_mut().unwrap().2.push_str(more),
            _ => panic!("not a vector: {line}"),
        }
    }
    assert_eq!(vectors.len(), 3 * Ecc::ALL.len());
    for (ecc, name, expected) in vectors {
        let code = ecc.portable();
        let data: Vec<u8> = match name {
            "zeros" => vec![0; code.data_bytes()],
            "count" => (0..code.data_bytes()).map(|i| i as u8).collect(),
            "one" => vec![0xfe],
            _ => panic!("unknown data: {name}"),
        };
        let mut parity = vec![0; code.parity_bytes()];
        code.encode(&data, &mut parity).unwrap();
        let parity: String = parity.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(parity, expected, "{} {name}", ecc.name());
    }
}
