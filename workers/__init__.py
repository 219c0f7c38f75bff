"""RQ jobs: one short function a job, with one id as its only argument."""
