"""Sites: where compute runs. Operators register and change them here."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from core.errors import InputError
from core.site import Identifier, Site
from web.api.documented import answer
from web.services import services_of_request

api = APIBlueprint("api_sites", __name__, abp_tags=[Tag(name="sites", description="Where compute runs")])


class SitePath(BaseModel):
    """A path that names a site."""

    site_id: Identifier


class SiteList(BaseModel):
    """All sites."""

    sites: list[Site]
    total: int


@api.post("/api/sites", responses={201: Site})
def register(body: Site) -> Response:
    """Register a site; it takes part from the next tick."""
    services = services_of_request()
    site = services.sites.register(body)
    services.loop.request_tick("operator")
    return answer(site, 201, location=f"/api/sites/{site.site_id}")


@api.get("/api/sites", responses={200: SiteList})
def every() -> Response:
    """All sites."""
    sites = list(services_of_request().sites.sites())
    return answer(SiteList(sites=sites, total=len(sites)))


@api.get("/api/sites/<site_id>", responses={200: Site})
def one(path: SitePath) -> Response:
    """One site."""
    return answer(services_of_request().sites.get(path.site_id))


@api.put("/api/sites/<site_id>", responses={200: Site})
def change(path: SitePath, body: Site) -> Response:
    """Replace a site; the next tick plans with the new figures."""
    services = services_of_request()
    if body.site_id != path.site_id:
        raise InputError(
            f"site_id {body.site_id!r} differs from the path's {path.site_id!r}",
            field="site_id",
            value=body.site_id,
            remedy="Send the site_id of the path: a site keeps its identifier.",
        )
    site = services.sites.change(body)
    services.loop.request_tick("operator")
    return answer(site)
