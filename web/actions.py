"""What a person or a program may do to a job, the same from a page as from the API."""

from __future__ import annotations

from core.job import Job, JobRequest, JobStatus
from web.security import is_local_request, require_command_allowed
from web.services import Services


def submit_job(services: Services, request: JobRequest) -> Job:
    """Accept a job and ask for a tick without waiting for it.

    :raises Forbidden: it brings a command that may not run here.
    :raises InputError: it cannot be met; nothing is stored.
    """
    require_command_allowed(services.settings, request.command)
    job = services.jobs.submit(request, local=is_local_request())
    services.loop.request_tick("job")
    return job


def cancel_job(services: Services, job_id: str, reason: str) -> Job:
    """Cancel a job that has not ended, stop its command and give its headroom back.

    :raises NotFound: no such job. :raises Conflict: it has ended.
    """
    job = services.jobs.get(job_id)
    if not job.status.terminal:
        services.dispatcher.cancel(job_id)  # its record comes first, and ends the job when it is under way
    if job.status.terminal or services.jobs.get(job_id).status is not JobStatus.CANCELLED:
        services.jobs.cancel(job_id, reason)
    job = services.jobs.get(job_id)
    services.loop.request_tick("job")
    return job
