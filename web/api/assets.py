"""Assets: flexible loads at sites. A job that names one inherits its power and place."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from core.errors import InputError
from core.site import Asset, Identifier
from web.api.documented import answer
from web.services import services_of_request

api = APIBlueprint("api_assets", __name__, abp_tags=[Tag(name="assets", description="Flexible loads at sites")])


class AssetPath(BaseModel):
    """A path that names an asset."""

    asset_id: Identifier


class AssetList(BaseModel):
    """All assets."""

    assets: list[Asset]
    total: int


@api.post("/api/assets", responses={201: Asset})
def register(body: Asset) -> Response:
    """Register an asset."""
    asset = services_of_request().sites.register_asset(body)
    return answer(asset, 201, location=f"/api/assets/{asset.asset_id}")


@api.get("/api/assets", responses={200: AssetList})
def every() -> Response:
    """All assets."""
    assets = list(services_of_request().sites.assets())
    return answer(AssetList(assets=assets, total=len(assets)))


@api.get("/api/assets/<asset_id>", responses={200: Asset})
def one(path: AssetPath) -> Response:
    """One asset."""
    return answer(services_of_request().sites.asset(path.asset_id))


@api.put("/api/assets/<asset_id>", responses={200: Asset})
def change(path: AssetPath, body: Asset) -> Response:
    """Replace an asset; jobs already accepted keep the power they were accepted with."""
    if body.asset_id != path.asset_id:
        raise InputError(
            f"asset_id {body.asset_id!r} differs from the path's {path.asset_id!r}",
            field="asset_id",
            value=body.asset_id,
            remedy="Send the asset_id of the path: an asset keeps its identifier.",
        )
    return answer(services_of_request().sites.change_asset(body))
