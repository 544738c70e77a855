"""About how long trials of a search take: by their arithmetic, and by what others of the architecture took against theirs."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from toile.runner.jobs import Job
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store.run import Run


class Estimate:
    """Estimates that get better with every run.

    Args:
        plan: whose estimates they begin with.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ratios: dict[str, list[float]] = defaultdict(list)
        self._noted: set[str] = set()

    def note(self, planned: PlannedTrial, run: Run) -> None:
        """Take in how long a run took."""
        if run.fingerprint in self._noted:
            return
        self._noted.add(run.fingerprint)
        took = run.provenance["seconds"]["train"] + run.provenance["seconds"]["evaluate"]
        if (thought := self.plan.seconds(planned)) > 0:
            self.ratios[planned.trial.architecture.name].append(took / thought)

    def seconds(self, planned: PlannedTrial, after: int = 0) -> float:
        """Of one core, for the epochs after so many."""
        thought = self.plan.seconds(planned, after)
        found = self.ratios.get(planned.trial.architecture.name) or [one for ratios in self.ratios.values() for one in ratios]
        return thought * median(found) if found else thought

    def job(self, job: Job, after: int = 0) -> float:
        """Of a job: until it ends, or is to end."""
        return self.seconds(job.trials[-1], after)
