"""How large a compressed frame of a DICOM file is by its own header, before it is decoded.

References
----------
ITU-T T.81 (JPEG) B.2.2, T.87 (JPEG-LS) C.2.2, T.800 (JPEG 2000) A.5.1.
"""

#: Markers of JPEG and JPEG-LS behind which the sides stand, and the beginning of JPEG 2000.
SIZED = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
JPEG, JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"


def encoded_sides(frame: bytes) -> tuple[int, int]:
    """Height and width; zero of what is no JPEG of any kind."""
    if frame.startswith(JPEG_2000):
        return _number(frame, 12, 4), _number(frame, 8, 4)
    at = len(JPEG) if frame.startswith(JPEG) else len(frame)
    while frame[at : at + 1] == b"\xff":
        if frame[at + 1 : at + 2] and frame[at + 1] in SIZED:
            return _number(frame, at + 5, 2), _number(frame, at + 7, 2)
        at += 2 + _number(frame, at + 2, 2)
    return 0, 0


def _number(frame: bytes, at: int, n_bytes: int) -> int:
    return int.from_bytes(frame[at : at + n_bytes], "big")
