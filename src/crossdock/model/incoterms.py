"""When goods that were bought change hands, by the terms they were bought on."""

from typing import Final, Literal

TitlePasses = Literal["departure", "arrival"]
_DEPARTURE: Final = frozenset("EFC")


def title_passes(terms: str) -> TitlePasses:
    """By the class of the rule (Incoterms 2020): under E, F and C the seller has delivered once the carrier has the goods, under
    D at the place they go to. Of American terms, `FOB destination` is a destination contract (UCC § 2-319, § 2-401).

    Incoterms say who bears the risk, not who owns: books follow the risk, unless a contract says otherwise. Without terms
    goods are ours when they are here.
    """
    words = terms.upper().split()
    if not words or "DESTINATION" in words:
        return "arrival"
    return "departure" if words[0][0] in _DEPARTURE else "arrival"
