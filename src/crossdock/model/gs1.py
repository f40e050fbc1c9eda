"""GS1 keys: the check digit that GTIN, GLN and SSCC share (GS1 General Specifications, section 7.9)."""

from typing import Final

GLN_DIGITS: Final = 13


def check_digit(digits: str) -> int:
    """Of the digits before it: weights 3, 1, 3, 1 … from the right, filled up to a multiple of ten."""
    total = sum(int(x) * (3 if place % 2 == 0 else 1) for place, x in enumerate(reversed(digits)))
    return -total % 10


def is_gln(text: str) -> bool:
    """A Global Location Number: 13 digits, the last of which checks the others."""
    return (
        len(text) == GLN_DIGITS
        and text.isascii()
        and text.isdecimal()
        and check_digit(text[:-1]) == int(text[-1])
    )
