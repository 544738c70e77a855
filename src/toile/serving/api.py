"""The API: what is served, what it says of images, and why."""

from __future__ import annotations

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response

from toile.errors import Misuse, nearest
from toile.serving import bodies, occlusion, schema
from toile.serving.batching import Batcher
from toile.serving.decoding.client import Decoded
from toile.serving.decoding.pool import Decoders, Undecodable
from toile.serving.decoding.process import BOUNDS
from toile.serving.http.limits import Limits
from toile.serving.http.problem import MEDIA_TYPE, Problem
from toile.serving.http.watch import Watch
from toile.serving.predictor import Predictor


@dataclass
class Service:
    """What the routes share."""

    predictor: Predictor
    limits: Limits
    watch: Watch

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.predictor.predict, self.limits.batch, self.limits.waiting, self.watch.batch)
        self.watch.waiting.set_function(lambda: self.batcher.waiting)
        self.decoders = Decoders(seconds=self.limits.decoding, memory=self.limits.memory, tell=self.watch.decoders_lost.inc)
        self._forms = bodies.Forms()
        # JSON has a thread of its own, so that it waits for no picture; one, as Python runs no two at once.
        self._json = ThreadPoolExecutor(1, "json")

    async def images(self, request: Request, most: int, as_is: bool) -> list[Decoded]:
        """The images of a request, as the model sees them."""
        kind, form = bodies.kind(request), self.predictor.form
        if kind == "application/json":
            body = await request.body()
            return await asyncio.get_running_loop().run_in_executor(self._json, bodies.pixels, body, form.shape, most)
        if kind == "multipart/form-data":
            files = await self._forms.files(request, most)
        elif not (body := await request.body()):
            raise Problem(422, f"the body is empty; allowed is {bodies.ALLOWED}")
        else:
            files = [("", body)]
        try:
            return await self.decoders.decode([one for _, one in files], form=form.plain(), as_is=as_is)
        except Undecodable as error:
            name = f"{files[error.index][0]}: " if len(files) > 1 else ""
            raise Problem(422, f"{name}{error}") from None


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    said = {400: "damaged body", 404: "not there", 408: "too slow", 413: "too large", 415: "of another type",
            421: "for a server of another name", 422: "of no use", 429: "too much at once; come again"}  # fmt: skip
    return {status: {"description": said[status], "content": content} for status in statuses}


BODY_PROBLEMS = _problems(400, 408, 413, 415, 421, 422, 429)
AsIs = Annotated[
    bool,
    Query(description="guess nothing: neither invert nor trim a picture of another size than the data set's own, as is done "
                      "where all of these have borders and margins of one kind. JSON pixels are never touched"),
]  # fmt: skip

router = APIRouter()


def _json(content: Any) -> Response:
    # The models of `schema` describe these documents; validating each number of each answer again would cost more than the
    # model does. A test validates them instead.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "backslashreplace"), media_type="application/json")


@router.post("/v1/predict", responses={200: {"model": schema.Predictions}, **BODY_PROBLEMS})
async def predict(
    request: Request,
    pixels: Annotated[bool, Query(description="also answer what the model saw")] = False,
    as_is: AsIs = False,
) -> Response:
    """Classes and probabilities of one image or several: picture files, or pixels as JSON."""
    service: Service = request.app.state.service
    prepared = await service.images(request, service.limits.batch, as_is)
    probabilities, members = await service.batcher.ask(np.stack([one.pixels for one in prepared]))
    return _json(schema.predictions(service.predictor, prepared, probabilities, members, pixels=pixels))


@router.post("/v1/explain", responses={200: {"model": schema.Explanation}, **BODY_PROBLEMS})
async def explain(
    request: Request,
    class_name: Annotated[str | None, Query(alias="class", description="left out: the most probable", max_length=200)] = None,
    patch: Annotated[int | None, Query(description="pixels that a patch is wide and high; left out: a fifth", ge=1)] = None,
    stride: Annotated[int | None, Query(description="pixels to the next patch; left out: a third of one", ge=1)] = None,
    as_is: AsIs = False,
) -> Response:
    """Which part of one image mattered: how much the probability of a class falls when a patch is covered."""
    service: Service = request.app.state.service
    classes, shape, batch = service.predictor.classes, service.predictor.image_shape, service.limits.batch
    if class_name is not None and class_name not in classes:
        close = nearest(class_name, classes)
        raise Problem(422, f"the model has no class {class_name[:40]!r}{close}; it has: {', '.join(classes)}")
    try:
        where = occlusion.patches(shape, patch, stride)
    except Misuse as error:
        raise Problem(422, str(error)) from None
    (image,) = await service.images(request, 1, as_is)
    whole = (await service.batcher.ask(image.pixels[None]))[0][0]
    target = int(whole.argmax()) if class_name is None else classes.index(class_name)
    images = occlusion.covered(image.pixels, where)
    # A batch at a time, so that others get their turn in between.
    parts = [(await service.batcher.ask(images[i : i + batch]))[0][:, target] for i in range(0, len(images), batch)]
    relevance = occlusion.relevance(whole[target] - np.concatenate(parts).astype(np.float64), where, shape)
    return _json({
        "class": classes[target],
        "probability": round(float(whole[target]), schema.DIGITS),
        "patch": where.size,
        "map": relevance.round(schema.DIGITS).tolist(),
    })  # fmt: skip


@router.get("/v1/model", responses={200: {"model": schema.Model}})
async def model(request: Request) -> Response:
    """What is served: names of the classes, members, where it comes from, and what a request may hold."""
    service: Service = request.app.state.service
    samples = [{"class": one["class"], "url": f"/v1/samples/{i}"} for i, one in enumerate(service.predictor.samples)]
    return _json(
        service.predictor.metadata
        | {"form": service.predictor.form.plain(), "limits": asdict(service.limits) | asdict(BOUNDS), "samples": samples}
    )


@router.get("/v1/samples/{number}", response_class=Response,
            responses={200: {"content": {"image/png": {}}}, **_problems(404, 422)})  # fmt: skip
async def sample(request: Request, number: Annotated[int, Path(ge=0, le=9999)]) -> Response:
    """An image of the model's own data set that came with the export, PNG."""
    service: Service = request.app.state.service
    samples = service.predictor.samples
    if number >= len(samples):
        raise Problem(404, f"there is no sample {number}; there are {len(samples)}, counted from 0")
    return Response(base64.b64decode(samples[number]["png"]), media_type="image/png")


@router.get("/healthz", responses={200: {"model": schema.Health}})
async def health() -> Response:
    """Whether the server answers: the model is loaded before it listens."""
    return _json({"status": "ok"})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    return Response(request.app.state.service.watch.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
