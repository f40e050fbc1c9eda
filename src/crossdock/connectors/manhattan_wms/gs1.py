"""GS1 check digits (General Specifications §7.9), for the SSCC."""

SSCC_DIGITS = 18


def check_digit(digits: str) -> str:
    """The digit that completes `digits`; weights 3, 1, 3 … from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def is_sscc(text: str) -> bool:
    """18 ASCII digits with a right check digit."""
    if len(text) != SSCC_DIGITS or not (text.isascii() and text.isdigit()):
        return False
    return check_digit(text[:-1]) == text[-1]


def sscc(company_prefix: str, serial: int) -> str:
    """Extension digit 0, the company prefix, the serial number filled up, and the check digit."""
    body = "0" + company_prefix + str(serial).zfill(SSCC_DIGITS - 2 - len(company_prefix))
    assert len(body) == SSCC_DIGITS - 1, f"serial {serial} does not fit behind prefix {company_prefix}"
    return body + check_digit(body)
