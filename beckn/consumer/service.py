"""The consumer's side as others use it: buy, look, answer, and drive what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from loguru import logger

from beckn.consumer.answers import NeedAnswers
from beckn.consumer.legs import Tools, leg_of
from beckn.consumer.procurement import Procurement
from beckn.consumer.shapes import NeedOut, PurchaseOut, PurchaseRequest, SoughtOut
from beckn.protocol.faults import Fault
from core.errors import InputError, SlackwaterError
from core.trade import Contract, ContractState, Product, Side

NEEDS = "$[?(@.resourceAttributes['@type'] == 'DemandFlexNeed')]"
MOST_SHOWN = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Directory:
    """Who can be asked.

    :param address: where a subscriber is asked, by the registry; :class:`Fault`.
    :param discovery_url: of the network's discovery service; None where it has none.
    """

    address: Callable[[str], str]
    discovery_url: str | None


class Consumer:
    """Buys compute windows and answers needs."""

    def __init__(
        self,
        tools: Tools,
        procurement: Procurement,
        answers: NeedAnswers,
        directory: Directory,
        carbon_price_gbp_per_tonne: float,
    ) -> None:
        self._tools = tools
        self._procurement = procurement
        self._answers = answers
        self._directory = directory
        self._carbon_price = carbon_price_gbp_per_tonne

    def buy(self, request: PurchaseRequest) -> PurchaseOut:
        """Begin a purchase; it goes on as answers come.

        :raises InputError: nobody can be asked, or what is wanted does not fit between its bounds.
        """
        order = request.order(self._tools.clock.now(), self._carbon_price)
        if (order.wanted.latest - order.wanted.earliest).total_seconds() < order.wanted.count * 1800:
            raise InputError(
                f"{request.hours:g} hours do not fit before {request.latest:%Y-%m-%d %H:%M}",
                field="latest",
                value=request.latest.isoformat(),
                remedy="Name a later end, or fewer hours.",
            )
        addresses, unknown = self._asked(request.providers)
        purchase = self._procurement.begin(order, addresses, unknown)
        return PurchaseOut.of(purchase, [])

    def purchases(self) -> list[PurchaseOut]:
        """The newest first."""
        return [PurchaseOut.of(each, self._legs(each.purchase_id)) for each in self._tools.purchases.latest(MOST_SHOWN)]

    def purchase(self, purchase_id: str) -> PurchaseOut:
        """One purchase; :class:`NotFound`."""
        return PurchaseOut.of(self._tools.purchases.get(purchase_id), self._legs(purchase_id))

    def seek(self, providers: Sequence[str]) -> SoughtOut:
        """Ask for needs; what comes is kept as it comes."""
        addresses, unknown = self._asked(providers)
        intent = {"intent": {"filters": {"type": "jsonpath", "expression": NEEDS}}}
        with self._tools.trading.work() as work:
            for peer, uri in addresses.items():
                work.send(self._tools.letters.request("discover", peer, uri, intent))
        return SoughtOut(asked=sorted(addresses), unknown=unknown)

    def needs(self) -> list[NeedOut]:
        """Needs that have not passed, the soonest first."""
        found = self._tools.purchases.needs(self._tools.clock.now(), MOST_SHOWN)
        return [NeedOut.of(each, self._contract(each.contract_id)) for each in found]

    def answer(self, need_id: str) -> NeedOut:
        """Answer a need by the plan in force; a need that does not pay is passed over, with the reason.

        :raises NotFound: there is no such need. :raises Conflict: it is answered.
        """
        seen = self._answers.begin(need_id)
        return NeedOut.of(seen, self._contract(seen.contract_id))

    def tick(self) -> None:
        """Do what deadlines ask for; done again, it does nothing more."""
        for purchase in self._tools.purchases.under_way():
            self._quietly(self._advance, purchase.purchase_id)
        now = self._tools.clock.now()
        for contract in self._tools.contracts.in_states({ContractState.DRAFT, ContractState.ACTIVE}):
            if contract.side is Side.CONSUMER and leg_of(contract).overdue(now):
                self._quietly(self._end_wait, contract)

    @staticmethod
    def _quietly(step: Callable[[T], None], given: T) -> None:
        """One that cannot go on just now keeps none of the others from it; the next tick tries again."""
        try:
            step(given)
        except SlackwaterError as error:
            logger.error("a step of the trade waits: {}", error.diagnostics())

    def _advance(self, purchase_id: str) -> None:
        with self._tools.trading.work() as work:
            purchase = work.purchase(purchase_id)
            if purchase is not None and not purchase.state.ended and self._procurement.due(work, purchase):
                self._procurement.advance(work, purchase)

    def _end_wait(self, contract: Contract) -> None:
        """A leg that was not answered in time."""
        if contract.product is Product.COMPUTE_WINDOW:
            with self._tools.trading.work() as work:
                self._procurement.timed(work, work.contract(contract.contract_id))
        else:
            with self._answers.lock, self._tools.trading.work() as work:
                self._answers.timed(work, work.contract(contract.contract_id))

    def _asked(self, providers: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Where each is asked, and why others cannot be; :class:`InputError` where nobody can be."""
        own, addresses, unknown = self._tools.letters.own, dict[str, str](), dict[str, str]()
        if not providers and own.discovery_id is not None and self._directory.discovery_url is not None:
            return {own.discovery_id: self._directory.discovery_url}, {}
        for peer in dict.fromkeys(providers):
            try:
                addresses[peer] = self._directory.address(peer)
            except Fault as fault:
                unknown[peer] = f"{fault.code}: {fault}"
        if not addresses:
            raise InputError(
                "nobody can be asked" + "".join(f"; {peer}: {why}" for peer, why in unknown.items()),
                field="providers",
                remedy="Name providers that the registry knows, or set BECKN_DISCOVERY_URL and BECKN_DISCOVERY_ID.",
            )
        return addresses, unknown

    def _legs(self, purchase_id: str) -> list[Contract]:
        return [each for each in self._tools.contracts.of_transaction(purchase_id) if each.side is Side.CONSUMER]

    def _contract(self, contract_id: str | None) -> Contract | None:
        return None if contract_id is None else self._tools.contracts.find(contract_id)
