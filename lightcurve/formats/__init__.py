"""Files other programs read and write; nothing else."""
