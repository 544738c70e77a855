"""Progress: plain lines where there is no terminal, bars where there is one, and the time that is left."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.runner.fixture import line, make_plan
from toile.runner.events import Event
from toile.runner.jobs import jobs
from toile.runner.plans.planned import Plan
from toile.runner.progress import Show, TimeLeft, duration
from toile.store.store import Store

FIGURES = {"loss": 1.25, "accuracy": 0.5, "images_per_second": 16.0}


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    return make_plan(
        Store(tmp_path_factory.mktemp("store")),
        line("a", 3), line("b", 1), line("c", 10, {"name": "mlp", "hidden": [8]}), line("child", 2, warm_start="a"),
    )  # fmt: skip


def event(job, kind: str, **fields) -> Event:
    return Event(kind, job.name, job.fingerprint, fields)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-3, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (75, "1 min 15 s"), (3599.6, "1 h 0 min"),
     (3600, "1 h 0 min"), (7325, "2 h 2 min"), (360_000, "100 h 0 min")],
)  # fmt: skip
def test_spoken(seconds, said):
    assert duration(seconds) == said


def test_plain_lines_where_there_is_no_terminal(plan, capsys):
    pending = plan.pending()
    a, c, child = sorted(jobs(pending), key=lambda job: job.name)
    with Show(plan, pending, 2) as show:
        assert show.bars is None and show.total == 3
        show(event(a, "started"))
        show(event(c, "waiting"))
        show(event(a, "epoch", epoch=1, epochs=3, validation_accuracy=0.25, **FIGURES))
        show(event(a, "done", fingerprint=a.fingerprint))
        assert show.done == 1
        show(event(child, "failed", error="no [bold]weights[/]", output=["Traceback [x]", "  last line"]))
        assert show.done == 2
        show(event(c, "stopped"))
    out, err = capsys.readouterr()
    assert out == ""
    rows = err.splitlines()
    assert len(rows) == 8 and "\x1b" not in err
    assert rows[0] == "a + b  started"
    assert rows[1] == "c      another process trains this trial; waiting for it"
    assert rows[2].startswith("a + b  epoch 1/3  loss 1.2500  accuracy 0.5000  validation 0.2500  16 images/s; ")
    assert rows[2].endswith(" left in all")
    assert rows[3].startswith("a + b  done; ")
    assert rows[4:7] == ["child  failed: no [bold]weights[/]", "  | Traceback [x]", "  |   last line"]
    assert rows[7] == "c      stopped; the next run goes on from its last checkpoint"


def test_bars_on_a_terminal(plan, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    pending = plan.pending()
    a, c, child = sorted(jobs(pending), key=lambda job: job.name)
    with Show(plan, pending, 2) as show:
        for happened in (
            event(a, "started"),
            event(c, "started"),
            event(a, "epoch", epoch=2, epochs=3, **FIGURES),
            event(a, "failed", error="it would not learn", output=["last line"]),
            # It was never started: what it begins with is not there.
            event(child, "failed", error="the run that it begins with is not stored"),
            event(c, "done", fingerprint=c.fingerprint),
        ):
            show(happened)
        tasks = {task.description: task for task in show.bars.tasks}
    assert tasks.keys() == {"all trials", a.name, c.name, "child"}
    assert (tasks["all trials"].completed, tasks["all trials"].total) == (3, 3)
    assert (tasks[a.name].completed, tasks[a.name].total) == (2, 3)
    assert tasks["child"].fields["status"] == "failed: the run that it begins with is not stored"
    assert tasks[c.name].finished
    assert "last line" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_bars_keep_their_place(plan, capsys, monkeypatch, width):
    """A line that is wider than the terminal lost its bar, its time, and the ends of its names and figures."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    pending = plan.pending()
    a, c, child = sorted(jobs(pending), key=lambda job: job.name)
    with Show(plan, pending, 2) as show:
        show(event(a, "epoch", epoch=2, epochs=3, validation_accuracy=0.75, **FIGURES))
        show(event(c, "waiting"))
        show(event(child, "failed", error="the run that it begins with is not stored"))
        # What has no place beside a bar is said whole above it.
        whole = " ".join(capsys.readouterr().err.split())
        assert ("child: failed: the run that it begins with is not stored" in whole) == (width < 100)
        drawn = io.StringIO()
        Console(file=drawn, width=width, color_system=None).print(show.bars.make_tasks_table(show.bars.tasks))
    lines = drawn.getvalue().splitlines()
    assert len(lines) == 4 and all("━" in line and "0:00:0" in line for line in lines)
    (of_epoch,) = (line for line in lines if a.name in line)
    assert "…" not in of_epoch and "epoch 2/3" in of_epoch
    assert ("validation 0.7500" in of_epoch) == (width >= 80)
    assert ("images/s" in of_epoch) == (width >= 120)


def test_nothing_to_do_draws_nothing(plan, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Show(plan, [], 2):
        pass
    assert capsys.readouterr() == ("", "")


def test_time_left_goes_by_the_speed_that_is_shown(plan):
    work = jobs(plan.pending())
    left = TimeLeft(plan, work, 2)
    estimates = {job.fingerprint: plan.seconds(job.longest) for job in work}
    assert left.estimate() == max(sum(estimates.values()) / 2, *estimates.values())
    (c,) = (job for job in work if job.name == "c")
    left.note(event(c, "epoch", epoch=4, epochs=10, **FIGURES))
    assert left.seconds[c.fingerprint] == 6 * 160 / 16.0
    assert left.estimate() == max(sum(left.seconds.values()) / 2, *left.seconds.values())  # no sooner than the longest
    left.note(event(c, "failed", error=""))
    assert c.fingerprint not in left.seconds


def test_the_speed_of_a_trial_is_that_of_its_like(plan):
    like = make_plan(plan.store, line("two seeds", 10, {"name": "mlp", "hidden": [8]}, seeds=[0, 1]), line("other", 4, "cnn"))
    work = jobs(like.pending())
    left = TimeLeft(like, work, 1)
    first, second, other = sorted(work, key=lambda job: (job.name == "other", job.name))
    of_other = left.seconds[other.fingerprint]
    left.note(event(first, "epoch", epoch=4, epochs=10, **FIGURES))
    assert left.seconds[second.fingerprint] == 10 * 160 / 16.0
    left.note(event(second, "epoch", epoch=9, epochs=10, **FIGURES))
    left.note(event(first, "epoch", epoch=5, epochs=10, **FIGURES))
    assert left.seconds == {first.fingerprint: 50.0, second.fingerprint: 10.0, other.fingerprint: of_other}


def test_a_guess_is_corrected_by_how_wrong_another_of_the_architecture_was(plan):
    """The plan's arithmetic does not know the machine. One trial shows its speed; others of its architecture are as far off."""
    other = make_plan(
        plan.store, line("small", 10, {"name": "mlp", "hidden": [8]}), line("large", 4, {"name": "mlp", "hidden": [64]})
    )
    left = TimeLeft(other, jobs(other.pending()), 1)
    small, large = sorted(jobs(other.pending()), key=lambda job: job.name, reverse=True)
    guesses = dict(left.seconds)
    left.note(event(small, "epoch", epoch=4, epochs=10, **FIGURES))
    ratio = 10 * 160 / 16.0 / guesses[small.fingerprint]
    assert left.seconds[small.fingerprint] == 60.0
    assert left.seconds[large.fingerprint] == pytest.approx(guesses[large.fingerprint] * ratio)
    left.note(event(large, "epoch", epoch=1, epochs=4, **FIGURES))
    left.note(event(small, "epoch", epoch=5, epochs=10, **FIGURES))
    assert left.seconds == {small.fingerprint: 50.0, large.fingerprint: 30.0}


@given(data=st.data(), workers=st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_time_left_is_never_negative_and_ends_at_nothing(plan, data, workers):
    work = jobs(plan.pending())
    left = TimeLeft(plan, work, workers)
    # Shorter trials too: one that the longer did not pass is trained after all, under its own fingerprint.
    fingerprints = [one.fingerprint for job in work for one in job.trials]
    for _ in range(data.draw(st.integers(0, 12))):
        epochs = data.draw(st.integers(1, 10))
        fields = {
            "epochs": epochs,
            "epoch": data.draw(st.integers(1, epochs)),
            "images_per_second": data.draw(st.floats(0.1, 1e6)),
        }
        kind = data.draw(st.sampled_from(["started", "waiting", "epoch", "epoch", "done", "failed", "stopped"]))
        left.note(Event(kind, "name", data.draw(st.sampled_from(fingerprints)), fields))
        assert left.estimate() >= 0
    for fingerprint in fingerprints:
        left.note(Event("done", "name", fingerprint, {}))
    assert left.estimate() == 0
