"""The learners, one per file: the paper's model and what it is compared with."""
