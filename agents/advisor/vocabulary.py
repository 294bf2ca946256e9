"""The words by which the rules tell what a part of a sentence about a job means."""

from __future__ import annotations

import re


def _ending(rule: str) -> re.Pattern[str]:
    """Matches text that ends with ``rule``: what stands before a number or a moment."""
    return re.compile(rf"\b(?:{rule})\s*$", re.IGNORECASE)


FINISH = _ending(
    r"(?:by|before|until|till|to|no later than|deadline(?: is| of| at)?|due(?: by| on| at)?|ready(?: for)?)"
    r"(?: the end of)?"
)
"""before a moment that is a deadline"""
START = _ending(
    r"(?:from|after|since|not before|no earlier than|not until|earliest|(?:start|begin)(?:s|ning|ing)?)"
    r"(?: at| on| from| after)?"
)
"""before a moment from which the job may run"""
WITHIN = _ending(
    r"(?:within|(?:in|over) the next|inside|in (?:under|less than)"
    r"|(?:done|finished?|ready|completed?|due|deadline) in)(?: the next)?"
)
"""before a span at whose end the job must be done"""
DELAYED = _ending(r"(?:start|begin)(?:s|ning|ing)? in|not before|no earlier than|not for(?: another)?")
"""before a span after which the job may start"""
EXCEPT = _ending(r"(?:not|except|excluding|outside|avoid(?:ing)?|but)(?: (?:in|for|of|from|at))?")
"""before a place that is not wanted"""
PAUSE = re.compile(r"\b(?:pause|interruption|stop|checkpoint)", re.IGNORECASE)
NAMED = re.compile(
    r"\b(?:named|called)\s+(?:[\"“'‘](?P<quoted>[^\"”'’]{1,120})[\"”'’]|(?P<bare>[\w.-]{1,120}))", re.IGNORECASE
)
TENANT = re.compile(r"\btenant\s+(?P<tenant>[A-Za-z0-9][A-Za-z0-9_./-]{0,62}(?<![./]))", re.IGNORECASE)

_NO_PAUSE = (
    r"(?:can(?:no|')t|not|never|without)\s+(?:be\s+)?(?:paus|interrupt)\w*|no (?:pauses|interruptions)"
    r"|in one (?:go|block)|uninterrupted|deferrable"
)
_MAY_PAUSE = r"paus(?:e[ds]?|able|ing)|interruptible|preemptible|checkpoint\w*|stop and (?:go|resume)"
_RULES = (
    ("flexibility_type", "deferrable", _NO_PAUSE),
    ("flexibility_type", "pausable", _MAY_PAUSE),
    ("flexibility_type", "throttlable", r"throttl\w+|slow(?:ed|er)? down|power[- ]capp?\w*|turn(?:ed)? down"),
    ("flexibility_type", "fixed", r"fixed|right away|immediately|at once|straight away|as soon as possible|asap"),
    ("tier", "premium", r"premium|critical|urgent"),
    ("tier", "standard", r"standard tier|high[- ]priority"),
    ("tier", "flexible", r"flexible tier|(?:normal|medium)[- ]priority"),
    ("tier", "spot", r"spot|low[- ]priority|(?:only )?if there(?:'s| is) room|best[- ]effort"),
    ("job_type", "training", r"train(?:s|ing)?|fine-?tun\w+"),
    ("job_type", "inference", r"inference|serv(?:e|ing) (?:a )?model"),
    ("job_type", "hpc", r"hpc|simulat(?:e|ion)s?|cfd|molecular dynamics"),
    ("job_type", "mining", r"min(?:e|ing) (?:bitcoin|btc|crypto\w*)|bitcoin mining|mining"),
    ("job_type", "batch", r"batch|render\w*|encod\w+|transcod\w+|index\w*|back-?ups?|etl"),
)
WORDS = tuple((field, value, re.compile(rf"\b(?:{rule})\b", re.IGNORECASE)) for field, value, rule in _RULES)
"""fields that are words: for each field the first rule that matches says its value"""
