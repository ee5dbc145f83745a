"""How the values of weather stations are read. A value that is missing is None."""

GAPS = {"", "-", "n/a"}


class Rejected(ValueError):
    """A row that can't be used; the message says why."""


def temperature(text):
    """Read a temperature such as "21,5", "70 F" or "294 K" as degrees Celsius."""
    text = text.strip()
    if text.lower() in GAPS:
        return None
    number, _, unit = text.replace(",", ".").partition(" ")
    value = float(number)
    if value == 999:
        raise Rejected("the sensor is broken")
    match unit:
        case "F":
            value = (value - 32) * 5 / 9
        case "K":
            value -= 273.15
        case "" | "C":
            pass
        case _:
            raise Rejected(f"unknown unit {unit!r}")
    return round(value, 1)


def percentage(text):
    """Read a percentage, 0 to 100."""
    text = text.strip().removesuffix("%")
    if text.lower() in GAPS:
        return None
    value = int(text)
    if not 0 <= value <= 100:
        raise Rejected(f"{value} is no percentage")
    return value


def hour(text):
    """Read the hour of a time such as "06:30"."""
    value = int(text.split(":")[0])
    if not 0 <= value < 24:
        raise Rejected(f"{text!r} is no time of day")
    return value
