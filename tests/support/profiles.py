"""A colour profile of CMYK that is small enough to be read: the four inks darken a neutral grey."""

import struct


def cmyk_profile() -> bytes:
    """ICC profile, CMYK to L*a*b*: L* = 100 (1 - K) (1 - (C + M + Y) / 3) at the corners, linear between them; a* = b* = 0."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    lightness = [round(255 * (1 - k) * (1 - (c + m + y) / 3)) for c, m, y, k in corners]
    ramp = bytes(range(256))
    table = b"".join(bytes([value, 128, 128]) for value in lightness)
    identity = struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table + ramp * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536))
    text = b"text" + bytes(4) + b"none\0"
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(4 + 4 + 2 + 1 + 67)
    tags = {b"desc": name, b"cprt": text, b"wtpt": white, b"A2B0": lut}
    offset = 128 + 4 + 12 * len(tags)
    index, content = struct.pack(">I", len(tags)), b""
    for signature, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        index += struct.pack(">4sII", signature, offset + len(content), len(data))
        content += padded
    size = offset + len(content)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp" + bytes(28)
    return (
        header + struct.pack(">3i", round(0.9642 * 65536), 65536, round(0.8249 * 65536)) + bytes(128 - len(header) - 12) + index + content
    )
