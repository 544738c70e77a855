"""Processes that decode: what they are given comes back, and what harms them harms nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serving.fixture import SHAPE, png, sample, write_export
from toile.pictures.form import Form
from toile.pictures.read import read
from toile.serving import app
from toile.serving.decoding import process as decode
from toile.serving.decoding.pool import PIECE, Decoders, Undecodable
from toile.serving.http.limits import Limits
from toile.serving.http.problem import Problem
from toile.serving.predictor import Predictor

MIB = 2**20


def run(work: Callable[[Decoders], Awaitable[Any]], name: str = "lengths", **options: Any) -> list[None]:
    """Do the work with decoders; the list has an item for each process that was lost."""
    lost: list[None] = []

    async def within() -> None:
        named = {"seconds": 60, "memory": 1024 * MIB, "tell": lambda: lost.append(None)} | options
        async with Decoders(f"tests.serving.works:{name}", **named) as decoders:
            await work(decoders)

    asyncio.run(within())
    return lost


def test_every_file_comes_back_in_its_place():
    async def work(decoders: Decoders) -> None:
        files = [bytes([number % 256]) * (number % 7) for number in range(300)]
        found = await decoders.decode(files, times=2)
        assert [one.pixels.tobytes() for one in found] == [file * 2 for file in files]
        assert {one.pixels.shape[1] for one in found} == {1}
        large = [bytes([number]) * PIECE for number in range(3)]
        assert [one.pixels.tobytes() for one in await decoders.decode(large)] == large
        assert await decoders.decode([]) == []

    assert run(work) == []


def test_many_ask_at_once_and_get_their_own():
    async def work(decoders: Decoders) -> None:
        files = [[os.urandom(20) for _ in range(count % 4 + 1)] for count in range(100)]
        found = await asyncio.gather(*(decoders.decode(own) for own in files))
        assert [[one.pixels.tobytes() for one in own] for own in found] == files
        assert len({one.steps for own in found for one in own}) <= 2, "processes"

    assert run(work) == []


def test_what_is_refused_is_told_with_its_place():
    async def work(decoders: Decoders) -> None:
        for file, said in ((b"refused", "this file is refused"), (b"odd", "the picture cannot be decoded: ZeroDivisionError")):
            with pytest.raises(Undecodable) as caught:
                await decoders.decode([b"good", b"good", file, b"good"])
            assert (caught.value.index, str(caught.value)) == (2, said)

    assert run(work) == []


@pytest.mark.parametrize(
    ("harm", "said", "options"),
    [
        (b"forever", "takes longer than 0.2 seconds to decode", {"seconds": 0.2}),
        (b"exit", "brings its decoder down", {}),
        pytest.param(
            b"eat", "needs too much memory", {"memory": 256 * MIB},
            marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing else bounds it"),
        ),
    ],
)  # fmt: skip
def test_harm_is_told_and_the_next_is_decoded(harm, said, options):
    async def work(decoders: Decoders) -> None:
        harmed = decoders.seconds
        for _ in range(2):
            decoders.seconds = harmed
            with pytest.raises(Undecodable, match=said):
                await decoders.decode([harm])
            decoders.seconds = 60
            assert len(await decoders.decode([b"good"])) == 1

    lost = run(work, "hostile", **options)
    assert len(lost) == (0 if harm == b"eat" else 2)


def test_who_was_in_a_process_with_harm_is_decoded_all_the_same():
    async def work(decoders: Decoders) -> None:
        files = [b"good", b"good", b"exit", b"good", b"good"] * 2
        found = await asyncio.gather(*(decoders.decode([file]) for file in files), return_exceptions=True)
        assert [isinstance(one, Undecodable) for one in found] == [file == b"exit" for file in files]

    run(work, "hostile", processes=1)


def test_what_libraries_print_goes_nowhere(capfd):
    async def work(decoders: Decoders) -> None:
        assert len(await decoders.decode([b"shout"] * 10)) == 10

    run(work, "hostile")
    assert capfd.readouterr() == ("", "")


def test_a_large_request_lets_others_in_between(tmp_path):
    """Each of its files takes longer than a turn; who comes later gets the next."""

    async def work(decoders: Decoders) -> None:
        large = asyncio.create_task(decoders.decode([b""] * 6))
        await asyncio.sleep(0)
        small = await decoders.decode([b""])
        assert not large.done()
        began = [float(one.steps[0]) for one in await large]
        assert sum(one < float(small[0].steps[0]) for one in began) <= 1

    run(work, "slowly", processes=1)


def test_who_waits_too_long_for_its_turn_is_told_to_come_again(tmp_path):
    async def work(decoders: Decoders) -> None:
        go = tmp_path / "go"
        busy = asyncio.create_task(decoders.decode([f"wait {go}".encode()]))
        while not Path(f"{go}.begun").exists():
            await asyncio.sleep(0.001)
        decoders.seconds = 0.01  # of those that come now
        with pytest.raises(Problem, match="too many pictures are being decoded already") as caught:
            await decoders.decode([b"good"])
        assert caught.value.status == 429
        decoders.seconds = 60
        go.touch()
        await busy
        assert len(await decoders.decode([b"good"])) == 1

    assert run(work, "hostile", processes=1) == []


def test_the_files_of_a_request_have_so_many_seconds_together():
    async def work(decoders: Decoders) -> None:
        decoders.seconds = 60
        found = asyncio.create_task(decoders.decode([b""] * 30))
        await asyncio.sleep(0)
        decoders.seconds = 0.2  # a file takes 0.06
        with pytest.raises(Undecodable, match="the pictures take longer than") as caught:
            await found
        assert caught.value.index <= 3

    run(work, "slowly")


def test_a_decoder_that_cannot_start_is_said_so(monkeypatch):
    async def work() -> None:
        async with Decoders("tests.serving.works:gone", seconds=60, memory=1024 * MIB) as decoders:
            with pytest.raises(Problem, match="no decoder can be started") as caught:
                await decoders.decode([b"good"])
            assert caught.value.status == 503

    asyncio.run(work())


def test_who_asked_and_went_away_keeps_no_process(tmp_path):
    async def work(decoders: Decoders) -> None:
        go = tmp_path / "never"
        gone = asyncio.create_task(decoders.decode([f"wait {go}".encode()]))
        while not Path(f"{go}.begun").exists():
            await asyncio.sleep(0.001)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)

    run(work, "hostile")  # it ends


@pytest.mark.parametrize("as_is", [False, True])
def test_a_picture_comes_out_as_the_reader_says(as_is):
    content, form = png(np.pad(sample(1), ((5, 5), (9, 2), (0, 0)), constant_values=255)), Form.unsaid(SHAPE)
    pixels, steps = decode.picture(content, json.loads(json.dumps(form.plain())), as_is)
    wanted = read(content, form, as_is=as_is)
    np.testing.assert_array_equal(pixels, wanted.pixels)
    assert tuple(steps) == wanted.steps


def test_json_and_health_wait_for_no_picture(tmp_path):
    """Both decoders are kept, and the picture's answer comes only when they are let go."""
    made = app.make(Predictor.from_file(write_export(tmp_path / "quarters.onnx")), Limits())
    service = made.app.app.state.service
    service.decoders = Decoders("tests.serving.works:hostile", seconds=60, memory=1024 * MIB)

    async def take(files: list[bytes], **options: Any) -> Any:
        return await Decoders.decode(service.decoders, files)

    service.decoders.decode = take
    go = tmp_path / "go"

    async def work() -> None:
        transport = httpx.ASGITransport(made)
        async with service.decoders, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            pictures = [asyncio.create_task(client.post("/v1/predict", content=f"wait {go}".encode())) for _ in range(8)]
            while not Path(f"{go}.begun").exists():
                await asyncio.sleep(0.001)
            for _ in range(3):
                answer = await client.post("/v1/predict", json={"image": sample(0)[:, :, 0].tolist()})
                assert answer.json()["predictions"][0]["class"] == "top left"
                assert (await client.get("/healthz")).status_code == 200
            assert not any(one.done() for one in pictures)
            for one in pictures:
                one.cancel()
            await asyncio.gather(*pictures, return_exceptions=True)

    asyncio.run(work())


def test_a_message_says_its_length():
    whole = decode.message({"a": 1}, b"bytes")
    length = int.from_bytes(whole[:4], "big")
    assert json.loads(whole[4 : 4 + length]) == {"a": 1}
    assert whole[4 + length :] == b"bytes"
