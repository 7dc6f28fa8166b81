"""A batch spread by Ray, over the machines of a cluster or the cores of this one. Needs the extra `cluster`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.runs.batch import End, Job, Outcome, Stopping, carry
from app.runs.task import Settings

_CORES = 4.0  # for a video, where there are no GPUs and nobody says how many videos at a time
_PATIENCE = 60.0  # seconds that stopped videos have for their frame and their report


def check_ray() -> None:
    """ValueError where there is no Ray."""
    if find_spec("ray") is None:
        raise ValueError("--engine ray: pip install 'mer-studio[cluster]' (ray missing), or leave --engine out")


def on_ray(jobs: Sequence[Job], settings: Settings, stopping: Stopping, count: int | None) -> Iterator[Outcome]:
    """An engine: as many videos at a time as the cluster has room for, or up to `count`.

    It is the cluster that RAY_ADDRESS names, or that runs here; where there is none, one is started on this machine
    for the time being. Every video gets a GPU, if the cluster has some. A video whose machine is lost is begun once
    more, where it was.
    """
    import ray

    ray.init(logging_level="warning")
    try:
        task = ray.remote(carry).options(max_retries=1, **_needs(ray.cluster_resources(), settings, count))
        left = deque(_absolute(job) for job in jobs)
        if settings.weights is not None and Path(settings.weights).exists():
            settings = replace(settings, weights=str(Path(settings.weights).absolute()))
        running: dict[Any, Job] = {}
        stopped = False
        while left or running:
            while left and (count is None or len(running) < count):
                job = left.popleft()
                running[task.remote(job, settings)] = job
            ready, _ = ray.wait(list(running), timeout=_PATIENCE if stopped else 0.5)
            if stopped and not ready:
                break  # they do not answer
            for reference in ready:
                yield _outcome(ray, reference, running.pop(reference))
            if stopping() and not stopped:
                stopped = True
                left.clear()
                for reference in running:
                    ray.cancel(reference)
    finally:
        ray.shutdown()


def _absolute(job: Job) -> Job:
    """Other processes, on other machines, are in other folders."""
    task = job.task
    labels = tuple(path.absolute() for path in task.labels)
    return replace(job, task=replace(task, video=task.video.absolute(), labels=labels, out=task.out.absolute()))


def _outcome(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
        return outcome
    except (ray.exceptions.TaskCancelledError, KeyboardInterrupt):
        return Outcome(job.name, End.STOPPED)
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return Outcome(job.name, End.FAILED, message=f"Ray lost it: {reason}")


def _needs(cluster: dict[str, float], settings: Settings, count: int | None) -> dict[str, float]:
    """What Ray sets aside for a video."""
    if cluster.get("GPU", 0) >= 1 and (settings.device or "cuda") == "cuda":
        return {"num_gpus": 1}
    cores = cluster.get("CPU", 1.0)
    return {"num_cpus": max(1, int(min(cores, _CORES) if count is None else min(cores / count, cores)))}
