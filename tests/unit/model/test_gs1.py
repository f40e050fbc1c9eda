"""GS1 check digits, against numbers that GS1 itself gives as examples, and by what a check digit is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.gs1 import check_digit, is_gln

digits = st.text("0123456789", min_size=12, max_size=12)


@pytest.mark.parametrize("key", ["0614141000012", "00012345600012", "106141412345678908", "4006381333931"])
def test_published_keys_check(key: str) -> None:
    """A GLN, a GTIN-14 and an SSCC of the EPCIS standard, and a GTIN-13 from a shelf."""
    assert check_digit(key[:-1]) == int(key[-1])


@given(digits, st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_seen(first: str, place: int, by: int) -> None:
    """Whichever digit of a GLN is mistyped, it is none any more."""
    gln = first + str(check_digit(first))
    wrong = gln[:place] + str((int(gln[place]) + by) % 10) + gln[place + 1 :]

    assert is_gln(gln)
    assert not is_gln(wrong)


@pytest.mark.parametrize("text", ["", "061414100001", "06141410000120", "061414100001X", "٠٦١٤١٤١٠٠٠٠١٢"])
def test_what_is_no_number_of_thirteen_digits_is_no_gln(text: str) -> None:
    """Too short, too long, with a letter, or in other digits."""
    assert not is_gln(text)
