"""What was compared with what, and what may be believed of it."""

from __future__ import annotations

import shlex

from toile.evaluation.significance import McNemar
from toile.reports.results.claim import Claim, Claims, Ref
from toile.reports.results.claims import MOST
from toile.reports.results.students import students
from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, WIDE, Column, Table
from toile.reports.text import count, figure, joined, p_value

# So many rows are read; of more pairs, the table has those that sentences speak of, and of which something is shown.
ROWS = 66


def comparison_table(results: StudyResults) -> Table:
    """Every pair with its difference and what was shown; of very many, those of which something is said or shown."""
    claims = results.claims
    shown = list(claims.pairs.values())
    if len(shown) > ROWS:
        spoken = [claim for of in claims.beside.values() for claim in of]
        spoken += [student.claim for student in students(results) if student.claim is not None]
        found = sorted((claim for claim in shown if claim.differ or claim.equivalent or claim.only_not_worse), key=_first)
        # Each is a value of its own, which cannot be hashed where it holds an array.
        shown = list({id(claim): claim for claim in (*spoken, *found)}.values())[: max(ROWS, len(spoken))]
    shown.sort(key=_first)
    kinds: dict[str, set[str]] = {}
    for claim in claims.pairs.values():
        for kind, name in (claim.a, claim.b):
            kinds.setdefault(name, set()).add(kind)

    def named(ref: Ref) -> str:
        return ref[1] if len(kinds[ref[1]]) == 1 else f"{ref[1]} ({ref[0]})"

    within = [] if claims.margin is None else [Column("p of not worse, corrected"), Column("p of equivalence, corrected")]
    columns = [
        Column("more accurate", TEXT), Column("less accurate", TEXT), Column("compared over", TEXT), Column("difference"),
        Column("95 % interval", TEXT), Column("p, corrected"), *within, Column("shown", WIDE),
    ]  # fmt: skip
    rows = []
    for claim in shown:
        low, high = claim.test.interval()
        rows.append([
            named(claim.a), named(claim.b), over(claim), figure(claim.test.difference), f"{figure(low)} to {figure(high)}",
            p_value(claim.p_value), *(p_value(p) for p in sorted(claim.not_worse or ())), shown_by(claim, claims),
        ])  # fmt: skip
    return Table("Differences of accuracy", columns, rows, note=_note(results, len(shown)) if rows else "")


def _first(claim: Claim) -> tuple[float, float]:
    """What a table begins with: what is surest, and of that the largest."""
    return claim.p_value, -claim.test.difference


def over(claim: Claim) -> str:
    """What a test goes over: `5 seeds`, `10,000 images`."""
    return f"{count(claim.test.images if isinstance(claim.test, McNemar) else claim.test.trainings)} {claim.over}"


def shown_by(claim: Claim, claims: Claims) -> str:
    """What is shown, in a few words. Who is shown to be better is not worse, which is not said again."""
    if not isinstance(claim.test, McNemar) and not claim.test.testable:
        return "the same each time, which cannot be tested"
    found = ["different"] if claim.differ else []
    found += [f"equivalent within {claims.margin:g}"] if claim.equivalent else []
    found += [f"{one[1]} not worse by {claims.margin:g} or more"] if (one := claim.only_not_worse) else []
    return joined(found) or "nothing"


def _note(results: StudyResults, rows: int) -> str:
    claims, study = results.claims, results.called or shlex.quote(results.reference)
    kinds = dict.fromkeys(claim.over for claim in claims.pairs.values())
    said = {
        "images": "over images, by McNemar’s exact test: of these trainings, on other images",
        "seeds": "over seeds, by a paired t-test: of other seeds, on these test images",
        "folds": "over folds, by the t-test of Nadeau and Bengio, as their trainings share images",
    }
    margin = "" if claims.margin is None else f"{claims.margin:g}"
    within = margin and (
        f" That one is not worse by {margin} or more is tested of both. The smaller p is shown; the larger one is that of "
        f"equivalence within {margin}, which is both."
    )
    some = (
        ""
        if rows == len(claims.pairs)
        else f" {rows} of {len(claims.pairs)} pairs are shown; `toile report {study} --json` has all."
    )
    many = "" if claims.contenders else f" With more than {MOST} models and committees, not all are compared with all."
    return (
        f"{claims.tests:,} p-values are corrected together (Holm 1979): each may be compared with 0.05. Compared "
        f"{'; '.join(said[kind] for kind in kinds)}.{within}{some}{many}"
    )
