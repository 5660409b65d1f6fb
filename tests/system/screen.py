"""Reads the text on a screenshot: 8x16 cells of the console's font.

PSF1 fonts: two magic bytes, mode, glyph height, the glyphs, and if mode has
bit 1 for each glyph its code points in UTF-16, ended by 0xffff.
"""

import gzip
import struct

FONT = "/usr/share/consolefonts/Lat15-Terminus16.psf.gz"
WIDTH = 8
HEIGHT = 16


def load_font(path=FONT):
    """{glyph (16 bytes): character}; of glyphs alike the first counts."""
    with gzip.open(path) as file:
        data = file.read()
    magic, mode, height = struct.unpack_from("<HBB", data)
    if magic != 0x0436 or height != HEIGHT:
        raise ValueError(f"{path}: not a PSF1 font of 8x{HEIGHT}")
    count = 512 if mode & 1 else 256
    table = struct.unpack_from(f"<{(len(data) - 4 - count * HEIGHT) // 2}H",
                               data, 4 + count * HEIGHT)
    glyphs = {}
    points = iter(table)
    for index in range(count):
        glyph = data[4 + index * HEIGHT:][:HEIGHT]
        for point in iter(points.__next__, 0xFFFF):
            if 0x20 <= point < 0x7F:
                glyphs.setdefault(glyph, chr(point))
    return glyphs


def parse_ppm(data):
    """(width, height, rows of one byte a pixel: 1 lit, 0 dark)."""
    kind, width, height, depth, pixels = data.split(None, 4)
    if kind != b"P6" or depth != b"255":
        raise ValueError("not a PPM of 8 bits a colour")
    width, height = int(width), int(height)
    size = width * height * 3
    pixels = data[-size:]
    lit = bytes(0 if level < 64 else 1 for level in range(256))
    green = pixels[1::3].translate(lit)
    return width, height, [green[y * width:][:width] for y in range(height)]


def read_text(ppm, font=None):
    """The screen's lines; what no glyph matches is a NUL."""
    glyphs = {_cell(glyph): char for glyph, char in
              (font or load_font()).items()}
    width, height, rows = parse_ppm(ppm)
    lines = []
    for y in range(0, height - HEIGHT + 1, HEIGHT):
        line = ""
        for x in range(0, width - WIDTH + 1, WIDTH):
            cell = b"".join(row[x:x + WIDTH] for row in rows[y:y + HEIGHT])
            line += glyphs.get(cell, "\0")
        lines.append(line.rstrip())
    return lines


def _cell(glyph):
    """A glyph's bits as one byte a pixel."""
    return b"".join(bytes(byte >> (7 - bit) & 1 for bit in range(8))
                    for byte in glyph)
