"""The price of a kit, split between its components: what one that comes back alone is credited.

Shares always add up to what was paid, to the smallest coin, whatever comes back in which order. Nothing is valued here.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from crossdock.model.money import Money, smallest
from crossdock.processes.lines import ZERO


def split(total: Money, worths: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """By worth, rounded down; the coins that are left go to where rounding took most (the largest remainder)."""
    of = sum(worths, ZERO)
    weights = [Fraction(x) / Fraction(of) for x in worths] if of else [Fraction(1, len(worths))] * len(worths)
    coin = smallest(total.currency)
    exact = [Fraction(total.amount) * x / Fraction(coin) for x in weights]
    coins = [int(x) for x in exact]
    most = sorted(range(len(worths)), key=lambda n: (coins[n] - exact[n], n))
    rest = total.amount - coin * sum(coins)
    shares = [coin * x for x in coins]
    for n in most:
        part = min(rest, coin)
        shares[n] += part
        rest -= part
    assert not rest, f"{total} is not split by {worths}"
    return tuple(shares)


def come_to(share: Money, pieces: Decimal, per_kit: Decimal) -> Decimal:
    """What so many pieces of a component come to, to the coin; those of whole kits to as many shares."""
    return (share.amount * pieces / per_kit).quantize(smallest(share.currency))


def portion(left: Money, quantity: Decimal, of: Decimal) -> Decimal:
    """Of what is left of a share, for so many of the pieces that are left: the last one gets all of the rest."""
    assert ZERO < quantity <= of, f"{quantity} of {of}"
    if quantity == of:
        return left.amount
    return min(left.amount, (left.amount * quantity / of).quantize(smallest(left.currency)))
