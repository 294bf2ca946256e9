"""The trade as the house runs it: what takes messages in, works them off, delivers answers and ends contracts.

Only the process that leads works and delivers; any process takes messages in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Concatenate, Literal, ParamSpec

from apscheduler.schedulers.background import BackgroundScheduler
from loguru import logger

from audit.bodies.trade import MessageBody
from audit.log import AuditLog
from audit.record import Trace
from beckn.consumer.service import Consumer
from beckn.identity import Identity
from beckn.outbox import Deliverer
from beckn.packs.schemas import documents
from beckn.protocol.acknowledgement import Acknowledged
from beckn.protocol.actions import is_callback
from beckn.provider.display import Display
from beckn.provider.provider import Provider
from beckn.provider.settling import Settling
from beckn.publishing import Publishing
from beckn.reception import Reception
from beckn.retention import Upkeep
from beckn.worker import Worker
from core.clock import Clock, SystemClock
from core.errors import SlackwaterError, Unavailable
from core.slots import SLOT
from core.trade import Delivery, Message
from store.messages import MessageRepository
from store.trading import Trading

SYSTEM = SystemClock()
LOOK_S = 1.0
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What works in the background.

    :param leading: whether this process leads. :param callbacks: works off answers to our own requests.
    :param consumer_tick: drives our own purchases.
    """

    worker: Worker
    deliverer: Deliverer
    provider: Provider
    settling: Settling
    publishing: Publishing | None
    trading: Trading
    clock: Clock
    leading: Callable[[], bool]
    consumer_tick: Callable[[], None]
    upkeep: Upkeep


class Trade:
    """The participant.

    :ivar reception: takes messages in.
    :ivar consumer: buys from others.
    :ivar reception_2025: takes those of the dialect of 2025 in; None where it is not served.
    """

    def __init__(
        self,
        own: Identity,
        reception: Reception,
        display: Display,
        workshop: Workshop,
        consumer: Consumer,
        reception_2025: Reception | None = None,
    ) -> None:
        self.own = own
        self.reception = reception
        self.reception_2025 = reception_2025
        self._display = display
        self._with = workshop
        self.consumer = consumer
        self._scheduler: BackgroundScheduler | None = None
        self._running = False

    @property
    def owed(self) -> int:
        """Messages that were acknowledged and not worked off yet."""
        return self._with.worker.owed

    def catalogues(self) -> list[dict[str, Any]]:
        """What is for sale just now, on the wire; empty before the first plan."""
        try:
            return self._display.catalogues()
        except Unavailable as error:
            logger.info("nothing is on the shelf: {}", error)
            return []

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """JSON-LD contexts and JSON Schemas of our own packs, by their path below ``schemas/``."""
        return {path.removeprefix("/schemas/"): told for path, told in documents(self.own.url).items()}

    def start(self) -> None:
        """Begin to work as soon as this process leads."""
        scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1})
        slot_s = self._with.clock.real_seconds(SLOT)
        scheduler.add_job(self.look, "interval", seconds=LOOK_S, id="look", next_run_time=SYSTEM.now())
        scheduler.add_job(self.advance, "interval", seconds=max(0.2, min(5.0, slot_s / 10)), id="advance")
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """End after what is under way."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None
        self._rest()

    def look(self) -> None:
        """Begin to work when this process leads, stop when it does not, and take up what others accepted."""
        try:
            leads = self._with.leading()
            if leads and not self._running:
                found = self._with.provider.recover()
                if found:
                    logger.info("{} contracts that the log had confirmed are in force again", found)
                self._with.worker.start()
                self._with.deliverer.start()
                self._running = True
            elif leads:
                self._with.worker.look()
            else:
                self._rest()
        except SlackwaterError as error:
            logger.error("the trade waits: {}", error.diagnostics())

    def advance(self) -> None:
        """Give back what lapsed, settle what is over, publish what is new, remove what is old."""
        if not self._running:
            return
        steps = (
            self._release,
            self._with.settling.advance,
            self._with.consumer_tick,
            self._publish,
            self._with.upkeep.advance,
        )
        for step in steps:
            try:
                step()
            except SlackwaterError as error:
                logger.error("the trade waits: {}", error.diagnostics())
            except Exception:  # noqa: BLE001,RUF100  one failure must not end the others
                logger.exception("a step of the trade failed")
        self._with.deliverer.wake()

    def _release(self) -> None:
        self._with.trading.release_lapsed(self._with.clock.now())

    def _publish(self) -> None:
        if self._with.publishing is not None:
            self._with.publishing.publish(self.catalogues())

    def _rest(self) -> None:
        if self._running:
            self._running = False
            self._with.worker.stop()
            self._with.deliverer.stop()


class Witness:
    """Puts on the log what became of messages that were owed."""

    def __init__(self, log: AuditLog, messages: MessageRepository) -> None:
        self._log = log
        self._messages = messages

    def delivered(self, delivery: Delivery, answer: Acknowledged) -> None:
        """A peer took a message."""
        self._append(delivery, "delivered", answer.code, answer.remark, answer.signature)

    def dead(self, delivery: Delivery) -> None:
        """A message was given up."""
        sent = self._messages.sent(delivery.action, delivery.message_id)
        signature = None if sent is None else sent.signature or None
        self._append(delivery, "dead", "NET_CALLBACK_FAILED", delivery.reason, signature)

    def signed(self, delivery: Delivery, header: str) -> None:
        """An attempt begins: an answer may be bound to its signature."""
        value = header.rpartition('signature="')[2].rstrip('"')
        if not is_callback(delivery.action):
            self._messages.signed(delivery.action, delivery.message_id, value)

    def _append(
        self,
        delivery: Delivery,
        outcome: Literal["delivered", "dead"],
        code: str | None,
        detail: str | None,
        signature: str | None,
    ) -> None:
        body = MessageBody(
            direction="out",
            action=delivery.action,
            peer_id=delivery.peer_id,
            sha256=hashlib.sha256(delivery.body).hexdigest(),
            raw_bytes=len(delivery.body),
            signature=signature,
            outcome=outcome,
            code=code,
            detail=None if detail is None else detail[:300],
        )
        self._log.append("message", body, agent="beckn", trace=Trace(delivery.transaction_id, delivery.message_id))


def dispatcher(
    requests: Callable[Concatenate[Message, P], None], callbacks: Callable[Concatenate[Message, P], None]
) -> Callable[Concatenate[Message, P], None]:
    """Requests to the provider, answers to the consumer."""

    def work(message: Message, /, *more: P.args, **named: P.kwargs) -> None:
        (callbacks if is_callback(message.action) else requests)(message, *more, **named)

    return work
