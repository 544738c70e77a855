"""The figures of a study as one JSON document: what `toile report STUDY --json` prints, and other programs rely on."""

from __future__ import annotations

import math
from dataclasses import asdict
from statistics import fmean
from typing import Any

from toile.evaluation.significance import LEVEL, McNemar
from toile.reports.results.claim import Claim
from toile.reports.results.result import CalibratedResult, TrialResult
from toile.reports.results.students import Student, students
from toile.reports.results.study import StudyResults


def summary(results: StudyResults) -> dict[str, Any]:
    """Everything measured and published, ready for `json.dumps`.

    Returns:
        `study`, `title`, `dataset`, `test_images`, the lists `trials` and `committees`, and `search`, None without one. A trial
        that has not been run has `status` `missing` and None for every figure; its keys are the same. Figures that are not
        finite are None, because JSON has no word for them. A committee's `choice` and `calibration`, and a trial's
        `calibrated`, are None where there is none; a committee's `test` are the figures after its calibration. `comparisons`
        has every pair that was compared, the more accurate first, with p-values corrected for all of them together; `not_worse`
        says of each of the two whether it is shown to be not worse by the margin or more, None without a margin. `students`
        has each line that learned from a committee beside it: means over their trainings, what both cost, and which of the
        comparisons is theirs (None where they share no two seeds, or no images).
    """
    return plain(
        {
            "study": results.reference,
            "title": results.title,
            "dataset": results.dataset.name,
            "test_images": 0 if results.test is None else len(results.test),
            "trials": [_trial(trial) for trial in results.trials],
            "committees": [
                {
                    "name": committee.name,
                    "members": committee.members,
                    "rule": committee.rule,
                    "weights": committee.weights,
                    "calibration": committee.calibration.about() if committee.calibration else None,
                    "fitted_on": committee.fitted_on or None,
                    "choice": asdict(committee.choice) if committee.choice else None,
                    "published": committee.published or {},
                    "test": committee.test,
                    "mean_of_members": committee.mean_of_members,
                }
                for committee in results.committees
            ],
            "not_made": results.unmade,
            "search": asdict(results.search) if results.search else None,
            "comparisons": [_comparison(claim) for claim in results.claims.pairs.values()],
            "students": [_student(student) for student in students(results)],
        }
    )


def _comparison(claim: Claim) -> dict[str, Any]:
    return {
        "kinds": [claim.a[0], claim.b[0]],
        "names": [claim.a[1], claim.b[1]],
        "over": claim.over,
        "trainings": 1 if isinstance(claim.test, McNemar) else claim.test.trainings,
        "difference": claim.test.difference,
        "interval": claim.test.interval(),
        "p_value": claim.p_value,
        "differ": claim.differ,
        "equivalence_p_value": claim.equivalence,
        "equivalent": claim.equivalent,
        "not_worse_p_values": claim.not_worse,
        "not_worse": claim.not_worse and [p < LEVEL for p in claim.not_worse],
    }


def _student(student: Student) -> dict[str, Any]:
    """Figures on the test images; costs as `Student.costs` has them."""
    line, of, costs = student.line, student.committees, student.costs
    its = {name: fmean(one.test[name] for one in of) for name in ("accuracy", "loss")}
    return {
        "name": line.name,
        "teacher": student.teacher,
        "test": {name: line.mean(name) for name in its},
        "teacher_test": its,
        **{name: {"student": mine, "teacher": theirs} for name, (mine, theirs) in costs.items()},
        "comparison": _comparison(student.claim) if student.claim else None,
    }


def _trial(trial: TrialResult) -> dict[str, Any]:
    provenance = trial.run.provenance if trial.run else {}
    seconds = provenance.get("seconds", {})
    return {
        "name": trial.name,
        "fingerprint": trial.fingerprint,
        "status": "stored" if trial.run else "damaged" if trial.state == "damaged" else "missing",
        "seed": trial.trial.get("seed"),
        "fold": trial.trial.get("fold"),
        "parameters": provenance.get("parameters"),
        "trainable_parameters": provenance.get("trainable_parameters"),
        "epochs_run": provenance.get("epochs_run"),
        "seconds": {"train": seconds.get("train"), "evaluate": seconds.get("evaluate")},
        "images_per_second": provenance.get("images_per_second"),
        "published": trial.published or {},
        "validation": trial.validation if trial.run else None,
        "test": trial.test if trial.run else None,
        "calibrated": _calibrated(trial.calibrated),
    }


def _calibrated(after: CalibratedResult | None) -> dict[str, Any] | None:
    return after and {"calibration": after.calibration.about(), "fitted_on": after.fitted_on, "test": after.test}


def plain(value: Any) -> Any:
    """The value with nothing in it that JSON does not know: NumPy's numbers and arrays, tuples, NaN and infinities."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
