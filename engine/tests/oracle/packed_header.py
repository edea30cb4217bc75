"""Prints the packed headers of docs/SPEC.md, section 3.4, and their parities: by bit-wise checks and long division.

usage: python packed_header.py
"""

PAYLOAD = bytes(i & 255 for i in range(2048))
PLACE = 4242


def crc32c(data):
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def crc16(data):
    rest = 0xFFFF
    for byte in data:
        rest ^= byte << 8
        for _ in range(8):
            rest = (rest << 1 ^ (0x1021 if rest & 0x8000 else 0)) & 0xFFFF
    return rest


def secded(data):
    generator = 0x201B ^ 0x201B << 1
    rest = int.from_bytes(bytes(byte ^ 0xFF for byte in data), "big") << 14
    while rest.bit_length() > 14:
        rest ^= generator << rest.bit_length() - 15
    return ((rest ^ 0x3FFF) << 2 | 3).to_bytes(2, "big")


def little(number, count):
    return number.to_bytes(count, "little")


def header(volume, first, time, number_and_birth, erases, span, flags):
    covered = bytes([first]) + little(time, 6) + number_and_birth + little(erases | span << 18 | flags << 21, 3)
    covered += little(crc32c(little(volume, 8) + little(PLACE, 4) + covered + PAYLOAD), 4)
    return covered + little(crc16(little(PLACE, 4) + covered), 2)


assert crc32c(b"123456789") == 0xE3069283 and crc16(b"123456789") == 0x29B1
assert secded(bytes(512)).hex() == "0b8f" and secded(b"\xfe").hex() == "7f4b"

data = header(0x0123456789ABCDEF, 3 | 2 << 4, 0x123456, little(77, 3) + little(0x12345678 >> 8, 3), 9, 1, 2)
anchor = header(0, 12, 0x123456, little(0xFFFF, 2) + little(0x01020304, 4), 0, 0, 4 >> 2)
for name, found in [("data", data), ("anchor", anchor)]:
    print(f"    packed {name} header {found.hex()}")
    print(f"    packed {name} parity {secded(found).hex()}")
