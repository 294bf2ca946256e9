"""Ed25519 signatures checked, after RFC 8032, section 5.1; a verifier handles no secrets, so time may vary."""

from __future__ import annotations

import hashlib

_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    """Sum of two points in extended coordinates (section 5.1.4)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % _P, y * z % _P, x * y % _P, w * z % _P


def _double(a: _Point) -> _Point:
    """Twice a point (section 5.1.4)."""
    x, y = a[0] * a[0] % _P, a[1] * a[1] % _P
    h = x + y
    e, g = h - (a[0] + a[1]) ** 2 % _P, x - y
    f = 2 * a[2] * a[2] % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> _Point | None:
    """A decoded point (section 5.1.3); None when there is none."""
    y, sign = int.from_bytes(encoded, "little") & (1 << 255) - 1, encoded[31] >> 7
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    x = x if x * x % _P == square else x * _I % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature holds (section 5.1.7)."""
    if len(public) != 32 or len(signature) != 64 or _BASE is None:
        return False
    a, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    minus = (_P - a[0], a[1], 1, _P - a[3])
    sums = {1: _BASE, 2: minus, 3: _add(_BASE, minus)}
    total: _Point = (0, 1, 1, 0)
    for bit in range(252, -1, -1):
        total = _double(total)
        both = (s >> bit & 1) | (k >> bit & 1) << 1
        total = _add(total, sums[both]) if both else total
    return not (total[0] * r[2] - r[0] * total[2]) % _P and not (total[1] * r[2] - r[1] * total[2]) % _P
