"""Amounts of money: whole minor units (cents) and an ISO 4217 code, as people write them and as they are kept."""

from decimal import Decimal

from lanterne.errors import LanterneError

LARGEST = 10**12  # minor units in one posting; sums of millions of them stay within 64 bits
# ISO 4217's currencies whose minor unit is not a hundredth.
_DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


class MoneyError(LanterneError):
    """An amount or a currency that cannot be used, in one sentence."""


def currency(code: str) -> str:
    """The code, if there is such a currency. Raises MoneyError."""
    import pycountry

    if not isinstance(code, str) or len(code) != 3 or not code.isupper() or pycountry.currencies.get(alpha_3=code) is None:
        raise MoneyError(f"The currency {code!r} is unknown; give an ISO 4217 code such as EUR.")
    return code


def decimals(code: str) -> int:
    return _DECIMALS.get(code, 2)


def plain(amount: int, code: str) -> str:
    """1234500 -> '12345.00', for machines."""
    return f"{Decimal(amount).scaleb(-decimals(code)):f}"


def written(amount: int, code: str) -> str:
    """1234500 -> '12,345.00 EUR', for people."""
    return f"{Decimal(amount).scaleb(-decimals(code)):,f} {code}"


def read(text: str, code: str) -> int:
    """'12.50' -> 1250. Raises MoneyError for what is not an amount of this currency from zero to a billion or so."""
    places = decimals(code)
    try:
        number = Decimal(text).scaleb(places)
    except ArithmeticError:  # Decimal's, for what is no number or beyond all bounds
        raise MoneyError(f"The amount {text!r} cannot be read; give a number such as {plain(1250, code)}.") from None
    if not number.is_finite() or number < 0 or number > LARGEST:
        raise MoneyError(f"The amount {text!r} cannot be used; give one from 0 to {written(LARGEST, code)}.")
    if number != int(number):
        raise MoneyError(f"The amount {text!r} is finer than {code} goes; give at most {places} decimals.")
    return int(number)
