"""What was done to a frame before it came here, so that nothing is done twice."""

from __future__ import annotations

import re

from lightcurve.core.data import Step
from lightcurve.frames.cards import Cards, find, find_all, number
from lightcurve.frames.dialects import KINDS

_NEGATED = re.compile(r"\b(?:no|not|without|never|skip\w*|omit\w*)\b", re.I)
_STEPS = {"bias_done": Step.BIAS, "dark_done": Step.DARK, "flat_done": Step.FLAT}
_WORDS = {step: re.compile(words, re.I) for step, words in KINDS.history.items()}


def read_state(cards: Cards) -> tuple[tuple[Step, ...], str]:
    """Read which steps of calibration were done to a frame, and which cards say so.

    A dark that was taken off has taken the bias with it, whether by itself or as part of the dark.
    """
    done = _of_history(cards) | _of_keywords(cards) | _of_letters(cards)
    if Step.DARK in done:
        done.setdefault(Step.BIAS, done[Step.DARK])
    return tuple(step for step in Step if step in done), "; ".join(dict.fromkeys(done.values()))


def _of_letters(cards: Cards) -> dict[Step, str]:
    """Read MaxIm DL's letters: the steps, each with the card."""
    status = find(cards, "calibration_done")
    if status is None or set(status.text.upper()) - {*KINDS.letters, *KINDS.other_letters, " "}:
        return {}
    source = f"{status.keyword} = {status.text[:20]}"
    return {KINDS.letters[one]: source for one in status.text.upper() if one in KINDS.letters}


def _of_keywords(cards: Cards) -> dict[Step, str]:
    return {
        step: f"{found.keyword} = {found.text[:30]}"
        for name, step in _STEPS.items()
        for found in find_all(cards, name)
        if found.text.strip().lower() not in KINDS.not_done and number(found.text) != 0
    }


def _of_history(cards: Cards) -> dict[Step, str]:
    history = cards["HISTORY"].text if "HISTORY" in cards else ""
    lines = [line for line in history.splitlines() if not _NEGATED.search(line)]
    found = {step: words.search("\n".join(lines)) for step, words in _WORDS.items()}
    return {step: f"HISTORY {match[0][:40]}" for step, match in found.items() if match}


def read_pedestal(cards: Cards) -> float:
    """Level, ADU, that a program added to a frame so that no pixel is negative; 0 if none.

    MaxIm DL gives what has to be added to be rid of it (-100), PixInsight what was added (100).
    """
    found = find(cards, "pedestal")
    value = number(found.text) if found else None
    return abs(value) if value else 0.0
