"""Every figure of a GPU in ten minutes: ``python -m benchmarks.gpu_session``.

`packing` makes the folder that is carried to a machine without a network, `runner` gives each part
a process and a time limit of its own, `results` keeps what was measured and writes the table.
"""
