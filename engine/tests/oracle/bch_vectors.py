"""Makes bch_vectors.csv: what an implementation that is not ours says about our BCH codes.

usage: pip install bchlib==2.1.3; python bch_vectors.py > bch_vectors.csv

The package wraps Linux lib/bch.c. Only the numbers it answers are kept. Data are splitmix64 bytes seeded with a row's
seed, each number least significant byte first. A row's fields:

code, seed, bytes of data, parity in hexadecimal, bits flipped, verdict

The parity is that of Linux for the data as they are; ours is the complement of that of the complemented data. Flipped
bits count from the most significant bit of the first data byte on through the parity. The verdict is the list of bits
that the decoder found wrong, in order, or "-" if it gave up. On more flips than the code repairs it may also be the way
to another codeword; there every bounded-distance decoder finds the same.
"""

import bchlib

CODES = [
    ("bch4", 4, 0x201B, 512, 1017),
    ("bch8", 8, 0x201B, 512, 1010),
    ("bch16", 16, 0x201B, 512, 997),
    ("bch24", 24, 0x201B, 512, 984),
    ("bch40", 40, 0x402B, 1024, 1977),
    ("bch64", 64, 0x402B, 1024, 1935),
]
MASK = (1 << 64) - 1


class Random:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def bytes(self, count):
        out = b"".join(self.next().to_bytes(8, "little") for _ in range(-(-count // 8)))
        return out[:count]


def flip(data, ecc, bit):
    byte, mask = bit // 8, 0x80 >> (bit % 8)
    if byte < len(data):
        data[byte] ^= mask
    else:
        ecc[byte - len(data)] ^= mask


def verdict(bch, data, ecc):
    found = bch.decode(bytes(data), bytes(ecc))
    if found < 0:
        return "-"
    # The package counts a byte's bits from the least significant one.
    bits = [(position & ~7) | (7 - position & 7) for position in bch.errloc]
    return " ".join(str(bit) for bit in sorted(bits))


def main():
    seed = 0
    for name, t, poly, nominal, most in CODES:
        bch = bchlib.BCH(t, prim_poly=poly)
        parity_bits = t * (poly.bit_length() - 1)
        lengths = [1, 8, 9, 33, 255, nominal, nominal, nominal + 26, most]
        for length in lengths:
            for errors in [0, 1, 2, 3, 4, t // 2, t - 1, t, t + 1, t + 2, 2 * t]:
                seed += 1
                random = Random(seed)
                data = random.bytes(length)
                ecc = bch.encode(data)
                total = 8 * length + parity_bits
                flips = set()
                start = random.next() % (total - min(total, 2 * t)) if total > 2 * t else 0
                while len(flips) < min(errors, total):
                    # Every third row is a burst.
                    span = (start, min(total - start, max(2 * errors, 1))) if seed % 3 == 0 else (0, total)
                    flips.add(span[0] + random.next() % span[1])
                read, read_ecc = bytearray(data), bytearray(ecc)
                for bit in flips:
                    flip(read, read_ecc, bit)
                row = [name, seed, length, ecc.hex(), " ".join(map(str, sorted(flips))), verdict(bch, read, read_ecc)]
                print(",".join(map(str, row)))


main()
