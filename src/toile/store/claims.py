"""Who is at work in a store, so that nobody's work is deleted: claims, holds, and one short lock over both.

A **claim** is the only right to work on one trial: the lock `work/<fingerprint>.lock` of the process that trains it. A **hold**
says what a process that carries out a study is going to need, and is made before anything of it: `holds/<token>.json`, which
counts as long as the lock beside it is held. So work folders, data sets and weights are covered from before they are made,
while a worker process, which takes seconds to start, has no claim yet. The locks are the operating system's, and end with
their holder, however that ends. Whoever begins or ends a hold, begins a claim, or deletes (`toile.store.garbage`), has the lock
`STORE/lock` meanwhile, which is never for long: what is deleted is renamed under it, and goes afterwards.

How a beginning (B) and a cleaning (G) can meet:

- B holds before G looks. G reads what B is going to need, and leaves all of it.
- G looks before B holds. B waits until G has renamed what it found; it then finds a store that was cleaned before it came, and
  keeps its data set anew. (What B had mapped into memory can be read as long as it is mapped.)
- B is a worker without a hold, started by hand. Its claim begins under the short lock too. If G was first, the data set may be
  gone, and B says that the store has no such one. If B was first, G reads in `work/<fingerprint>/trial.json` what it needs; as
  long as that is not written, G does not know, and leaves all data sets, weights and features.
- B waits for a claim that another has. It gets that without the short lock, when the other ends. If G comes in the moment
  between, it finds work that nobody is at, and takes it if no hold names it: B gets an empty folder then, and begins anew.
- B ends while G looks. Its runs were renamed into place before its hold or claim ends, and G looks at holds first, at claims
  then, and at runs last: it finds the one or the other.
- B is killed. Its locks are gone with it, and what it left is the next G's.
- G is killed. What it had renamed lies in `trash/`, which is deleted by the next.
- Two G. The second waits for the first.

In a store that may only be read no lock can be taken, and nobody can begin. There one asks whether a lock is had, which needs
no writing, and lists what is no longer needed without being sure that it stays so.

The lock file of a claim is never deleted. Who had opened it to wait would get a lock that no newcomer sees, and two would hold
the same claim; so there remains an empty file of each trial. The lock of a hold is nobody's to wait for, and goes with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toile.store import atomic, checked
from toile.study.trial import Trial

# What a trial needs of the store: `content` of its data set, and of its `weights`, which may be None.
Needs = dict[str, Any]


def needs(trial: dict[str, Any]) -> Needs:
    """Of a trial's canonical JSON."""
    return {"content": trial["dataset"]["content"], "weights": trial["architecture"].get("weights")}


class Claims:
    """The locks of one store. It has to be there when the first is asked for.

    Args:
        root: the store's folder.
        work: the folder of work, where claims are.
    """

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.work, self.holds_folder = root, work, root / "holds"

    @contextmanager
    def short(self) -> Generator[None]:
        """The lock over all others. Not to be asked for by who has it: it would wait for itself.

        Raises:
            OSError: the store cannot be written to, or its file system has no locks.
        """
        path = self.root / "lock"
        lock = _lock(path)
        with atomic.named(path):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def looking(self) -> Generator[None]:
        """The short lock for who only looks, and so goes without it where nothing can be written."""
        with ExitStack() as had:
            with suppress(OSError):
                had.enter_context(self.short())
            yield

    def of(self, fingerprint: str) -> FileLock:
        """The lock of a claim."""
        return _lock(self.work / f"{fingerprint}.lock")

    @contextmanager
    def claim(self, fingerprint: str, waiting: Callable[[], None]) -> Generator[None]:
        """Have the claim; see `toile.store.store.Store.claim`."""
        lock = self.of(fingerprint)
        try:
            with self.short():
                lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def hold(self, trials: Iterable[Trial]) -> Generator[None]:
        """Hold what trials need, and their work."""
        self.holds_folder.mkdir(parents=True, exist_ok=True)
        path = self.holds_folder / f"{uuid.uuid4().hex}.json"
        lock = _lock(path.with_suffix(".lock"))
        named = {trial.fingerprint: needs(trial.model_dump()) for trial in trials}
        with self.short():
            self.forget_the_dead()
            lock.acquire(timeout=0)
            try:
                checked.write_json(path, named)
            except BaseException:
                self._forget(path, lock)
                raise
        try:
            yield
        finally:
            with self.short():
                self._forget(path, lock)

    def held(self) -> dict[str, Needs]:
        """What all holds name, by fingerprint. To be asked under the short lock.

        Raises:
            Damaged: a hold does not say what it needs. (It was written by a process that runs; so this is a broken disk.)
        """
        found: dict[str, Needs] = {}
        for path in self.holds_folder.glob("*.json"):
            with _idle(path.with_suffix(".lock")) as dead:
                found |= {} if dead else checked.read_json(path)[0]
        return found

    @contextmanager
    def idle(self, fingerprint: str) -> Generator[bool]:
        """Whether nobody has the claim. Where it can be had, nobody gets it meanwhile."""
        with _idle(self.work / f"{fingerprint}.lock") as free:
            yield free

    def is_free(self, fingerprint: str) -> bool:
        """Whether nobody has the claim."""
        with self.idle(fingerprint) as free:
            return free

    def forget_the_dead(self) -> None:
        """Delete what killed processes held. To be called under the short lock."""
        for path in self.holds_folder.glob("*.lock"):
            lock = _lock(path)
            with suppress(Timeout, PermissionError):  # it is held; or it is another user's, who will do so
                lock.acquire(timeout=0)
                self._forget(path.with_suffix(".json"), lock)

    def _forget(self, path: Path, lock: FileLock) -> None:
        path.unlink(missing_ok=True)
        lock.release()
        path.with_suffix(".lock").unlink(missing_ok=True)


def _lock(path: Path) -> FileLock:
    """A lock that whoever may write in its folder can have, whatever umask made its file: of one who shares a store and gives
    the others nothing, the file of the short lock would keep all others out."""
    try:
        return FileLock(path, mode=path.parent.stat().st_mode & 0o666)
    except OSError:
        return FileLock(path)


@contextmanager
def _idle(path: Path) -> Generator[bool]:
    """Whether nobody has a lock; it is had meanwhile, where it can be."""
    with ExitStack() as had:
        try:
            had.enter_context(_lock(path).acquire(timeout=0))
            free = True
        except Timeout:
            free = False
        except OSError:
            free = _is_unlocked(path)
        yield free


def _is_unlocked(path: Path) -> bool:
    """Whether nobody has the lock of a file that may only be read. Where the system cannot say, somebody may."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return True
    except (OSError, ImportError):
        return False
