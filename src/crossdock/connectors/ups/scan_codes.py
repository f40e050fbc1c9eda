"""What a UPS scan means: activity type and code together, never the type alone.

One code says different things under different types: `OT` is out for delivery under I, customs under X.
Type D only says that the scan is about delivery. Facts are those of UPS's published code lists; codes on
which sources disagree, and all that are not listed here, move nothing.
"""

from typing import Final

from crossdock.model.shipment import Milestone

Meaning = tuple[Milestone, str]
UNKNOWN: Final[Meaning] = ("unknown", "")

_ROWS: Final[tuple[tuple[str, str, Milestone, str], ...]] = (
    # Manifest: a label exists, nobody has the parcel.
    ("M", "MP DP OA DD RD OC PL SP", "created", ""),
    ("M", "VP", "cancelled", "voided"),
    ("MV", "MP VP", "cancelled", "voided"),
    # Movement.
    ("I", "OC PL SP", "created", ""),
    ("I", "OR PU PC PT XD", "picked_up", ""),
    ("P", "PU OR", "picked_up", ""),
    ("I", "DP AR AF AG AT HU LC UL YP YM YN XR YH XA EP IP", "in_transit", ""),
    ("I", "DS", "arrived", ""),
    ("I", "OT OD OF DL YF YI 2K", "out_for_delivery", ""),
    # Delivered: handed over, or left where the consignee has it.
    ("D", "FS KB KM F4 UC OO FN FT", "delivered", ""),
    ("D", "M1 M2 M3 M4 M5 M6 M7 M8 M9 MA MB MC MD ME MG MH MJ MK", "delivered", "left with a person"),
    ("D", "3F 3G 3H AI 9E PF OZ ZG ZH", "delivered", "left with a person"),
    ("D", "ML MM MN MP MQ MR MS MU MW MX NL NT P5 ZF", "delivered", "left at the address"),
    ("D", "2W A0", "delivered", "collected by the consignee"),
    ("D", "YC", "delivered", "by the local post office"),
    # About delivery, and not one.
    ("D", "OT OD OF DL YF YI 2K 7K", "out_for_delivery", ""),
    ("D", "1N 2Q EP ZQ ZP", "available_for_pickup", ""),
    ("D", "50 DZ F2 BO", "attempt_failed", "address"),
    ("D", "CI EA BI FO", "attempt_failed", "consignee absent"),
    ("D", "57 FZ CO DO", "attempt_failed", "no attempt"),
    ("D", "53", "attempt_failed", "refused"),
    ("D", "DI", "attempt_failed", "payment"),
    ("D", "0 9 12 32", "delayed", ""),
    ("D", "CR EJ", "delayed", "weather"),
    ("D", "70 B2 DK L4 ET ST RQ SG", "on_hold", "customs"),
    ("D", "AU", "on_hold", "consignee's wish"),
    ("D", "28", "exception", "damaged"),
    ("D", "5F", "returning", "not collected"),
    ("D", "B0", "returned", ""),
    # Exceptions.
    ("X", "48 49 55 C4 OH AY G3 L1 KX HQ GB IQ IR", "attempt_failed", "consignee absent"),
    ("X", "G7 G8 FM PI", "attempt_failed", "signature or identification"),
    ("X", "51 52 KZ", "attempt_failed", "payment"),
    ("X", "AM AN AP AQ AS KI KQ KR KS KT 8H", "attempt_failed", "refused"),
    ("X", "A7 A8 A9 AA AB AC AD AE AF AG AK AL AV AW A6 CW CY FA H1 H2 H3 H4 H5 PH", "on_hold", "address"),
    (
        "X",
        "5 1U 2N 2T B4 B8 BW BX CE E4 E8 E9 K4 L3 OB R4 R5 RD RE RM RP RZ SF SS VK",
        "on_hold",
        "customs",
    ),
    ("X", "29 40 43 71 1W 2B 4C 4T 7I 7M 7T 7U OQ OT X2 X3 X7 XJ XK XL XY YA", "on_hold", "customs"),
    ("X", "39 54 72 7Q AT AX G1 MF O5 O8 S7 T3 UE UG VB Y7", "on_hold", "for a later date or for pickup"),
    ("X", "1 2 3 4 6 7 8 11 14 15 16 17 18 19 22 23 31 34 68", "delayed", "operations"),
    ("X", "1B 1K 1L 1O 1Q 1V 1X 2H 2Y 2Z 3A 3B 3C 3T 6E 7N 7Y 7Z", "delayed", "operations"),
    ("X", "CC CD CL CM CQ D1 DC DR DU E3 ED EH EN GC GH GI HA HH LE LF SD TH TN UK", "delayed", "operations"),
    ("X", "DE DY", "delayed", "customs"),
    ("X", "2A 3D 6D 7V 7W 7X C5 DF DJ PZ", "delayed", "weather"),
    ("X", "13 45 24 25 26 27 64 65 66 67 A2 A3 A4 AJ HD HE HR TV", "exception", "damaged or missing"),
    ("X", "F8 S9 TJ UO UP", "lost", ""),
    ("X", "1F 8D BZ NI", "exception", "destroyed"),
    ("X", "89 2X 5R 6H 6R", "in_transit", "to an access point"),
    ("X", "ZP I5 6B", "available_for_pickup", ""),
    ("X", "3N 6C 90 A1 CS DL I1 KP O4 RT UF", "returning", ""),
    ("X", "TU UA YJ YK", "returned", ""),
    ("RS", "RS UA", "returned", ""),
)

MEANING: Final[dict[tuple[str, str], Meaning]] = {
    (kind, code): (milestone, reason) for kind, codes, milestone, reason in _ROWS for code in codes.split()
}
assert len(MEANING) == sum(len(codes.split()) for _, codes, _, _ in _ROWS), "a scan code stands in two rows"


def meaning(kind: str, code: str) -> Meaning:
    """Milestone and reason of a scan; `unknown` for every pair that is not listed."""
    return MEANING.get((kind, code), UNKNOWN)
