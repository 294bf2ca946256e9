"""Drafts: a sentence read into a job that may then be submitted."""

from __future__ import annotations

from typing import Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from core.errors import SlackwaterError
from core.job import JobRequest
from web.api.documented import answer
from web.api.quotes import QuoteOut
from web.drafting import Drafted, draft_job, priced
from web.services import services_of_request

api = APIBlueprint("api_drafts", __name__, abp_tags=[Tag(name="jobs", description="Compute that may move")])


class DraftRequest(BaseModel):
    """A job in words."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=600, description="one sentence, such as: train on 8 GPUs for 6 hours")


class UnderstoodOut(BaseModel):
    """A field that was read from the sentence."""

    field: str
    value: str
    said: str = Field(description="the words that say it; empty where the sentence as a whole does")


class AssumedOut(BaseModel):
    """A field that the sentence does not say."""

    field: str
    value: str
    why: str


class ProblemOut(BaseModel):
    """Why the draft cannot be submitted as it is, or not be priced just now."""

    field: str = Field(description="empty where it cannot be priced just now")
    message: str
    remedy: str

    @classmethod
    def of(cls, problem: SlackwaterError) -> ProblemOut:
        """The wire form of ``problem``."""
        return cls(field=getattr(problem, "field", ""), message=str(problem), remedy=problem.remedy)


class DraftOut(BaseModel):
    """A job drafted from a sentence. Every number in it is in the sentence, or is among the assumptions."""

    draft: JobRequest = Field(description="what POST /api/jobs takes")
    understood: list[UnderstoodOut]
    assumed: list[AssumedOut]
    unread: list[str] = Field(description="parts of the sentence that no field was read from")
    source: Literal["rules", "model"] = Field(description="who read the sentence")
    note: str = Field(description="why the rules read it where a model was to; else empty")
    quote: QuoteOut | None = Field(description="what it would cost by several deadlines; null where there is a problem")
    problem: ProblemOut | None

    @classmethod
    def of(cls, drafted: Drafted) -> DraftOut:
        """The wire form of ``drafted``."""
        from agents.advisor.drafts import shown

        draft, problem = drafted.draft, drafted.problem
        return cls(
            draft=draft.request,
            understood=[UnderstoodOut(field=u.field, value=shown(u.value), said=u.said) for u in draft.understood],
            assumed=[AssumedOut(field=a.field, value=shown(a.value), why=a.why) for a in draft.assumed],
            unread=list(draft.unread),
            source=draft.source,
            note=draft.note,
            quote=QuoteOut.of(drafted.quote) if drafted.quote is not None else None,
            problem=None if problem is None else ProblemOut.of(problem),
        )


@api.post("/api/jobs/draft", responses={200: DraftOut})
def draft(body: DraftRequest) -> Response:
    """Read a sentence into a job, say what was understood and what assumed, and what it would cost."""
    services = services_of_request()
    return answer(DraftOut.of(priced(services, draft_job(services, body.text))))
