"""The one error tree.

::

    SlackwaterError
    ├── InputError            what the caller sent cannot be used (names field, value and remedy)
    │   └── Forbidden         the caller may not do this from where it stands
    ├── SignInNeeded          nobody is known to be asking
    ├── NotFound              no such job, site, asset, slot or record
    ├── Conflict              the state does not allow it (wrong lifecycle state, slot already booked)
    ├── Unavailable           Slackwater cannot keep its promises just now
    │   ├── LogUnavailable    the decision log cannot be written or synced: decisions stop
    │   └── StoreUnavailable  the database cannot be reached
    ├── FeedError             a feed gave no usable figure (never a number)
    │   ├── FeedUnreachable   no answer, time-out, 5xx
    │   └── FeedInvalid       an answer that is not what the feed documents
    ├── PlanError             a negotiation round did not end in a plan
    │   ├── SolverFailed      the optimiser returned no usable solution
    │   └── PlanTooLate       the plan's first slot began before it could be recorded
    └── LogDamaged            the decision log does not verify (names the first bad line)

Messages state what happened with values and units; :meth:`SlackwaterError.diagnostics` says what to do.
The mapping to HTTP is in ``web/problems.py`` alone.
"""

from __future__ import annotations


class SlackwaterError(Exception):
    """Base of all errors that Slackwater raises on purpose.

    ``remedy`` is one sentence that tells a person what to do next.
    """

    remedy = "Look at the server log for the cause."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy

    def diagnostics(self) -> str:
        """What happened, then what to do about it."""
        text = str(self)
        return f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {self.remedy}"


class InputError(SlackwaterError):
    """What the caller sent cannot be used; nothing was stored."""

    remedy = "Correct the named field and try again."

    def __init__(self, message: str, *, field: str, value: object = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.field = field
        self.value = value


class Forbidden(InputError):
    """The caller may not do this from where it stands."""


class SignInNeeded(SlackwaterError):
    """Nobody is known to be asking, or by a token that is not known."""

    remedy = "Sign in at /sign-in, or send the header Authorization: Bearer TOKEN that an operator gave you."


class NotFound(SlackwaterError):
    """No job, site, asset, slot or record has this identifier."""

    remedy = "Check the identifier against the list it came from."


class Conflict(SlackwaterError):
    """The present state does not allow the request."""

    remedy = "Read the present state again and decide anew."


class Unavailable(SlackwaterError):
    """Slackwater cannot keep its promises just now, so it refuses to make one."""

    remedy = "Try again shortly; /health says what is missing."


class LogUnavailable(Unavailable):
    """The decision log cannot be written or synced, so no decision is taken."""

    remedy = "Free space on the volume of DATA_DIR or repair it, then restart; nothing was acted on."


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""

    remedy = "Check DATABASE_URL and that the database accepts connections."


class FeedError(SlackwaterError):
    """A feed gave no usable figure."""

    remedy = "The last good figures stay in use, shown as stale; `python app.py signals check` tests the feed."


class FeedUnreachable(FeedError):
    """The feed did not answer in time, or answered with a server error."""


class FeedInvalid(FeedError):
    """The feed answered with something other than what it documents."""


class PlanError(SlackwaterError):
    """A negotiation did not end in a plan; the standing plan stays in force."""

    remedy = "The standing plan stays in force and the next tick tries again."


class SolverFailed(PlanError):
    """The optimiser returned no usable solution."""


class PlanTooLate(PlanError):
    """The plan's first slot began before the plan could be recorded."""


class LogDamaged(SlackwaterError):
    """The decision log does not verify."""

    remedy = "Keep the file as it is and compare it with a copy; a damaged log is never repaired in place."

    def __init__(self, message: str, *, line: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.line = line
