"""What the page asks is answered with the store's own figures; nobody else is answered, and nothing is written."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.cli.fixture import TINY, stored_tiny
from tests.viewer.fixture import at_work, checkpoint, everything, opened
from toile import api
from toile.data.dataset import Images
from toile.errors import Misuse
from toile.viewer.app import Told
from toile.viewer.events import STREAMS, Events
from toile.viewer.subjects import Subject
from toile.viewer.working import Working

FOREIGN = (
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
)

ODD = "caf\udce9.html"  # whose name has a byte that is no text


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    made = stored_tiny(tmp_path_factory.mktemp("tiny") / "store", skill=0.5)
    (made.store.reports_folder / ODD).write_text("a report")
    (made.store.reports_folder / "link.html").symlink_to(TINY)
    return made


@pytest.fixture(scope="module")
def same(plan, tmp_path_factory):
    """A copy of the store, for what the tests themselves ask of toile: the audit is kept there."""
    return shutil.copytree(plan.store.root, tmp_path_factory.mktemp("same") / "store")


@pytest.fixture(scope="module")
def client(plan):
    before = everything(plan.store.root)
    with opened(plan.store.root, str(TINY)) as started:
        yield started
    assert everything(plan.store.root) == before, "nothing of all that was asked has written anything"


def ask(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_runs(client, plan):
    found = ask(client, "/v1/runs")
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert {row["fingerprint"] for row in rows} == {one.fingerprint for one in plan.trials}
    assert ask(client, "/v1/store")["datasets"][plan.dataset.content] == {"name": "digits", "classes": 10}


def test_one_run(client, plan):
    run = plan.run_of(plan.trials[0])
    found = ask(client, f"/v1/runs/{run.fingerprint}")
    assert found["metrics"]["test"]["accuracy"] == run.metrics["test"]["accuracy"]
    assert found["matrix"] == run.metrics["test"]["confusion_matrix"]
    assert found["history"] == run.history
    assert found["checked"]


def test_a_cell_is_the_images_that_the_matrix_counts(client, plan):
    run = plan.run_of(plan.trials[0])
    test = plan.parts(plan.trials[0]).test
    choices = run.probabilities("test").argmax(axis=1)
    matrix = np.array(run.metrics["test"]["confusion_matrix"])
    true, chosen = np.argwhere((matrix > 0) & ~np.eye(10, dtype=bool))[0]
    found = ask(client, f"/v1/said/{run.fingerprint}/cell?true={true}&chosen={chosen}")
    assert found["images"] == matrix[true, chosen]
    for one in found["shown"]:
        assert (test.labels[one["index"]], choices[one["index"]]) == (true, chosen)
        picture = client.get(f"/v1/said/{run.fingerprint}/images/{one['index']}.png")
        assert picture.headers["content-type"] == "image/png"
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture.content))), test.images[one["index"]][..., 0])
    assert ask(client, f"/v1/said/{run.fingerprint}/mistakes")["images"] == (choices != test.labels).sum()


def test_a_study_and_its_committees(client, same):
    (about,) = ask(client, "/v1/studies")
    assert about["states"] == {"stored": 2, "begun": 0, "missing": 0}, "two of its three names mean one training"
    assert set(about["names"].values()) == {"perceptron", "convolution"}
    found, results = ask(client, "/v1/studies/tiny"), api.results(TINY, store=same)
    assert [one["name"] for one in found["committees"]] == ["both", "weighed"]
    for number, committee in enumerate(results.committees):
        assert found["committees"][number]["test"]["accuracy"] == committee.test["accuracy"]
        joint = ask(client, f"/v1/committees/tiny~{number}")
        assert joint["matrix"] == committee.test["confusion_matrix"]
        assert ask(client, f"/v1/said/tiny~{number}/mistakes")["images"] == round(
            (1 - committee.test["accuracy"]) * committee.test["images"]
        )


def test_a_browser_keeps_images_of_a_run_and_none_of_a_study_that_may_change(client, plan):
    for subject, kept in ((plan.trials[0].fingerprint, "immutable"), ("tiny~0", "no-store")):
        assert kept in client.get(f"/v1/said/{subject}/images/0.png").headers["cache-control"]


def test_two_are_compared_by_the_paired_test(client, plan, same):
    a, b = (one.fingerprint for one in plan.trials[:2])
    found, wanted = ask(client, f"/v1/compare?a={a}&b={b}"), api.compare(a[:12], b[:12], store=same)
    assert {key: found[key] for key in ("p_value", "only_a", "only_b", "difference", "interval")} == {
        key: wanted[key] for key in ("p_value", "only_a", "only_b", "difference", "interval")
    }
    with_committee = ask(client, f"/v1/compare?a={a}&b=tiny~0")
    assert with_committee["images"] == found["images"]


def test_other_images_are_refused_though_their_labels_are_the_same():
    """As `toile compare` does."""
    said, labels = np.full((3, 2), 0.5, np.float32), np.array([0, 1, 1])
    one = Subject("one", Images(np.zeros((3, 2, 2, 1), np.uint8), labels), ("a", "b"), said, "of the one data set")
    other = replace(one, name="other", test=replace(one.test, images=one.test.images + 1))
    with pytest.raises(Misuse, match="'one' and 'other' are of different images: their splits draw different ones"):
        one.pair(other)
    one.pair(replace(other, content="of another, in another form"))


def test_a_report_is_made_now_and_may_ask_for_nothing(client, plan):
    made = client.get("/v1/studies/tiny/report")
    assert "Two small models on digits" in made.text
    policy = made.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "connect-src" not in policy and "allow-same-origin" not in policy


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/v1/runs", "/v1/store", "/v1/studies/tiny"])
def test_nothing_can_be_written(client, method, path):
    answer = client.request(method, path, content=b"{}")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(headers.values()))
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/events", "/v1/studies/tiny/report", "/web/page.js"])
def test_another_origin_is_not_answered(client, headers, path):
    answer = client.get(path, headers=headers)
    assert answer.status_code in (403, 421)
    assert "access-control-allow-origin" not in answer.headers


def test_every_answer_is_for_this_origin_alone(client):
    for path in ("/", "/v1/runs", "/v1/nothing"):
        answer = client.get(path)
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=followed).status_code == 200, "a link to the page may be followed"
    assert client.get("/v1/runs", headers=followed).status_code == 403


@pytest.mark.parametrize("path, status", [
    ("/v1/runs/abc", 404), (f"/v1/runs/{'0' * 64}", 404), ("/v1/runs/..%2f..%2fetc%2fpasswd", 404), ("/v1/studies/none", 422),
    ("/v1/said/tiny~9/mistakes", 404), ("/v1/said/tiny~0/cell?true=10&chosen=0", 422), ("/v1/said/tiny~0/cell?true=a", 422),
    ("/v1/said/tiny~0/images/99999.png", 404), ("/v1/said/tiny~%C2%B2/mistakes", 404),
    ("/v1/compare?a=x&b=y", 404), ("/v1/reports/..%2Flock", 404),
    ("/v1/reports/none.html", 404), ("/etc/passwd", 404), ("/web/..%2f..%2f__init__.py", 404),
])  # fmt: skip
def test_what_is_not_there_is_a_problem(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_named_by_bytes_that_are_no_text_is_listed_and_what_lies_elsewhere_is_not(client):
    assert ask(client, "/v1/store")["reports"] == [ODD]
    assert client.get("/v1/reports/link.html").status_code == 404


def events(client, wanted):
    """The states that are told, until one is as wanted."""
    with client.stream("GET", "/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: ") and wanted(state := json.loads(line[6:])):
                return state
    raise AssertionError("the stream ended")


def test_a_page_that_has_gone_before_its_stream_began_leaves_its_place(plan):
    told = Events(Working(plan.store))

    async def gone() -> dict:
        return {"type": "http.disconnect"}

    async def ignored(message: dict) -> None:
        pass

    async def come_and_go() -> None:
        for _ in range(STREAMS + 1):
            await Told(told)({"type": "http", "asgi": {}}, gone, ignored)

    asyncio.run(come_and_go())


def test_a_training_is_told_while_it_goes_on(tmp_path):
    made = stored_tiny(tmp_path / "store")
    longer = api.plan(TINY, store=made.store.root, epochs_scale=0.5)
    planned = longer.trials[1]
    with opened(made.store.root, str(TINY), "--epochs-scale", "0.5") as client:
        assert events(client, lambda state: True)["trainings"] == []
        with at_work(made.store, planned, 0):
            (one,) = events(client, lambda state: state["trainings"])["trainings"]
            assert (one["fingerprint"], one["at_work"], one["epoch"]) == (planned.fingerprint, True, 0)
            checkpoint(made.store, planned.fingerprint, 1)
            (one,) = events(client, lambda state: state["trainings"][0]["epoch"] == 1)["trainings"]
            assert one["seconds_left"] == 2.0
