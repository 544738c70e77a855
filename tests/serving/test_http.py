"""`toile serve` as a program calls it: a process of its own, on loopback."""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.serving.fixture import (
    CLASSES,
    MEMBERS,
    SHAPE,
    Server,
    expected,
    metadata,
    png,
    sample,
    samples,
    serving,
    write_export,
)
from toile.serving import bodies as bodies_module
from toile.serving import command, schema
from toile.serving.decoding import pool as decoding
from toile.serving.decoding.process import BOUNDS
from toile.serving.http import connections, protocol
from toile.serving.http.limits import MIB, SHARE, Limits


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return write_export(tmp_path_factory.mktemp("export") / "quarters.onnx", with_samples=samples())


@pytest.fixture(scope="module")
def server(export) -> Iterator[Server]:
    with serving(export) as started:
        yield started


@pytest.fixture(scope="module")
def client(server) -> httpx.Client:
    return server.client


def images(count: int) -> np.ndarray:
    """With a black border, so that nothing is done to them as pictures."""
    pixels = np.random.default_rng(1).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    pixels[:, [0, -1]] = pixels[:, :, [0, -1]] = 0
    return pixels


def check(answer: httpx.Response, pixels: np.ndarray) -> schema.Predictions:
    """That an answer has the documented form and says what the graph says of these images."""
    assert answer.status_code == 200, answer.text
    found = schema.Predictions.model_validate(answer.json())
    probabilities, members = expected(pixels)
    assert len(found.predictions) == len(pixels)
    for one, wanted, votes in zip(found.predictions, probabilities, members, strict=True):
        np.testing.assert_allclose([one.probabilities[name] for name in CLASSES], wanted, atol=1e-6)
        assert one.class_name == CLASSES[wanted.argmax()]
        assert one.probability == max(one.probabilities.values())
        assert [vote.name for vote in one.members] == [member["name"] for member in MEMBERS]
        for vote, row in zip(one.members, votes, strict=True):
            np.testing.assert_allclose([vote.probabilities[name] for name in CLASSES], row, atol=1e-6)
            assert vote.class_name == CLASSES[row.argmax()]
        assert one.agreement == pytest.approx((votes.argmax(axis=1) == wanted.argmax()).mean())
    return found


def test_one_picture_in_every_form(client):
    pixels = images(1)
    file = png(pixels[0])
    forms = [
        {"files": {"image": ("one.png", file, "image/png")}},
        {"content": file, "headers": {"Content-Type": "image/png"}},
        {"content": file, "headers": {"Content-Type": "application/octet-stream"}},
        {"content": file},
        {"json": {"image": pixels[0].tolist()}},
        {"json": {"image": pixels[0, :, :, 0].tolist()}},
        {"json": {"images": pixels.tolist()}},
    ]
    for form in forms:
        found = check(client.post("/v1/predict", **form), pixels)
        assert found.predictions[0].steps == ["taken as it is"]
        assert found.predictions[0].pixels is None


@pytest.mark.parametrize("count", [2, 64])
def test_many_pictures(client, count):
    pixels = images(count)
    check(client.post("/v1/predict", files=[("image", (f"{i}.png", png(one))) for i, one in enumerate(pixels)]), pixels)
    check(client.post("/v1/predict", json={"images": pixels.tolist()}), pixels)


def test_what_the_model_saw(client):
    bright = np.full((60, 100, 1), 255, np.uint8)
    bright[10:50, 20:60] = 30
    found = client.post("/v1/predict?pixels=true", content=png(bright)).json()["predictions"][0]
    assert any("inverted" in step for step in found["steps"])
    seen = np.array(found["pixels"])
    assert seen.shape == SHAPE
    check(client.post("/v1/predict", json={"image": seen.tolist()}), seen[None].astype(np.uint8))
    left = client.post("/v1/predict?pixels=true&as_is=true", content=png(bright)).json()["predictions"][0]
    assert np.array(left["pixels"])[0, 0, 0] == 255
    assert left["steps"] == ["resized from 100 x 60 to 28 x 17 and centred in 28 x 28"]


def test_a_run_has_no_votes(tmp_path):
    members = [{"name": "only", "fingerprint": "f" * 64, "architecture": "by hand"}] * 3
    export = write_export(tmp_path / "run.onnx", about=metadata(kind="run", rule=None, members=members))
    with serving(export) as started:
        found = started.client.post("/v1/predict", content=png(images(1)[0])).json()["predictions"][0]
    assert found["members"] == []
    assert found["agreement"] is None


def test_what_is_served(client):
    found = schema.Model.model_validate(client.get("/v1/model").json())
    assert found.classes == list(CLASSES)
    assert found.limits["batch"] == Limits().batch
    assert found.rule == {"name": "mean"}
    for one, written in zip(found.samples, samples(), strict=True):
        answer = client.get(one.url)
        assert one.class_name == written["class"]
        assert answer.headers["content-type"] == "image/png"
        assert answer.content == base64.b64decode(written["png"])
    assert client.get("/healthz").json() == {"status": "ok"}


def test_what_mattered(client):
    found = client.post("/v1/explain?patch=7&stride=7", content=png(sample(1)))
    explained = schema.Explanation.model_validate(found.json())
    whole = expected(sample(1)[None])[0][0]
    assert explained.class_name == "top right"
    assert explained.probability == pytest.approx(whole[1], abs=1e-6)
    for row in range(4):
        for column in range(4):
            area = np.s_[7 * row : 7 * row + 7, 7 * column : 7 * column + 7]
            covered = sample(1)
            covered[area] = 0
            drop = whole[1] - expected(covered[None])[0][0, 1]
            np.testing.assert_allclose(np.array(explained.map)[area], drop, atol=1e-6)
    other = client.post("/v1/explain", params={"class": "bottom left"}, json={"image": sample(1).tolist()}).json()
    assert other["class"] == "bottom left"
    assert other["patch"] == 6
    assert np.shape(other["map"]) == (28, 28)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"class": "top lift"}, "no class 'top lift' (did you mean 'top left'?)"),
        ({"patch": 29}, "a patch of 1 to 28 pixels"),
        ({"patch": 0}, "greater than or equal to 1"),
        ({"patch": 4, "stride": 5}, "a stride of 1 to the patch's size"),
        ({"patch": "many"}, "valid integer"),
    ],
)
def test_what_cannot_be_explained(client, query, said):
    answer = client.post("/v1/explain", params=query, content=png(sample(0)))
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_one_image_is_explained_at_a_time(client):
    answer = client.post("/v1/explain", json={"images": images(2).tolist()})
    assert answer.status_code == 422
    assert "allowed are 1 to 1 images" in answer.json()["detail"]


def test_the_openapi_document_is_whole(client):
    text = client.get("/openapi.json").text
    document = json.loads(text)
    for reference in re.findall(r'"\$ref":\s*"#/components/schemas/(\w+)"', text):
        assert reference in document["components"]["schemas"]
    assert set(document["paths"]) == {"/v1/predict", "/v1/explain", "/v1/model", "/v1/samples/{number}", "/healthz", "/metrics"}
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert body == schema.body(SHAPE, Limits().batch)["content"]
    explained = document["paths"]["/v1/explain"]["post"]["requestBody"]
    assert explained == schema.body(SHAPE, 1)


def test_pages_load_nothing_from_elsewhere(client):
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page.text)
        assert loaded
        for one in loaded:
            assert one.startswith("/web/")
            assert client.get(one).status_code == 200
    page = client.get("/")
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_documentation_names_every_route_and_limit(client):
    text = client.get("/docs").text
    for path in json.loads(client.get("/openapi.json").text)["paths"]:
        assert path in text
    assert "28 rows of 28 pixels" in text


def test_metrics_are_prometheus(server, client):
    before = server.metric("toile_images_total")
    unknown = server.metric('toile_requests_total{route="other",status="404"}')
    check(client.post("/v1/predict", json={"images": images(5).tolist()}), images(5))
    client.get("/v1/invented-by-a-client")
    assert server.metric("toile_images_total") == before + 5
    assert server.metric('toile_requests_total{route="other",status="404"}') == unknown + 1
    assert server.metric('toile_requests_total{route="/v1/predict",status="200"}') >= 1
    assert server.metric("process_resident_memory_bytes") > 1e6
    assert "invented" not in client.get("/metrics").text


def test_many_clients_at_once_get_their_own_answers(server):
    pixels = images(120)
    probabilities = expected(pixels)[0]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: server.client.post("/v1/predict", content=png(one)), pixels))
    for answer, wanted in zip(answers, probabilities, strict=True):
        found = answer.json()["predictions"][0]["probabilities"]
        np.testing.assert_allclose([found[name] for name in CLASSES], wanted, atol=1e-6)


def test_no_trainer_in_the_process(export):
    code = (
        "import sys; from toile.serving import app; from toile.serving.predictor import Predictor; "
        "app.make(Predictor.from_file(sys.argv[1])); "
        "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'scipy'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code, str(export)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_sigterm_finishes_what_was_accepted(export):
    body = json.dumps({"images": images(20).tolist()}).encode()
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    with serving(export) as started:
        with socket.create_connection(started.place, timeout=30) as connection:
            connection.sendall(head + body[:-100])
            # Half a request is here: an answered one says that the server has read what came before it.
            started.client.get("/healthz")
            os.kill(started.process.pid, signal.SIGTERM)
            while listens(started):
                pass
            connection.sendall(body[-100:])
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        assert b"connection: close\r\n" in answer, "or the client's next request is reset"
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]) == 20
        assert started.process.wait(30) == 0


def listens(server: Server) -> bool:
    try:
        socket.create_connection(server.place, timeout=5).close()
    except ConnectionError:
        return False
    return True


def test_the_documentation_has_the_options_and_limits_that_are():
    text = (Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(command.serve).parameters} - {"--export"}
    assert set(re.findall(r"`(--[a-z-]+)`", text)) == options
    table = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]*\|$", text, re.MULTILINE))
    limits = Limits()
    assert table["size of a request"] == f"{limits.body / MIB:g} MiB"
    assert table["images of a request, and of a batch"] == str(limits.batch)
    assert table["pixels of a picture, seen before it is decoded"] == f"{BOUNDS.pixels:,}"
    assert table["pixels of a picture's longer side"] == f"{BOUNDS.side:,}"
    assert table["requests at once"] == str(limits.requests)
    assert table["images that wait for the model"].startswith(f"{limits.waiting:,}")
    (arriving,) = (value for name, value in table.items() if name.startswith("seconds for a request to arrive"))
    (decodes,) = (value for name, value in table.items() if name.startswith("seconds to decode"))
    assert (float(arriving), float(decodes)) == (limits.seconds, limits.decoding)
    assert table["bytes a second that a body comes with, after the first fifth of that"] == f"{limits.rate:,}"
    assert table["head of a request"] == f"{protocol.HEAD // 1024} KiB, {protocol.HEADERS} headers"
    assert table["chunks of a body"] == f"{protocol.CHUNKS:,}, and one more for every {protocol.CHUNK} bytes"
    assert table["bytes of a body on the wire"] == f"twice its own, and {protocol.FRAMING // 1024} KiB"
    assert table["connections"].startswith(f"{limits.connections}, or what `ulimit -n` leaves")
    bodies = f"{limits.held // MIB} MiB, and {SHARE // 1024} KiB for each connection"
    assert table["bodies of all requests together"] == bodies
    assert table["answers that nobody has read yet, together"] == f"{connections.UNREAD // MIB} MiB"
    assert table["memory of each of two decoders"] == f"{limits.memory // MIB} MiB, on Linux"
    words = " ".join(text.split())
    assert f"{protocol.SLICE // 1024} KiB are parsed ahead" in words
    assert f"{protocol.LEFT // MIB} MiB more before the connection is reset" in words
    assert decoding.PROCESSES == 2
    assert f"{bodies_module.JSON_BYTES_A_PIXEL} bytes for every number" in words


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gone.onnx"], 1, "gone.onnx is no file; `toile export"),
        (["{export}", "--port", "70000"], 2, "--port is 0..65535, got 70000"),
        (["{export}", "--threads", "0"], 2, "at least 1"),
        (["{export}", "--seconds", "0"], 2, "the limit 'seconds' is at least 1"),
        (["{export}", "--seconds", "inf"], 2, "the limit 'seconds' is at least 1, got inf"),
        (["{export}", "--max-body-mib", "nan"], 2, "--max-body-mib is a number above 0, got nan"),
        (["{export}", "--max-batch", "0"], 2, "the limit 'batch' is at least 1"),
        (["{export}", "--host", "256.0.0.1"], 1, "cannot listen at 256.0.0.1"),
    ],
)
def test_misuse(export, arguments, code, said):
    line = [sys.executable, "-m", "toile.cli", "serve", *(one.format(export=export) for one in arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken(export, server):
    line = [sys.executable, "-m", "toile.cli", "serve", str(export), "--port", str(server.place[1])]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
