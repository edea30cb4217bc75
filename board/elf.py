"""What an image holds: sections, symbols, and calls. ELF of 32 bits, little-endian: System V ABI, chapter 4; code of the T32 instruction set."""

import struct
import sys

SHT_SYMTAB, STT_OBJECT, STT_FUNC = 2, 1, 2


def text_at(table, offset):
    return table[offset : table.index(b"\0", offset)].decode()


class Elf:
    """`sections` is a list of name, flags, address, bytes and content; `symbols` one of name, address, bytes and whether it is a function, each address and size once."""

    def __init__(self, path):
        image = path.read_bytes()
        if image[:6] != b"\x7fELF\x01\x01":
            sys.exit(f"{path} is no ELF of 32 bits, little-endian")
        start, entry_bytes, count, names_index = (*struct.unpack_from("<I", image, 32), *struct.unpack_from("<HHH", image, 46))
        headers = [struct.unpack_from("<10I", image, start + entry_bytes * index) for index in range(count)]

        def content(header):
            return image[header[4] : header[4] + header[5]]

        names = content(headers[names_index])
        self.sections = [(text_at(names, header[0]), header[2], header[3], header[5], content(header)) for header in headers]
        self.symbols = []
        # Functions that are alike are one, with several names.
        seen = set()
        for header in headers:
            if header[1] != SHT_SYMTAB:
                continue
            strings = content(headers[header[6]])
            for name, address, size, info, _, _ in struct.iter_unpack("<IIIBBH", content(header)):
                if info & 15 in (STT_OBJECT, STT_FUNC) and (address, size) not in seen:
                    seen.add((address, size))
                    self.symbols.append((text_at(strings, name), address, size, info & 15 == STT_FUNC))

    def calls(self):
        """A pair of names for each branch with link in a function to the start of another one."""
        # The lowest bit of an address says that it is T32 code.
        names = {address & ~1: name for name, address, _, is_function in self.symbols if is_function}
        for _, flags, base, _, content in self.sections:
            for name, address, size, is_function in self.symbols if flags & 4 else []:
                at = (address & ~1) - base
                end = at + size
                if not is_function or not 0 <= at < end <= len(content):
                    continue
                while at + 2 <= end:
                    first, second = struct.unpack_from("<HH", content + b"\0\0", at)
                    if first >> 11 < 0b11101:
                        at += 2
                        continue
                    # Armv7-M Architecture Reference Manual, A7.7.18, BL, encoding T1; without the link (B, T4) it is a call in the tail.
                    if first >> 11 == 0b11110 and second & 0x9000 == 0x9000:
                        sign = first >> 10 & 1
                        high, low = (second >> 13 & 1) == sign, (second >> 11 & 1) == sign
                        offset = sign << 24 | high << 23 | low << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
                        target = base + at + 4 + offset - (sign << 25)
                        if target in names and names[target] != name:
                            yield name, names[target]
                    at += 4
