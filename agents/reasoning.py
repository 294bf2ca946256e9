"""An explanation as the part of a decision's record that it is: decimals as text, slots as times."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from audit.bodies.decision import (
    ConditionBody,
    ContestedBody,
    CounterOfferBody,
    EtaBody,
    ExplanationBody,
    OptionBody,
    ShareBody,
    WindowBody,
)
from audit.fields import dec
from core.explanation import Explanation, PricedCourse, Reject, SiteOption
from core.plan import CounterOffer

At = Callable[[int], str]
"""the start of a slot as text"""
MOST_OPTIONS = 6
LEAST_GBP = 0.005
"""a difference below this is told as none"""
WITHOUT_ROOM = frozenset({Reject.NO_HEADROOM, Reject.NO_WHOLE_HEADROOM})


def explanation_body(explanation: Explanation, at: At) -> ExplanationBody:
    """Everything but the options and counter-offers, which have a place of their own in the record."""
    chosen = explanation.chosen
    eta, share = explanation.eta, explanation.share
    return ExplanationBody(
        headroom_gbp=dec(chosen.headroom_gbp, 6) if chosen else None,
        hardware_gbp=dec(chosen.hardware_gbp, 6) if chosen else None,
        caps_gbp=dec(chosen.caps_gbp, 6) if chosen else None,
        next_here=_other(explanation.next_here, at),
        next_best=_other(explanation.next_best, at),
        run_now=_window(explanation.run_now, None, at),
        run_now_fits=explanation.run_now_fits,
        conditions=[
            ConditionBody(
                constraint=lift.constraint,
                change=lift.change,
                saving_gbp=dec(lift.saving_gbp, 6),
                saving_cost_gbp=dec(lift.saving_cost_gbp, 6),
                saving_kg=dec(lift.saving_kg, 6),
            )
            for lift in explanation.lifts
        ],
        contested=[
            ContestedBody(
                start=at(held.slot),
                price_gbp_per_kw_slot=dec(held.price_gbp_per_kw_slot, 6),
                worth_gbp=dec(held.worth_gbp, 6),
            )
            for held in explanation.contested
        ],
        eta=EtaBody(site_id=eta.site, start=at(eta.start_slot), end=at(eta.end_slot), beyond_horizon=eta.beyond_horizon)
        if eta
        else None,
        eta_reason=explanation.eta_reason,
        share=ShareBody(
            asked_share=dec(share.asked, 6),
            due_share=dec(share.due, 6),
            site_id=share.site,
            start=at(share.slot),
            factor=dec(share.factor, 9),
        )
        if share
        else None,
    )


def option_bodies(explanation: Explanation, at: At) -> list[OptionBody]:
    """The chosen course and the cheapest others."""
    shown = [(o.course, o.reject) for o in explanation.sites if o.course is not None][:MOST_OPTIONS]
    if not shown and explanation.chosen is not None:
        shown = [(explanation.chosen, None)]
    return [_option(number, course, reject, at) for number, (course, reject) in enumerate(shown, start=1)]


def offer_bodies(offers: Iterable[CounterOffer], at: At) -> list[CounterOfferBody]:
    """Counter-offers with what they cost."""
    return [
        CounterOfferBody(
            change=offer.change,
            extra_gbp=dec(offer.extra_gbp, 6),
            extra_cost_gbp=None if offer.extra_cost_gbp is None else dec(offer.extra_cost_gbp, 6),
            extra_carbon_kg=None if offer.extra_carbon_kg is None else dec(offer.extra_carbon_kg, 6),
            site_id=offer.site,
            start=None if offer.start_slot is None else at(offer.start_slot),
            end=None if offer.end_slot is None else at(offer.end_slot),
        )
        for offer in offers
    ]


def award_reason(explanation: Explanation) -> str:
    """Why here and not elsewhere."""
    taken = explanation.chosen
    if taken is None or explanation.frozen:
        return "it has begun and keeps its place"
    others = [(option, option.course) for option in explanation.sites if option.reject and option.course]
    if not others:
        return f"{taken.site} is the only site that can take it in its window"
    option, nearest = min(others, key=lambda other: other[1].priced_gbp)
    extra = nearest.priced_gbp - taken.priced_gbp
    if extra > -LEAST_GBP:
        return (
            f"{taken.site} is the cheapest at the final prices, energy, carbon and scarcity counted; "
            f"the next best is {nearest.site}" + (f" at GBP {extra:.2f} more" if extra >= LEAST_GBP else ", as cheap")
        )
    if option.reject is Reject.NO_WHOLE_HEADROOM:
        return (
            f"{nearest.site} would be GBP {-extra:.2f} cheaper but has no whole block of headroom left; "
            f"{taken.site} is the best that was found to fit"
        )
    return f"{nearest.site} would be GBP {-extra:.2f} cheaper, but the search ended before it moved the job there"


def _option(number: int, course: PricedCourse, reject: Reject | None, at: At) -> OptionBody:
    return OptionBody(
        option_id=f"opt-{number}",
        site_id=course.site,
        start=at(course.start_slot),
        end=at(course.end_slot),
        energy_kwh=dec(course.energy_kwh, 6),
        cost_gbp=dec(course.cost_gbp, 6),
        carbon_kg=dec(course.carbon_kg, 6),
        feasible=reject not in WITHOUT_ROOM,
        reject_code=reject.value if reject else None,
        carbon_gbp=dec(course.carbon_gbp, 6),
        scarcity_gbp=dec(course.scarcity_gbp, 6),
        priced_gbp=dec(course.priced_gbp, 6),
    )


def _other(option: SiteOption | None, at: At) -> WindowBody | None:
    return None if option is None else _window(option.course, option.reject, at)


def _window(course: PricedCourse | None, reject: Reject | None, at: At) -> WindowBody | None:
    if course is None:
        return None
    return WindowBody(
        site_id=course.site,
        start=at(course.start_slot),
        end=at(course.end_slot),
        cost_gbp=dec(course.cost_gbp, 6),
        carbon_kg=dec(course.carbon_kg, 6),
        priced_gbp=dec(course.priced_gbp, 6),
        reject_code=reject.value if reject else None,
    )
