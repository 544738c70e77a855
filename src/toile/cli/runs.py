"""Verbs about a run or a committee: what it is, what it says, and how it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from toile.cli.application import HERE, Json, Only, Where, app, at_least_1, print_json, print_text, say
from toile.errors import Misuse
from toile.text import as_csv, counted, counted_images, listed

AsIs = Annotated[bool, Parameter(name="--as-is", negative="")]


@app.command
def show(run: str, *, where: Where = HERE, layers: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show one stored run as JSON. RUN is the first digits of its fingerprint, or STUDY/TRIAL.

    Parameters
    ----------
    layers
        A table of the model's layers instead: what comes out of each, and how many parameters it has.
    """
    from toile import api
    from toile.reports.terminal.figures import print_layers

    found = api.find_run(run, **vars(where))
    if layers:
        return print_layers(run, found.model)
    return print_json({
        "fingerprint": found.fingerprint, "folder": str(found.folder), "trial": found.trial, "metrics": found.metrics,
        "provenance": found.provenance,
    })  # fmt: skip


@app.command
def evaluate(study: str, *, where: Where = HERE, only: Only = None) -> None:
    """Give a study's stored runs the figures on their training images, where they have none, from their kept models. Trains
    nothing.

    Parameters
    ----------
    only
        Pattern of trial names, such as 'model-*'; may be given several times.
    """
    from toile import api

    done = api.evaluate(study, only=only or (), tell=say, **vars(where))
    print_text(f"{counted(len(done), 'run has', 'runs have')} got figures on their training images")


@app.command
def compare(a: str, b: str, *, margin: float | None = None, where: Where = HERE, json: Json = False) -> None:
    """Test whether two stored runs, committees or lines of several trainings differ. Each is a run, STUDY/TRIAL or
    STUDY/COMMITTEE; one that has several seeds or folds is compared over them, by a paired t-test, else McNemar's exact test.

    Parameters
    ----------
    margin
        Test too whether their accuracies are equivalent, within so much of each other, such as 0.002; or else whether one of
        the two is at least not worse by so much or more.
    """
    from toile import api
    from toile.reports.terminal.figures import print_comparison

    found = api.compare(a, b, margin=margin, **vars(where))
    print_json(found) if json else print_comparison(found)


@app.command
def mistakes(run: str, /, *, csv: Path | None = None, json: Json = False, where: Where = HERE) -> None:
    """Show which test images a run or a committee (RUN as for predict) gets wrong, by file name, the surest mistake first.

    Parameters
    ----------
    csv
        A .csv file to write instead of printing, or beside --json.
    """
    from dataclasses import asdict

    from toile import api

    def line(one: Any) -> str:
        name = one.file or f"test image {one.image}"
        return f"{name}: {one.truth}, taken for {one.said} ({one.probability:.1%}; {one.truth} {one.of_truth:.1%})"

    columns = ("image", "file", "truth", "said", "probability", "of_truth")
    found = api.mistakes(run, **vars(where))
    _tell(found, "mistake", columns, line, csv, [asdict(one) for one in found] if json else None)


@app.command
def label_errors(run: str, /, *, csv: Path | None = None, json: Json = False, where: Where = HERE) -> None:
    """Show which labels of the data set are probably wrong, by file name, the surest first. RUN is a run, STUDY/TRIAL,
    STUDY/LINE of several seeds or folds, STUDY/COMMITTEE, or a STUDY with one committee. Only images are looked at that were
    held out: the validation part, or with folds all that are not test images.

    Parameters
    ----------
    csv
        A .csv file to write instead of printing, or beside --json.
    """
    from dataclasses import asdict

    from toile import api

    def line(one: Any) -> str:
        name = one.file or f"{one.part} image {one.image}"
        return f"{name}: {one.label}, probably {one.suggested} ({one.probability:.1%}; {one.label} {one.of_label:.1%})"

    columns = ("part", "image", "file", "label", "suggested", "of_label", "probability", "margin")
    found = api.label_errors(run, **vars(where))
    _tell(found.errors, "suspected label error", columns, line, csv, asdict(found) if json else None)
    if json:
        return None
    return print_text(
        f"among {counted_images(found.images)} held out; {found.by} is right on {found.accuracy:.4f} of these, and the "
        "better it is, the more its suspicions are worth"
    )


def _tell(
    found: Sequence[Any], what: str, columns: Sequence[str], line: Callable[[Any], str], csv: Path | None, document: Any = None
) -> None:
    """What was found of single images: in a file, a line each, or a document where JSON is asked for, which may be both."""
    from dataclasses import asdict

    from toile.store import atomic

    if csv is not None:
        atomic.deliver(csv, as_csv([columns, *(tuple(asdict(one).values()) for one in found)]))
    if document is not None:
        return print_json(document)
    for one in found if csv is None else ():
        print_text(line(one))
    return print_text(counted(len(found), what) + (f" in {csv}" if csv is not None else ""))


@app.command
def label_next(
    committee: str,
    /,
    *images: Path,
    csv: Path | None = None,
    where: Where = HERE,
    json: Json = False,
    as_is: AsIs = False,
    on_error: Literal["stop", "skip"] = "stop",
) -> None:
    """Show which unlabelled pictures (files and folders of them) to label next: first those on which the members of COMMITTEE
    (STUDY/COMMITTEE, a STUDY with one, or its .onnx file) contradict each other most surely.

    Parameters
    ----------
    csv
        A .csv file to write instead of printing, or beside --json.
    as_is, on_error
        As for predict.
    """
    from dataclasses import asdict

    from toile import api
    from toile.store import atomic

    if not images:
        raise Misuse("no image given: toile label-next COMMITTEE FOLDER")
    found = api.label_next(committee, images, as_is=as_is, on_error=on_error, tell=say, **vars(where))
    if csv is not None:
        rows = ([one.image, one.information, one.said, one.probability, *one.members.values()] for one in found)
        atomic.deliver(csv, as_csv([("file", "information", "said", "probability", *found[0].members), *rows]))
    if json:
        return print_json([asdict(one) for one in found])
    if csv is not None:
        return print_text(f"{counted(len(found), 'picture')} in {csv}")
    for one in found:
        votes = ", ".join(f"{name}: {vote}" for name, vote in one.members.items())
        print_text(f"{one.image}: {one.information:.3f} nats ({votes})")
    return None


@app.command
def predict(
    run: str,
    /,
    *images: Path,
    where: Where = HERE,
    json: Json = False,
    as_is: AsIs = False,
    on_error: Literal["stop", "skip"] = "stop",
    format: Literal["text", "kaggle"] = "text",
    output: Path | None = None,
    first: int | None = None,
) -> None:
    """Class and probabilities of picture files and folders of them. RUN is a run, STUDY/TRIAL, STUDY/COMMITTEE, a STUDY with
    one committee, or an exported .onnx file.

    Parameters
    ----------
    as_is
        Guess nothing about pictures of another size than the data set's own: neither invert nor trim them.
    on_error
        Skip: leave out files that are no pictures, and say which.
    format
        kaggle: one file of images without labels (.npy or .csv) becomes a CSV id,target.
    output
        A .csv or .json file to write instead of printing, or beside --json; of kaggle, submission.csv where left out.
    first
        The first class's target for Kaggle; where left out, the data set's own labels are the targets.
    """
    from dataclasses import asdict

    from toile.cli.answers import print_answers, warnings_said
    from toile.serving.answer import as_text, from_export, suffix
    from toile.store import atomic

    if not images:
        raise Misuse("no image given: toile predict RUN IMAGE…")
    if format == "kaggle":
        from toile import api

        source, *others = images
        if others:
            raise Misuse(f"--format kaggle takes one file of images without labels, got {len(images)} files")
        given = {"--json": json, "--as-is": as_is, "--on-error skip": on_error == "skip"}
        if odd := [name for name, is_given in given.items() if is_given]:
            raise Misuse(f"{listed(odd)}: not with --format kaggle, which writes a CSV and takes the images as they are")
        output = output or Path("submission.csv")
        with warnings_said():
            made = api.submit(run, source, output, first=first, **vars(where))
        (first_class, *_, last_class), targets = made.targets, made.targets
        span = f"{targets[first_class]} ({first_class}) to {targets[last_class]} ({last_class})"
        return print_text(f"{counted_images(made.images)} in {output}; targets from {span}")
    if first is not None:
        raise Misuse("--first goes with --format kaggle")
    ending = "" if output is None else suffix(output)
    options = {"as_is": as_is, "on_error": on_error, "tell": say}
    # It needs no store, and starts in half a second without all that looks into one; options are refused there.
    if run.endswith(".onnx") and where == HERE:
        with warnings_said():
            answers = from_export(run, images, **options)
    else:
        from toile import api

        answers = api.predict(run, images, **options, **vars(where))
    if output is not None:
        atomic.deliver(output, as_text(answers, ending))
        if not json:
            return print_text(f"{counted(len(answers), 'picture')} in {output}")
    return print_json([asdict(answer) for answer in answers]) if json else print_answers(answers)


@app.command
def export(run: str, /, *, to: str = "onnx", output: Path | None = None, samples: bool = True, where: Where = HERE) -> None:
    """Write a run or a committee (RUN as for predict) as one file: onnx, keras or savedmodel. It is kept only if it says what
    the stored models say. With --samples an .onnx file brings ten images of the data set, for the page of `toile serve`."""
    from toile import api
    from toile.cli.answers import print_export

    say(f"exporting {run} to {to}, and comparing what was written with the stored models")
    print_export(api.export(run, to=to, output=output, samples=samples, **vars(where)))


@app.command
def check_gradients(
    trial: str,
    *,
    where: Where = HERE,
    epsilon: float = 1e-5,
    samples: int = 100,
    json: Json = False,
    output: Path | None = None,
) -> None:
    """Check the gradients of a NumPy network, STUDY/TRIAL, against central differences, on one image of each class.

    Parameters
    ----------
    output
        A file to record the check in; the ledger shows that of results/check-gradients.json.
    """
    from toile import api
    from toile.reports.ledger import gradients
    from toile.reports.terminal.figures import print_gradient_check

    at_least_1(samples=samples)
    if not 0 < epsilon < float("inf"):
        raise Misuse(f"--epsilon is a number above 0, got {epsilon:g}")
    found = api.check_gradients(trial, epsilon=epsilon, samples=samples, **vars(where))
    if output is not None:
        gradients.write(output, trial, epsilon, found)
    print_json(found) if json else print_gradient_check(found)


app.command("toile.serving.command:serve", help="Serve an exported model over HTTP, with a page to try it on.")
app.command("toile.viewer.command:open_", name="open", help="Show a store as a page that is live while studies run.")
