"""The aims: the numbers that translations of photographs must reach."""

from dataclasses import dataclass

EVIDENCE, REALISM = 0.6, 0.85  # with pretrained features
EVIDENCE_WITHOUT, REALISM_WITHOUT = 0.4, 0.95  # without
TOWARDS, KEPT, COPIED = 0.75, 0.9, 0.9
SAMPLE, SHARE = 100, 0.5  # translations, and their share of those asked for


@dataclass(frozen=True)
class Aim:
    """An aim and how a result meets it.

    Parameters
    ----------
    name : str
        Heading of the table's column.
    value : float or None
        The measure; None if nothing could be measured.
    bound : float
        The least value, or the greatest.
    least : bool
        Whether `bound` is the least value.
    """

    name: str
    value: float | None
    bound: float
    least: bool = True

    @property
    def met(self):
        """Whether the value is within the bound; a missing one is not."""
        if self.value is None or self.value != self.value:
            return False
        return self.value >= self.bound if self.least else self.value <= self.bound


def aims(result, pretrained=False):
    """Return the aims of a result.

    Parameters
    ----------
    result : dict
        As `measure` returns it, with "asked", the number of samples asked for.
    pretrained : bool
        Whether the sampler had pretrained features, of which more is asked.

    Returns
    -------
    list of Aim
        An oracle that counts for nothing leaves the class evidence unmeasured, since both oracles
        must find it.
    """
    oracles = list(result["oracles"].values())
    evidence = towards = None
    if all(o["counts"] for o in oracles):
        evidence, towards = (min(o[name] for o in oracles) for name in ("evidence", "towards"))
    kept = [value for value in result["kept"].values() if value is not None]
    needed = max(SAMPLE, SHARE * result["asked"])
    return [
        Aim("sample", result["n"], needed),
        Aim("evidence", evidence, EVIDENCE if pretrained else EVIDENCE_WITHOUT),
        Aim("towards", towards, TOWARDS),
        Aim("realism", result["realism"]["translations"]["auc"],
            REALISM if pretrained else REALISM_WITHOUT, least=False),
        Aim("kept", min(kept, default=None), KEPT),
        Aim("copied", result["copied"], COPIED),
    ]  # fmt: skip
