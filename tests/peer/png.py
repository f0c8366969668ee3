"""Reads the PNG files that a test looks at (ISO/IEC 15948; 8 and 16 bit grey, 8 bit RGB, no interlace)."""
import struct
import zlib


def read(data):
    """(width, height, channels, rows) with rows as lists of sample values."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n', 'no PNG'
    at, packed, head = 8, b'', None
    while at < len(data):
        length, kind = struct.unpack_from('>I4s', data, at)
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from('>I', data, at + 8 + length)[0], 'chunk checksum'
        if kind == b'IHDR':
            head = struct.unpack('>IIBBBBB', body)
        elif kind == b'IDAT':
            packed += body
        at += 12 + length
    width, height, depth, colour, _, _, interlace = head
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    assert depth in (8, 16) and interlace == 0
    size = channels * depth // 8
    raw, stride = zlib.decompress(packed), width * size
    above, rows = bytearray(stride), []
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = line[i - size] if i >= size else 0, above[i], above[i - size] if i >= size else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + up) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif kind == 4:
                p = left + up - corner
                best = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
                line[i] = (line[i] + best) & 255
        above = line
        rows.append(list(line) if depth == 8 else list(struct.unpack(f'>{width * channels}H', line)))
    return width, height, channels, rows
