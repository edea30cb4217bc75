//! Makes the committed corpus: `cargo run --release --manifest-path tests/fuzz/Cargo.toml --example make_corpus` writes `tests/fuzz/corpus`.
//!
//! An input a way in: each decoder, each image, each kind of edit and of deed. The fuzzer makes the rest of them.

use std::path::Path;
use std::{fs, io};

use cuesta::codec::{Ecc, Kind};
use cuesta::policy::StorageLevels;
use cuesta_fuzz::input::Input;
use cuesta_fuzz::mount::image::Image;
use cuesta_sim::chips;

/// Images, each with a clean end and without.
const IMAGES: u8 = 6;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, inputs) in [
        ("levels", levels()),
        ("policy_text", policy_text()),
        ("policy_toml", policy_toml()),
        ("policy_binary", policy_binary()),
        ("nbd", nbd()),
        ("replies", replies()),
        ("decoders", decoders()),
        ("mount", mount()),
    ] {
        let folder = corpus.join(target);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for (name, bytes) in inputs {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

/// The name of an input, and its bytes.
type Inputs = Vec<(String, Vec<u8>)>;

fn levels() -> Inputs {
    let texts = [
        "fast=crc",
        "a",
        "vital=bch8,mirror=2",
        "wide=parity=8,secded",
        "sixteen-letters-=single,bch40",
        "bch64,mirror=3",
        "a=crc,bch4",
        "a=parity=9",
    ];
    let input = |(number, text): (usize, &str)| {
        let code = number % Ecc::ALL.len();
        let bytes = [&[code as u8], text.as_bytes()].concat();
        (format!("text-{number}"), bytes)
    };
    texts.into_iter().enumerate().map(input).collect()
}

/// Policies that use every word of the language between them.
const POLICIES: [&str; 5] = [
    "",
    "level vital = write-through mirror=2 storage:1 verify\nrule path \"/tmp/**\" | ext \"tmp\" & app \"cc*\" -> vital\n",
    "level a = ephemeral parity=4 resources:0,1 atomic unwritten closed\nrule !(op write & size 4K..64K | lifetime short) -> a\ndefault -> a\n",
    "rule (tenant 1 | object 2) & (priority 3.. | sector ..99 & offset > 1M) -> bypass\nrule flag direct -> write-back\nrule asks redundant -> ephemeral\n",
    "rule name \"a?\\*b*\" | dir \"**/x/*\" | volume \"\" | profile \"*hot\" | any -> bypass\nrule any -> write-through\n",
];

fn numbered(inputs: impl Iterator<Item = Vec<u8>>) -> Inputs {
    (0..)
        .zip(inputs)
        .map(|(number, bytes): (u32, _)| (format!("policy-{number}"), bytes))
        .collect()
}

fn policy_text() -> Inputs {
    let wrong = [
        "rule app \"a\" & -> bypass",
        "level a = mirror=9",
        "rule app \"a",
    ];
    let texts = POLICIES.into_iter().chain(wrong);
    numbered(texts.map(|text| [&[1, 0], text.as_bytes()].concat()))
}

fn policy_toml() -> Inputs {
    let files = [
        "default = 'write-back'\n[[level]]\nname = 'scratch'\nis = 'ephemeral'\n[[rule]]\nwhen = 'app \"a\" | any'\nlevel = 'scratch'\n",
        "[[rule]]\npath = '/tmp/**'\nsize = '64K..'\ntenant = 3\nop = 'write'\nlevel = 'bypass'\n",
        "[[rule]]\nwhen = \"\"\"\nap \\\"a\\\" \"\"\"\nlevel = 'bypass'\n",
        "[[rule]]\nlevel = 3",
    ];
    numbered(files.into_iter().map(|file| file.as_bytes().to_vec()))
}

fn policy_binary() -> Inputs {
    numbered(POLICIES.into_iter().map(|text| {
        let mut buffer = vec![0; 8192];
        let policy = cuesta::policy::compile(text, StorageLevels::UNKNOWN, &mut buffer);
        policy.map_or(Vec::new(), |policy| policy.bytes().to_vec())
    }))
}

/// What servers say: the form, and bytes as they are on the wire.
fn replies() -> Inputs {
    let simple = |error: u32, cookie: u64, data: &[u8]| {
        let head = [&0x6744_6698_u32.to_be_bytes()[..], &error.to_be_bytes()].concat();
        [&head[..], &cookie.to_be_bytes(), data].concat()
    };
    let chunk = |cookie: u64, kind: u16, last: bool, data: &[u8]| {
        let head = [&0x668e_33ef_u32.to_be_bytes()[..], &[0, u8::from(last)]].concat();
        let cookie = [&kind.to_be_bytes()[..], &cookie.to_be_bytes()].concat();
        [&head[..], &cookie, &(data.len() as u32).to_be_bytes(), data].concat()
    };
    let at = |offset: u64, data: &[u8]| [&offset.to_be_bytes()[..], data].concat();
    let hole = |offset: u64, count: u32| at(offset, &count.to_be_bytes());
    let option = |option: u32, kind: u32, data: &[u8]| {
        let head = [
            &0x0003_e889_0455_65a9_u64.to_be_bytes()[..],
            &option.to_be_bytes(),
        ]
        .concat();
        let kind = [&kind.to_be_bytes()[..], &(data.len() as u32).to_be_bytes()].concat();
        [&head[..], &kind, data].concat()
    };
    let failed = [&5_u32.to_be_bytes()[..], &[0, 2], b"no"].concat();
    let export = [&[0, 0][..], &(1_u64 << 30).to_be_bytes(), &[1, 0xed]].concat();
    let blocks = [0, 3, 0, 0, 2, 0, 0, 0, 16, 0, 2, 0, 0, 0];
    let refused = 1 << 31;
    let named = |name: &str, how: u8, said: &[&[u8]]| {
        (name.to_owned(), [&[how][..], &said.concat()].concat())
    };
    let greeting = b"NBDMAGICIHAVEOPT\0\x03";
    vec![
        named(
            "simple-0",
            1,
            &[
                &simple(0, 1, &[7; 16]),
                &simple(0, 3, &[]),
                &simple(5, 2, &[]),
            ],
        ),
        named(
            "simple-1",
            1,
            &[&simple(28, 3, &[]), &simple(0, 4, &[1; 40])],
        ),
        named(
            "chunks-0",
            3,
            &[
                &chunk(1, 1, false, &at(8, &[1; 8])),
                &chunk(3, 0, true, &[]),
                &chunk(1, 2, true, &hole(0, 8)),
                &chunk(2, 0x8001, true, &failed),
            ],
        ),
        named(
            "chunks-1",
            3,
            &[
                &chunk(4, 1, false, &at(1 << 40, &[3; 20])),
                &chunk(4, 0x8002, false, &[&failed[..], &[0; 8]].concat()),
                &chunk(4, 0, true, &[]),
                &chunk(2, 1, true, &at(4096, &[4; 512])),
            ],
        ),
        named(
            "greeting-0",
            0,
            &[
                greeting,
                &option(8, 1, &[]),
                &option(7, 3, &export),
                &option(7, 3, &blocks),
                &option(7, 1, &[]),
            ],
        ),
        named(
            "greeting-1",
            0,
            &[
                greeting,
                &option(8, refused + 1, &[]),
                &option(7, refused + 1, &[]),
                &export[2..],
            ],
        ),
        named(
            "greeting-2",
            0,
            &[b"NBDMAGICIHAVEOPT\0\0", &export[2..], &[0; 124]],
        ),
        named(
            "greeting-3",
            0,
            &[
                greeting,
                &option(8, 1, &[]),
                &option(7, refused + 6, b"none"),
            ],
        ),
    ]
}

fn nbd() -> Inputs {
    // What a request is made of: command, flags, offset, length, in units of 512.
    let requests: [&[u8]; 4] = [
        &[1, 0, 4, 4, 0, 0, 0, 8, 3, 0, 0, 0, 0, 0, 5, 1],
        &[
            1, 1, 1, 6, 4, 0, 0, 12, 0, 4, 0, 31, 6, 2, 2, 9, 0, 0, 0, 16,
        ],
        &[
            6, 0, 3, 9, 0, 0, 254, 0, 0, 0, 0, 0, 0, 0, 0, 4, 9, 0, 1, 1, 2, 0, 0, 0,
        ],
        &[
            0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        ],
    ];
    let mut inputs: Inputs = Vec::new();
    for (number, said) in requests.into_iter().enumerate() {
        for how in [3, 7, 15, 19] {
            let name = format!("requests-{number}-{how}");
            inputs.push((name, [&[how], said].concat()));
        }
    }
    // Options by their numbers, each with data of a kind.
    inputs.push((
        "options".to_owned(),
        vec![1, 3, 2, 6, 0, 8, 2, 9, 3, 2, 1, 2, 7, 0],
    ));
    inputs.push(("by-name".to_owned(), vec![1, 1, 1, 0x25, 0x60, 0x95, 0x13]));
    inputs.push((
        "no-protocol".to_owned(),
        b"\0GET / HTTP/1.1\r\n\r\n".to_vec(),
    ));
    let header = [0x25, 0x60, 0x95, 0x13, 0, 0, 0, 1];
    inputs.push(("cut-short".to_owned(), [&[2][..], &header].concat()));
    inputs
}

/// A size as the geometry decoder reads it: a power of two, a small number, or any.
fn size(number: u32) -> Vec<u8> {
    match number {
        power if power.is_power_of_two() => vec![power.trailing_zeros() as u8],
        0..=221 => vec![number as u8 + 34],
        _ => [&[32][..], &number.to_le_bytes()].concat(),
    }
}

fn decoders() -> Inputs {
    let mut inputs: Inputs = Vec::new();
    let seed = [7, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0];
    let header = [&[0][..], &seed, &[1, 0, 1], &[0x10; 65]].concat();
    inputs.push(("header".to_owned(), header));
    for code in 0..15 {
        let packed = [&[1][..], &seed, &[1, code], &[0x21; 21]].concat();
        if code % 5 == 4 {
            inputs.push((format!("packed-{code}"), packed));
        }
    }
    for code in 0..8 {
        // Two flipped bits of 40 bytes of data.
        let input = [&[2, code, 0, 2, 3, 0, 77, 0][..], &[0xC5; 40]].concat();
        inputs.push((format!("codeword-{code}"), input));
    }
    for part in 0..5 {
        let fields = [
            part,
            2 + part % 2,
            7,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            42,
            0,
            0,
            0,
            0x5A,
            1,
        ];
        let header = [
            0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 77, 0, 0, 0, 5, 0, 0, 0, 2,
        ];
        let input = [&[3][..], &fields, &header, &[1, 9, 0, 2, 1, 16]].concat();
        inputs.push((format!("page-{part}"), input));
    }
    for chip in chips() {
        inputs.push((format!("geometry-{}", chip.name), geometry(chip)));
    }
    for image in 0..IMAGES {
        for (number, at) in [(0, 61), (1, 40)] {
            let name = format!("payload-{image}-{number}");
            let bytes = [
                image,
                number,
                3 + number,
                0,
                at,
                0,
                1,
                0xFF,
                0xFF,
                0xFF,
                0xFF,
            ];
            inputs.push((name, [&[5][..], &bytes].concat()));
        }
    }
    inputs
}

fn geometry(chip: &cuesta_sim::Chip) -> Vec<u8> {
    let part = chip.geometry;
    let mut input = vec![4];
    let marker = part.bad_block_marker;
    for number in [
        part.dies.into(),
        part.blocks_per_die,
        part.pages_per_block.into(),
        part.page_bytes,
        part.spare_bytes.into(),
    ] {
        input.extend(size(number));
    }
    input.push(part.buffers_per_die - 1);
    for number in [
        part.bad_blocks_max_per_die,
        part.endurance_cycles,
        part.reads_per_block_max,
    ] {
        input.extend(size(number));
    }
    input.push(0);
    input.extend(size(marker.spare_offset.into()));
    input.extend(size(marker.len.into()));
    match part.chip_ecc {
        None => input.push(0),
        Some(ecc) => {
            input.extend([1, ecc.strength]);
            input.extend(size(ecc.codeword_bytes.into()));
            input.push(1);
            for runs in [ecc.free, ecc.protected, ecc.owned] {
                for number in [runs.first, runs.len, runs.stride] {
                    input.extend(size(number.into()));
                }
            }
        }
    }
    input.push(part.ecc_need.bits);
    input.extend(size(part.ecc_need.per_bytes.into()));
    // Sectors, a level with copies, and nothing asked for.
    input.extend(size(part.page_bytes.min(4096)));
    input.extend([1, 2, 3, 0, 0, 0, 0, 0, 0]);
    input
}

fn mount() -> Inputs {
    let mut inputs: Inputs = Vec::new();
    for image in 0..IMAGES {
        for cleanly in 0..2 {
            let choice = [image, cleanly];
            let pages = Image::chosen(&mut Input(&choice)).metadata_pages();
            let first = |kind| {
                let at = pages.iter().position(|page| page.header.kind == kind);
                at.map(|at| (at as u16).to_le_bytes())
            };
            // A number of a checkpoint's head, and one of a record page.
            let edits = [(Kind::Anchor, 85), (Kind::Record, 43)];
            for (kind, at) in edits.into_iter().filter(|_| cleanly == image % 2) {
                if let Some([low, high]) = first(kind) {
                    let edit = [5, low, high, at, 0, 1, 255, 0x83];
                    let deeds = [
                        0, 3, 0, 5, 1, 0, 7, 12, 14, 6, 2, 0, 3, 11, 90, 15, 10, 2, 1, 0, 2, 0, 3,
                        0,
                    ];
                    let input = [&choice[..], &[1], &edit, &deeds].concat();
                    inputs.push((
                        format!("forged-{image}-{cleanly}-{kind:?}").to_lowercase(),
                        input,
                    ));
                }
            }
            // Damage: bytes of a page, an erased block, a page moved.
            let damage = [
                0,
                1,
                2,
                0,
                9,
                0,
                2,
                0,
                0,
                1,
                image * 9,
                0,
                5,
                2,
                1,
                3,
                0,
                40,
                0,
            ];
            let deeds = [8, 2, 1, 0, 2, 0, 3, 0, 1, 9, 1, 4, 0, 5, 0, 0, 13, 4, 0];
            let input = [&choice[..], &[3], &damage, &deeds].concat();
            inputs.push((format!("damaged-{image}-{cleanly}"), input));
        }
    }
    inputs
}
