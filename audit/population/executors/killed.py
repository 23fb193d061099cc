"""What is said if the system ends a worker process, and what to do."""

KILLED = "a worker process was killed from outside, most often because memory ran out (a machine's or a container's)."
CONTINUE = (
    "Finished replicas are kept: run again with fewer --workers, or a larger limit. If one process alone takes too "
    "much, fine-tune with a smaller train.batch_size."
)
